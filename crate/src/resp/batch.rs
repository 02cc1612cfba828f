//! Complete requests, kept as the bytes that arrived and where each argument lies in them.
//!
//! Owns that layout. Does not know how the bytes were parsed or what they mean.

use std::ops::Index;

use bytes::{Bytes, BytesMut};

/// Where one argument lies in a batch's bytes. Half the size of a `Range<usize>`; [`Limits`](super::Limits) keeps
/// positions below 2^32.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= u32::MAX as usize);
        Self { start: start as u32, end: end as u32 }
    }
}

/// A pipeline's worth of requests, in order. Owns its bytes, so it can move to another task without copying an
/// argument; keep it and decode into it again to reuse its vectors.
///
/// ```
/// use interleave::resp::{Batch, Decoder, Limits};
///
/// let mut buffer = bytes::BytesMut::from("*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n");
/// let mut batch = Batch::default();
/// Decoder::new(Limits::default()).decode(&mut buffer, &mut batch).unwrap();
/// assert_eq!(batch.len(), 2);
/// assert_eq!(&batch.request(0)[1], b"k");
/// assert_eq!(batch.request(1).name(), b"PING");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Bytes,
    spans: Vec<Span>,
    /// For each request, the end of its arguments in `spans`.
    ends: Vec<u32>,
}

impl Batch {
    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many bytes the requests took on the wire.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// The arguments of request `index`, the command's name first. A request has at least one.
    ///
    /// # Panics
    /// When `index` is not below [`Batch::len`].
    pub fn request(&self, index: usize) -> Args<'_> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        Args { bytes: &self.bytes, spans: &self.spans[start..self.ends[index] as usize] }
    }

    /// The requests in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Args<'_>> {
        (0..self.len()).map(|index| self.request(index))
    }

    /// Forgets the requests and lets go of their bytes; keeps the vectors.
    pub fn clear(&mut self) {
        self.bytes = Bytes::new();
        self.spans.clear();
        self.ends.clear();
    }

    /// Adds a request that never was on a wire. Copies the whole batch: for tests, scenes and scripts.
    ///
    /// # Panics
    /// When `arguments` is empty.
    pub fn push(&mut self, arguments: &[impl AsRef<[u8]>]) {
        assert!(!arguments.is_empty(), "a request has at least its command's name");
        // Exactly as many as there will be: so they are frozen where they are.
        let more: usize = arguments.iter().map(|argument| argument.as_ref().len()).sum();
        let mut bytes = BytesMut::with_capacity(self.bytes.len() + more);
        bytes.extend_from_slice(&self.bytes);
        for argument in arguments {
            let start = bytes.len();
            bytes.extend_from_slice(argument.as_ref());
            self.spans.push(Span::new(start, bytes.len()));
        }
        self.ends.push(self.spans.len() as u32);
        self.bytes = bytes.freeze();
    }

    /// Begins a request: its arguments' spans, in the bytes [`Batch::set_bytes`] will bring, are to be pushed. One that is begun
    /// and not ended never was.
    pub(super) fn begin(&mut self) -> &mut Vec<Span> {
        self.spans.truncate(self.ends.last().map_or(0, |end| *end as usize));
        &mut self.spans
    }

    /// Ends the request that was begun.
    pub(super) fn end(&mut self) {
        self.ends.push(self.spans.len() as u32);
    }

    /// Adds a request whose spans count from `base` in the bytes [`Batch::set_bytes`] will bring.
    pub(super) fn push_spans(&mut self, base: usize, spans: &[Span]) {
        let base = base as u32;
        self.begin().extend(spans.iter().map(|span| Span { start: base + span.start, end: base + span.end }));
        self.end();
    }

    pub(super) fn set_bytes(&mut self, bytes: Bytes) {
        self.bytes = bytes;
    }
}

/// Gathers requests one by one, each copied once.
#[derive(Clone, Debug, Default)]
pub struct BatchBuilder {
    bytes: BytesMut,
    spans: Vec<Span>,
    ends: Vec<u32>,
}

impl BatchBuilder {
    /// Adds a request. All together must stay below [`Limits::BATCH_BYTES_CEILING`](super::Limits::BATCH_BYTES_CEILING).
    pub fn push(&mut self, request: Args<'_>) {
        for argument in request {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(argument);
            self.spans.push(Span::new(start, self.bytes.len()));
        }
        self.ends.push(self.spans.len() as u32);
    }

    /// How many bytes the arguments take.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// All that was gathered.
    pub fn build(self) -> Batch {
        Batch { bytes: self.bytes.freeze(), spans: self.spans, ends: self.ends }
    }
}

/// The arguments of one request, the command's name first. A view: copying it copies two pointers.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// How many arguments there are, the command's name included.
    #[expect(clippy::len_without_is_empty, reason = "a request has at least its command's name")]
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// How many bytes all arguments take together.
    pub fn bytes_len(self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }

    /// Argument `index`, the command's name being 0.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        let span = self.spans.get(index)?;
        Some(&self.bytes[span.start as usize..span.end as usize])
    }

    /// The command's name as the client wrote it.
    pub fn name(self) -> &'a [u8] {
        self.get(0).unwrap_or_default()
    }

    /// All arguments, the command's name first.
    pub fn iter(self) -> ArgsIter<'a> {
        ArgsIter { bytes: self.bytes, spans: self.spans.iter() }
    }

    /// The arguments from `index` on: none when there are fewer.
    pub fn from(self, index: usize) -> ArgsIter<'a> {
        ArgsIter { bytes: self.bytes, spans: self.spans.get(index..).unwrap_or_default().iter() }
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    fn index(&self, index: usize) -> &[u8] {
        let span = self.spans[index];
        &self.bytes[span.start as usize..span.end as usize]
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = ArgsIter<'a>;

    fn into_iter(self) -> ArgsIter<'a> {
        self.iter()
    }
}

impl std::fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|argument| argument.escape_ascii().to_string())).finish()
    }
}

/// The arguments of a request, one after the other.
#[derive(Clone, Debug)]
pub struct ArgsIter<'a> {
    bytes: &'a [u8],
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for ArgsIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let span = self.spans.next()?;
        Some(&self.bytes[span.start as usize..span.end as usize])
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl ExactSizeIterator for ArgsIter<'_> {}
