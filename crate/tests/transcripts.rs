//! Every transcript against the commands themselves, without transport or task.

#[path = "support/local.rs"]
mod local;
#[path = "support/shards.rs"]
mod shards;
#[path = "support/transcript.rs"]
mod transcript;

use interleave::command::TABLE;
use interleave::resp::{format_raw, format_value, prints_raw, split_line};
use interleave::store::{Databases, Keyspace};
use local::Local;
use shards::Shards;

fn check<K: Keyspace>(keyspace: impl Fn() -> K) {
    let mut wrong = String::new();
    for (name, steps) in transcript::all() {
        let mut local = Local::new(keyspace());
        for step in steps {
            let arguments = split_line(&step.request).expect("balanced quotes");
            let reply = local.request(&arguments);
            let printed = if prints_raw(&arguments) { format_raw(&reply) } else { format_value(&reply) };
            if !step.accepts(&printed) {
                let (line, request, reply) = (step.line, step.request, step.reply);
                wrong += &format!("{name}:{line}\n> {request}\nexpected:\n{reply}\nfound:\n{printed}\n\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn one_store_answers_as_the_transcripts_say() {
    check(Databases::default);
}

#[test]
fn several_stores_answer_the_same() {
    check(|| Shards::new(7));
}

#[test]
fn every_command_is_in_a_transcript() {
    let steps: Vec<_> = transcript::all().into_iter().flat_map(|(_, steps)| steps).collect();
    let is_typed = |name: &str| {
        let first_word = |request: &str| request.split(' ').next().unwrap_or_default().to_lowercase();
        steps.iter().any(|step| first_word(&step.request) == name)
    };
    // QUIT ends the connection a transcript is typed on; it stands among the wire cases.
    let missing: Vec<_> =
        TABLE.iter().map(|spec| spec.name).filter(|name| *name != "quit" && !is_typed(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
