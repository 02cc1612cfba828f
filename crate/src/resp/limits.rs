//! How much a peer may send before it is told to stop.
//!
//! Owns the numbers and the reason for each. Enforcing them is the decoder's work.

/// What one connection may send. Memory is only ever taken for bytes that arrived, never for a length announced.
///
/// Passing a limit is a [`ProtocolError`](super::ProtocolError) where nothing else is said: the client gets an error reply
/// and the connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest line, in bytes: an inline command, or the count in front of an array or a bulk string.
    /// Redis: 64 KiB, not configurable.
    pub line_bytes: usize,
    /// Most arguments of one request, the command's name included. Redis allowed 1,048,576 until version 7 and
    /// 2,147,483,647 since; nobody sends that many on purpose.
    pub arguments: usize,
    /// Longest argument, in bytes, and with it the longest string a key can hold. Redis's `proto-max-bulk-len`:
    /// 512 MiB.
    pub bulk_bytes: usize,
    /// Longest request, in bytes on the wire. Redis's `client-query-buffer-limit`: 1 GiB. Values above
    /// [`Limits::REQUEST_BYTES_CEILING`] count as that.
    pub request_bytes: usize,
    /// Most requests handed over in one [`Batch`](super::Batch). No error: the rest stay for the next one. Bounds how
    /// long one client's pipeline can keep a lock or the store's task to itself.
    pub batch_requests: usize,
    /// A batch takes no further request once it holds this many bytes. No error either.
    pub batch_bytes: usize,
    /// Most requests gathered in one transaction. One more is an error reply, and EXEC refuses the whole. Redis counts
    /// them against `client-query-buffer-limit` and closes the connection.
    pub transaction_requests: usize,
    /// Most bytes the arguments of these may take; as above. At most [`Limits::BATCH_BYTES_CEILING`].
    pub transaction_bytes: usize,
    /// Most keys one connection may watch. One more is an error reply, and those before it are watched.
    pub watched_keys: usize,
}

impl Limits {
    /// Positions inside a batch are kept as 32-bit numbers, so one request may not come near 4 GiB.
    pub const REQUEST_BYTES_CEILING: usize = 1 << 30;
    /// The same for a batch, which may hold one request more than this.
    pub const BATCH_BYTES_CEILING: usize = 1 << 30;
    /// Most arguments of a request of a client that has not said the password; Redis's number.
    pub const STRANGERS_ARGUMENTS: usize = 10;
    /// Longest argument of such a request, in bytes; Redis's number.
    pub const STRANGERS_BULK_BYTES: usize = 16 << 10;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes: 64 << 10,
            arguments: 1 << 20,
            bulk_bytes: 512 << 20,
            request_bytes: 1 << 30,
            batch_requests: 1024,
            batch_bytes: 1 << 20,
            transaction_requests: 1 << 20,
            transaction_bytes: 256 << 20,
            watched_keys: 1 << 14,
        }
    }
}
