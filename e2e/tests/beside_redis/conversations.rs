//! Every conversation of several clients, held with redis-server: what each hears is what the conversation says. That our
//! server says it too is tested where it is, in virtual time and under every sharing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use interleave::resp::split_line;
use interleave_e2e::redis::Redis;

use crate::talker::Talker;

#[path = "../../../crate/tests/support/conversation.rs"]
mod conversation;

use conversation::{Act, Turn, shown};

/// How long a client that should hear something is listened to before it has heard something else.
const HEARS_WITHIN: Duration = Duration::from_secs(2);

/// How long somebody who should hear nothing is listened to.
const QUIET: Duration = Duration::from_millis(5);

/// What each client heard in `turn` but should not have, or the other way round.
fn hear(turn: &Turn, clients: &mut BTreeMap<char, Talker>) -> String {
    let mut wrong = String::new();
    // Those first who hear something: by then whatever the others would hear has been sent, too.
    for (name, client) in clients.iter_mut() {
        let Some(expected) = turn.heard.get(name) else { continue };
        let began = Instant::now();
        loop {
            let (bytes, ended) = client.heard();
            let found = shown(bytes, ended);
            if expected.is(&found) {
                break;
            }
            if began.elapsed() > HEARS_WITHIN {
                let _ = writeln!(
                    wrong,
                    "{}: {:?}\n{name} heard {found}\n{name}<  {expected:?}",
                    turn.line, turn.act
                );
                break;
            }
            client.receive(QUIET);
        }
    }
    let began = Instant::now();
    for (name, client) in clients.iter_mut() {
        if !turn.heard.contains_key(name) {
            client.receive(QUIET.saturating_sub(began.elapsed()).max(Duration::from_millis(1)));
            let (bytes, ended) = client.heard();
            if !bytes.is_empty() || ended {
                let found = shown(bytes, ended);
                let _ =
                    writeln!(wrong, "{}: {:?}\n{name} heard {found}\n{name}<  nothing", turn.line, turn.act);
            }
        }
        client.forget();
    }
    if turn.differs { String::new() } else { wrong }
}

/// Holds a conversation and tells every turn that came out otherwise than it should.
fn hold(port: u16, turns: &[Turn]) -> String {
    let mut wrong = String::new();
    let mut clients: BTreeMap<char, Talker> = BTreeMap::new();
    for turn in turns {
        match &turn.act {
            Act::Say(client, request) => {
                let client = clients.entry(*client).or_insert_with(|| Talker::connect(port));
                client.send(&[split_line(request).expect("balanced quotes")]);
            }
            Act::Leave(client) => drop(clients.remove(client)),
            Act::Wait(ms) => std::thread::sleep(Duration::from_millis(*ms)),
        }
        wrong += &hear(turn, &mut clients);
        clients.retain(|_, client| !client.heard().1);
    }
    wrong
}

#[tokio::test]
async fn redis_says_what_conversations_say() {
    let mut held = Vec::new();
    // All at once: most of the time somebody listens to nobody.
    for (name, turns) in conversation::all() {
        let redis = Redis::start().await;
        held.push(std::thread::spawn(move || {
            let wrong = hold(redis.port(), &turns);
            if wrong.is_empty() { wrong } else { format!("{name}\n{wrong}") }
        }));
    }
    let wrong: String =
        held.into_iter().map(|held| held.join().expect("a conversation is held to its end")).collect();
    assert!(wrong.is_empty(), "\n{wrong}");
}
