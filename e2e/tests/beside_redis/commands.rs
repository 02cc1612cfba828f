//! What COMMAND tells: every command of redis-server's is there or is known to be absent, and of each that is there the
//! arity, the flags, the categories and where its keys are.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use interleave::command::TABLE;
use interleave::resp::{Value, format_value, split_line};
use interleave_e2e::redis::Redis;
use interleave_e2e::server::Server;

use crate::differs::{ABSENT, ABSENT_SUBCOMMANDS, ADDED, sorted};
use crate::talker::Talker;

fn ask(talker: &mut Talker, line: &str) -> Value {
    talker.ask(&split_line(line).expect("balanced quotes")).expect("an answer").value
}

/// The elements of an aggregate.
fn elements(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) | Value::Set(values) => values,
        Value::Null => Vec::new(),
        other => panic!("expected several values, found {other:?}"),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(text) => String::from_utf8_lossy(text).into_owned(),
        other => panic!("expected a name, found {other:?}"),
    }
}

/// What COMMAND INFO tells of a command: its parts by name, and those of its subcommands.
struct Told {
    name: String,
    parts: Vec<(&'static str, Value)>,
    subcommands: Vec<Value>,
}

impl Told {
    fn of(value: Value) -> Option<Self> {
        let mut parts = elements(value).into_iter();
        let name = text(&parts.next()?);
        let mut next = || parts.next().unwrap_or(Value::Null);
        let mut told = vec![
            ("arity", next()),
            ("flags", sorted(next())),
            ("first key", next()),
            ("last key", next()),
            ("step", next()),
            ("categories", sorted(next())),
        ];
        // Tips are for clients of a cluster: there is none.
        next();
        told.push(("key specs", without_flags(next())));
        Some(Self { name, parts: told, subcommands: elements(next()) })
    }
}

/// Key specs without what is done to the keys, of which less is told here.
fn without_flags(specs: Value) -> Value {
    let one = |spec| match spec {
        Value::Map(parts) => Value::Map(
            parts.into_iter().filter(|(name, _)| !["flags", "notes"].contains(&&*text(name))).collect(),
        ),
        other => other,
    };
    Value::Array(elements(specs).into_iter().map(one).collect())
}

/// What is told otherwise of a command, and of the subcommands that both have.
fn compare(theirs: Told, ours: Told, wrong: &mut String) {
    for ((part, theirs_value), (_, ours_value)) in theirs.parts.iter().zip(&ours.parts) {
        if theirs_value != ours_value {
            let _ = writeln!(
                wrong,
                "{}, {part}\nredis: {}\nours:  {}",
                ours.name,
                format_value(theirs_value),
                format_value(ours_value)
            );
        }
    }
    let told = |values: Vec<Value>| values.into_iter().filter_map(Told::of).collect::<Vec<_>>();
    let (mut theirs_subs, ours_subs) = (told(theirs.subcommands), told(ours.subcommands));
    for ours in ours_subs {
        let Some(at) = theirs_subs.iter().position(|theirs| theirs.name == ours.name) else {
            if !ADDED.iter().any(|(name, _)| *name == ours.name) {
                let _ = writeln!(wrong, "{} is not Redis's", ours.name);
            }
            continue;
        };
        compare(theirs_subs.swap_remove(at), ours, wrong);
    }
    for theirs in theirs_subs {
        if !ABSENT_SUBCOMMANDS.iter().any(|(_, names)| names.contains(&&*theirs.name)) {
            let _ = writeln!(wrong, "{} is missing", theirs.name);
        }
    }
}

#[tokio::test]
async fn every_command_is_there_or_known_to_be_absent() {
    let (redis, server) = (Redis::start().await, Server::start(&[]).await);
    let list = |port| {
        let mut talker = Talker::connect(port);
        let names = elements(ask(&mut talker, "COMMAND LIST"));
        // What containers contain is compared where it is told.
        names.iter().map(text).filter(|name| !name.contains('|')).collect::<BTreeSet<_>>()
    };
    let (theirs, ours) = (list(redis.port()), list(server.resp_port()));
    let known: BTreeSet<String> =
        ABSENT.iter().flat_map(|(_, names)| names.iter().map(ToString::to_string)).collect();
    let missing: Vec<_> = theirs.difference(&ours).filter(|name| !known.contains(*name)).collect();
    assert!(missing.is_empty(), "missing, and not listed as absent: {missing:?}");
    let more: Vec<_> = ours.difference(&theirs).collect();
    assert!(more.is_empty(), "not Redis's: {more:?}");
    let there: Vec<_> = known.intersection(&ours).collect();
    assert!(there.is_empty(), "listed as absent, and there: {there:?}");
}

#[tokio::test]
async fn of_every_command_the_same_is_told() {
    let (redis, server) = (Redis::start().await, Server::start(&[]).await);
    let (mut theirs, mut ours) = (Talker::connect(redis.port()), Talker::connect(server.resp_port()));
    for talker in [&mut theirs, &mut ours] {
        ask(talker, "HELLO 3");
    }
    let mut wrong = String::new();
    for spec in TABLE {
        let request = format!("COMMAND INFO {}", spec.name);
        let [theirs, ours] = [&mut theirs, &mut ours].map(|talker| {
            elements(ask(talker, &request)).pop().and_then(Told::of).unwrap_or_else(|| panic!("{request}"))
        });
        compare(theirs, ours, &mut wrong);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
