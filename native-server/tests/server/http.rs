//! The page's side: what is served, and to whom.

use std::io::{Read, Write};

use interleave_server::Server;

use crate::support::{connect, start};

/// The answer to a request in HTTP/1.1: its head and its body.
fn ask(server: &Server, request: &str, headers: &str) -> (String, String) {
    let mut stream = connect(server.http());
    write!(stream, "{request} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer in {answer:?}"));
    (head.to_owned(), body.to_owned())
}

fn status(server: &Server, request: &str, headers: &str) -> u16 {
    let (head, _) = ask(server, request, headers);
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head}"))
}

const HOST: &str = "Host: localhost\r\n";

#[test]
fn info() {
    let server = start(&["--flavor=current-thread", "--sharing=actor"]);
    let (head, body) = ask(&server, "GET /api/info", HOST);
    assert!(head.contains("content-type: application/json"), "{head}");
    let info: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = serde_json::json!({
        "resp": server.resp().to_string(),
        "flavor": "current-thread",
        "sharing": "actor",
        "workers": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "trace": cfg!(feature = "scope"),
    });
    assert_eq!(info, expected);
}

#[test]
fn every_answer_says_what_a_browser_may_do_with_it() {
    let server = start(&[]);
    for (request, headers) in
        [("GET /", HOST), ("GET /nothing", HOST), ("GET /api/info", HOST), ("GET /", ""), ("PUT /", HOST)]
    {
        let (head, _) = ask(&server, request, headers);
        for expected in [
            "content-security-policy: default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; ",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(expected), "{request}: expected {expected} in\n{head}");
        }
    }
}

#[test]
fn only_by_its_own_name() {
    let server = start(&["--allow-host=play.example"]);
    for path in ["/", "/api/info", "/redis", "/trace"] {
        let request = format!("GET {path}");
        for host in ["evil.example", "127.0.0.1.evil.example:8080", "192.0.2.1"] {
            let (head, body) = ask(&server, &request, &format!("Host: {host}\r\n"));
            assert!(head.starts_with("HTTP/1.1 403 "), "{path} {host}: {head}");
            assert!(body.contains(&format!("found `{host}`")), "{body}");
        }
        assert_eq!(status(&server, &request, ""), 403, "without a host");
    }
    for host in ["localhost", "127.0.0.1:80", "[::1]", "play.example"] {
        assert_eq!(status(&server, "GET /api/info", &format!("Host: {host}\r\n")), 200, "{host}");
    }
}

#[test]
fn other_methods_and_paths() {
    let server = start(&[]);
    for (request, expected) in [
        ("GET /nothing.js", 404),
        ("GET /../Cargo.toml", 404),
        ("GET /index.html.br", 404),
        ("GET /api", 404),
        ("GET /redis", 426),
        ("POST /redis", 405),
        ("POST /", 405),
        ("DELETE /api/info", 405),
        ("HEAD /api/info", 200),
    ] {
        assert_eq!(status(&server, request, HOST), expected, "{request}");
    }
    let trace = if cfg!(feature = "scope") { 426 } else { 404 };
    assert_eq!(status(&server, "GET /trace", HOST), trace);
}

#[test]
fn the_page_is_served_as_the_browser_wants_it() {
    let server = start(&[]);
    let (head, plain_body) = ask(&server, "GET /", HOST);
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(plain_body.contains("A page"), "{plain_body}");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("cache-control: no-cache"), "{head}");
    let etag =
        |head: &str| head.lines().find_map(|line| line.strip_prefix("etag: ")).map(str::to_owned).unwrap();
    let plain = etag(&head);
    let (head, body) = ask(&server, "GET /index.html", &format!("{HOST}If-None-Match: {plain}\r\n"));
    assert!(head.starts_with("HTTP/1.1 304 ") && body.is_empty(), "{head}");
    for encoding in ["br", "gzip"] {
        let (head, body) = ask(&server, "GET /", &format!("{HOST}Accept-Encoding: {encoding}\r\n"));
        assert!(head.contains(&format!("content-encoding: {encoding}")), "{head}");
        assert!(head.contains("vary: Accept-Encoding"), "{head}");
        assert_ne!(etag(&head), plain, "other bytes, another tag");
        assert_ne!(body, plain_body);
    }
    let (head, _) = ask(&server, "HEAD /page_bg.wasm", HOST);
    assert!(head.contains("content-type: application/wasm"), "{head}");
}
