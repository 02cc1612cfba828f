//! libFuzzer's program for the target `decoder`; `cargo xtask fuzz decoder` builds and runs it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| interleave_fuzz::decoder(input));
