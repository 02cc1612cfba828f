//! Keys that went by themselves: evicted because memory was short, or because their time had come. After a restart they are
//! gone as well.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use crate::SHARINGS;
use crate::program::{Client, Folder, Program};

/// The keys that the server says it has.
fn keys(client: &mut Client) -> BTreeSet<String> {
    let answer = client.request("KEYS *");
    answer.lines().filter(|line| !line.starts_with(['*', '$'])).map(str::to_owned).collect()
}

#[test]
fn what_was_evicted_is_gone_after_a_restart_without_a_limit() {
    for sharing in SHARINGS {
        let folder = Folder::new();
        let limits = ["--maxmemory=200000", "--maxmemory-policy=allkeys-lru"];
        let program = Program::start(&folder, &[limits[0], limits[1], &format!("--sharing={sharing}")]);
        let mut client = program.client();
        for number in 0..800 {
            client.ask(&format!("SET key:{number} {}", "x".repeat(500)), "+OK");
        }
        let there = keys(&mut client);
        assert!((100..500).contains(&there.len()), "{sharing}: {} keys", there.len());
        program.stop();
        let program = Program::start(&folder, &[]);
        assert_eq!(keys(&mut program.client()), there, "{sharing}");
        // The same after what remains was compacted.
        let mut client = program.client();
        client.request("BGREWRITEAOF");
        while !client.request("INFO persistence").contains("aof_rewrites:1") {
            sleep(Duration::from_millis(10));
        }
        program.stop();
        let program = Program::start(&folder, &[]);
        assert_eq!(keys(&mut program.client()), there, "{sharing}, compacted");
    }
}

#[test]
fn what_has_expired_is_gone_after_a_restart() {
    for sharing in SHARINGS {
        let folder = Folder::new();
        let program = Program::start(&folder, &[&format!("--sharing={sharing}")]);
        let mut client = program.client();
        for number in 0..50 {
            client.ask(&format!("SET soon:{number} v PX 30"), "+OK");
            // Its time comes while no server runs.
            client.ask(&format!("SET later:{number} v PX 600"), "+OK");
            client.ask(&format!("SET stays:{number} v EX 1000"), "+OK");
        }
        sleep(Duration::from_millis(60));
        assert_eq!(client.request("GET soon:1"), "$-1");
        program.stop();
        sleep(Duration::from_millis(600));
        let program = Program::start(&folder, &[]);
        let mut client = program.client();
        let expected = (0..50).map(|number| format!("stays:{number}")).collect();
        assert_eq!(keys(&mut client), expected, "{sharing}");
        client.ask("SET soon:1 anew", "+OK");
        program.stop();
        let program = Program::start(&folder, &[]);
        program.client().ask("GET soon:1", "$4\nanew");
    }
}
