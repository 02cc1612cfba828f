//! What a client did wrong, in Redis's own words.
//!
//! Owns the texts more than one command uses. The connection lives on after any of them.

use std::borrow::Cow;

use crate::log::Failing;
use crate::resp::Args;
use crate::store::WrongType;

/// A client's mistake: the text of the error reply. Bytes, because it may quote the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake(Cow<'static, [u8]>);

impl Mistake {
    pub(super) const SYNTAX: Self = Self::new("ERR syntax error");
    pub(super) const NOT_AN_INTEGER: Self = Self::new("ERR value is not an integer or out of range");
    pub(super) const NOT_A_FLOAT: Self = Self::new("ERR value is not a valid float");
    pub(super) const OVERFLOW: Self = Self::new("ERR increment or decrement would overflow");
    pub(super) const NOT_FINITE: Self = Self::new("ERR increment would produce NaN or Infinity");
    pub(super) const NEGATIVE_TIMEOUT: Self = Self::new("ERR timeout is negative");
    pub(super) const NO_SUCH_KEY: Self = Self::new("ERR no such key");
    pub(super) const WRONG_TYPE: Self =
        Self::new("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// Memory is short, and nothing can be evicted.
    pub(crate) const OUT_OF_MEMORY: Self =
        Self::new("OOM command not allowed when used memory > 'maxmemory'.");
    pub(super) const STRING_TOO_LONG: Self =
        Self::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

    /// A mistake with a fixed text, which starts with its code.
    pub const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }

    /// The wrong number of arguments for `command`.
    pub(super) fn arity(command: &str) -> Self {
        Self::from(format!("ERR wrong number of arguments for '{command}' command"))
    }

    /// A subcommand that is there, with arguments it does not take.
    pub(super) fn unknown_form(args: Args<'_>) -> Self {
        let subcommand = args.get(1).unwrap_or_default();
        let container = args.name().to_ascii_uppercase();
        let start = b"ERR unknown subcommand or wrong number of arguments for '";
        Self::from([start, subcommand, b"'. Try ", &container, b" HELP."].concat())
    }

    /// Nothing is changed while the log cannot be written.
    pub(crate) fn log_fails(Failing(why): &Failing) -> Self {
        Self::from(format!("MISCONF Errors writing to the AOF file: {why}"))
    }

    /// A transaction cannot be carried out because of this mistake.
    pub(crate) fn discards_transaction(&self) -> Self {
        let mut text = b"EXECABORT Transaction discarded because of: ".to_vec();
        text.extend_from_slice(&self.0);
        Self::from(text)
    }

    /// An expiry that is no time for `command`.
    pub(super) fn invalid_expire(command: &str) -> Self {
        Self::from(format!("ERR invalid expire time in '{command}' command"))
    }
}

impl From<WrongType> for Mistake {
    fn from(WrongType: WrongType) -> Self {
        Self::WRONG_TYPE
    }
}

impl From<String> for Mistake {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Mistake {
    fn from(text: Vec<u8>) -> Self {
        Self(Cow::Owned(text))
    }
}

impl AsRef<[u8]> for Mistake {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::error::Error for Mistake {}
