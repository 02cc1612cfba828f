//! Cutting bytes into the pieces that arrive one after the other, as the input itself says.

/// `bytes` in pieces. `how` chooses their lengths: all at once, all of one length, or of lengths drawn from it.
pub(crate) fn pieces(bytes: &[u8], how: u8) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    let mut draw = u32::from(how) | 1;
    while !rest.is_empty() {
        let length = match how {
            0 => rest.len(),
            1..=32 => usize::from(how),
            // Lehmer's generator: many short pieces, some long ones.
            _ => {
                draw = draw.wrapping_mul(48_271) % 0x7fff_ffff;
                1 + (draw as usize % 64).pow(2) / 16
            }
        };
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn every_byte_is_in_one_piece() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for how in 0..=255 {
            let pieces = pieces(&bytes, how);
            assert_eq!(pieces.concat(), bytes, "{how}");
            assert!(pieces.iter().all(|piece| !piece.is_empty()), "{how}");
            assert_eq!(pieces.len() == 1, how == 0, "{how}");
        }
    }
}
