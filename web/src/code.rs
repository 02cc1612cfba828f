//! Sentences with names of the program in them, between backticks: they are shown as code. Knows nothing of what they say.

use leptos::prelude::*;

/// `sentence` with what stands between backticks as code. One backtick without another is a backtick.
pub(crate) fn with_code(sentence: &str) -> impl IntoView + use<> {
    pieces(sentence)
        .into_iter()
        .map(|(is_code, text)| {
            let text = text.to_owned();
            if is_code { view! { <code>{text}</code> }.into_any() } else { text.into_any() }
        })
        .collect_view()
}

/// The pieces of `sentence`, and whether each is code.
fn pieces(sentence: &str) -> Vec<(bool, &str)> {
    let mut pieces = Vec::new();
    let mut rest = sentence;
    while let Some((before, (code, after))) =
        rest.split_once('`').and_then(|(before, rest)| Some((before, rest.split_once('`')?)))
    {
        pieces.extend([(false, before), (true, code)]);
        rest = after;
    }
    pieces.push((false, rest));
    pieces.retain(|(_, text)| !text.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code() {
        let check =
            |sentence, expected: &[(bool, &str)]| assert_eq!(pieces(sentence), expected, "{sentence}");
        check("", &[]);
        check("plain", &[(false, "plain")]);
        check("the lock `store`, held", &[(false, "the lock "), (true, "store"), (false, ", held")]);
        check("`a``b`", &[(true, "a"), (true, "b")]);
        check("one ` alone", &[(false, "one ` alone")]);
    }
}
