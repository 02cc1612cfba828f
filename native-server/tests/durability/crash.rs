//! `kill -9` under load: no write is missing that a client was told of.

use std::thread;
use std::time::Duration;

use crate::SHARINGS;
use crate::program::{Client, Folder, Program};

/// Clients that write at the same time.
const CLIENTS: usize = 4;

/// Rounds in an ordinary run; `KILL_ROUNDS` asks for others.
fn rounds() -> usize {
    std::env::var("KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4)
}

/// Counts as far as it comes, by two keys in one transaction, a pipeline at a time: the last count it was told. What it was
/// not told of may have been done, too.
fn write(mut client: Client, number: usize) -> u64 {
    let mut told = 0;
    loop {
        let transaction = format!("MULTI\r\nINCR count:{number}\r\nRPUSH list:{number} x\r\nEXEC");
        if (0..4).any(|_| client.send(&transaction).is_err()) {
            return told;
        }
        for _ in 0..4 {
            let replies: Vec<_> = (0..4).map_while(|_| client.receive()).collect();
            let [_, _, _, done] = &replies[..] else { return told };
            let (count, length) = done.strip_prefix("*2\n:").unwrap().split_once("\n:").unwrap();
            assert_eq!(count, length, "one was done without the other");
            told = count.parse().unwrap();
        }
    }
}

/// Brings numbers, one higher each time, until the server has gone.
fn bring(mut client: Client, from: u64) {
    for number in from.. {
        if client.send(&format!("RPUSH jobs {number}")).is_err() || client.receive().is_none() {
            return;
        }
    }
}

/// Takes what is brought, waiting for it; the last number that it was given.
fn take(mut client: Client) -> u64 {
    let mut last = 0;
    while client.send("BLPOP jobs 0").is_ok()
        && let Some(given) = client.receive()
    {
        last = given.rsplit('\n').next().unwrap().parse().unwrap();
    }
    last
}

/// The number in a reply; 0 where there is nothing.
fn number(reply: &str) -> u64 {
    reply.rsplit(['\n', ':']).next().unwrap().parse().unwrap_or(0)
}

#[test]
fn no_write_is_missing_that_a_client_was_told_of() {
    let (mut told_in_all, mut taken_in_all) = (0, 0);
    for round in 0..rounds() {
        let folder = Folder::new();
        let sharing = format!("--sharing={}", SHARINGS[round % SHARINGS.len()]);
        // Some rounds are killed while the log is compacted, too.
        let min_bytes = if round % 8 < 4 { 1 << 30 } else { 10_000 };
        let min_size = format!("--auto-aof-rewrite-min-size={min_bytes}");
        let flags = ["--appendfsync=always", &*sharing, &*min_size];
        let (mut told, mut taken) = ([0; CLIENTS], 0);
        // Twice in the same folder: what was read is gone on with.
        for time in 0..2 {
            let program = Program::start(&folder, &flags);
            let clients = [(); CLIENTS].map(|()| program.client());
            let clients: Vec<_> = (0..)
                .zip(clients)
                .map(|(number, client)| thread::spawn(move || write(client, number)))
                .collect();
            let (bringer, taker) = (program.client(), program.client());
            let bringer = thread::spawn(move || bring(bringer, (time + 1) * 1_000_000));
            let taker = thread::spawn(move || take(taker));
            // Another moment in each round.
            thread::sleep(Duration::from_millis(60 + (round as u64 * 37 + time * 71) % 150));
            program.kill();
            for (told, client) in told.iter_mut().zip(clients) {
                *told = client.join().unwrap().max(*told);
            }
            bringer.join().unwrap();
            taken = taker.join().unwrap().max(taken);
            taken_in_all += taken % 1_000_000;
        }
        let program = Program::start(&folder, &flags);
        let mut client = program.client();
        for (key, told) in told.iter().enumerate() {
            let count = number(&client.request(&format!("GET count:{key}")));
            let length = number(&client.request(&format!("LLEN list:{key}")));
            assert_eq!(count, length, "round {round}: half a transaction was kept");
            assert!(count >= *told, "round {round}: told of {told}, kept {count}");
            told_in_all += told;
        }
        // What a client was given is gone for good.
        let next = client.request("LPOP jobs");
        assert!(
            next == "$-1" || number(&next) > taken,
            "round {round}: {taken} was given away, and there is {next}"
        );
        program.stop();
    }
    println!(
        "{} rounds, each killed twice; told of {told_in_all} transactions, given {taken_in_all} elements",
        rounds()
    );
    assert!(told_in_all > rounds() as u64 * 8 && taken_in_all > rounds() as u64, "there was no load");
}
