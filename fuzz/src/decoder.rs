//! The request decoder: however the bytes are cut, they are the same requests, within the limits.

use bytes::BytesMut;
use interleave::resp::{Batch, Decoder, Limits, encode_request};

use crate::cut::pieces;

/// All that a decoder makes of some bytes.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    requests: Vec<Vec<Vec<u8>>>,
    /// The words of the violation they end in.
    violation: Option<Vec<u8>>,
    /// Whether they end in the middle of a request.
    is_midway: bool,
}

/// The first byte says how the others are cut, the second which limits they have.
///
/// # Panics
/// When a cut changes what is decoded, a limit does not hold, or the requests are not decoded from their own encoding.
pub fn decoder(input: &[u8]) {
    let [how, limits, bytes @ ..] = input else { return };
    let limits = if limits.is_multiple_of(2) { Limits::default() } else { small(*limits) };
    let whole = decode(&[bytes], limits);
    let cut = decode(&pieces(bytes, *how), limits);
    assert_eq!(whole, cut, "at once, and cut as {how} says");

    for request in &whole.requests {
        // A line's words are as many, and as long, as the line has room for.
        let (most, longest) =
            (limits.arguments.max(limits.line_bytes), limits.bulk_bytes.max(limits.line_bytes));
        assert!(!request.is_empty() && request.len() <= most, "{} arguments", request.len());
        assert!(request.iter().all(|argument| argument.len() <= longest));
    }
    // Words of an inline command may lie beyond what an array may hold, so in the limits everybody has.
    let mut encoded = BytesMut::new();
    whole.requests.iter().for_each(|request| encode_request(request, &mut encoded));
    let again = decode(&[&encoded], Limits::default());
    assert_eq!((again.requests, again.violation), (whole.requests, None), "from their own encoding");
    assert!(!again.is_midway, "their own encoding is whole");
}

/// Limits that short inputs get past.
fn small(choice: u8) -> Limits {
    Limits {
        line_bytes: 8 + usize::from(choice) % 32,
        arguments: 1 + usize::from(choice) % 8,
        bulk_bytes: usize::from(choice) % 64,
        request_bytes: 40 + usize::from(choice),
        batch_requests: 1 + usize::from(choice) % 4,
        batch_bytes: 1 + usize::from(choice) % 100,
        ..Limits::default()
    }
}

fn decode(pieces: &[&[u8]], limits: Limits) -> Decoded {
    let mut decoder = Decoder::new(limits);
    let (mut buffer, mut batch) = (BytesMut::new(), Batch::default());
    let mut requests = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let decoded = decoder.decode(&mut buffer, &mut batch);
            assert!(batch.len() <= limits.batch_requests);
            requests.extend(batch.iter().map(|request| request.iter().map(<[u8]>::to_vec).collect()));
            if let Err(violation) = decoded {
                return Decoded { requests, violation: Some(violation.text().into_owned()), is_midway: true };
            }
            if batch.is_empty() {
                break;
            }
        }
    }
    Decoded { requests, violation: None, is_midway: decoder.is_midway(&buffer) }
}
