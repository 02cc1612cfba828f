//! libFuzzer's program for the target `session`; `cargo xtask fuzz session` builds and runs it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| interleave_fuzz::session(input));
