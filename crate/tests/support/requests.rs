//! Random requests for every command in the table, made of its own usage line: a new family is among them by itself.
//!
//! Knows what the words in usage lines stand for, and no command but those that cannot be compared. A seed makes the same
//! requests everywhere.

use fastrand::Rng;
use interleave::command::{Argument, ArgumentKind, Spec, TABLE};

/// What a run cannot hold, or what no two servers answer alike, and why.
const LEFT_OUT: [(&[&str], &str); 5] = [
    (
        &["quit", "reset", "shutdown", "client", "auth", "debug", "config"],
        "ends or changes the connection, or the server",
    ),
    (
        &["subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "monitor"],
        "has any number of replies",
    ),
    (
        &["spop", "srandmember", "hrandfield", "zrandmember", "randomkey"],
        "is chance, which each sharing draws on its own",
    ),
    (&["scan", "keys"], "tells the order of keys, which is that of the shards"),
    (
        &[
            "info",
            "memory",
            "slowlog",
            "latency",
            "lastsave",
            "time",
            "command",
            "bgsave",
            "save",
            "bgrewriteaof",
            "hello",
        ],
        "tells of the server itself, or its clock",
    ),
];

/// What a clock can be seen in. Left out where two runs are compared: even virtual time depends on how many events there are.
const TELLS_TIME: [&str; 9] = [
    "ttl",
    "pttl",
    "expiretime",
    "pexpiretime",
    "object|idletime",
    "xpending",
    "xclaim",
    "xinfo|consumers",
    "xinfo|stream",
];

/// The commands that requests are made of. With `time`, those also that tell it.
pub(crate) fn commands(time: bool) -> Vec<&'static Spec> {
    TABLE
        .iter()
        .filter(|spec| !LEFT_OUT.iter().any(|(names, _)| names.contains(&spec.name)))
        .flat_map(
            |spec| if spec.subcommands.is_empty() { std::slice::from_ref(spec) } else { spec.subcommands },
        )
        .filter(|spec| time || !TELLS_TIME.contains(&spec.name))
        .collect()
}

/// `count` requests. With `time`, of commands also that tell it.
pub(crate) fn requests(seed: u64, count: usize, time: bool) -> Vec<Vec<Vec<u8>>> {
    let commands = commands(time);
    let mut rng = Rng::with_seed(seed);
    let mut is_queuing = false;
    (0..count)
        .map(|_| {
            let mut spec = commands[rng.u64(..commands.len() as u64) as usize];
            // A transaction that is open would take all that follows.
            if is_queuing && rng.u8(..4) == 0 {
                spec = commands.iter().find(|spec| spec.name == "exec").unwrap_or(&spec);
            }
            match spec.name {
                "multi" => is_queuing = true,
                "exec" | "discard" => is_queuing = false,
                _ => {}
            }
            request(spec, &mut rng)
        })
        .collect()
}

/// The names of all commands that [`requests`] are made of.
pub(crate) fn names() -> Vec<&'static str> {
    let is_left_out = |spec: &&Spec| LEFT_OUT.iter().any(|(names, _)| names.contains(&spec.name));
    TABLE.iter().filter(|spec| !is_left_out(spec)).map(|spec| spec.name).collect()
}

fn request(spec: &Spec, rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut request = Request { words: Vec::new(), group: spec.group.name(), keys: 1, waits: false };
    request.words.extend(spec.name.split('|').map(|word| word.as_bytes().to_vec()));
    spec.arguments().iter().for_each(|argument| request.add(argument, rng));
    // Now and then one word too few; but another in the place of a time to wait could be for ever.
    if request.words.len() > 1 && !spec.usage.contains("timeout") && rng.u8(..40) == 0 {
        request.words.pop();
    }
    request.words
}

struct Request {
    words: Vec<Vec<u8>>,
    /// The family, which chooses the keys: most commands find a value of their own kind.
    group: &'static str,
    /// How many keys follow a number of keys.
    keys: u64,
    /// The number that comes is how long to wait.
    waits: bool,
}

