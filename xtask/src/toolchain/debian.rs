//! Debian's compiler as a toolchain for wasm: `rustc-web` ships no standard library for the target, but its source
//! does, so it is built once into a sysroot that every checkout on the machine shares. Knows nothing of what is built
//! with it.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{TARGET, Wasm};
use crate::shell::{self, apt, read, run, say};

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
/// Named in full: `cargo clippy` would find rustup's first, which cannot read what Debian's compiler made.
const CLIPPY: &str = "/usr/bin/cargo-clippy";
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy"];
/// The oldest compiler that builds the project, by its manifest.
const NEEDED: &str = env!("CARGO_PKG_RUST_VERSION");
/// Part of the sysroot's name: raise it when the way it is built changes.
const RECIPE: u32 = 3;

pub(super) fn find() -> Result<Wasm> {
    apt::need(&PACKAGES)?;
    let mut version = read(Command::new(RUSTC).arg("-vV"))?;
    if is_too_old(&version) && apt::is_root() {
        // Debian's security updates carry newer compilers than the release began with.
        apt::install(&PACKAGES)?;
        version = read(Command::new(RUSTC).arg("-vV"))?;
    }
    if is_too_old(&version) {
        bail!(
            "this project needs Rust {NEEDED}, and Debian's compiler is {}. Run: sudo apt-get update && sudo apt-get \
             install -y --no-install-recommends {}; if it stays the same, Debian's security updates are missing from the \
             sources of apt",
            version.lines().next().unwrap_or_default(),
            PACKAGES.join(" ")
        );
    }
    let linker = find_linker()?;
    let sysroot = cache_dir()?.join(sysroot_name(&version));
    if !sysroot.exists() {
        build_once(&sysroot, &linker)?;
    }
    let title = version.lines().next().unwrap_or_default();
    say(format!("wasm toolchain: Debian's {title}, with the standard library in {}", sysroot.display()));
    Ok(Wasm {
        cargo: CARGO.into(),
        clippy: CLIPPY.into(),
        env: vec![
            ("RUSTC", sysroot.join("rustc").into()),
            // Clippy's driver takes the place of the compiler, so it has to be told by itself.
            ("SYSROOT", sysroot.into()),
            ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker.into()),
        ],
    })
}

/// Whether the compiler that says `version` of itself (`rustc -vV`) is older than [`NEEDED`]. One that says nothing is not
/// kept from trying.
fn is_too_old(version: &str) -> bool {
    let release = version.lines().find_map(|line| line.strip_prefix("release: "));
    let numbers =
        |text: &str| -> Vec<u32> { text.split(['.', '-']).map_while(|part| part.parse().ok()).collect() };
    release.is_some_and(|release| numbers(release) < numbers(NEEDED))
}

/// Debian's compiler brings no wasm linker: take the default toolchain's, or LLVM's.
fn find_linker() -> Result<PathBuf> {
    if let (Ok(sysroot), Ok(host)) = (
        read(Command::new("rustc").args(["--print", "sysroot"])),
        read(Command::new("rustc").args(["--print", "host-tuple"])),
    ) {
        let linker = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
        if linker.is_file() {
            return Ok(linker);
        }
    }
    if let Some(linker) = shell::find_program("wasm-ld") {
        return Ok(linker);
    }
    apt::need(&["lld"])?;
    shell::find_program("wasm-ld").context("Debian's package lld is installed, but `wasm-ld` is not on PATH")
}

fn cache_dir() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => std::env::home_dir()
            .context("found neither XDG_CACHE_HOME nor a home folder; set one")?
            .join(".cache"),
    };
    let folder = base.join("interleave");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// A compiler reads only libraries of exactly its own build, so all that it says of itself is in the key.
fn sysroot_name(version: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (version, RECIPE).hash(&mut hasher);
    format!("wasm-sysroot-{:016x}", hasher.finish())
}

