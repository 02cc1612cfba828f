//! COMMAND: the table, told to whoever asks.

use super::command_list::{GETKEYS, LIST};
use super::help;
use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use super::table::{TABLE, lookup, subcommand};
use super::usage::{Argument, ArgumentKind};
use crate::resp::{Args, Reply};

pub(super) const COMMAND: Spec = Spec {
    name: "command",
    summary: "Describes all commands.",
    usage: "",
    since: "2.8.13",
    group: Group::Server,
    complexity: "O(N) in the number of commands",
    arity: -1,
    flags: &[Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: if cfg!(feature = "texts") {
        &[COUNT, DOCS, GETKEYS, INFO, LIST, HELP]
    } else {
        &[COUNT, INFO, HELP]
    },
    run: Run::session(command),
};

fn command(_: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.array(TABLE.len());
    for spec in TABLE {
        write_info(spec, reply);
    }
    Ok(())
}

const COUNT: Spec = Spec {
    name: "command|count",
    summary: "How many commands there are.",
    usage: "",
    since: "2.8.13",
    group: Group::Server,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(count),
};

fn count(_: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.count(TABLE.len());
    Ok(())
}

const DOCS: Spec = Spec {
    name: "command|docs",
    summary: "What commands do and take: all of them, or those named.",
    usage: "[command-name ...]",
    since: "7.0.0",
    group: Group::Server,
    complexity: "O(N) in the number of commands",
    arity: -2,
    flags: &[Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(docs),
};

fn docs(_: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let wanted: Vec<&Spec> = match args.len() {
        2 => TABLE.iter().collect(),
        _ => args.from(2).filter_map(find).collect(),
    };
    reply.map(wanted.len());
    for spec in wanted {
        reply.bulk(spec.name);
        write_docs(spec, reply);
    }
    Ok(())
}

const INFO: Spec = Spec {
    name: "command|info",
    summary: "The arity, flags and key positions of commands: all of them, or those named.",
    usage: "[command-name ...]",
    since: "2.8.13",
    group: Group::Server,
    complexity: "O(N) in the number of commands",
    arity: -2,
    flags: &[Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(info),
};

fn info(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() == 2 {
        return command(ctx, args, reply);
    }
    reply.array(args.len() - 2);
    for name in args.from(2) {
        match find(name) {
            Some(spec) => write_info(spec, reply),
            None => reply.null(),
        }
    }
    Ok(())
}

const HELP: Spec = help::of("command|help", "5.0.0", Group::Server);

/// The command called `name`, or the subcommand: `client|list`.
fn find(name: &[u8]) -> Option<&'static Spec> {
    match name.iter().position(|byte| *byte == b'|') {
        None => lookup(name).map(|(_, spec)| spec),
        Some(bar) => subcommand(lookup(&name[..bar])?.1, &name[bar + 1..]),
    }
}

fn write_info(spec: &Spec, reply: &mut Reply<'_>) {
    let (first, last, step) = match spec.keys {
        KeySpec::Range { first, last, step } => (first, last, step),
        KeySpec::FirstApart { last } => (1, last, 1),
        KeySpec::FirstAndComputed(_) => (1, 1, 1),
        KeySpec::Counted { destination: Some(at), .. } => (at, at as i32, 1),
        KeySpec::Counted { destination: None, .. }
        | KeySpec::AfterWord { .. }
        | KeySpec::None
        | KeySpec::All
        | KeySpec::Computed(_) => (0, 0, 0),
    };
    reply.array(10);
    reply.bulk(spec.name);
    reply.integer(i64::from(spec.arity));
    let mut flags: Vec<&str> = spec.flags.iter().filter_map(|flag| flag.name()).collect();
    let are_movable = matches!(
        spec.keys,
        KeySpec::Counted { .. } | KeySpec::AfterWord { .. } | KeySpec::FirstAndComputed(_)
    );
    flags.extend(are_movable.then_some("movablekeys"));
    write_set(&flags, reply);
    reply.count(first);
    reply.integer(i64::from(last));
    reply.count(step);
    write_set(&categories(spec), reply);
    // Tips for cluster clients: there is no cluster.
    reply.set(0);
    write_key_specs(spec, reply);
    // As Redis has it: none are a set, some an array.
    match spec.subcommands.len() {
        0 => reply.set(0),
        some => reply.array(some),
    }
    for sub in spec.subcommands {
        write_info(sub, reply);
    }
}

/// The access-control categories, which all follow from flags and family.
pub(super) fn categories(spec: &Spec) -> Vec<&'static str> {
    let mut categories = Vec::new();
    let mut add = |condition, category| {
        if condition {
            categories.push(category);
        }
    };
    // What sorts is of the families whose values it takes, and a container of none.
    let sorts = spec.name.starts_with("sort");
    let is_generic = spec.group == Group::Generic && !sorts && spec.subcommands.is_empty();
    add(is_generic || matches!(spec.name, "dbsize" | "flushdb" | "flushall" | "swapdb"), "@keyspace");
    add(spec.has(Flag::ReadOnly), "@read");
    add(spec.has(Flag::Write), "@write");
    add(sorts || spec.group == Group::Set, "@set");
    add(sorts || spec.group == Group::SortedSet, "@sortedset");
    add(sorts || spec.group == Group::List, "@list");
    add(spec.group == Group::Hash, "@hash");
    add(spec.group == Group::String, "@string");
    add(spec.has(Flag::PubSub), "@pubsub");
    add(spec.group == Group::Stream && spec.subcommands.is_empty(), "@stream");
    add(spec.has(Flag::Admin), "@admin");
    add(spec.has(Flag::Fast), "@fast");
    add(!spec.has(Flag::Fast), "@slow");
    add(spec.has(Flag::Blocking), "@blocking");
    add(spec.has(Flag::Dangerous), "@dangerous");
    let is_about_connections = spec.group == Group::Connection && spec.name != "client";
    add(is_about_connections || spec.name.starts_with("command"), "@connection");
    add(spec.group == Group::Transactions, "@transaction");
    categories
}

/// How many specifications say where the keys are.
fn key_specs(spec: &Spec) -> usize {
    match spec.keys {
        KeySpec::None | KeySpec::All | KeySpec::Computed(_) => 0,
        KeySpec::Range { .. } | KeySpec::AfterWord { .. } => 1,
        KeySpec::FirstApart { .. } => 2,
        KeySpec::FirstAndComputed(_) => 2 + usize::from(spec.has(Flag::Write)),
        KeySpec::Counted { destination, .. } => 1 + usize::from(destination.is_some()),
    }
}

/// Where the keys are in the newer, longer form.
fn write_key_specs(spec: &Spec, reply: &mut Reply<'_>) {
    let access = if spec.has(Flag::Write) { "RW" } else { "RO" };
    reply.set(key_specs(spec));
    match spec.keys {
        KeySpec::None | KeySpec::All | KeySpec::Computed(_) => {}
        KeySpec::Range { first, last, step } => {
            // Counted from the first key here, unless from the end.
            let last = if last < 0 { last } else { last - first as i32 };
            write_key_spec(access, Begin::Index(first), KeysFound::Range { last, step, limit: 0 }, reply);
        }
        KeySpec::FirstApart { last } => {
            write_key_spec(access, Begin::Index(1), ONE_KEY, reply);
            let last = if last < 0 { last } else { last - 2 };
            write_key_spec(access, Begin::Index(2), KeysFound::Range { last, step: 1, limit: 0 }, reply);
        }
        KeySpec::FirstAndComputed(_) => {
            // The patterns that name keys, and where a result is stored.
            write_key_spec("RO", Begin::Index(1), ONE_KEY, reply);
            for access in &["RO", "OW"][..key_specs(spec) - 1] {
                write_key_spec(access, Begin::Untold, KeysFound::Untold, reply);
            }
        }
        KeySpec::AfterWord { word, from, .. } => {
            // A reader of a group reads, though it writes what the group knows.
            let half = KeysFound::Range { last: -1, step: 1, limit: 2 };
            write_key_spec("RO", Begin::Word(word, from), half, reply);
        }
        KeySpec::Counted { count, destination } => {
            if let Some(destination) = destination {
                write_key_spec("OW", Begin::Index(destination), ONE_KEY, reply);
            }
            let access = if destination.is_some() { "RO" } else { access };
            write_key_spec(access, Begin::Index(count), KeysFound::Counted, reply);
        }
    }
}

/// Where the search for keys begins.
#[derive(Clone, Copy)]
enum Begin {
    /// At a position.
    Index(usize),
    /// After a word, which is not in front of a position.
    Word(&'static str, usize),
    /// It cannot be told so simply.
    Untold,
}

/// How keys are found from there on.
#[derive(Clone, Copy)]
enum KeysFound {
    /// The `limit`: of the arguments only the first half, third and so on are keys.
    Range {
        last: i32,
        step: usize,
        limit: i64,
    },
    Counted,
    Untold,
}

/// The key is right there.
const ONE_KEY: KeysFound = KeysFound::Range { last: 0, step: 1, limit: 0 };

fn write_key_spec(access: &str, begin: Begin, found: KeysFound, reply: &mut Reply<'_>) {
    reply.map(3);
    reply.bulk("flags");
    write_set(&[access], reply);
    reply.bulk("begin_search");
    reply.map(2);
    reply.bulk("type");
    match begin {
        Begin::Index(index) => {
            reply.bulk("index");
            reply.bulk("spec");
            reply.map(1);
            reply.bulk("index");
            reply.count(index);
        }
        Begin::Word(word, from) => {
            reply.bulk("keyword");
            reply.bulk("spec");
            reply.map(2);
            write_field("keyword", word, reply);
            reply.bulk("startfrom");
            reply.count(from);
        }
        Begin::Untold => write_untold(reply),
    }
    reply.bulk("find_keys");
    reply.map(2);
    reply.bulk("type");
    let (kind, numbers) = match found {
        KeysFound::Range { last, step, limit } => {
            ("range", [("lastkey", i64::from(last)), ("keystep", step as i64), ("limit", limit)])
        }
        KeysFound::Counted => ("keynum", [("keynumidx", 0), ("firstkey", 1), ("keystep", 1)]),
        KeysFound::Untold => return write_untold(reply),
    };
    reply.bulk(kind);
    reply.bulk("spec");
    reply.map(numbers.len());
    for (name, number) in numbers {
        reply.bulk(name);
        reply.integer(number);
    }
}

fn write_untold(reply: &mut Reply<'_>) {
    reply.bulk("unknown");
    reply.bulk("spec");
    reply.map(0);
}

fn write_docs(spec: &Spec, reply: &mut Reply<'_>) {
    let arguments = spec.arguments();
    let fields = 4 + usize::from(!arguments.is_empty()) + usize::from(!spec.subcommands.is_empty());
    reply.map(fields);
    write_field("summary", spec.summary, reply);
    write_field("since", spec.since, reply);
    write_field("group", spec.group.name(), reply);
    write_field("complexity", spec.complexity, reply);
    if !arguments.is_empty() {
        reply.bulk("arguments");
        let mut docs = Docs { key_specs: key_specs(spec), keys: 0 };
        docs.write(&arguments, reply);
    }
    if !spec.subcommands.is_empty() {
        reply.bulk("subcommands");
        reply.map(spec.subcommands.len());
        for sub in spec.subcommands {
            reply.bulk(sub.name);
            write_docs(sub, reply);
        }
    }
}

/// A command's arguments on their way out.
struct Docs {
    /// How many specifications of keys the command has.
    key_specs: usize,
    /// How many arguments that are keys have been written.
    keys: usize,
}

impl Docs {
    fn write(&mut self, arguments: &[Argument], reply: &mut Reply<'_>) {
        reply.array(arguments.len());
        for argument in arguments {
            let inner = match &argument.kind {
                ArgumentKind::OneOf(inner) | ArgumentKind::Block(inner) => Some(inner),
                _ => None,
            };
            let is_key = argument.kind == ArgumentKind::Key;
            let mut flags = Vec::new();
            flags.extend(argument.optional.then_some("optional"));
            flags.extend(argument.multiple.then_some("multiple"));
            let optional_fields = [is_key, argument.token.is_some(), !flags.is_empty(), inner.is_some()];
            reply.map(2 + optional_fields.into_iter().filter(|present| *present).count());
            write_field("name", &argument.name, reply);
            write_field("type", argument.kind.name(), reply);
            if is_key {
                reply.bulk("key_spec_index");
                // The first key has the first specification, and all others share the last.
                reply.count(if self.keys == 0 { 0 } else { self.key_specs.saturating_sub(1) });
                self.keys += 1;
            }
            if let Some(token) = &argument.token {
                write_field("token", token, reply);
            }
            if !flags.is_empty() {
                reply.bulk("flags");
                write_set(&flags, reply);
            }
            if let Some(inner) = inner {
                reply.bulk("arguments");
                self.write(inner, reply);
            }
        }
    }
}

fn write_field(name: &str, value: &str, reply: &mut Reply<'_>) {
    reply.bulk(name);
    reply.bulk(value);
}

fn write_set(words: &[&str], reply: &mut Reply<'_>) {
    reply.set(words.len());
    for word in words {
        reply.simple(word);
    }
}
