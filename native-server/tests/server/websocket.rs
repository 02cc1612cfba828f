//! What is particular to consoles: frames, closing, and who may open one.

use std::io::{Read, Write};
use std::net::TcpStream;

use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::{Error, Message, WebSocket};

use crate::support::{connect, open, start, websocket};

fn close_of(socket: &mut WebSocket<TcpStream>) -> (CloseCode, String) {
    match socket.read() {
        Ok(Message::Close(Some(CloseFrame { code, reason }))) => (code, reason.to_string()),
        other => panic!("expected a close frame with a code, found {other:?}"),
    }
}

#[track_caller]
fn expect_end(mut socket: WebSocket<TcpStream>) {
    let end = socket.read();
    assert!(matches!(end, Err(Error::ConnectionClosed)), "expected the end of the handshake, found {end:?}");
}

#[test]
fn the_client_may_close() {
    let server = start(&[]);
    let mut socket = websocket(&server, "/redis");
    socket.send(Message::binary("SET k v\r\n")).unwrap();
    let bye = CloseFrame { code: CloseCode::Away, reason: "the tab closes".into() };
    socket.close(Some(bye)).unwrap();
    assert_eq!(socket.read().unwrap(), Message::binary("+OK\r\n"), "what was asked before is answered");
    assert_eq!(close_of(&mut socket), (CloseCode::Away, "the tab closes".to_owned()));
    expect_end(socket);
}

#[test]
fn the_server_closes_after_quit() {
    let server = start(&[]);
    let mut socket = websocket(&server, "/redis");
    socket.send(Message::binary("QUIT\r\n")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::binary("+OK\r\n"));
    assert_eq!(close_of(&mut socket), (CloseCode::Normal, String::new()));
    expect_end(socket);
}

#[test]
fn a_message_may_be_too_long() {
    let server = start(&[]);
    let mut socket = websocket(&server, "/redis");
    socket.send(Message::binary("PING\r\n")).unwrap();
    // The server may have closed before all of it is sent.
    let _ = socket.send(Message::binary(vec![b'x'; (1 << 20) + 1]));
    assert_eq!(socket.read().unwrap(), Message::binary("+PONG\r\n"));
    let reason = "expected at most 1048576 bytes a message, found 1048577: send several".to_owned();
    assert_eq!(close_of(&mut socket), (CloseCode::Size, reason));
}

#[test]
fn fragments_may_be_too_long_together() {
    let server = start(&[]);
    let mut socket = websocket(&server, "/redis");
    let piece = |opcode| Message::Frame(Frame::message(vec![b'x'; 1 << 19], OpCode::Data(opcode), false));
    let _ = socket.send(piece(Data::Binary));
    let _ = socket.send(piece(Data::Continue));
    let _ = socket.send(piece(Data::Continue));
    assert_eq!(close_of(&mut socket).0, CloseCode::Size);
}

#[test]
fn text_is_not_resp() {
    let server = start(&[]);
    let mut socket = websocket(&server, "/redis");
    socket.send(Message::text("PING\r\n")).unwrap();
    let reason = "expected RESP in binary messages, found text".to_owned();
    assert_eq!(close_of(&mut socket), (CloseCode::Unsupported, reason));
}

#[test]
fn frames_must_be_masked() {
    let server = start(&[]);
    let mut stream = websocket(&server, "/redis").get_ref().try_clone().unwrap();
    let mut socket = websocket(&server, "/redis");
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    stream = socket.get_ref().try_clone().unwrap();
    stream.write_all(b"\x82\x06PING\r\n").unwrap();
    assert_eq!(close_of(&mut socket).0, CloseCode::Protocol);
}

#[test]
fn pings_are_answered_and_empty_messages_are_no_end() {
    let server = start(&[]);
    let mut socket = websocket(&server, "/redis");
    socket.send(Message::Ping("hey".into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("hey".into()));
    socket.send(Message::binary("")).unwrap();
    socket.send(Message::binary("PI")).unwrap();
    socket.send(Message::binary("")).unwrap();
    socket.send(Message::binary("NG\r\nPING")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::binary("+PONG\r\n"));
    socket.send(Message::binary("\r\n")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::binary("+PONG\r\n"));
}

#[test]
fn a_client_may_be_gone_without_a_word() {
    let server = start(&["--max-clients=1"]);
    drop(websocket(&server, "/redis"));
    // Its place is free again, at once or soon.
    for _ in 0..100 {
        let mut socket = websocket(&server, "/redis");
        socket.send(Message::binary("PING\r\n")).unwrap();
        if socket.read().unwrap() == Message::binary("+PONG\r\n") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the place of one that left stays taken");
}

#[test]
fn bytes_behind_the_request_are_not_lost() {
    let server = start(&[]);
    let mut stream = connect(server.http());
    let request = "GET /redis HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // A masked binary frame with a mask of zeros.
    stream.write_all(&[request.as_bytes(), b"\x82\x86\0\0\0\0PING\r\n"].concat()).unwrap();
    let mut found = Vec::new();
    while !found.ends_with(b"\x82\x07+PONG\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} after {}", found.escape_ascii()));
        found.push(byte[0]);
    }
}

#[test]
fn pages_from_elsewhere_may_open_none() {
    let server = start(&["--allow-host=play.example"]);
    let paths: &[&str] =
        if cfg!(feature = "scope") { &["/redis", "/scenario", "/trace"] } else { &["/redis", "/scenario"] };
    for path in paths {
        for (origin, may) in [
            (format!("http://{}", server.http()), true),
            ("https://play.example".to_owned(), true),
            ("https://evil.example".to_owned(), false),
            (format!("http://localhost:{}", server.http().port()), false),
            ("null".to_owned(), false),
        ] {
            match open(&server, path, Some(&origin), connect(server.http())) {
                Ok(_) => assert!(may, "{path} {origin}"),
                Err(refusal) => {
                    assert!(!may, "{path} {origin}: {refusal:?}");
                    assert_eq!(refusal.status(), 403);
                    let text = String::from_utf8(refusal.body().clone().unwrap_or_default()).unwrap();
                    assert!(text.contains(&format!("found `{origin}`")), "{text}");
                }
            }
        }
    }
}
