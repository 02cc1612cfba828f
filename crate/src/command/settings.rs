//! Settings that change while the server runs.
//!
//! Owns their values and nothing of how they are written: that is CONFIG's ([`super::config`]). Each is read on its own, so
//! none orders anything else and all accesses are relaxed.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::context::Config;

/// No value of its own: what the host chose counts.
const HOSTS: u64 = u64::MAX;

/// The values as they are now. What they are at first is the [`Config`]'s.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(super) max_clients: AtomicUsize,
    idle_timeout_s: AtomicU64,
    /// Commands that take longer are logged as slow, in microseconds; below 0: none is, and no clock is read.
    pub(super) slower_than_us: AtomicI64,
    has_password: AtomicBool,
    password: Mutex<Option<Arc<[u8]>>>,
}

impl Settings {
    pub(super) fn new(config: &Config) -> Self {
        let settings = Self {
            max_clients: AtomicUsize::new(config.max_clients),
            idle_timeout_s: AtomicU64::new(HOSTS),
            slower_than_us: AtomicI64::new(config.slower_than_us),
            has_password: AtomicBool::new(false),
            password: Mutex::default(),
        };
        settings.set_password(config.password.as_bytes());
        settings
    }

    /// How long a client may be silent, in seconds, 0 for ever; `None`: as the host chose.
    pub(crate) fn idle_timeout_s(&self) -> Option<u64> {
        Some(self.idle_timeout_s.load(Relaxed)).filter(|seconds| *seconds != HOSTS)
    }

    pub(super) fn set_idle_timeout_s(&self, seconds: u64) {
        self.idle_timeout_s.store(seconds, Relaxed);
    }

    /// How long a command may take before it is logged as slow, in nanoseconds; [`u64::MAX`]: as long as it
    /// likes.
    #[inline]
    pub(crate) fn slower_than_ns(&self) -> u64 {
        u64::try_from(self.slower_than_us.load(Relaxed)).map_or(u64::MAX, |us| us.saturating_mul(1000))
    }

    pub(super) fn has_password(&self) -> bool {
        self.has_password.load(Relaxed)
    }

    pub(super) fn password(&self) -> Option<Arc<[u8]>> {
        self.password.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for another password from now on; for none, if it is empty. Who is in stays in.
    pub(super) fn set_password(&self, password: &[u8]) {
        let mut held = self.password.lock().unwrap_or_else(PoisonError::into_inner);
        *held = (!password.is_empty()).then(|| Arc::from(password));
        self.has_password.store(held.is_some(), Relaxed);
    }
}
