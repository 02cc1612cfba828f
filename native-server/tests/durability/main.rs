//! What is left of the data when the program ends, however it does.
#![cfg(unix)]

mod compaction;
mod crash;
mod damage;
mod full_disk;
mod gone;
mod program;

use program::{Folder, Program};

/// All ways in which connections share data that can be kept.
const SHARINGS: [&str; 4] = ["mutex", "async-mutex", "sharded", "actor"];

#[test]
fn a_restart_keeps_the_data() {
    for (sharing, fsync) in SHARINGS.into_iter().zip(["always", "everysec", "no", "everysec"]) {
        let folder = Folder::new();
        // Who waits for the disk is woken from another thread, whatever the runtime.
        let flavor = if sharing == "mutex" { "current-thread" } else { "multi-thread" };
        let flags = ["sharing", "appendfsync", "flavor"].into_iter().zip([sharing, fsync, flavor]);
        let flags: Vec<String> = flags.map(|(flag, value)| format!("--{flag}={value}")).collect();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let program = Program::start(&folder, &flags);
        let mut client = program.client();
        client.ask("SET greeting hello", "+OK");
        client.ask("RPUSH list a b c", ":3");
        client.ask("SADD set 1 2 3 4 5 6 7 8", ":8");
        let taken = client.request("SPOP set");
        client.ask("PEXPIREAT greeting 4102444800000", ":1");
        client.ask("SET gone soon PX 1", "+OK");
        assert!(program.stop().contains("stopping"));
        for _ in 0..2 {
            // Twice: reading it once more comes to the same.
            let program = Program::start(&folder, &flags);
            let mut client = program.client();
            client.ask("GET greeting", "$5\nhello");
            client.ask("PEXPIRETIME greeting", ":4102444800000");
            client.ask("LRANGE list 0 -1", "*3\n$1\na\n$1\nb\n$1\nc");
            client.ask(&format!("SISMEMBER set {}", taken.trim_start_matches("$1\n")), ":0");
            client.ask("SCARD set", ":7");
            client.ask("EXISTS gone", ":0");
            client.ask("CONFIG GET appendfsync", &format!("*2\n$11\nappendfsync\n${}\n{fsync}", fsync.len()));
            let info = client.request("INFO persistence");
            for line in ["aof_enabled:1", "aof_rewrite_in_progress:0", "aof_last_write_status:ok"] {
                assert!(info.contains(line), "expected {line} in\n{info}");
            }
            assert!(!info.contains("aof_current_size:0"), "{info}");
            program.stop();
        }
    }
}

#[test]
fn what_changes_nothing_adds_nothing_to_the_log() {
    let folder = Folder::new();
    let size = |client: &mut program::Client| {
        let info = client.request("INFO persistence");
        let size = info.split("aof_current_size:").nth(1).and_then(|rest| rest.lines().next());
        size.expect("INFO tells it").trim().parse::<u64>().expect("a number")
    };
    for _ in 0..2 {
        // The second time with what the first has written, read again.
        let program = Program::start(&folder, &["--appendfsync=always"]);
        let mut client = program.client();
        let before = size(&mut client);
        for number in 0..200 {
            client.ask(&format!("DEL missing:{number}"), ":0");
        }
        assert_eq!(size(&mut client), before);
        for number in 0..200 {
            client.ask(&format!("SET key:{number} v"), "+OK");
        }
        assert!(size(&mut client) > before);
        program.stop();
    }
}

#[test]
fn without_the_flag_nothing_is_written() {
    let folder = Folder::new();
    let program = Program::start_with(&[&format!("--dir={}", folder.path().display())]);
    program.client().ask("SET k v", "+OK");
    assert!(program.client().request("INFO persistence").contains("aof_enabled:0"));
    program.stop();
    assert_eq!(folder.files(), [""; 0]);
}

#[test]
fn a_folder_is_one_servers_alone() {
    let folder = Folder::new();
    let first = Program::start(&folder, &[]);
    let log = Program::refused(&folder, &[]);
    assert!(log.contains("another server has its log in") && log.contains("--dir"), "{log}");
    first.kill();
    Program::start(&folder, &[]).stop();
}

#[test]
fn what_is_not_shared_cannot_be_kept() {
    let log = Program::refused(&Folder::new(), &["--sharing=isolated"]);
    assert!(log.contains("--appendonly needs data that connections share"), "{log}");
}
