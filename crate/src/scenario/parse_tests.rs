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
    assert_snapshot!(mistake("if 1 { let x = 1 }\nassert x"), @"");
    assert_snapshot!(mistake("let x = 1\nlet x = 2"), @"");
}

#[test]
fn unknown_words() {
    assert_snapshot!(mistake("GTE stock"), @"");
    assert_snapshot!(mistake("frobnicate"), @"");
    assert_snapshot!(mistake("whlie 1 { }"), @"");
    assert_snapshot!(mistake("let x = GTE stock"), @"");
    assert_snapshot!(mistake("let stock = 1\nassert stok"), @"");
    assert_snapshot!(mistake("let x = hello"), @"");
    assert_snapshot!(mistake("SET k $stok"), @"");
    assert_snapshot!(mistake("CLIENT SETNAM x"), @"");
    assert_snapshot!(mistake("$x y"), @"");
    assert_snapshot!(error("clinet a { }"), @"");
    assert_snapshot!(error("GET x"), @"");
    assert_snapshot!(error("setup { }"), @"");
}

#[test]
fn wrong_arity() {
    assert_snapshot!(mistake("GET"), @"");
    assert_snapshot!(mistake("  GET a b"), @"");
    assert_snapshot!(mistake("let x = GET a b"), @"");
    assert_snapshot!(mistake("SET k"), @"");
    assert_snapshot!(mistake("CLIENT SETNAME"), @"");
    assert_snapshot!(mistake("SET k two words more x"), @"no mistake");
}

#[test]
fn expressions() {
    assert_snapshot!(mistake("let x ="), @"");
    assert_snapshot!(mistake("let x 1"), @"");
    assert_snapshot!(mistake("let if = 1"), @"");
    assert_snapshot!(mistake("let me = 1"), @"");
    assert_snapshot!(mistake("me = 1"), @"");
    assert_snapshot!(mistake("x = 1"), @"");
    assert_snapshot!(mistake("let x = 1\nif x = 1 { }"), @"");
    assert_snapshot!(mistake("let x = 1\nassert x>0"), @"");
    assert_snapshot!(mistake("let x = 1\nassert x y"), @"");
    assert_snapshot!(mistake("assert 1 < 2 < 3"), @"");
    assert_snapshot!(mistake("assert 1 +"), @"");
    assert_snapshot!(mistake("assert (1 + 2"), @"");
    assert_snapshot!(mistake("assert 007"), @"");
    assert_snapshot!(mistake("assert 99999999999999999999"), @"");
    assert_snapshot!(mistake("let x = user:$me"), @"");
    assert_snapshot!(mistake("let x = 1\nassert x > 0{ }"), @"");
}

#[test]
fn blocks_and_lines() {
    assert_snapshot!(error("client a"), @"");
    assert_snapshot!(error("client a {\n  GET k\n"), @"");
    assert_snapshot!(error("client a { DECR stock}"), @"");
    assert_snapshot!(error("client a { } client b { }"), @"");
    assert_snapshot!(error("client a { }\nclient a { }"), @"");
    assert_snapshot!(error("client { }"), @"");
    assert_snapshot!(error("client a * { }"), @"");
    assert_snapshot!(error("client a * 0 { }"), @"");
    assert_snapshot!(error("setup { }\nsetup { }\nclient a { }"), @"");
    assert_snapshot!(mistake("else { }"), @"");
    assert_snapshot!(mistake("yield now"), @"");
    assert_snapshot!(mistake("yield;"), @"");
    assert_snapshot!(mistake("sleep 10"), @"");
    assert_snapshot!(mistake("sleep x"), @"");
    assert_snapshot!(mistake("if 1"), @"");
    assert_snapshot!(mistake("lock { }"), @"");
}

#[test]
fn quotes() {
    assert_snapshot!(mistake("SET k \"open"), @"");
    assert_snapshot!(mistake("SET k 'open"), @"");
    assert_snapshot!(mistake("SET k \"a\"b"), @"");
    assert_snapshot!(mistake("SET k \"${stock\""), @"");
    assert_snapshot!(mistake("SET k \"\\"), @"");
}

#[test]
fn tasks_and_channels() {
    assert_snapshot!(mistake("join helper"), @"");
    assert_snapshot!(mistake("spawn helper { }\njoin helpr"), @"");
    assert_snapshot!(mistake("send q 1"), @"");
    assert_snapshot!(error("channel q 1\nclient a { send q }"), @"");
    assert_snapshot!(error("channel q 0\nclient a { }"), @"");
    assert_snapshot!(error("channel q 1\nchannel q 1\nclient a { }"), @"");
    assert_snapshot!(error("channel q 1\nclient a { receive q }\nclient b { receive q }"), @"");
    assert_snapshot!(error("channel q 1\nclient a * 2 {\n  let x = receive q\n}"), @"");
    assert_snapshot!(error("channel q 1\nclient a { let x = receive q now }"), @"");
}

#[test]
fn letters_of_any_language() {
    reads("client 客 {\n let 在庫 = GET 在庫\n SET \"$在庫\" ${在庫}個\n}");
    assert_snapshot!(mistake("SET 在庫 1\n\tSET 'これは' $在庫"), @"");
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
    assert_snapshot!(within(&format!("client a {{ }} #{}", "é".repeat(50))), @"");
    assert_snapshot!(within("client a { if 1 { if 1 { if 1 { } } } }"), @"");
    assert_snapshot!(within("client a { if ((((1)))) { } }"), @"");
    assert_snapshot!(within("client a * 2 { }\nclient b * 2 { }"), @"");
    assert_snapshot!(within("client a * 99999999999999999999 { }"), @"");
    assert_snapshot!(within("client a {\nyield\nyield\nyield\nyield\nyield\n}"), @"");
    assert_snapshot!(within("client abcdef { }"), @"");
    assert_snapshot!(within("channel q 11\nclient a { }"), @"");
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

    use super::*;

    proptest! {
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
