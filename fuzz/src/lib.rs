//! What is to hold for any bytes at all: one function a target, which panics where it does not.
//!
//! `cargo xtask fuzz TARGET` has libFuzzer call it with inputs that reach ever more code. Each input that ever failed lies
//! in `fuzz/regressions/TARGET` and is given to the target again by this package's tests. Nothing here knows where the
//! bytes come from.

mod cut;
mod decoder;
mod loader;
pub mod seeds;
mod session;

pub use self::decoder::decoder;
pub use self::loader::loader;
pub use self::session::session;

/// A function that any bytes may be given to.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of the file in `src/bin` which has libFuzzer call it.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 3] = [
    Target { name: "decoder", run: decoder, seeds: seeds::requests },
    Target { name: "session", run: session, seeds: seeds::requests },
    Target { name: "loader", run: loader, seeds: seeds::logs },
];
