//! A line of words with quotes, as typed at a prompt or sent as an inline command.
//!
//! Owns the quoting rules, which are `redis-cli`'s. Does not know what the words mean.

/// A quote is not closed, or something other than a space follows a closing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

impl std::fmt::Display for UnbalancedQuotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "expected every quote to be closed and followed by a space, found one that is not: close it",
        )
    }
}

impl std::error::Error for UnbalancedQuotes {}

/// Splits `line` into words.
///
/// Words are parted by white space. In `"double quotes"`, `\n \r \t \b \a` and `\xHH` stand for that byte and `\`
/// before anything else for that; in `'single quotes'` only `\'` is special. A quote may open inside a word and must
/// end it. The words together are never longer than the line.
///
/// ```
/// use interleave::resp::split_line;
///
/// assert_eq!(split_line(r#"SET k "a b\x21" 'c d'"#).unwrap(), [&b"SET"[..], b"k", b"a b!", b"c d"]);
/// assert!(split_line("SET k \"a").is_err());
/// ```
///
/// # Errors
/// When a quote is left open, or goes on right after it closed.
pub fn split_line(line: impl AsRef<[u8]>) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
    let mut rest = line.as_ref();
    let mut words = Vec::new();
    loop {
        let blanks = rest.iter().take_while(|byte| is_space(**byte)).count();
        rest = &rest[blanks..];
        if rest.is_empty() {
            return Ok(words);
        }
        let mut word = Vec::new();
        rest = match take_word(rest, &mut word) {
            Some(rest) => rest,
            None => return Err(UnbalancedQuotes),
        };
        words.push(word);
    }
}

/// What C's `isspace` takes: unlike Rust's `is_ascii_whitespace`, also the vertical tab.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Takes the word at the front of `rest`; what follows it, or `None` when its quote is not closed.
fn take_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return Some(rest),
            [b'"', quoted @ ..] => return end_of_word(take_double_quoted(quoted, word)?),
            [b'\'', quoted @ ..] => return end_of_word(take_single_quoted(quoted, word)?),
            [byte, ..] if is_space(*byte) => return Some(rest),
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

/// A closing quote ends its word.
fn end_of_word(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [] => Some(rest),
        [byte, ..] => is_space(*byte).then_some(rest),
    }
}

fn take_double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return None,
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            [b'\\', escaped, after @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                rest = after;
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

fn take_single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return None,
            [b'\'', after @ ..] => return Some(after),
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                rest = after;
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let words = split_line(line).map(|words| {
            let shown = words.iter().map(|word| format!("<{}>", word.escape_ascii()));
            shown.collect::<Vec<_>>().concat()
        });
        assert_eq!(words.as_deref().unwrap_or("unbalanced"), expected, "{line}");
    }

    #[test]
    fn words_and_quotes() {
        check("", "");
        check("   ", "");
        check(" a  b\tc\r\n", "<a><b><c>");
        check(r#""a b""#, "<a b>");
        check(r#""""#, "<>");
        check("''", "<>");
        check(r#"a"b c""#, "<ab c>");
        check(r#""\n\r\t\b\a\\\"\q""#, r#"<\n\r\t\x08\x07\\\"q>"#);
        check(r#""\x00\xfF""#, r"<\x00\xff>");
        check(r#""\xg1\x1""#, "<xg1x1>");
        check(r"'a\'b\n'", r"<a\'b\\n>");
        check(r#"'a"b'"#, r#"<a\"b>"#);
    }

    #[test]
    fn unbalanced_quotes() {
        for line in ["\"", "'", "a \"b", "a 'b", "\"a\"b", "'a'b", "\"a\"'b'", "\"a\\\"", "'a\\'"] {
            check(line, "unbalanced");
        }
    }
}