impl Request {
    fn add(&mut self, argument: &Argument, rng: &mut Rng) {
        if argument.optional && rng.u8(..3) > 0 {
            return;
        }
        let times = match &argument.kind {
            _ if !argument.multiple => 1,
            ArgumentKind::Key => std::mem::replace(&mut self.keys, 1).max(1),
            _ => rng.u64(1..4),
        };
        if let Some(token) = &argument.token {
            // An id that the clock chooses is no two servers' the same; its second half may be the server's choice.
            let token = if token == "*" { "5-*" } else { token };
            self.words.push(token.as_bytes().to_vec());
            self.waits = token == "BLOCK";
        }
        for _ in 0..times {
            match &argument.kind {
                ArgumentKind::PureToken => {}
                ArgumentKind::OneOf(choices) => {
                    self.add(&choices[rng.u64(..choices.len() as u64) as usize], rng);
                }
                ArgumentKind::Block(parts) => parts.iter().for_each(|part| self.add(part, rng)),
                _ => {
                    let word = self.word(argument, rng);
                    self.words.push(word.into_bytes());
                }
            }
        }
    }

    fn word(&mut self, argument: &Argument, rng: &mut Rng) -> String {
        let mut one_of = |words: &[&str]| words[rng.u64(..words.len() as u64) as usize].to_owned();
        match (&argument.kind, argument.name.as_str()) {
            (ArgumentKind::Key, _) => {
                let number = one_of(&["1", "2", "3", "{a}4"]);
                let others = ["string", "list", "hash", "set", "sorted-set", "stream"];
                let group = if one_of(&["own", "own", "own", "own", "own", "any"]) == "own" {
                    self.group.to_owned()
                } else {
                    one_of(&others)
                };
                // Commands on any key have no keys of their own.
                if others.contains(&&*group) { group + &number } else { one_of(&others) + &number }
            }
            (_, "numkeys") => {
                let count = one_of(&["1", "1", "2", "2", "3", "0"]);
                self.keys = count.parse().expect("a number");
                count
            }
            (_, "cursor") => "0".to_owned(),
            (_, "min-idle-time") => "0".to_owned(),
            (_, "timeout" | "float-timeout") => "0.002".to_owned(),
            (ArgumentKind::Integer, "milliseconds" | "seconds") if std::mem::take(&mut self.waits) => {
                "2".to_owned()
            }
            // Nothing expires while the requests run, or it has at once.
            (ArgumentKind::Integer, "milliseconds" | "seconds") => one_of(&["100000", "5000000", "-1", "0"]),
            (ArgumentKind::UnixTime, _) => one_of(&["1", "4000000000", "4000000000000"]),
            (ArgumentKind::Integer, "destination-db" | "index") => one_of(&["0", "0", "1", "-1"]),
            (ArgumentKind::Integer, "offset" | "count" | "limit" | "len" | "num-matches") => {
                one_of(&["0", "1", "2", "5", "100", "-1"])
            }
            (ArgumentKind::Integer, _) => {
                one_of(&["0", "1", "2", "-1", "-3", "7", "9223372036854775807", "x"])
            }
            (ArgumentKind::Double, _) => {
                one_of(&["0", "1", "2.5", "-1", "1e3", "+inf", "-inf", "nan", "0.1"])
            }
            (ArgumentKind::Pattern, _) => one_of(&["*", "f*", "?1", "[a-e]*"]),
            (_, "min" | "max") => one_of(&["-inf", "+inf", "(1", "0", "2.5", "-", "+", "[b", "(c"]),
            (_, "id" | "start" | "end" | "lastid" | "last-id") => {
                one_of(&["1-1", "2-1", "3-3", "5-0", "0", "7-7", ">", "-", "+"])
            }
            (_, "group") => "g".to_owned(),
            (_, "consumer") => one_of(&["ann", "bob"]),
            (_, "field" | "member" | "element" | "pivot") => {
                one_of(&["a", "b", "c", "1", "2", "300", "e\r\n", ""])
            }
            _ => one_of(&[
                "a",
                "1",
                "22",
                "3.5",
                "a longer text that has no place in a small value at all, surely",
                "\0\u{e9}",
            ]),
        }
    }
}
