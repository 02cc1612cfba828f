//! Compacting the log while clients write: nothing is lost, and the files shrink.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{Client, Folder, PATIENCE, Program};

/// Waits until INFO tells of more than `before` compactions; how many.
fn compacted(client: &mut Client, before: u64) -> u64 {
    let began = Instant::now();
    loop {
        let info = client.request("INFO persistence");
        let figure = |name: &str| info.split_once(name).unwrap().1.split_once('\r').unwrap().0.to_owned();
        assert_eq!(figure("aof_last_bgrewrite_status:"), "ok");
        let count: u64 = figure("aof_rewrites:").parse().unwrap();
        if count > before && figure("aof_rewrite_in_progress:") == "0" {
            return count;
        }
        assert!(began.elapsed() < PATIENCE, "{info}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn nothing_is_lost_while_clients_write() {
    for fsync in ["always", "everysec"] {
        let folder = Folder::new();
        let flags = [&*format!("--appendfsync={fsync}"), "--auto-aof-rewrite-percentage=0"];
        let program = Program::start(&folder, &flags);
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..3)
            .map(|number| {
                let (mut client, stop) = (program.client(), Arc::clone(&stop));
                thread::spawn(move || {
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        count += 1;
                        client.ask(&format!("INCR count:{number}"), &format!(":{count}"));
                        client.ask(
                            &format!("SADD set:{number} m{}", count % 1000),
                            if count <= 1000 { ":1" } else { ":0" },
                        );
                    }
                    count
                })
            })
            .collect();
        let mut client = program.client();
        let mut rewrites = 0;
        for _ in 0..3 {
            client.ask("BGREWRITEAOF", "+Background append only file rewriting started");
            rewrites = compacted(&mut client, rewrites);
        }
        assert_eq!(rewrites, 3);
        stop.store(true, Ordering::Relaxed);
        let counts: Vec<u64> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        if fsync == "always" {
            program.kill();
        } else {
            program.stop();
        }
        assert_eq!(folder.files(), ["interleave.4.base", "interleave.4.log", "interleave.manifest"]);
        let program = Program::start(&folder, &flags);
        let mut client = program.client();
        for (number, count) in counts.iter().enumerate() {
            let text = count.to_string();
            client.ask(&format!("GET count:{number}"), &format!("${}\n{text}", text.len()));
            client.ask(&format!("SCARD set:{number}"), &format!(":{}", count.min(&1000)));
        }
        program.stop();
    }
}

#[test]
fn a_log_that_has_doubled_is_compacted_by_itself() {
    let folder = Folder::new();
    let program = Program::start(&folder, &["--auto-aof-rewrite-min-size=20000"]);
    let mut client = program.client();
    // A file may go while one looks.
    let size = |folder: &Folder| -> u64 {
        let files = std::fs::read_dir(folder.path()).unwrap();
        files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum()
    };
    for count in 1..=2000 {
        client.ask("INCR count", &format!(":{count}"));
    }
    compacted(&mut client, 0);
    // Each record has 48 bytes. What was there when it began, 20,000 bytes or more, is gone; what came while it ran, which is much
    // where that is slow, is left to a next one.
    let began = Instant::now();
    while size(&folder) > 2000 * 48 - 19_000 {
        assert!(began.elapsed() < PATIENCE, "{} bytes", size(&folder));
        thread::sleep(Duration::from_millis(10));
    }
    let log = program.stop();
    assert!(log.contains("compacted the log from"), "{log}");
    let program = Program::start(&folder, &[]);
    program.client().ask("GET count", "$4\n2000");
    program.stop();
}

#[test]
fn one_at_a_time() {
    let folder = Folder::new();
    let program = Program::start(&folder, &[]);
    let mut client = program.client();
    // Both arrive together, before the first can be over.
    client.send("BGREWRITEAOF\r\nBGREWRITEAOF").unwrap();
    assert_eq!(client.receive().unwrap(), "+Background append only file rewriting started");
    let already = "-ERR Background append only file rewriting already in progress";
    assert_eq!(client.receive().unwrap(), already);
    compacted(&mut client, 0);
    program.stop();
}
