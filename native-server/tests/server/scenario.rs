//! `/scenario`: what a run on the server itself comes to, and what is refused or ended before its time.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use interleave::scenario::EXAMPLES;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::support::{PATIENCE, Running, ask, connect, open, start, websocket};

/// A socket on which `message` was sent.
fn asked(server: &Running, message: impl Into<Message>) -> WebSocket<TcpStream> {
    let mut socket = websocket(server, "/scenario");
    // The server may have closed before all of it is sent.
    let _ = socket.send(message.into());
    socket
}

fn request(scenario: &str, time_limit_ms: u64) -> String {
    json!({ "scenario": scenario, "time_limit_ms": time_limit_ms }).to_string()
}

/// The next message, read as what it is.
#[track_caller]
fn told(socket: &mut WebSocket<TcpStream>) -> Value {
    match socket.read().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("expected a text message, found {other:?}"),
    }
}

/// What came of the run, whose start is told first; then the server closes.
#[track_caller]
fn finished(socket: &mut WebSocket<TcpStream>) -> Value {
    let started = told(socket);
    assert_eq!(started["started"], true, "{started}");
    let finished = told(socket)["finished"].take();
    assert!(started["now_ns"].as_u64() <= finished["from_ns"].as_u64(), "{started} {finished}");
    assert!(finished["from_ns"].as_u64() < finished["to_ns"].as_u64(), "{finished}");
    assert!(matches!(socket.read(), Ok(Message::Close(_))));
    finished
}

#[track_caller]
fn text(finished: &Value) -> &str {
    finished["text"].as_str().unwrap()
}

#[track_caller]
fn check_refused(server: &Running, message: impl Into<Message>, expected: &str) {
    let mut socket = asked(server, message);
    let told = told(&mut socket);
    let refused = told["refused"].as_str().unwrap_or_else(|| panic!("expected a refusal, found {told}"));
    assert!(refused.contains(expected), "expected {expected:?}, found {refused:?}");
    assert!(matches!(socket.read(), Ok(Message::Close(_))));
}

#[test]
fn a_run_is_on_the_servers_own_store() {
    for flavor in ["--flavor=multi-thread", "--flavor=current-thread"] {
        let server = start(&[flavor]);
        let client = connect(server.resp());
        ask(&client, "SET before 7\r\n", "+OK\r\n");
        let scenario = "client a * 3 { INCR hits }\nfinally { assert GET hits == 3\nassert GET before == 7 }";
        let finished = finished(&mut asked(&server, json!({ "scenario": scenario }).to_string()));
        assert_eq!((&finished["good"], &finished["deadlock"]), (&true.into(), &false.into()), "{finished}");
        assert_eq!(finished["headline"], "before = 7; hits = 3");
        assert_eq!(text(&finished).lines().next(), Some("a 1: completed"));
        ask(&client, "GET hits\r\n", "$1\r\n3\r\n");
        // Their connections are real, and gone.
        let began = Instant::now();
        let clients = || {
            let mut socket = websocket(&server, "/redis");
            socket.send(Message::binary("CLIENT LIST\r\n")).unwrap();
            socket.read().unwrap().into_data().iter().filter(|byte| **byte == b'\n').count()
        };
        // A bulk string's two lines, this console, and the client.
        while clients() > 4 {
            assert!(began.elapsed() < PATIENCE, "connections of the run stay open");
        }
    }
}

#[test]
fn what_is_right_is_right_on_threads() {
    let server = start(&["--worker-threads=2"]);
    for example in EXAMPLES.into_iter().filter(|example| example.name != "starvation") {
        let finished = finished(&mut asked(&server, request(example.fixed, 20_000)));
        assert_eq!(finished["good"], true, "{}: {}", example.name, text(&finished));
    }
}

#[test]
fn what_is_wrong_is_told() {
    let server = start(&[]);
    let finished = finished(&mut asked(&server, request("client a { SET k v\nINCR k }", 10_000)));
    assert_eq!(finished["good"], false);
    let headline = "a: the server answers: ERR value is not an integer or out of range; k = \"v\"";
    assert_eq!(finished["headline"], headline);
    assert!(text(&finished).contains("2 | INCR k"), "{}", text(&finished));
}

