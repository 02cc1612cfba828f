//! Running other programs: say what is run, run it, and turn a bad exit into an error that names the command. Knows
//! nothing of which programs those are.

pub(crate) mod apt;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The top of the source tree.
pub(crate) fn root() -> &'static Path {
    // The manifest of this package always lies one folder below.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a package folder has a parent")
}

/// Prints a line of progress, told apart from the output of the programs being run.
pub(crate) fn say(line: impl AsRef<str>) {
    eprintln!("==> {}", line.as_ref());
}

/// Runs `command` with its output passed through, and fails unless it exits with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    say(shown(command));
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs `command` quietly and returns what it printed, without the final newline.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", shown(command), output.status, complaint.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Finds `program` in the folders of `PATH`.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Default cargo, the one for everything native.
pub(crate) fn cargo() -> Command {
    // Cargo names itself to the programs it runs.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// `command`, so that it takes only what processor time others leave, where the system can do that.
pub(crate) fn yielding(command: Command) -> Command {
    let Some(nice) = find_program("nice") else { return command };
    let mut nicer = Command::new(nice);
    nicer.arg("-n19").arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        nicer.current_dir(folder);
    }
    nicer
}

/// `command` as one could type it.
fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
