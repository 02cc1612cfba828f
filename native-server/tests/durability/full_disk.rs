//! A full disk under the log: commands that change data are refused in Redis's words, all others are served, and it is
//! over when there is room again. Needs a small file system of its own, which only root may mount; elsewhere the same
//! is tested with a disk made up, beside `durability::writer`.

use std::fs;
use std::process::Command;
use std::time::Instant;

use crate::program::{Client, Folder, PATIENCE, Program};

/// A file system of a mebibyte on a folder, for as long as this lives.
struct Disk<'a>(&'a Folder);

impl<'a> Disk<'a> {
    /// `None` where it cannot be mounted.
    fn mount(folder: &'a Folder) -> Option<Self> {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
        mount.is_ok_and(|mount| mount.status.success()).then_some(Self(folder))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

const FULL: &str = "-MISCONF Errors writing to the AOF file: No space left on device";

/// Writes until it is refused; how many writes were not.
fn fill(client: &mut Client) -> usize {
    let value = "v".repeat(10_000);
    let began = Instant::now();
    for number in 0.. {
        let reply = client.request(&format!("SET key:{number} {value}"));
        if reply == FULL {
            return number;
        }
        assert_eq!(reply, "+OK");
        assert!(began.elapsed() < PATIENCE, "{number} values fit into a mebibyte");
    }
    unreachable!("a count has no end")
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    for fsync in ["always", "everysec", "no"] {
        let folder = Folder::new();
        let Some(disk) = Disk::mount(&folder) else {
            eprintln!("left out: no file system can be mounted here");
            return;
        };
        let ballast = folder.path().join("ballast");
        fs::write(&ballast, vec![1; 500_000]).unwrap();
        let flags = [&*format!("--appendfsync={fsync}"), "--auto-aof-rewrite-percentage=0"];
        let program = Program::start(&folder, &flags);
        let mut client = program.client();
        let fitted = fill(&mut client);
        assert!(fitted > 10, "{fsync}: {fitted}");
        // Reads go on, for whoever asks, and what was refused is refused again.
        let mut other = program.client();
        for client in [&mut client, &mut other] {
            client.ask("STRLEN key:0", ":10000");
            client.ask("PING", "+PONG");
            client.ask("DEL key:0", FULL);
        }
        assert!(other.request("INFO persistence").contains("aof_last_write_status:err"));
        // The data cannot be compacted either, and nothing is worse for having tried.
        other.request("BGREWRITEAOF");

        fs::remove_file(&ballast).unwrap();
        let began = Instant::now();
        while other.request("SET room again") == FULL {
            assert!(began.elapsed() < PATIENCE, "{fsync}: there is room, and writes are refused");
        }
        other.ask("STRLEN key:0", ":10000");
        assert!(other.request("INFO persistence").contains("aof_last_write_status:ok"));
        let log = program.stop();
        assert!(log.contains("cannot write the log: No space left on device"), "{log}");
        assert!(log.contains("the log can be written again"), "{log}");
        let program = Program::start(&folder, &flags);
        let mut client = program.client();
        client.ask("GET room", "$5\nagain");
        for number in 0..fitted {
            client.ask(&format!("STRLEN key:{number}"), ":10000");
        }
        program.kill();
        drop(disk);
    }
}