#[test]
fn what_is_no_request_is_refused() {
    let server = start(&[]);
    check_refused(&server, "", "expected {\"scenario\": text}");
    check_refused(&server, "{}", "missing field `scenario`");
    check_refused(&server, r#"{"scenario": 1}"#, "expected a string");
    check_refused(&server, r#"{"scenario": "client a { }", "sharing": "mutex"}"#, "unknown field `sharing`");
    check_refused(&server, request("client a { }", 0), "expected 1 to 60000 in `time_limit_ms`, found 0");
    check_refused(&server, request("client a { }", 60_001), "found 60001");
    check_refused(&server, request("", 1), "line 1, column 1");
    check_refused(&server, request("client a {\n  GTE k\n}", 1), "line 2, column 3");
    check_refused(&server, request(&format!("# {}", "x".repeat(70_000)), 1), "65536");
    check_refused(&server, Message::binary("{}"), "expected a scenario in a text message");
    check_refused(
        &server,
        "x".repeat((1 << 20) + 1),
        "expected at most 1048576 bytes a message, found 1048577",
    );
}

#[test]
fn one_run_at_a_time() {
    let server = start(&[]);
    let mut first = asked(&server, request("client a { sleep 1s }", 10_000));
    assert_eq!(told(&mut first)["started"], true);
    check_refused(&server, request("client a { }", 10_000), "found another scenario running here");
    assert_eq!(told(&mut first)["finished"]["good"], true);
    finished(&mut asked(&server, request("client a { }", 10_000)));
}

#[test]
fn so_many_may_ask() {
    let server = start(&[]);
    let mut asking: Vec<_> = (0..16).map(|_| websocket(&server, "/scenario")).collect();
    let refused = open(&server, "/scenario", None, connect(server.http())).unwrap_err();
    assert_eq!(refused.status(), 503);
    asking.pop();
    let began = Instant::now();
    while open(&server, "/scenario", None, connect(server.http())).is_err() {
        assert!(began.elapsed() < PATIENCE, "the place of one that left stays taken");
    }
}

#[test]
fn a_run_that_does_not_end_is_ended() {
    // Each has its lock before either wants the other's, whichever thread is the quicker.
    let deadlock = "channel ready 1\nchannel go 1\n\
        client alice { lock alice { receive ready\nsend go 1\nlock bob { sleep 1ms } } }\n\
        client bob { lock bob { send ready 1\nreceive go\nlock alice { sleep 1ms } } }";
    let waiting = "channel q 1\nclient a { receive q }\nclient b { sleep 3600s\nsend q 1 }";
    for (flavor, scenario, expected) in [
        ("multi-thread", "client a { while 1 { sleep 1ms } }", "a: not at its end: sleeps"),
        ("multi-thread", deadlock, "alice: not at its end: waits for the lock `bob`, which bob holds"),
        ("current-thread", waiting, "a: not at its end: waits for a message from the channel `q`"),
        // Its worker is the only one, and nothing else gets a turn.
        ("current-thread", "client a { spin 3600s }", "a: not at its end: was running"),
    ] {
        let server = start(&["--flavor", flavor]);
        let began = Instant::now();
        let finished = finished(&mut asked(&server, request(scenario, 300)));
        assert!(began.elapsed() < Duration::from_secs(5), "{scenario} took {:?}", began.elapsed());
        assert_eq!((&finished["good"], &finished["deadlock"]), (&false.into(), &false.into()), "{finished}");
        let headline = finished["headline"].as_str().unwrap();
        assert!(headline.starts_with("stopped by the limit `time_limit_ms`"), "{headline}");
        assert!(
            text(&finished).contains("it was not at its end after 300ms, the limit `time_limit_ms`"),
            "{}",
            text(&finished)
        );
        assert!(text(&finished).contains(expected), "expected {expected:?} in\n{}", text(&finished));
        // The server serves on.
        ask(&connect(server.resp()), "PING\r\n", "+PONG\r\n");
    }
}

#[test]
fn a_limit_of_scenarios_ends_a_run_too() {
    let server = start(&[]);
    let finished = finished(&mut asked(&server, request("client a { while 1 { } }", 10_000)));
    assert_eq!(finished["headline"], "stopped by the limit `steps`");
}

#[test]
fn a_run_ends_with_its_socket() {
    let server = start(&[]);
    let mut socket = asked(&server, request("client a { while 1 { INCR beats\nsleep 1ms } }", 60_000));
    assert_eq!(told(&mut socket)["started"], true);
    drop(socket);
    let began = Instant::now();
    loop {
        let mut next = asked(&server, request("client a { GET beats }", 10_000));
        if told(&mut next)["started"] == true {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the run goes on for nobody");
        std::thread::sleep(Duration::from_millis(10));
    }
    let beats = || {
        let mut socket = websocket(&server, "/redis");
        socket.send(Message::binary("GET beats\r\n")).unwrap();
        socket.read().unwrap()
    };
    let before = beats();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(before, beats(), "its tasks go on");
}

#[test]
fn a_run_does_not_hold_up_the_servers_end() {
    let server = start(&[]);
    let mut socket = asked(&server, request("client a { while 1 { INCR beats\nsleep 1ms } }", 60_000));
    assert_eq!(told(&mut socket)["started"], true);
    let mut thinking = websocket(&server, "/scenario");
    let began = Instant::now();
    server.shutdown();
    assert!(began.elapsed() < Duration::from_secs(4), "the end took {:?}", began.elapsed());
    assert_eq!(told(&mut thinking)["refused"], "the server stops");
    let told = told(&mut socket);
    assert_eq!(told["finished"]["good"], false, "{told}");
}

#[test]
fn a_full_server_turns_a_runs_clients_away() {
    let server = start(&["--max-clients=1"]);
    let finished = finished(&mut asked(&server, request("client a * 2 { GET k\nsleep 100ms }", 10_000)));
    assert!(text(&finished).contains("ERR max number of clients reached"), "{}", text(&finished));
}
