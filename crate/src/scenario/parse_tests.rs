//! What reads and what does not, and how it is told.

use insta::assert_snapshot;

use super::super::Scenario;
use super::*;

fn error(source: &str) -> String {
    error_within(source, &Limits::default())
}

fn error_within(source: &str, limits: &Limits) -> String {
    match Scenario::parse(source, limits) {
        Ok(_) => "no mistake".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The mistake in a client's `lines`, which begin at line 2.
fn mistake(lines: &str) -> String {
    error(&format!("client a {{\n{lines}\n}}"))
}

#[track_caller]
fn reads(source: &str) {
    assert_eq!(error(source), "no mistake", "{source}");
}

#[test]
fn the_whole_language_reads() {
    reads(
        r#"
# Comments, blank lines and indentation mean nothing.
channel q 2     # a comment behind
setup { SET stock 1 }

client buyer * 2 {
    let stock = GET stock
    if stock > 0 {
        yield
        DECR stock
    } else if $stock == nil { PING }
    else {
        SET note "sold out: \x21 $stock ${stock}s \$5 $" 'as $is' user:$me:name a"b c"
    }
    stock = (stock + 1) * 2 - -3 % 4 / 5
    while stock < 10 {
        stock = stock + 1
    }
    repeat GET n { INCR n }
    lock a {
        lock b { }
    }
    spawn helper {
        sleep 10ms
        spin 5us
        send q stock
    }
    join helper
    assert GET stock >= 0
    assert DBSIZE
    set KEY {tag}:1
    CLIENT SETNAME $me
}
client receiver {
    let got = receive q
    receive q
    let other = "two words"
    let word = 'one'
    other = word
    let sum = (GET a) + (receive q)
}
finally { assert GET stock >= 0 }
"#,
    );
    reads("client a {}\r\nclient b {\r\n  PING\r\n}\r\n");
    reads("client a { if 1 == 1 { PING }\n\n else { PING } }");
    reads("client a { KEYS *\n SET k (\n SET k )\n SET k > }");
}

#[test]
fn a_block_ends_what_its_lets_began() {
    reads("client a { if 1 { let x = 1 } else { let x = 2 }\n let x = 3 }");
    assert_snapshot!(mistake("if 1 { let x = 1 }\nassert x"), @"
    line 3, column 8: expected a value, found `x`
    3 | assert x
      |        ^
    help: the block that made `x` has ended: make it before the block, and change it inside with `x = ...`
    ");
    assert_snapshot!(mistake("let x = 1\nlet x = 2"), @"
    line 3, column 5: expected a new variable's name, found `x` again
    3 | let x = 2
      |     ^
    help: to change it, leave out the `let`: `x = ...`
    ");
}

#[test]
fn unknown_words() {
    assert_snapshot!(mistake("GTE stock"), @"
    line 2, column 1: expected a keyword or a Redis command, found `GTE`
    2 | GTE stock
      | ^^^
    help: did you mean `GET`?
    ");
    assert_snapshot!(mistake("frobnicate"), @"
    line 2, column 1: expected a keyword or a Redis command, found `frobnicate`
    2 | frobnicate
      | ^^^^^^^^^^
    ");
    assert_snapshot!(mistake("whlie 1 { }"), @"
    line 2, column 1: expected a keyword that takes a block, found `whlie`
    2 | whlie 1 { }
      | ^^^^^
    help: did you mean `while`?
    ");
    assert_snapshot!(mistake("let x = GTE stock"), @"
    line 2, column 9: expected a value, found `GTE`
    2 | let x = GTE stock
      |         ^^^
    help: did you mean `GET`?
    ");
    assert_snapshot!(mistake("let stock = 1\nassert stok"), @"
    line 3, column 8: expected a value, found `stok`
    3 | assert stok
      |        ^^^^
    help: did you mean `stock`?
    ");
    assert_snapshot!(mistake("let x = greeting"), @r#"
    line 2, column 9: expected a value, found `greeting`
    2 | let x = greeting
      |         ^^^^^^^^
    help: a value is a number, a "string", `nil`, a variable, a Redis command or `receive channel`
    "#);
    assert_snapshot!(mistake("SET k $stok"), @"
    line 2, column 7: expected a variable, found `stok`, which is none here
    2 | SET k $stok
      |       ^^^^^
    help: make one first: `let stok = ...`
    ");
    assert_snapshot!(mistake("CLIENT SETNAM x"), @"
    line 2, column 8: expected a subcommand of `CLIENT`, found `SETNAM`
    2 | CLIENT SETNAM x
      |        ^^^^^^
    help: did you mean `SETNAME`?
    ");
    assert_snapshot!(mistake("$x y"), @"
    line 2, column 1: expected a variable, found `x`, which is none here
    2 | $x y
      | ^^
    help: make one first: `let x = ...`
    ");
    assert_snapshot!(mistake("lettuce"), @"
    line 2, column 1: expected a keyword or a Redis command, found `lettuce`
    2 | lettuce
      | ^^^^^^^
    ");
    assert_snapshot!(mistake("GET k {"), @"
    line 2, column 7: expected a statement's next word or its end, found `{`
    2 | GET k {
      |       ^
    help: to send a lone brace, put it in quotes
    ");
    assert_snapshot!(mistake("PING; PING"), @"
    line 2, column 1: expected a keyword or a Redis command, found `PING;`
    2 | PING; PING
      | ^^^^^
    help: every statement has a line of its own
    ");
    assert_snapshot!(error("clinet a { }"), @"
    line 1, column 1: expected `client`, `setup`, `finally` or `channel`, found `clinet`
    1 | clinet a { }
      | ^^^^^^
    help: did you mean `client`?
    ");
    assert_snapshot!(error("GET x"), @"
    line 1, column 1: expected `client`, `setup`, `finally` or `channel`, found `GET`
    1 | GET x
      | ^^^
    help: statements stand in blocks: `client alice { ... }`
    ");
    assert_snapshot!(error("setup { }"), @"
    line 1, column 10: expected at least one `client name { ... }`, found the end of the text
    1 | setup { }
      |          ^
    ");
}

#[test]
fn wrong_arity() {
    assert_snapshot!(mistake("GET"), @"
    line 2, column 1: expected `GET key`, found 0 words after its name
    2 | GET
      | ^^^
    ");
    assert_snapshot!(mistake("  GET a b"), @"
    line 2, column 3: expected `GET key`, found 2 words after its name
    2 |   GET a b
      |   ^^^^^^^
    ");
    assert_snapshot!(mistake("let x = GET a b"), @"
    line 2, column 9: expected `GET key`, found 2 words after its name
    2 | let x = GET a b
      |         ^^^^^^^
    ");
    assert_snapshot!(mistake("SET k"), @"
    line 2, column 1: expected `SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]`, found 1 word after its name
    2 | SET k
      | ^^^^^
    ");
    assert_snapshot!(mistake("CLIENT SETNAME"), @"
    line 2, column 1: expected `CLIENT SETNAME connection-name`, found 1 word after its name
    2 | CLIENT SETNAME
      | ^^^^^^^^^^^^^^
    ");
    assert_snapshot!(mistake("SET k two words more x"), @"no mistake");
}

#[test]
fn expressions() {
    assert_snapshot!(mistake("let x ="), @r#"
    line 2, column 8: expected a value, found the end of the line
    2 | let x =
      |        ^
    help: a value is a number, a "string", `nil`, a variable, a Redis command or `receive channel`
    "#);
    assert_snapshot!(mistake("let x 1"), @"
    line 2, column 7: expected `=` and a value, found `1`
    2 | let x 1
      |       ^
    ");
    assert_snapshot!(mistake("let if = 1"), @"
    line 2, column 5: expected a variable's name, found `if`, which means something else
    2 | let if = 1
      |     ^^
    ");
    assert_snapshot!(mistake("let me = 1"), @"
    line 2, column 5: expected a new variable's name, found `me`, the client's own number
    2 | let me = 1
      |     ^^
    ");
    assert_snapshot!(mistake("me = 1"), @"
    line 2, column 1: expected a variable that can change, found the client's own number
    2 | me = 1
      | ^^
    help: copy it: `let number = me`
    ");
    assert_snapshot!(mistake("x = 1"), @"
    line 2, column 1: expected a variable, found `x`, which is none here
    2 | x = 1
      | ^
    help: make one first: `let x = ...`
    ");
    assert_snapshot!(mistake("let x = 1\nif x = 1 { }"), @"
    line 3, column 6: expected `{` and a block, found `=`
    3 | if x = 1 { }
      |      ^
    help: to compare, write `==`; to change a variable, begin the line with its name
    ");
    assert_snapshot!(mistake("let x = 1\nassert x>0"), @"
    line 3, column 8: expected a value, found `x>0`
    3 | assert x>0
      |        ^^^
    help: operators stand alone, with a space on both sides
    ");
    assert_snapshot!(mistake("let x = 1\nassert x y"), @"
    line 3, column 10: expected an operator between two values, found `y`
    3 | assert x y
      |          ^
    help: operators stand alone, with a space on both sides
    ");
    assert_snapshot!(mistake("assert 1 < 2 < 3"), @"
    line 2, column 14: expected the end of the line, found `<`
    2 | assert 1 < 2 < 3
      |              ^
    ");
    assert_snapshot!(mistake("assert 1 +"), @r#"
    line 2, column 11: expected a value, found the end of the line
    2 | assert 1 +
      |           ^
    help: a value is a number, a "string", `nil`, a variable, a Redis command or `receive channel`
    "#);
    assert_snapshot!(mistake("assert (1 + 2"), @"
    line 2, column 14: expected an operator or the `)` of this expression, found the end of the line
    2 | assert (1 + 2
      |              ^
    ");
    assert_snapshot!(mistake("assert 007"), @"
    line 2, column 8: expected an integer of 64 bits, without leading zeros, found `007`
    2 | assert 007
      |        ^^^
    ");
    assert_snapshot!(mistake("assert 99999999999999999999"), @"
    line 2, column 8: expected an integer of 64 bits, without leading zeros, found `99999999999999999999`
    2 | assert 99999999999999999999
      |        ^^^^^^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(mistake("let x = user:$me"), @r#"
    line 2, column 9: expected a value, found `user:$me`
    2 | let x = user:$me
      |         ^^^^^^^^
    help: a string is written in quotes: "user:$me"
    "#);
    assert_snapshot!(mistake("let x = 1\nassert x > 0{ }"), @"
    line 3, column 12: expected a value, found `0{`
    3 | assert x > 0{ }
      |            ^^
    help: braces stand alone, after a space
    ");
}

#[test]
fn blocks_and_lines() {
    assert_snapshot!(error("client a"), @"
    line 1, column 9: expected `{` and a block, found the end of the text
    1 | client a
      |         ^
    ");
    assert_snapshot!(error("client a {\n  GET k\n"), @"
    line 1, column 10: expected a `}` for this `{`, found the end of the text
    1 | client a {
      |          ^
    help: the `}` of a block stands alone, after a space or at the start of a line
    ");
    assert_snapshot!(error("client a { DECR stock}"), @"
    line 1, column 10: expected a `}` for this `{`, found the end of the text
    1 | client a { DECR stock}
      |          ^
    help: the `}` of a block stands alone, after a space or at the start of a line
    ");
    assert_snapshot!(error("client a { } client b { }"), @"
    line 1, column 14: expected the end of the line, found `client`
    1 | client a { } client b { }
      |              ^^^^^^
    ");
    assert_snapshot!(error("client a { }\nclient a { }"), @"
    line 2, column 8: expected a new client's name, found `a` again
    2 | client a { }
      |        ^
    help: several clients that do the same are written `client a * 2 { ... }`
    ");
    assert_snapshot!(error("client { }"), @"
    line 1, column 8: expected a client's name, found `{`
    1 | client { }
      |        ^
    ");
    assert_snapshot!(error("client a * { }"), @"
    line 1, column 12: expected how many such clients there are, from 1, found `{`
    1 | client a * { }
      |            ^
    ");
    assert_snapshot!(error("client a * 0 { }"), @"
    line 1, column 12: expected how many such clients there are, from 1, found `0`
    1 | client a * 0 { }
      |            ^
    ");
    assert_snapshot!(error("setup { }\nsetup { }\nclient a { }"), @"
    line 2, column 1: expected one `setup`, found a second one
    2 | setup { }
      | ^^^^^
    ");
    assert_snapshot!(mistake("else { }"), @"
    line 2, column 1: expected a statement, found an `else` without its `if`
    2 | else { }
      | ^^^^
    ");
    assert_snapshot!(mistake("yield now"), @"
    line 2, column 7: expected the end of the line, found `now`
    2 | yield now
      |       ^^^
    ");
    assert_snapshot!(mistake("yield;"), @"
    line 2, column 1: expected a keyword or a Redis command, found `yield;`
    2 | yield;
      | ^^^^^^
    help: every statement has a line of its own
    ");
    assert_snapshot!(mistake("sleep 10"), @"
    line 2, column 7: expected a time: a whole number and its unit, `us`, `ms` or `s`, as in `10ms`, found `10`
    2 | sleep 10
      |       ^^
    ");
    assert_snapshot!(mistake("sleep x"), @"
    line 2, column 7: expected a time: a whole number and its unit, `us`, `ms` or `s`, as in `10ms`, found `x`
    2 | sleep x
      |       ^
    ");
    assert_snapshot!(mistake("if 1"), @"
    line 2, column 5: expected `{` and a block, found the end of the line
    2 | if 1
      |     ^
    ");
    assert_snapshot!(mistake("lock { }"), @"
    line 2, column 6: expected a lock's name, found `{`
    2 | lock { }
      |      ^
    ");
}

#[test]
fn quotes() {
    assert_snapshot!(mistake("SET k \"open"), @r#"
    line 2, column 7: expected a closing " for this one, found the end of the line
    2 | SET k "open
      |       ^
    "#);
    assert_snapshot!(mistake("SET k 'open"), @"
    line 2, column 7: expected a closing ' for this one, found the end of the line
    2 | SET k 'open
      |       ^
    ");
    assert_snapshot!(mistake("SET k \"a\"b"), @r#"
    line 2, column 10: expected a space after the closing quote, found `b`
    2 | SET k "a"b
      |          ^
    "#);
    assert_snapshot!(mistake("SET k \"${stock\""), @r#"
    line 2, column 10: expected a variable's name and `}` after `${`, found `stock"`
    2 | SET k "${stock"
      |          ^^^^^^
    "#);
    assert_snapshot!(mistake("SET k \"\\"), @r#"
    line 2, column 7: expected a closing " for this one, found the end of the line
    2 | SET k "\
      |       ^
    "#);
}

#[test]
fn tasks_and_channels() {
    assert_snapshot!(mistake("join helper"), @"
    line 2, column 6: expected the name of a task spawned before, found `helper`
    2 | join helper
      |      ^^^^^^
    help: this task can join what it spawned: `spawn helper { ... }`
    ");
    assert_snapshot!(mistake("spawn helper { }\njoin helpr"), @"
    line 3, column 6: expected the name of a task spawned before, found `helpr`
    3 | join helpr
      |      ^^^^^
    help: did you mean `helper`?
    ");
    assert_snapshot!(mistake("send q 1"), @"
    line 2, column 6: expected a channel, found `q`
    2 | send q 1
      |      ^
    help: declare it before the clients: `channel q 1`
    ");
    assert_snapshot!(error("channel q 1\nclient a { send q }"), @r#"
    line 2, column 19: expected a value, found `}`
    2 | client a { send q }
      |                   ^
    help: a value is a number, a "string", `nil`, a variable, a Redis command or `receive channel`
    "#);
    assert_snapshot!(error("channel q 0\nclient a { }"), @"
    line 1, column 11: expected how many messages the channel holds, from 1, found `0`
    1 | channel q 0
      |           ^
    ");
    assert_snapshot!(error("channel q 1\nchannel q 1\nclient a { }"), @"
    line 2, column 9: expected a new channel's name, found `q` again
    2 | channel q 1
      |         ^
    ");
    assert_snapshot!(error("channel q 1\nclient a { receive q }\nclient b { receive q }"), @"
    line 3, column 20: expected one task that receives from a channel, found several
    3 | client b { receive q }
      |                    ^
    help: as with Tokio's mpsc, many may send and one receives: let one task receive and pass it on
    ");
    assert_snapshot!(error("channel q 1\nclient a * 2 {\n  let x = receive q\n}"), @"
    line 3, column 19: expected one task that receives from a channel, found several
    3 |   let x = receive q
      |                   ^
    help: as with Tokio's mpsc, many may send and one receives: let one task receive and pass it on
    ");
    assert_snapshot!(error("channel q 1\nclient a { let x = receive q now }"), @"
    line 2, column 20: expected `receive channel`, found something else
    2 | client a { let x = receive q now }
      |                    ^^^^^^^^^^^^^
    ");
}

#[test]
fn letters_of_any_language() {
    reads("client 客 {\n let 在庫 = GET 在庫\n SET \"$在庫\" ${在庫}個\n}");
    assert_snapshot!(mistake("SET 在庫 1\n\tSET 'これは' $在庫"), @"
    line 3, column 12: expected a variable, found `在庫`, which is none here
    3 | 	SET 'これは' $在庫
      | 	     　　　  ^^^^^
    help: make one first: `let 在庫 = ...`
    ");
}

#[test]
fn limits_of_the_text() {
    let limits = Limits {
        source_bytes: 100,
        depth: 3,
        clients: 3,
        statements: 4,
        name_bytes: 5,
        channel_messages: 10,
        ..Limits::default()
    };
    let within = |source: &str| error_within(source, &limits);
    assert_snapshot!(within(&format!("client a {{ }} #{}", "é".repeat(50))), @"
    line 1, column 58: expected at most 100 bytes of text, found 114
    1 | client a { } #éééééééééééééééééééééééééééééééééééééééééééééééééé
      |                                                          ^
    help: a scenario's limit `source_bytes` is reached
    ");
    assert_snapshot!(within("client a { if 1 { if 1 { if 1 { } } } }"), @"
    line 1, column 31: expected at most 3 levels of nesting, found 4
    1 | client a { if 1 { if 1 { if 1 { } } } }
      |                               ^
    help: a scenario's limit `depth` is reached
    ");
    assert_snapshot!(within("client a { if ((((1)))) { } }"), @"
    line 1, column 17: expected at most 3 levels of nesting, found 4
    1 | client a { if ((((1)))) { } }
      |                 ^
    help: a scenario's limit `depth` is reached
    ");
    assert_snapshot!(within("client a * 2 { }\nclient b * 2 { }"), @"
    line 2, column 12: expected at most 3 clients, found 4
    2 | client b * 2 { }
      |            ^
    help: a scenario's limit `clients` is reached
    ");
    assert_snapshot!(within("client a * 99999999999999999999 { }"), @"
    line 1, column 12: expected at most 3 clients, found 18446744073709551615
    1 | client a * 99999999999999999999 { }
      |            ^^^^^^^^^^^^^^^^^^^^
    help: a scenario's limit `clients` is reached
    ");
    assert_snapshot!(within("client a {\nyield\nyield\nyield\nyield\nyield\n}"), @"
    line 6, column 1: expected at most 4 statements, found 5
    6 | yield
      | ^
    help: a scenario's limit `statements` is reached
    ");
    assert_snapshot!(within("client abcdef { }"), @"
    line 1, column 8: expected at most 5 bytes in a name, found 6
    1 | client abcdef { }
      |        ^^^^^^
    help: a scenario's limit `name_bytes` is reached
    ");
    assert_snapshot!(within("channel q 11\nclient a { }"), @"
    line 1, column 1: expected at most 10 messages in a channel, found 11
    1 | channel q 11
      | ^^^^^^^^^^^^
    help: a scenario's limit `channel_messages` is reached
    ");
    assert_snapshot!(within("channel q 10\nclient a * 3 { if ((1)) { yield } }"), @"no mistake");
}

#[test]
fn a_long_expression_needs_no_deep_stack() {
    let mut line = "assert 1".to_owned();
    while line.len() < 60_000 {
        line.push_str(" + 1");
    }
    assert_eq!(mistake(&line), "no mistake");
    let elses = " else if 1 { }".repeat(4_000);
    assert_eq!(mistake(&format!("if 1 {{ }}{elses}")), "no mistake");
}

mod any_text {
    use proptest::prelude::*;

    use super::super::super::ast::Piece;
    use super::*;
    use crate::resp::split_line;

    /// The words of the one command of client `a`.
    fn words(scenario: &Scenario) -> Vec<Vec<u8>> {
        let [Statement { kind: Kind::Command(command), .. }] = &*scenario.script.clients[0].body.block else {
            panic!("expected one command");
        };
        let bytes = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.clone(),
            Piece::Variable(_) => panic!("there are no variables"),
        };
        command.words.iter().map(|word| word.iter().flat_map(bytes).collect()).collect()
    }

    proptest! {
        #[test]
        fn a_command_is_split_as_at_the_prompt(line in "[a-c\"'\\\\ xn0{}=>]{0,24}") {
            // A lone brace means a block here.
            prop_assume!(!line.split(' ').any(|word| matches!(word, "{" | "}")));
            let line = format!("DEL key {line}");
            match (split_line(&line), Scenario::parse(&format!("client a {{\n{line}\n}}"), &Limits::default())) {
                (Ok(split), Ok(scenario)) => prop_assert_eq!(words(&scenario), split),
                (Err(_), Err(_)) => {}
                (split, scenario) => prop_assert!(false, "{split:?} {scenario:?}"),
            }
        }

        #[test]
        fn is_survived(source in "([a-c$\"'{}()#=<>*\\\\\n 0-9é]|let |if |client a |GET |spawn |receive |\\$\\{){0,40}") {
            for source in [source.clone(), format!("client a {{ {source}")] {
                if let Err(error) = Scenario::parse(&source, &Limits::default()) {
                    prop_assert!(!error.message().contains("expected ,"), "{error}");
                    prop_assert!(error.span().end as usize <= source.len());
                    let _ = error.to_string();
                }
            }
        }
    }
}
