//! How long to wait before trying again. Knows no clock and nothing of what is tried.

/// First wait, in milliseconds: a restarted server is usually back by then.
const FIRST_MS: i32 = 250;

/// Longest wait, in milliseconds: short enough that nobody reaches for the reload button.
const LONGEST_MS: i32 = 4_000;

/// Waits that double from try to try.
#[derive(Debug)]
pub(crate) struct Backoff {
    next_ms: i32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next_ms: FIRST_MS }
    }
}

impl Backoff {
    /// The wait before the next try.
    pub(crate) fn next_ms(&mut self) -> i32 {
        let now_ms = self.next_ms;
        self.next_ms = (now_ms * 2).min(LONGEST_MS);
        now_ms
    }

    /// A try succeeded.
    pub(crate) fn succeeded(&mut self) {
        self.next_ms = FIRST_MS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_start_again_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<i32> = (0..6).map(|_| backoff.next_ms()).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 4_000]);
        backoff.succeeded();
        assert_eq!(backoff.next_ms(), 250);
    }
}
