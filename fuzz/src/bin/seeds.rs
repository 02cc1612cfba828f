//! Writes the inputs that libFuzzer begins with, a folder a target, and its list of words, into a folder.

use std::path::PathBuf;

use interleave_fuzz::{TARGETS, seeds};

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("error: expected a folder to write to");
        std::process::exit(2);
    };
    for target in TARGETS {
        let inputs = folder.join(target.name);
        std::fs::create_dir_all(&inputs)?;
        for (number, input) in (target.seeds)().iter().enumerate() {
            std::fs::write(inputs.join(format!("{number:04}")), input)?;
        }
    }
    std::fs::write(folder.join("words.dict"), seeds::dictionary())
}
