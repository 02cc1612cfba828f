//! Redis's glob patterns, for KEYS, SCAN and CONFIG GET.
//!
//! Owns the matching and nothing else.

/// Whether all of `text` matches `pattern`: `*` any bytes of a text that has some, `?` any one, `[a-c]` one of these, `[^a-c]` one of no
/// others, `\` takes the next byte as it is.
///
/// Takes at most as long as the two lengths multiplied: after a mismatch only the last `*` can still help, since
/// whatever an earlier one could give up the last one can take.
pub(super) fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        // In Redis 7.0 there is nothing in it for a `*` to match.
        return pattern.is_empty();
    }
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on after a mismatch: behind the last `*`, and the text it has not swallowed yet.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            retry = Some((rest, text));
            pattern = rest;
            continue;
        }
        let Some((byte, text_rest)) = text.split_first() else { return pattern.is_empty() };
        if let Some(pattern_rest) = match_one(pattern, *byte, case) {
            (pattern, text) = (pattern_rest, text_rest);
            continue;
        }
        let Some((after_star, [_, unswallowed @ ..])) = retry else { return false };
        retry = Some((after_star, unswallowed));
        (pattern, text) = (after_star, unswallowed);
    }
}

/// Whether a walk over names need not look at them: the pattern that KEYS and the SCANs take for all, empty ones too.
pub(super) fn is_everything(pattern: &[u8]) -> bool {
    pattern == b"*"
}

/// Whether upper and lower case differ.
#[derive(Clone, Copy, Debug)]
pub(super) enum Case {
    Sensitive,
    Insensitive,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Sensitive => byte,
            Self::Insensitive => byte.to_ascii_lowercase(),
        }
    }
}

/// Matches one byte against the front of a pattern that does not start with `*`; what follows if it does.
fn match_one(pattern: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    let (literal, rest) = match pattern {
        [] => return None,
        [b'?', rest @ ..] => return Some(rest),
        [b'[', rest @ ..] => return match_class(rest, byte, case),
        [b'\\', literal, rest @ ..] => (literal, rest),
        [literal, rest @ ..] => (literal, rest),
    };
    (case.fold(*literal) == case.fold(byte)).then_some(rest)
}

/// Matches one byte against a class whose `[` is gone. A class that is not closed ends with the pattern.
fn match_class(pattern: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    let (negated, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let byte = case.fold(byte);
    let mut found = false;
    loop {
        let (low, high, after) = match rest {
            [] => break,
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', literal, after @ ..] => (*literal, *literal, after),
            [low, b'-', high, after @ ..] => (*low.min(high), *low.max(high), after),
            [literal, after @ ..] => (*literal, *literal, after),
        };
        found |= (case.fold(low)..=case.fold(high)).contains(&byte);
        rest = after;
    }
    (found != negated).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(
            matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive),
            expected,
            "{pattern} {text}"
        );
    }

    #[test]
    fn globs() {
        check("*", "", false);
        check("*", "anything", true);
        check("", "", true);
        check("", "a", false);
        check("a", "", false);
        check("h?llo", "hello", true);
        check("h?llo", "hllo", false);
        check("h*llo", "heeeello", true);
        check("h*llo", "hllo", true);
        check("*a*b*", "xxaxxbxx", true);
        check("*a*b*", "xxbxxaxx", false);
        check("a**b", "ab", true);
        check("*ab", "aab", true);
        check("*.txt", "a.txt.txt", true);
    }

    #[test]
    fn classes() {
        check("h[ae]llo", "hallo", true);
        check("h[ae]llo", "hillo", false);
        check("h[^e]llo", "hello", false);
        check("h[^e]llo", "hxllo", true);
        check("[a-c]", "b", true);
        check("[c-a]", "b", true);
        check("[a-c]", "d", false);
        check("[^a-c]x", "dx", true);
        check("[a\\]]", "]", true);
        check("[a-", "-", true);
        check("[abc", "c", true);
        check("[", "[", false);
        check("[]", "a", false);
        check("[^]", "a", true);
    }

    #[test]
    fn escapes() {
        check("\\*", "*", true);
        check("\\*", "a", false);
        check("\\", "\\", true);
        check("a\\?", "a?", true);
    }

    #[test]
    fn case_is_folded_when_asked() {
        assert!(matches(b"MAX*[A-C]", b"max-b", Case::Insensitive));
        assert!(!matches(b"MAX*", b"max-b", Case::Sensitive));
    }

    #[test]
    fn many_stars_do_not_blow_up() {
        check(&format!("{}b", "a*".repeat(1000)), &"a".repeat(5000), false);
    }
}
