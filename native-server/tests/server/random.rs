//! Random requests get the replies over a socket that they get from a session in memory.

use bytes::BytesMut;
use interleave::resp::{ReplyDecoder, Value, encode_request, format_value};
use interleave::sharing::Kind;
use interleave_server::Server;

use crate::connection::{Connection, Received, Way};
use crate::support::{PATIENCE, start};

#[path = "../../../crate/tests/support/memory.rs"]
mod memory;
#[path = "../../../crate/tests/support/requests.rs"]
#[expect(dead_code, reason = "which commands there are is tested where they are")]
mod requests;

/// Seeds for each sharing and way.
const SEEDS: u64 = 6;

/// Requests of one seed.
const REQUESTS: usize = 600;

fn shown(request: &[Vec<u8>]) -> String {
    request.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
}

/// What `server` answers to `requests`, sent at once.
fn replies(server: &Server, way: Way, requests: &[Vec<Vec<u8>>]) -> Vec<Value> {
    let mut connection = Connection::open(server, way);
    let (mut bytes, mut arrived, mut decoder) = (BytesMut::new(), BytesMut::new(), ReplyDecoder::default());
    requests.iter().for_each(|request| encode_request(request, &mut bytes));
    connection.send(&bytes);
    let mut replies = Vec::new();
    while replies.len() < requests.len() {
        match decoder.decode(&mut arrived).unwrap() {
            Some(reply) => replies.push(reply),
            None => match connection.receive(PATIENCE) {
                Received::Bytes(bytes) => arrived.extend_from_slice(&bytes),
                other => panic!(
                    "{way:?}: expected a reply to {}, found {other:?}",
                    shown(&requests[replies.len()])
                ),
            },
        }
    }
    replies
}

#[test]
fn every_sharing_gives_the_same_replies_by_either_way() {
    for seed in 0..SEEDS {
        let requests = requests::requests(seed, REQUESTS, false);
        let expected = memory::replies(Kind::Mutex, 1, &requests);
        for kind in Kind::ALL {
            for way in Way::ALL {
                let server = start(&[&format!("--sharing={kind}")]);
                for ((request, expected), found) in
                    requests.iter().zip(&expected).zip(replies(&server, way, &requests))
                {
                    let (memory, socket) = (format_value(expected), format_value(&found));
                    assert!(
                        memory == socket,
                        "seed {seed}, {kind}, {way:?}\n> {}\nin memory:\n{memory}\nfound:\n{socket}",
                        shown(request)
                    );
                }
            }
        }
    }
}