/// Builds the sysroot under another name and renames it when whole, so that it is never seen half made; two builds at
/// once take turns by a lock on a file.
fn build_once(sysroot: &Path, linker: &Path) -> Result<()> {
    let lock = File::create(sysroot.with_extension("lock")).context("cannot make the lock of the sysroot")?;
    if lock.try_lock().is_err() {
        say("another build is making the standard library for wasm; waiting for it");
        lock.lock().context("cannot wait for the lock of the sysroot")?;
    }
    if sysroot.exists() {
        return Ok(());
    }
    say(format!("building the standard library for {TARGET}, once for this machine (about a minute)"));
    let draft = sysroot.with_extension("draft");
    // A draft is what an interrupted build left: only the holder of the lock makes one.
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    let libraries = build_std(&draft.join("std"), linker)?;
    lay_out(&draft, sysroot, &libraries)?;
    fs::remove_dir_all(draft.join("std"))?;
    fs::rename(&draft, sysroot).with_context(|| format!("cannot move the sysroot to {}", sysroot.display()))
}

/// Builds `std` by way of an empty package and returns the libraries made.
fn build_std(folder: &Path, linker: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(
        folder.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n",
    )?;
    fs::write(folder.join("src/lib.rs"), "#![no_std]\n")?;
    run(Command::new(CARGO)
        .current_dir(folder)
        .args([
            "build",
            "--release",
            "-Zbuild-std=std,panic_abort",
            "-Zbuild-std-features=",
            "--target",
            TARGET,
            "--target-dir",
        ])
        .arg(folder.join("target"))
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("CARGO")
        .env("RUSTC", RUSTC)
        // `-Zbuild-std` is unstable; it builds exactly what the release of this compiler shipped as source.
        .env("RUSTC_BOOTSTRAP", "1")
        // Without bitcode in the libraries, the page's `lto` would fail.
        .env("RUSTFLAGS", format!("-Cembed-bitcode=yes {}", super::remap()))
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker))?;
    let mut libraries = Vec::new();
    collect_libraries(&folder.join("target").join(TARGET), &mut libraries)?;
    if libraries.is_empty() {
        bail!("building the standard library left no libraries under {}", folder.display());
    }
    Ok(libraries)
}

fn collect_libraries(folder: &Path, libraries: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            collect_libraries(&path, libraries)?;
        } else if name.ends_with(".rlib") && name.contains('-') && !name.starts_with("libempty") {
            libraries.push(path);
        }
    }
    Ok(())
}

/// Lays the sysroot out in `draft`: the new libraries, a link to the host's own (procedural macros and build scripts
/// need them), and a compiler that looks here. `home` is where the draft will be moved.
fn lay_out(draft: &Path, home: &Path, libraries: &[PathBuf]) -> Result<()> {
    let rustlib = draft.join("lib/rustlib");
    let target = rustlib.join(TARGET).join("lib");
    fs::create_dir_all(&target)?;
    for library in libraries {
        // Only files were collected, and a file has a name.
        fs::copy(library, target.join(library.file_name().expect("a file has a name")))?;
    }
    let debian = PathBuf::from(read(Command::new(RUSTC).args(["--print", "sysroot"]))?).join("lib/rustlib");
    let host = read(Command::new(RUSTC).args(["--print", "host-tuple"]))?;
    symlink(&debian.join(&host), &rustlib.join(&host))?;
    let wrapper = draft.join("rustc");
    fs::write(&wrapper, format!("#!/bin/sh\nexec {RUSTC} --sysroot '{}' \"$@\"\n", home.display()))?;
    make_executable(&wrapper)
}

#[cfg(unix)]
fn symlink(original: &Path, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(original, link).with_context(|| format!("cannot link {}", link.display()))
}

#[cfg(unix)]
fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).context("cannot make the wrapper executable")
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> Result<()> {
    bail!("only Debian has this toolchain")
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    bail!("only Debian has this toolchain")
}

#[cfg(test)]
mod tests {
    use super::is_too_old;

    #[test]
    fn a_compiler_older_than_the_manifest_says_is_too_old() {
        let check = |release, expected| {
            let version = format!("rustc {release}\nbinary: rustc\nrelease: {release}\nLLVM version: 19.1.7");
            assert_eq!(is_too_old(&version), expected, "{release}");
        };
        check("1.85.0", true);
        check("1.9.0", true);
        check("1.95.0", false);
        check("1.95.1-nightly", false);
        check("1.96.0", false);
        check("2.0.0", false);
        assert!(!is_too_old(""));
    }
}
