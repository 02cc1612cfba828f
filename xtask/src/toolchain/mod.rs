//! Finds a compiler for `wasm32-unknown-unknown`, asking for as little as the machine allows, and says which was
//! taken. Knows nothing of what is built with it.
//!
//! In this order: the target already installed for the default toolchain; `rustup target add`, unless the user forbids
//! rustup to download (`RUSTUP_AUTO_INSTALL=0`); Debian's own compiler with a standard library built once.

mod debian;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{self, read, run, say};

/// The one target of the page and of the tab's engine.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// A cargo that can build and lint for [`TARGET`].
pub(crate) struct Wasm {
    cargo: PathBuf,
    /// The program for `cargo clippy`: cargo itself, or where several are installed, the one of this toolchain.
    clippy: PathBuf,
    env: Vec<(&'static str, OsString)>,
}

impl Wasm {
    /// Finds a toolchain, installing what is missing where it may. Slow only the first time: at most a download by
    /// rustup, or on Debian about a minute of building the standard library.
    pub(crate) fn find() -> Result<Self> {
        if has_target()? {
            say(format!("wasm toolchain: {} with its own {TARGET}", read(Command::new("rustc").arg("-V"))?));
            return Ok(Self::plain());
        }
        let may_download = std::env::var_os("RUSTUP_AUTO_INSTALL").is_none_or(|value| value != "0");
        if may_download && shell::find_program("rustup").is_some() {
            match run(Command::new("rustup").args(["target", "add", TARGET])) {
                Ok(()) => {
                    say(format!("wasm toolchain: rustup, with {TARGET} just added"));
                    return Ok(Self::plain());
                }
                Err(error) => say(format!("rustup could not add {TARGET} ({error:#}); looking further")),
            }
        }
        if Path::new("/etc/debian_version").exists() {
            return debian::find();
        }
        bail!(
            "found no compiler for {TARGET}: the default toolchain lacks the target, rustup may not or cannot add it, \
             and this is not Debian. Run: RUSTUP_AUTO_INSTALL=1 rustup target add {TARGET}"
        )
    }

    /// `cargo build --target wasm32-unknown-unknown`, run at the top of the source tree.
    ///
    /// Its target folder is none of the native builds': the compiler may differ, and a page being built does not hold them
    /// up.
    pub(crate) fn build(&self) -> Command {
        self.command(&self.cargo, "build")
    }

    /// Like [`Wasm::build`], but `cargo clippy`.
    pub(crate) fn clippy(&self) -> Command {
        self.command(&self.clippy, "clippy")
    }

    fn command(&self, program: &Path, subcommand: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(shell::root());
        // Rustup points these at the default toolchain, which need not be the one used here.
        command.env_remove("RUSTUP_TOOLCHAIN").env_remove("LD_LIBRARY_PATH").env("CARGO", &self.cargo);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        // Panics say where in the source they are, and those texts travel to every visitor: where this machine keeps
        // its crates is nobody's business there. And Leptos' components are made of views whose types are forgotten: a
        // tenth less to send, and quicker to build.
        let flags = format!("{} --cfg=erase_components", remap());
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        command.args([subcommand, "--target", TARGET, "--target-dir"]).arg(target_dir());
        command
    }

    fn plain() -> Self {
        let cargo = PathBuf::from(shell::cargo().get_program());
        Self { clippy: cargo.clone(), cargo, env: Vec::new() }
    }
}

/// Where cargo puts what is made for wasm.
pub(crate) fn target_dir() -> PathBuf {
    shell::root().join("target/wasm")
}

/// The compiler's flag that calls the folder in which cargo unpacks crates `registry`. Empty where neither cargo nor the
/// system says which folder that is, or where its name would be cut at a space.
fn remap() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let registry = home.map(|home| home.join("registry/src").to_string_lossy().into_owned());
    let registry = registry.filter(|registry| !registry.contains(' '));
    registry.map(|registry| format!("--remap-path-prefix={registry}=registry")).unwrap_or_default()
}

fn has_target() -> Result<bool> {
    let folder = read(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    Ok(Path::new(&folder).is_dir())
}
