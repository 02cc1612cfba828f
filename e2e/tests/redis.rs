//! The server under Redis's own clients: redis-cli prints what it prints for Redis, redis-benchmark runs clean, under
//! every sharing.

use std::io::Write;
use std::process::{Command, Stdio};

use interleave_e2e::server::Server;

const SHARINGS: [&str; 5] = ["isolated", "mutex", "async-mutex", "sharded", "actor"];

/// Runs a Redis client against `server` and returns what it printed.
fn client(program: &str, server: &Server, args: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(["-h", "127.0.0.1", "-p", &server.resp_port().to_string()])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(input.as_bytes()).expect("the client reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("the client ends");
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {}\n{printed}\n{}", output.status, server.output());
    printed.into_owned()
}

/// Types each command of `transcript` (the lines that start with `> `) into one redis-cli and expects, under every
/// sharing, the lines that follow it.
async fn check(args: &[&str], transcript: &str) {
    let lines = || transcript.trim().lines().map(str::trim);
    let commands: String =
        lines().filter_map(|line| line.strip_prefix("> ")).map(|line| line.to_owned() + "\n").collect();
    let expected: Vec<&str> = lines().filter(|line| !line.starts_with("> ")).collect();
    for sharing in SHARINGS {
        let server = Server::start(&["--sharing", sharing]).await;
        let printed = client("redis-cli", &server, &[&["--no-raw"], args].concat(), &commands);
        // redis-cli prints an empty line after some replies.
        let found: Vec<&str> = printed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(found, expected, "under {sharing}");
    }
}

#[tokio::test]
async fn redis_cli_prints_strings() {
    check(
        &[],
        r#"
        > SET greeting hello
        OK
        > GET greeting
        "hello"
        > GET nobody
        (nil)
        > APPEND greeting ", world"
        (integer) 12
        > GETRANGE greeting -5 -1
        "world"
        > SET greeting other NX
        (nil)
        > SET greeting other XX GET
        "hello, world"
        > MSET a 1 b 2
        OK
        > MGET a b c
        1) "1"
        2) "2"
        3) (nil)
        > INCR a
        (integer) 2
        > INCRBYFLOAT b 0.5
        "2.5"
        > SET binary "\x00\xff\r\n"
        OK
        > GET binary
        "\x00\xff\r\n"
        "#,
    )
    .await;
}

#[tokio::test]
async fn redis_cli_prints_keys_and_expiry() {
    check(
        &[],
        "
        > SET k v EX 100
        OK
        > TTL k
        (integer) 100
        > PERSIST k
        (integer) 1
        > TTL k
        (integer) -1
        > EXPIRE nobody 10
        (integer) 0
        > RENAME k l
        OK
        > EXISTS k l l
        (integer) 2
        > TYPE l
        string
        > DBSIZE
        (integer) 1
        > DEL l k
        (integer) 1
        > SET gone v PX 1
        OK
        > FLUSHALL
        OK
        > KEYS *
        (empty array)
        ",
    )
    .await;
}

#[tokio::test]
async fn redis_cli_prints_errors_and_the_connection_lives() {
    check(
        &[],
        "
        > NONSENSE 1 2
        (error) ERR unknown command 'NONSENSE', with args beginning with: '1' '2'
        > GET
        (error) ERR wrong number of arguments for 'get' command
        > SET k v
        OK
        > INCR k
        (error) ERR value is not an integer or out of range
        > SET k v EX 0
        (error) ERR invalid expire time in 'set' command
        > SET k v NX XX
        (error) ERR syntax error
        > RENAME nobody x
        (error) ERR no such key
        > PING
        PONG
        ",
    )
    .await;
}

#[tokio::test]
async fn redis_cli_speaks_resp3() {
    check(
        &["-3"],
        "
        > GET nobody
        (nil)
        > SET k v
        OK
        > CLIENT SETNAME me
        OK
        > CLIENT GETNAME
        \"me\"
        > MGET k nobody
        1) \"v\"
        2) (nil)
        ",
    )
    .await;
}

