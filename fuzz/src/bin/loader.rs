//! libFuzzer's program for the target `loader`; `cargo xtask fuzz loader` builds and runs it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| interleave_fuzz::loader(input));
