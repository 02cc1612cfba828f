//! Compacting the log while it grows.
//!
//! Owns the steps, each of which leaves a folder that can be loaded. The data is made again from the files themselves,
//! on a thread of its own: no lock of the running server is taken, and no client waits. What it costs instead is memory
//! for a second copy of the data while it runs, and a processor for as long as loading takes.

use std::fs::File;
use std::io::{self, Write};
use std::thread::{Builder, JoinHandle};

use interleave::log::frame::seal;
use interleave::sharing::{Kind, Options, Replay, Stores, snapshot};
use tracing::warn;

use super::OpenError;
use super::files::{Folder, Manifest, Name, Role};
use super::load::read;

/// Bytes of a snapshot that are written at a time.
const WRITE_BYTES: usize = 256 * 1024;

/// A snapshot that is being made of all files before the one that grows.
#[derive(Debug)]
pub(super) struct Rewrite {
    /// What counts once it is there.
    after: Manifest,
    thread: JoinHandle<Result<u64, OpenError>>,
}

/// The first step: another file for what comes from now on. The one before must be whole and on the disk.
pub(super) fn rotate(folder: &Folder, manifest: &mut Manifest, salt: u32) -> io::Result<File> {
    let name = Name { role: Role::Log, number: manifest.next_number() };
    // It may have been left by a try that failed.
    let _ = folder.remove(name);
    let file = folder.create(name, salt)?;
    let mut after = manifest.clone();
    after.logs.push(name);
    folder.install(&after)?;
    *manifest = after;
    Ok(file)
}

impl Rewrite {
    /// The second step: a snapshot, made beside all else, of what all files say but the last.
    pub(super) fn begin(folder: &Folder, manifest: &Manifest, salt: u32) -> io::Result<Self> {
        let (last, older) = manifest.logs.split_last().expect("a manifest has a log");
        let base = Name { role: Role::Base, number: last.number };
        let sources: Vec<_> =
            manifest.base.iter().chain(older).map(|name| (folder.path_of(*name), name.role)).collect();
        // It may have been left by a try that failed.
        let _ = folder.remove(base);
        let mut file = folder.create(base, salt)?;
        let make = move || {
            let mut stores = Stores::new(Kind::Mutex, &Options::default());
            let mut replay = Replay::new();
            for (path, role) in sources {
                let end = read(&path, role, &mut replay, &mut stores)?;
                if end.torn_bytes > 0 {
                    return Err(OpenError::Damaged { path, offset: end.offset, is_last: false });
                }
            }
            let written = snapshot(&mut stores, WRITE_BYTES, |draft| {
                seal(draft.records(), salt);
                file.write_all(draft.records())
            });
            written.and_then(|_| file.sync_all()).map_err(OpenError::Snapshot)?;
            Ok(file.metadata().map_err(OpenError::Snapshot)?.len())
        };
        let thread = Builder::new().name("compaction".to_owned()).spawn(make)?;
        Ok(Self { after: Manifest { base: Some(base), logs: vec![*last] }, thread })
    }

