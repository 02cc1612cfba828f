//! Every transcript against the commands themselves, without transport or task.

#[path = "support/local.rs"]
mod local;
#[path = "support/transcript.rs"]
mod transcript;

use interleave::store::{Keyspace, Store, shard_of};
use local::Local;

/// Several stores in one place, as the sharded sharing has them behind locks.
struct Shards(Vec<Store>);

impl Keyspace for Shards {
    fn store(&mut self, key: &[u8]) -> &mut Store {
        let shard = shard_of(key, self.0.len());
        &mut self.0[shard]
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn nth(&mut self, index: usize) -> &mut Store {
        &mut self.0[index]
    }
}

fn check<K: Keyspace>(keyspace: impl Fn() -> K) {
    let mut wrong = String::new();
    for (name, steps) in transcript::all() {
        let mut local = Local::new(keyspace());
        for step in steps {
            let printed = local.type_line(&step.request);
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
    check(Store::default);
}

#[test]
fn several_stores_answer_the_same() {
    check(|| Shards((0..7).map(|_| Store::default()).collect()));
}
