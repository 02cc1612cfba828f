//! What is to hold for any bytes at all: one function a target, which panics where it does not.
//!
//! `cargo xtask fuzz TARGET` has libFuzzer call it with inputs that reach ever more code. Each input that ever failed lies
//! in `fuzz/regressions/TARGET` and is given to the target again by this package's tests. Nothing here knows where the
//! bytes come from.

mod cut;
mod decoder;
pub mod seeds;
mod session;

pub use self::decoder::decoder;
pub use self::session::session;

/// A function that any bytes may be given to.
pub type Target = fn(&[u8]);

/// All targets, by name. One file in `src/bin` has libFuzzer call it.
pub const TARGETS: [(&str, Target); 2] = [("decoder", decoder), ("session", session)];