#[tokio::test]
async fn redis_cli_prints_collections() {
    check(
        &[],
        r#"
        > RPUSH l a b c
        (integer) 3
        > LMPOP 2 nobody l LEFT COUNT 2
        1) "l"
        2) 1) "a"
           2) "b"
        > HSET h field value
        (integer) 1
        > HGETALL h
        1) "field"
        2) "value"
        > SADD s 2 1
        (integer) 2
        > SMEMBERS s
        1) "1"
        2) "2"
        > ZADD z 1.5 a 2 b
        (integer) 2
        > ZRANGE z 0 -1 WITHSCORES
        1) "a"
        2) "1.5"
        3) "b"
        4) "2"
        > LPUSH h x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SORT s DESC
        1) "2"
        2) "1"
        "#,
    )
    .await;
}

#[tokio::test]
async fn redis_cli_prints_collections_in_resp3() {
    check(
        &["-3"],
        r#"
        > HSET h field value
        (integer) 1
        > HGETALL h
        1# "field" => "value"
        > SADD s 2 1
        (integer) 2
        > SMEMBERS s
        1~ "1"
        2~ "2"
        > ZADD z 1.5 a 2 b
        (integer) 2
        > ZRANGE z 0 -1 WITHSCORES
        1) 1) "a"
           2) (double) 1.5
        2) 1) "b"
           2) (double) 2
        "#,
    )
    .await;
}

#[tokio::test]
async fn redis_cli_scans_and_loads_in_bulk() {
    for sharing in SHARINGS.into_iter().filter(|sharing| *sharing != "isolated") {
        let server = Server::start(&["--sharing", sharing]).await;
        let commands: String = (0..1000).map(|i| format!("SET user:{i:03} {i}\r\n")).collect();
        let printed = client("redis-cli", &server, &["--pipe"], &commands);
        assert!(printed.ends_with("errors: 0, replies: 1000\n"), "under {sharing}: {printed}");
        let printed = client("redis-cli", &server, &["--scan", "--pattern", "user:*"], "");
        let mut keys: Vec<&str> = printed.lines().collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((keys.len(), keys[0], keys[999]), (1000, "user:000", "user:999"), "under {sharing}");
    }
}

/// `depth` requests on the way at once, from each of 50 clients.
async fn benchmark(depth: &str) {
    const TESTS: [&str; 3] = ["SET", "GET", "INCR"];
    for sharing in SHARINGS {
        let server = Server::start(&["--sharing", sharing]).await;
        let args = ["-t", "set,get,incr", "-c", "50", "-n", "20000", "-P", depth, "-r", "1000", "--csv"];
        let printed = client("redis-benchmark", &server, &args, "");
        // A warning or an error would be a line more.
        let tests: Vec<&str> = printed.lines().filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(tests, [&["test"], &TESTS[..]].concat(), "under {sharing}: {printed}");
        assert_eq!(printed.lines().count(), 1 + TESTS.len(), "under {sharing}: {printed}");
        let expected = if sharing == "isolated" { "(integer) 0" } else { "(integer) 2" };
        let exists = client(
            "redis-cli",
            &server,
            &["--no-raw", "EXISTS", "key:000000000000", "counter:000000000000"],
            "",
        );
        assert_eq!(exists.trim(), expected, "under {sharing}");
    }
}

#[tokio::test]
async fn redis_benchmark_runs_clean() {
    benchmark("1").await;
}

#[tokio::test]
async fn redis_benchmark_runs_clean_with_pipelining() {
    benchmark("16").await;
}

#[tokio::test]
async fn redis_benchmark_runs_clean_on_collections() {
    const TESTS: [&str; 12] = [
        "LPUSH",
        "RPUSH",
        "LPOP",
        "RPOP",
        "SADD",
        "HSET",
        "SPOP",
        "ZADD",
        "ZPOPMIN",
        "LPUSH (needed to benchmark LRANGE)",
        "LRANGE_100 (first 100 elements)",
        "MSET (10 keys)",
    ];
    for sharing in SHARINGS {
        let server = Server::start(&["--sharing", sharing]).await;
        let names = "lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset";
        let args = ["-t", names, "-c", "20", "-n", "5000", "-P", "16", "-r", "1000", "--csv"];
        let printed = client("redis-benchmark", &server, &args, "");
        // A warning or an error would be a line more.
        let tests: Vec<&str> = printed.lines().filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(tests, [&["test"], &TESTS[..]].concat(), "under {sharing}: {printed}");
        assert_eq!(printed.lines().count(), 1 + TESTS.len(), "under {sharing}: {printed}");
    }
}