    /// Whether the snapshot is made, or cannot be.
    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// The last steps: the snapshot counts, and what it stands for goes. How many bytes it has.
    pub(super) fn finish(self, folder: &Folder, manifest: &mut Manifest) -> Result<u64, OpenError> {
        let panicked = |_| Err(OpenError::Snapshot(io::Error::other("it panicked")));
        let bytes = self.thread.join().unwrap_or_else(panicked).inspect_err(|_| {
            // Takes room, and another try makes it anew.
            let _ = self.after.base.map(|base| folder.remove(base));
        })?;
        // If this fails the old manifest may count or the new one: the files of both stay.
        folder.install(&self.after).map_err(OpenError::Snapshot)?;
        let before = std::mem::replace(manifest, self.after);
        for name in before.names().filter(|name| manifest.names().all(|other| other != *name)) {
            if let Err(error) = folder.remove(name) {
                warn!(
                    "cannot remove {}, which is not needed any more: {error}",
                    folder.path_of(name).display()
                );
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use interleave::log::Draft;
    use interleave::log::entry::Ran;
    use interleave::store::Keyspace;

    use super::super::load::load;
    use super::*;

    /// A folder that goes with its test.
    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("interleave-rewrite-{}-{name}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn write(file: &mut File, request: &[&str]) {
        let mut draft = Draft::default();
        draft.command(0, Ran::default(), request.iter().map(|word| word.as_bytes()));
        draft.close();
        seal(draft.records(), SALT);
        file.write_all(draft.records()).unwrap();
        file.sync_all().unwrap();
    }

    const SALT: u32 = 7;

    /// What the folder says after a crash: `count` as far as it was counted.
    fn count(path: &Path) -> String {
        let (folder, manifest) = Folder::open(path).unwrap();
        let mut stores = Stores::new(Kind::Mutex, &Options::default());
        load(&folder, &manifest.unwrap(), &mut stores).unwrap();
        stores.store(b"count").get(b"count", 0).map_or_else(String::new, |entry| entry.value.shown(20))
    }

    /// Compacts a log of ten INCRs, with one more after each step, up to `step`, and leaves it there as a crash would;
    /// how many INCRs there were, and the names of the files.
    fn crash_after(path: &Path, step: u32) -> u32 {
        let (folder, found) = Folder::open(path).unwrap();
        assert_eq!(found, None);
        let mut manifest = Manifest::default();
        let mut counted = 0;
        let mut incr = |file: &mut File, times| {
            counted += times;
            (0..times).for_each(|_| write(file, &["INCR", "count"]));
            counted
        };
        let mut file = rotate(&folder, &mut manifest, SALT).unwrap();
        let counted = incr(&mut file, 10);
        if step == 0 {
            // The next file was made, and the manifest does not name it yet.
            folder.create(Name { role: Role::Log, number: 2 }, SALT).unwrap();
            return counted;
        }
        let mut file = rotate(&folder, &mut manifest, SALT).unwrap();
        let counted = incr(&mut file, 1);
        if step == 1 {
            // Half a snapshot.
            let base = folder.create(Name { role: Role::Base, number: 2 }, SALT);
            base.unwrap().write_all(&[1; 100]).unwrap();
            return counted;
        }
        let rewrite = Rewrite::begin(&folder, &manifest, SALT).unwrap();
        let counted = incr(&mut file, 1);
        if step == 2 {
            // A whole snapshot that the manifest does not name yet.
            rewrite.thread.join().unwrap().unwrap();
            return counted;
        }
        if step == 3 {
            // What it stands for was not removed yet.
            rewrite.thread.join().unwrap().unwrap();
            folder.install(&rewrite.after).unwrap();
            return incr(&mut file, 1);
        }
        rewrite.finish(&folder, &mut manifest).unwrap();
        incr(&mut file, 1)
    }

    #[test]
    fn a_crash_after_any_step_leaves_all_there_was() {
        for step in 0..5 {
            let folder = Temporary::new(&format!("step-{step}"));
            let counted = crash_after(&folder.0, step);
            assert_eq!(count(&folder.0), counted.to_string(), "step {step}");
            // Twice: what was left over is gone, and nothing else.
            assert_eq!(count(&folder.0), counted.to_string(), "step {step}, again");
            let files = std::fs::read_dir(&folder.0).unwrap().count();
            // The lock, the manifest, and what it names.
            assert_eq!(files, 2 + [1, 2, 2, 2, 2][step as usize], "step {step}");
        }
    }

    #[test]
    fn a_snapshot_that_is_not_whole_is_not_read() {
        let folder = Temporary::new("cut");
        crash_after(&folder.0, 4);
        let base = folder.0.join("interleave.2.base");
        let whole = std::fs::read(&base).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&base, &whole[..cut]).unwrap();
            let (folder, manifest) = Folder::open(&folder.0).unwrap();
            let mut stores = Stores::new(Kind::Mutex, &Options::default());
            let error = load(&folder, &manifest.unwrap(), &mut stores).unwrap_err();
            assert!(matches!(error, OpenError::Damaged { is_last: false, .. }), "cut at {cut}: {error}");
        }
    }
}
