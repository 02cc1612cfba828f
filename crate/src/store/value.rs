//! What a key can hold.
//!
//! Owns the types of value and how their bytes lie in memory. Knows no key, no expiry and no command.

use std::hash::Hasher;
use std::ops::Deref;

use super::hash::Hash;
use super::list::List;
use super::set::Set;
use super::sorted_set::SortedSet;
use super::stream::Stream;
use super::weight::allocated;
use crate::resp::parse_i64;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A string that is the decimal text of this number, which is what a client reads.
    Int(i64),
    /// A string.
    Bytes(Bytes),
    /// A list.
    List(Box<List>),
    /// A hash.
    Hash(Box<Hash>),
    /// A set.
    Set(Box<Set>),
    /// A sorted set.
    SortedSet(Box<SortedSet>),
    /// A stream.
    Stream(Box<Stream>),
}

// Any further type is a box, and fits as well.
const _: () = assert!(size_of::<Value>() == 24 || size_of::<usize>() != 8);

impl Value {
    /// What type it is.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Int(_) | Self::Bytes(_) => ValueType::String,
            Self::List(_) => ValueType::List,
            Self::Hash(_) => ValueType::Hash,
            Self::Set(_) => ValueType::Set,
            Self::SortedSet(_) => ValueType::SortedSet,
            Self::Stream(_) => ValueType::Stream,
        }
    }

    /// A byte of a string, wherever that is; of anything else none.
    #[inline]
    pub(super) fn first_byte(&self) -> Option<u8> {
        match self {
            Self::Bytes(bytes) => bytes.first().copied(),
            _ => None,
        }
    }

    /// Where an element of a collection likely is, for [`Self::fetch_element`].
    #[inline]
    pub(super) fn likely(&self, element: &[u8]) -> usize {
        match self {
            Self::Hash(hash) => hash.likely(element),
            Self::Set(set) => set.likely(element),
            Self::SortedSet(set) => set.likely(element),
            _ => usize::MAX,
        }
    }

    /// Fetches from memory what a use of the element at `position` is going to need, if there is one in a table.
    #[inline]
    pub(super) fn fetch_element(&self, position: usize) {
        match self {
            Self::Hash(hash) => hash.fetch(position),
            Self::Set(set) => set.fetch(position),
            Self::SortedSet(set) => set.fetch(position),
            _ => {}
        }
    }

    /// How it lies in memory, by Redis's name for the like. A string that takes what it needs and no more is `embstr` up to
    /// Redis's 44 bytes; one that is longer, or was changed and can grow, is `raw`. A large sorted set is no skip list here, but
    /// what that is in Redis: an order with ranks beside a table.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Bytes(bytes) if bytes.is_embedded() => "embstr",
            Self::Bytes(_) => "raw",
            Self::List(_) => "quicklist",
            Self::Hash(hash) => {
                if hash.is_packed() {
                    "listpack"
                } else {
                    "hashtable"
                }
            }
            Self::Set(set) => set.encoding(),
            Self::SortedSet(set) => {
                if set.is_packed() {
                    "listpack"
                } else {
                    "skiplist"
                }
            }
            Self::Stream(_) => "stream",
        }
    }
}

/// What a client sets a string to: a number, where it is a number's text.
impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        number(bytes).map_or_else(|| Self::Bytes(Bytes::from(bytes)), Self::Int)
    }
}

/// Longest text of a number: a sign and 19 digits.
const NUMBER_BYTES_MAX: usize = 20;

/// The number that `text` is the only text of. Most strings are told from one by their length or first byte.
#[inline]
pub(super) fn number(text: &[u8]) -> Option<i64> {
    let may_be = text.len() <= NUMBER_BYTES_MAX && matches!(text.first(), Some(b'-' | b'0'..=b'9'));
    if may_be { parse_i64(text) } else { None }
}

/// What a value holds when it is of one certain type: a collection that commands read and change as such.
pub trait Collection: Default {
    /// The collection in `value`, if that is of this type.
    fn of(value: &Value) -> Option<&Self>;

    /// The same, to be changed.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;

    /// Whether it holds nothing. A key never holds such: whoever empties a collection removes its key. A stream never
    /// does: without an entry it still holds its last id, and its groups.
    fn is_empty(&self) -> bool;

    /// A value that holds this.
    fn into_value(self) -> Value;
}

/// A type is a collection by its variant of [`Value`], and what it is that it holds nothing.
macro_rules! collections {
    ($($variant:ident: |$collection:pat_param| $is_empty:expr;)*) => {$(
        impl Collection for $variant {
            fn of(value: &Value) -> Option<&Self> {
                if let Value::$variant(collection) = value { Some(collection) } else { None }
            }

            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                if let Value::$variant(collection) = value { Some(collection) } else { None }
            }

            fn is_empty(&self) -> bool {
                let $collection = self;
                $is_empty
            }

            fn into_value(self) -> Value {
                Value::$variant(Box::new(self))
            }
        }
    )*};
}

collections! {
    List: |list| list.len() == 0;
    Hash: |hash| hash.len() == 0;
    Set: |set| set.len() == 0;
    SortedSet: |set| set.len() == 0;
}

collections! {
    Stream: |_| false;
}

