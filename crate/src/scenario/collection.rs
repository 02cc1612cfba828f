//! What a key holds at the end of a run that is no string, as text: it tells outcomes apart and is shown to people.
//!
//! Owns which command reads which type, and the text. Knows a connection and no store: the server may be anybody's.

use std::io;

use super::link::Link;
use crate::resp::Value;

/// Elements of a collection that its text has. Those after them tell no outcomes apart.
const ELEMENTS_MAX: usize = 100;

/// Asks for the collection that `key` holds; the answer is its text, or its type if nobody knows how to read it.
pub(super) async fn read(link: &mut Link, key: &[u8]) -> io::Result<Value> {
    let reply = link.call(&[b"TYPE", key]).await?;
    let Value::Simple(name) = &reply else { return Ok(reply) };
    let last = (ELEMENTS_MAX - 1).to_string();
    let (content, form) = match &**name {
        "list" => (link.call(&[b"LRANGE", key, b"0", last.as_bytes()]).await?, Form::List),
        "set" => (link.call(&[b"SMEMBERS", key]).await?, Form::Set),
        "hash" => (link.call(&[b"HGETALL", key]).await?, Form::Hash),
        "zset" => {
            (link.call(&[b"ZRANGE", key, b"0", last.as_bytes(), b"WITHSCORES"]).await?, Form::SortedSet)
        }
        _ => return Ok(reply),
    };
    Ok(match content {
        Value::Array(elements) => Value::Simple(form.text(&elements)),
        other => other,
    })
}

/// How a collection is written.
#[derive(Clone, Copy)]
enum Form {
    List,
    Set,
    Hash,
    SortedSet,
}

impl Form {
    fn text(self, elements: &[Value]) -> String {
        let one = |element: &Value| match element {
            Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        };
        let mut parts: Vec<String> = match self {
            Self::List | Self::Set => elements.iter().map(one).collect(),
            Self::Hash | Self::SortedSet => elements
                .as_chunks::<2>()
                .0
                .iter()
                .map(|[name, value]| one(name) + ": " + &one(value))
                .collect(),
        };
        // An order that nobody may count on tells no outcomes apart.
        if matches!(self, Self::Set | Self::Hash) {
            parts.sort_unstable();
        }
        if parts.len() > ELEMENTS_MAX {
            parts.truncate(ELEMENTS_MAX);
            parts.push("\u{2026}".to_owned());
        }
        let (open, close) = if matches!(self, Self::List) { ('[', ']') } else { ('{', '}') };
        format!("{open}{}{close}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_written_by_their_type() {
        let elements = ["b", "2", "a", "1"].map(|text| Value::Bulk(text.into()));
        assert_eq!(Form::List.text(&elements), "[b, 2, a, 1]");
        assert_eq!(Form::Set.text(&elements), "{1, 2, a, b}");
        assert_eq!(Form::Hash.text(&elements), "{a: 1, b: 2}");
        assert_eq!(Form::SortedSet.text(&elements), "{b: 2, a: 1}");
        let many = vec![Value::Bulk(b"x".to_vec()); ELEMENTS_MAX + 1];
        assert!(Form::List.text(&many).ends_with("x, \u{2026}]"));
    }
}
