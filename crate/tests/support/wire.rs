//! Bytes that are no request, or barely one, and what a server makes of them: the same as Redis 7.0.15.
//!
//! Knows nothing of how the bytes travel, so that every transport can be put to the same test.

/// What is sent on a new connection, and what comes of it.
pub(crate) struct Case {
    pub(crate) sent: Vec<u8>,
    /// All that is answered, escaped as by `escape_ascii`.
    pub(crate) answer: &'static str,
    /// Whether the server closes the connection.
    pub(crate) closes: bool,
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let long = |start: &str| [start.as_bytes(), &[b'1'; 70_000]].concat();
    let lives = |sent: &[u8], answer| Case { sent: sent.to_vec(), answer, closes: false };
    let violation = |sent: &[u8], answer| Case { sent: sent.to_vec(), answer, closes: true };

    let count = r"-ERR Protocol error: invalid multibulk length\r\n";
    let length = r"-ERR Protocol error: invalid bulk length\r\n";
    let quotes = r"-ERR Protocol error: unbalanced quotes in request\r\n";
    vec![
        violation(b"*x\r\n", count),
        violation(b"*\r\n", count),
        violation(b"*03\r\n", count),
        violation(b"*+1\r\n", count),
        violation(b"*2147483648\r\n", count),
        violation(b"*18446744073709551615\r\n", count),
        violation(&long("*"), r"-ERR Protocol error: too big mbulk count string\r\n"),
        violation(b"*1\r\nfoo\r\n", r"-ERR Protocol error: expected \'$\', got \'f\'\r\n"),
        violation(b"*1\r\n*1\r\n", r"-ERR Protocol error: expected \'$\', got \'*\'\r\n"),
        violation(b"*1\r\n\r\n", r"-ERR Protocol error: expected \'$\', got \' \'\r\n"),
        violation(b"*1\r\n\xff1\r\n", r"-ERR Protocol error: expected \'$\', got \'\xff\'\r\n"),
        violation(b"*1\r\n$\r\n", length),
        violation(b"*1\r\n$x\r\n", length),
        violation(b"*1\r\n$-1\r\n", length),
        violation(b"*2\r\n$4\r\nECHO\r\n$04\r\nabcd\r\n", length),
        violation(b"*1\r\n$536870913\r\n", length),
        violation(b"*1\r\n$18446744073709551615\r\n", length),
        violation(&long("*1\r\n$"), r"-ERR Protocol error: too big bulk count string\r\n"),
        violation(&long("x"), r"-ERR Protocol error: too big inline request\r\n"),
        violation(b"SET k \"a\r\n", quotes),
        violation(b"SET k 'a'b\r\n", quotes),
        // What was whole before a violation is answered, what comes after it is not.
        violation(b"PING\r\n*x\r\nPING\r\n", r"+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"),
        violation(b"QUIT\r\nPING\r\n", r"+OK\r\n"),
        violation(b"QUIT\r\n*x\r\n", r"+OK\r\n"),
        // What a browser sends for a page from elsewhere is not obeyed, and not answered.
        violation(b"POST / HTTP/1.1\r\nHost: a\r\n\r\nPING\r\n", ""),
        violation(b"GET /k HTTP/1.1\r\nHOST: a\r\n\r\nPING\r\n", ""),
        lives(b"*-5\r\n*-9223372036854775808\r\n*0\r\nPING\r\n", r"+PONG\r\n"),
        lives(b"\r\n\r\n\n  \r\nPING\r\n", r"+PONG\r\n"),
        lives(b"PING\n", r"+PONG\r\n"),
        lives(b"*1\rx$4\rxPING\r\n*1\r\n$4\r\nPINGxx", r"+PONG\r\n+PONG\r\n"),
        lives(b"SET k \"\\x41\\n\"\r\nGET k\r\n", r"+OK\r\n$2\r\nA\n\r\n"),
        lives(b"*1\r\n$0\r\n\r\n", r"-ERR unknown command \'\', with args beginning with: \r\n"),
        lives(b"\xff\r\n", r"-ERR unknown command \'\xff\', with args beginning with: \r\n"),
        lives(b"*2\r\n$4\r\nECHO\r\n$4\r\nab", ""),
        lives(b"*3\r\n", ""),
        lives(b"PIN", ""),
    ]
}
