//! The folder of the log: which files it has, which of them count, and changing that so that a crash at any point
//! leaves the one or the other.
//!
//! Owns names, the manifest and the lock. Does not know what is in the files.
//!
//! | file | what it is |
//! | --- | --- |
//! | `interleave.manifest` | which files count, in order: at most one snapshot, then logs |
//! | `interleave.N.base` | a snapshot of all data |
//! | `interleave.N.log` | what was done since; only the last one grows |
//! | `interleave.lock` | locked while a server uses the folder |
//!
//! The manifest is replaced whole, by renaming. A file is complete on the disk before a manifest names it, and removed
//! only when none does any more. A file of these names that the manifest does not name was left by a crash, and goes at
//! the next start.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use interleave::log::frame::{START_BYTES, start};

use super::OpenError;

const MANIFEST: &str = "interleave.manifest";
const LOCK: &str = "interleave.lock";
/// First line of a manifest. The digit is the version of the format.
const TITLE: &str = "interleave log 1";

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A snapshot of all data.
    Base,
    /// What was done since.
    Log,
}

/// A file of the log, by its number: each is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) role: Role,
    pub(super) number: u64,
}

impl Name {
    fn text(self) -> String {
        match self.role {
            Role::Base => format!("interleave.{}.base", self.number),
            Role::Log => format!("interleave.{}.log", self.number),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (number, role) = text.strip_prefix("interleave.")?.split_once('.')?;
        let role = match role {
            "base" => Role::Base,
            "log" => Role::Log,
            _ => return None,
        };
        let name = Self { role, number: number.parse().ok()? };
        (name.text() == text).then_some(name)
    }
}

/// Which files count, in the order in which they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) base: Option<Name>,
    pub(super) logs: Vec<Name>,
}

impl Manifest {
    /// All files in order.
    pub(super) fn names(&self) -> impl Iterator<Item = Name> {
        self.base.into_iter().chain(self.logs.iter().copied())
    }

    /// A number that no file has.
    pub(super) fn next_number(&self) -> u64 {
        self.names().map(|name| name.number).max().unwrap_or_default() + 1
    }

    fn text(&self) -> String {
        let lines = self.names().map(|name| name.text() + "\n");
        format!("{TITLE}\n{}end\n", lines.collect::<String>())
    }

    fn parse(text: &str) -> Option<Self> {
        let names = text.strip_prefix(TITLE)?.strip_prefix('\n')?.strip_suffix("end\n")?;
        let mut manifest = Self::default();
        for name in names.lines() {
            match Name::parse(name)? {
                base @ Name { role: Role::Base, .. } if manifest.names().next().is_none() => {
                    manifest.base = Some(base);
                }
                log @ Name { role: Role::Log, .. } => manifest.logs.push(log),
                Name { role: Role::Base, .. } => return None,
            }
        }
        (!manifest.logs.is_empty()).then_some(manifest)
    }
}

/// The folder, which is this process's alone.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Unlocked when it is closed, however the process ends.
    _lock: File,
}

impl Folder {
    /// Takes the folder, which is made if there is none; and its manifest, if there is one.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Manifest>), OpenError> {
        let system = |path: &Path| {
            let path = path.to_owned();
            move |error| OpenError::System { path, error }
        };
        fs::create_dir_all(path).map_err(system(path))?;
        let lock_path = path.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(system(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { folder: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(system(&lock_path)(error)),
        }
        let folder = Self { path: path.to_owned(), _lock: lock };
        let manifest_path = path.join(MANIFEST);
        let manifest = match fs::read_to_string(&manifest_path) {
            Ok(text) => {
                let unreadable = || OpenError::Manifest { path: manifest_path.clone() };
                Some(Manifest::parse(&text).ok_or_else(unreadable)?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(system(&manifest_path)(error)),
        };
        folder.remove_others(manifest.as_ref()).map_err(|error| match error {
            Others::Data(path) => OpenError::NoManifest { path },
            Others::System(error) => system(path)(error),
        })?;
        Ok((folder, manifest))
    }

    /// Where a file lies.
    pub(super) fn path_of(&self, name: Name) -> PathBuf {
        self.path.join(name.text())
    }

    /// A new file that starts with `salt` and holds nothing else, on the disk with its name.
    pub(super) fn create(&self, name: Name, salt: u32) -> io::Result<File> {
        let mut file = File::create_new(self.path_of(name))?;
        file.write_all(&start(salt))?;
        file.sync_all()?;
        self.sync()?;
        Ok(file)
    }

    /// Makes `manifest` the one that counts.
    pub(super) fn install(&self, manifest: &Manifest) -> io::Result<()> {
        let (path, new) = (self.path.join(MANIFEST), self.path.join("interleave.manifest.new"));
        let mut file = File::create(&new)?;
        file.write_all(manifest.text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        self.sync()
    }

    /// Removes a file that no manifest names any more, or never did.
    pub(super) fn remove(&self, name: Name) -> io::Result<()> {
        fs::remove_file(self.path_of(name))
    }

    /// Removes the files that `manifest` does not name. Without a manifest those with something in them are data that
    /// somebody would miss.
    fn remove_others(&self, manifest: Option<&Manifest>) -> Result<(), Others> {
        for entry in fs::read_dir(&self.path).map_err(Others::System)? {
            let entry = entry.map_err(Others::System)?;
            let Some(name) = entry.file_name().to_str().and_then(Name::parse) else { continue };
            match manifest {
                Some(manifest) if manifest.names().any(|other| other == name) => {}
                None if entry.metadata().map_err(Others::System)?.len() > START_BYTES as u64 => {
                    return Err(Others::Data(entry.path()));
                }
                _ => self.remove(name).map_err(Others::System)?,
            }
        }
        Ok(())
    }

    /// Has the names in the folder reach the disk.
    fn sync(&self) -> io::Result<()> {
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }
}

/// What stands in the way of a clean folder.
enum Others {
    Data(PathBuf),
    System(io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: Role = Role::Log;
    const BASE: Role = Role::Base;

    fn manifest(base: Option<u64>, logs: &[u64]) -> Manifest {
        Manifest {
            base: base.map(|number| Name { role: BASE, number }),
            logs: logs.iter().map(|&number| Name { role: LOG, number }).collect(),
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        for manifest in [manifest(None, &[1]), manifest(Some(7), &[7, 8]), manifest(Some(2), &[3])] {
            assert_eq!(Manifest::parse(&manifest.text()), Some(manifest));
        }
        assert_eq!(manifest(Some(7), &[7, 8]).next_number(), 9);
    }

    #[test]
    fn half_a_manifest_is_none() {
        let text = manifest(Some(1), &[1, 2]).text();
        for cut in 0..text.len() {
            assert_eq!(Manifest::parse(&text[..cut]), None, "{:?}", &text[..cut]);
        }
        for text in [
            "interleave log 1\nend\n",
            "interleave log 2\ninterleave.1.log\nend\n",
            "interleave log 1\ninterleave.01.log\nend\n",
            "interleave log 1\n../interleave.1.log\nend\n",
            "interleave log 1\ninterleave.1.log\ninterleave.1.base\nend\n",
        ] {
            assert_eq!(Manifest::parse(text), None, "{text:?}");
        }
    }
}