/// A key holds a value of another type than was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A value's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// Bytes or an integer.
    String,
    /// Strings in an order of their own.
    List,
    /// Fields and values.
    Hash,
    /// Strings, each once.
    Set,
    /// Strings, each once, by score.
    SortedSet,
    /// Entries with ids, and groups that read them.
    Stream,
}

impl ValueType {
    /// The type's name, as `TYPE` prints it and `SCAN` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Hash => "hash",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Stream => "stream",
        }
    }
}

/// Longest string kept without an allocation of its own. What a `Vec`'s spare bit patterns leave of its 24 bytes.
const INLINE: usize = 15;

/// Longest string that is kept in no more room than it needs. Redis's OBJ_ENCODING_EMBSTR_SIZE_LIMIT: a longer one is
/// called `raw` in any case.
const EMBEDDED: usize = 44;

/// A string of any bytes: short ones in place, long ones in a vector. Reads as a slice.
#[derive(Clone)]
pub struct Bytes(Layout);

#[derive(Clone)]
enum Layout {
    Short { len: u8, bytes: [u8; INLINE] },
    Long(Vec<u8>),
}

impl Bytes {
    /// Longest string that needs no allocation of its own, if it was never longer.
    pub(super) const IN_PLACE_MAX: usize = INLINE;

    /// Longest string that can be [embedded](Self::is_embedded).
    pub(super) const EMBEDDED_MAX: usize = EMBEDDED;

    /// Replaces the content; keeps the allocation where one of about the right size is there.
    pub fn assign(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Layout::Long(old)
                if old.capacity() == bytes.len()
                    || (bytes.len() > EMBEDDED
                        && (bytes.len()..=bytes.len() * 2).contains(&old.capacity())) =>
            {
                old.clear();
                old.extend_from_slice(bytes);
            }
            _ => *self = Self::from(bytes),
        }
    }

    /// Whether it is short and takes no more room than it needs: it was set, and not changed since.
    pub(super) fn is_embedded(&self) -> bool {
        match &self.0 {
            Layout::Short { .. } => true,
            Layout::Long(bytes) => {
                (INLINE + 1..=EMBEDDED).contains(&bytes.len()) && bytes.capacity() == bytes.len()
            }
        }
    }

    /// Whether it needs no allocation of its own.
    pub(super) fn is_in_place(&self) -> bool {
        matches!(self.0, Layout::Short { .. })
    }

    /// What it has allocated.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Layout::Short { .. } => 0,
            Layout::Long(bytes) => allocated(bytes.capacity()),
        }
    }

    /// Changes the content at will. A short string moves out of its place for good, and one that could be [embedded] keeps room
    /// for more.
    ///
    /// [embedded]: Self::is_embedded
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if let Layout::Short { len, bytes } = &self.0 {
            self.0 = Layout::Long(bytes[..usize::from(*len)].to_vec());
        }
        let Layout::Long(bytes) = &mut self.0 else {
            unreachable!("a short string was made a long one just above");
        };
        let changed = change(bytes);
        if bytes.len() <= EMBEDDED {
            bytes.reserve(1);
        }
        changed
    }
}

impl From<&[u8]> for Bytes {
    fn from(content: &[u8]) -> Self {
        if content.len() > INLINE {
            return Self(Layout::Long(content.to_vec()));
        }
        let mut bytes = [0; INLINE];
        bytes[..content.len()].copy_from_slice(content);
        Self(Layout::Short { len: content.len() as u8, bytes })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Layout::Short { len, bytes } => &bytes[..usize::from(*len)],
            Layout::Long(bytes) => bytes,
        }
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl std::hash::Hash for Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_content_at_every_length() {
        let content: Vec<u8> = (0..=255).collect();
        let mut assigned = Bytes::from(&b""[..]);
        for len in (0..=content.len()).chain([40, 39, 38, 0, 255]) {
            let content = &content[..len];
            assert_eq!(&*Bytes::from(content), content);
            assigned.assign(content);
            assert_eq!(&*assigned, content);
            let mut grown = Bytes::from(content);
            grown.change(|bytes| bytes.push(7));
            assert_eq!(&*grown, [content, &[7]].concat());
        }
    }

    #[test]
    fn what_is_embedded_was_set_and_not_changed() {
        for len in 0..100 {
            let set = Bytes::from(&[b'x'; 100][..len]);
            assert_eq!(set.is_embedded(), len <= EMBEDDED, "{len}");
            for before in 0..100 {
                let mut assigned = Bytes::from(&[b'y'; 100][..before]);
                assigned.assign(&set);
                assert_eq!(assigned.is_embedded(), len <= EMBEDDED, "{len} after {before}");
            }
            for more in 0..50 {
                let mut changed = set.clone();
                changed.change(|bytes| bytes.resize(len + more, 0));
                assert!(!changed.is_embedded(), "{len} and {more} more");
                changed.change(|bytes| bytes.truncate(3));
                assert!(!changed.is_embedded(), "{len} and {more} more, cut");
            }
        }
    }

    #[test]
    fn a_number_is_kept_as_one_if_it_has_no_other_text() {
        for text in ["0", "7", "-1", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(Value::from(text.as_bytes()), Value::Int(text.parse().unwrap()), "{text}");
        }
        for text in ["", "-", "-0", "+1", "01", " 1", "1 ", "1.0", "9223372036854775808", "0x1", "1e3"] {
            assert_eq!(Value::from(text.as_bytes()), Value::Bytes(Bytes::from(text.as_bytes())), "{text}");
        }
    }
}
