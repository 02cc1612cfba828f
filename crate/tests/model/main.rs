//! Random commands against dull models of what they should do: a family a file.
//!
//! Owns how a family's random requests are put to the commands and to its model at the same time.

#[path = "../support/local.rs"]
mod local;
#[path = "../support/shards.rs"]
mod shards;

mod hashes;
mod lists;
mod order;
mod sets;
mod sorted_sets;
mod streams;
mod strings;
mod walks;

use interleave::resp::Value;
use interleave::store::{Databases, Keyspace};
use local::Local;
use proptest::prelude::*;
use shards::Shards;

/// What a family's commands should do, on the plainest data there is.
trait Model: Default {
    /// The reply to a request.
    fn reply(&mut self, words: &[&str]) -> Value;

    /// Whether the reply to a command has no order that the model keeps.
    fn is_unordered(_word: &str) -> bool {
        false
    }
}

/// Puts the same requests to the commands and to the model, with one store and with several.
fn check<M: Model>(requests: &[Vec<String>]) -> Result<(), TestCaseError> {
    check_on::<M>(&mut Local::new(Databases::default()), requests)?;
    check_on::<M>(&mut Local::new(Shards::new(3)), requests)
}

fn check_on<M: Model>(
    local: &mut Local<impl Keyspace>,
    requests: &[Vec<String>],
) -> Result<(), TestCaseError> {
    let mut model = M::default();
    for request in requests {
        let words: Vec<&str> = request.iter().map(String::as_str).collect();
        let (mut found, mut expected) = (local.request(request), model.reply(&words));
        if M::is_unordered(words[0]) {
            (found, expected) = (sorted(found), sorted(expected));
        }
        prop_assert_eq!(found, expected, "{:?}", request);
    }
    Ok(())
}

/// The elements of an array, and of the arrays in it, in an order that depends on them alone.
fn sorted(value: Value) -> Value {
    let Value::Array(values) = value else { return value };
    let mut values: Vec<_> = values.into_iter().map(sorted).collect();
    values.sort_by_key(|value| format!("{value:?}"));
    Value::Array(values)
}

/// A request of these words; one that is a number or a choice is made text, and an empty one is left out.
macro_rules! request {
    ($($word:expr),*) => {
        [$($word.to_string()),*].into_iter().flat_map(|word| {
            word.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        }).collect::<Vec<String>>()
    };
}
use request;

/// A few keys, so that commands meet; one is too long to be kept in the table.
fn key() -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![Just("a"), Just("b"), Just("a-key-of-more-than-twenty-two-bytes")]
}

/// Elements, members and fields: few, so that they meet; words, integers, and some too long for small forms.
fn member() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        4 => "[a-e]",
        3 => (-3i64..6).prop_map(|number| number.to_string()),
        1 => "[xy]{23,90}",
    ]
}

/// One to five of them, with spaces between.
fn members() -> impl Strategy<Value = String> + Clone {
    proptest::collection::vec(member(), 1..6).prop_map(|members| members.join(" "))
}

fn integer(value: usize) -> Value {
    Value::Integer(value as i64)
}

fn bulk(text: impl AsRef<str>) -> Value {
    Value::Bulk(text.as_ref().as_bytes().to_vec())
}

fn bulk_or_null(text: Option<impl AsRef<str>>) -> Value {
    text.map_or(Value::Null, bulk)
}

fn array(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Value {
    Value::Array(texts.into_iter().map(bulk).collect())
}

fn ok() -> Value {
    Value::Simple("OK".to_owned())
}

fn number(text: &str) -> i64 {
    text.parse().expect("the strategy writes numbers")
}

/// Which of `len` positions lie from `start` to `stop`, one by one.
fn positions(start: &str, stop: &str, len: usize) -> Vec<usize> {
    let from_start = |position: i64| if position < 0 { position + len as i64 } else { position };
    let (start, stop) = (from_start(number(start)), from_start(number(stop)));
    (0..len).filter(|at| (start..=stop).contains(&(*at as i64))).collect()
}
