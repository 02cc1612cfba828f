//! The crate's transcripts and broken requests, over real sockets.

use std::time::Duration;

use bytes::BytesMut;
use interleave::resp::{ReplyDecoder, encode_request, format_raw, format_value, prints_raw, split_line};
use interleave::sharing::Kind;

use crate::connection::{Connection, Received, Way};
use crate::support::{PATIENCE, start};

#[path = "../../../crate/tests/support/transcript.rs"]
mod transcript;
#[path = "../../../crate/tests/support/wire.rs"]
mod wire;

fn every_transcript(flavor: &str, way: Way) {
    for kind in Kind::ALL {
        for (name, steps) in transcript::all() {
            // A new server for each: a transcript starts with an empty keyspace.
            let server = start(&[flavor, &format!("--sharing={kind}")]);
            let mut connection = Connection::open(&server, way);
            let requests: Vec<_> = steps.iter().map(|step| split_line(&step.request).unwrap()).collect();
            let mut bytes = BytesMut::new();
            requests.iter().for_each(|request| encode_request(request, &mut bytes));
            connection.send(&bytes);

            let (mut answer, mut decoder) = (BytesMut::new(), ReplyDecoder::default());
            for (step, request) in steps.iter().zip(&requests) {
                let reply = loop {
                    if let Some(reply) = decoder.decode(&mut answer).unwrap() {
                        break reply;
                    }
                    match connection.receive(PATIENCE) {
                        Received::Bytes(bytes) => answer.extend_from_slice(&bytes),
                        other => panic!("{kind} {name}:{}: expected a reply, found {other:?}", step.line),
                    }
                };
                let printed = if prints_raw(request) { format_raw(&reply) } else { format_value(&reply) };
                let (line, typed) = (step.line, &step.request);
                // The one reply that the real clock changes, where a second begins between a key's use and the question.
                let is_a_second_later = typed.starts_with("OBJECT IDLETIME ") && printed == "(integer) 1";
                assert!(
                    step.accepts(&printed) || is_a_second_later,
                    "{kind} {name}:{line}\n> {typed}\n{printed}"
                );
            }
            assert!(answer.is_empty(), "{kind} {name}: more replies than requests");
        }
    }
}

#[test]
fn transcripts_over_tcp() {
    every_transcript("--flavor=multi-thread", Way::Tcp);
    every_transcript("--flavor=current-thread", Way::Tcp);
}

#[test]
fn transcripts_over_a_websocket() {
    every_transcript("--flavor=multi-thread", Way::WebSocket);
    every_transcript("--flavor=current-thread", Way::WebSocket);
}

#[test]
fn what_is_no_request() {
    for kind in Kind::ALL {
        let server = start(&[&format!("--sharing={kind}")]);
        for way in Way::ALL {
            for case in wire::cases() {
                let mut connection = Connection::open(&server, way);
                connection.send(&case.sent);
                let sent = case.sent[..case.sent.len().min(40)].escape_ascii().to_string();
                let answer = if case.closes {
                    connection.receive_bytes(usize::MAX)
                } else {
                    // At least the bytes that the escaped answer stands for: an escape is longer than its byte.
                    let mut answer = Vec::new();
                    while answer.escape_ascii().to_string().len() < case.answer.len() {
                        answer.extend(connection.receive_bytes(1));
                    }
                    assert_eq!(
                        connection.receive(Duration::from_millis(5)),
                        Received::Nothing,
                        "{way:?} \"{sent}\""
                    );
                    answer
                };
                assert_eq!(answer.escape_ascii().to_string(), case.answer, "{kind} {way:?} \"{sent}\"");
            }
        }
    }
}

#[test]
fn a_request_may_arrive_a_byte_at_a_time() {
    let server = start(&[]);
    for way in Way::ALL {
        let mut connection = Connection::open(&server, way);
        for byte in b"*2\r\n$4\r\nECHO\r\n$5\r\nhe\r\no\r\n" {
            connection.send(&[*byte]);
        }
        connection.ask("", "$5\r\nhe\r\no\r\n");
    }
}

#[test]
fn large_values_come_back_whole() {
    let server = start(&[]);
    let value = "0123456789abcdef".repeat(300_000);
    for way in Way::ALL {
        let mut connection = Connection::open(&server, way);
        connection.ask(&format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len()), "+OK\r\n");
        connection.ask("GET k\r\n", &format!("${}\r\n{value}\r\n", value.len()));
    }
}

#[test]
fn connections_share_the_store_by_either_way() {
    for kind in Kind::ALL {
        let server = start(&[&format!("--sharing={kind}")]);
        Connection::open(&server, Way::Tcp).ask("INCR hits\r\n", ":1\r\n");
        let second = if kind == Kind::Isolated { ":1\r\n" } else { ":2\r\n" };
        Connection::open(&server, Way::WebSocket).ask("INCR hits\r\n", second);
    }
}
