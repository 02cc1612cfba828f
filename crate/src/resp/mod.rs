//! The Redis protocol, both sides of it: requests in, replies out, and the limits on what a peer may send.
//!
//! Owns bytes and their meaning as RESP2 and RESP3. Knows no command, no connection and no runtime.
//!
//! A server reads with [`Decoder`] into a [`Batch`] and writes with [`Reply`]. A client writes with
//! [`encode_request`] and reads with [`ReplyDecoder`] into a [`Value`], which [`format_value`] prints the way
//! `redis-cli` does.

mod batch;
mod limits;
mod line;
mod number;
mod print;
mod reply;
mod request;
mod value;

pub use batch::{Args, ArgsIter, Batch, BatchBuilder};
pub use limits::Limits;
pub use line::{UnbalancedQuotes, split_line};
pub use number::{parse_f64, parse_f64_leniently, parse_f64_or_tiny, parse_i64, write_f64};
pub(crate) use print::quote;
pub use print::{format_raw, format_value, prints_raw};
pub use reply::{Protocol, Reply};
pub use request::{Decoder, ProtocolError};
pub use value::{ReplyDecoder, ReplyError, ReplyLimits, Value, encode_request};
