//! Putting records into a file, and onto the disk when the policy says so.
//!
//! Owns what is written and what is not yet, and what a disk that fails comes to. Knows one file at a time, and nothing
//! of folders.
//!
//! **Writing fails**, mostly because the disk is full: what was not written is kept and tried again, from the byte at
//! which it stopped. Until that works no command may change data, so that what is kept does not grow.
//!
//! **`fsync` fails**: what the system still has of the file is not known any more, and trying again may succeed without
//! any byte reaching the disk. So no command may change data until the server is started again and reads what is there.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use interleave::log::frame::seal;
use interleave::log::{Fsync, Log};
use tracing::{error, info};

/// Time from one `fsync` to the next under [`Fsync::EverySec`].
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What is needed of a file: where tests put in a disk that fails.
pub(super) trait Sink {
    /// Writes some of `bytes` behind what was written before; how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Returns once all that was written is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A file that records are written to.
#[derive(Debug)]
pub(super) struct Writer<S> {
    log: Log,
    sink: S,
    salt: u32,
    /// Sealed records; the first `written` bytes are in the file.
    records: Vec<u8>,
    written: usize,
    /// The log's position behind them.
    end: u64,
    /// When the first byte was written that is not on the disk.
    dirty_since: Option<Instant>,
    is_failing: bool,
    /// `fsync` failed.
    is_lost: bool,
}

impl<S: Sink> Writer<S> {
    /// Goes on behind the end of a file whose records have this salt.
    pub(super) fn new(log: Log, sink: S, salt: u32) -> Self {
        Self {
            log,
            sink,
            salt,
            records: Vec::new(),
            written: 0,
            end: 0,
            dirty_since: None,
            is_failing: false,
            is_lost: false,
        }
    }

    /// Takes records over, which end at position `end` of the log; a buffer for the next ones. Only when
    /// [nothing is left](Self::is_done) of those before.
    pub(super) fn take(&mut self, mut records: Vec<u8>, end: u64) -> Vec<u8> {
        assert!(self.is_done(), "records are written before the next ones are taken");
        seal(&mut records, self.salt);
        (self.written, self.end) = (0, end);
        std::mem::replace(&mut self.records, records)
    }

    /// Whether everything taken is in the file.
    pub(super) fn is_done(&self) -> bool {
        self.written == self.records.len()
    }

    /// Whether nothing can be written to this file any more.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// How long it may be left alone: until what was written should be on the disk.
    pub(super) fn patience(&self) -> Duration {
        match (self.log.fsync(), self.dirty_since) {
            (Fsync::EverySec, Some(since)) => SYNC_EVERY.saturating_sub(since.elapsed()),
            _ => Duration::MAX,
        }
    }

    /// Writes what is left as far as it goes, has it reach the disk if it is time, and tells the log; how many bytes
    /// were written.
    pub(super) fn work(&mut self) -> usize {
        if self.is_lost {
            return 0;
        }
        let before = self.written;
        while !self.is_done() {
            match self.sink.write(&self.records[self.written..]) {
                Ok(0) => {
                    self.fail(&io::ErrorKind::WriteZero.into());
                    return self.written - before;
                }
                Ok(bytes) => {
                    self.written += bytes;
                    self.dirty_since.get_or_insert_with(Instant::now);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.fail(&error);
                    return self.written - before;
                }
            }
        }
        if std::mem::take(&mut self.is_failing) {
            info!("the log can be written again");
            self.log.recovered();
        }
        let is_due = match self.log.fsync() {
            Fsync::Always => true,
            Fsync::EverySec => self.patience().is_zero(),
            Fsync::No => false,
        };
        if !is_due || self.sync() {
            self.log.settled(self.end);
        }
        self.written - before
    }

    /// Has all that is written reach the disk; whether it has.
    pub(super) fn sync(&mut self) -> bool {
        if self.is_lost || self.dirty_since.is_none() {
            return !self.is_lost;
        }
        match self.sink.sync() {
            Ok(()) => self.dirty_since = None,
            Err(why) => {
                self.is_lost = true;
                error!(
                    "the log may not reach the disk: {why}; no command that changes data is served until the server is \
                     started again"
                );
                self.log.failed(&text(&why));
            }
        }
        !self.is_lost
    }

    /// Goes on in another file; what was written to the one before is on the disk, or it would not be left.
    pub(super) fn change(&mut self, sink: S, salt: u32) {
        assert!(self.is_done() && self.dirty_since.is_none(), "a file is whole before the next is begun");
        (self.sink, self.salt) = (sink, salt);
    }

    fn fail(&mut self, why: &io::Error) {
        // Told when it begins, not each time it is tried again.
        if !std::mem::replace(&mut self.is_failing, true) {
            error!(
                "cannot write the log: {why}; no command that changes data is served until that works again"
            );
        }
        self.log.failed(&text(why));
    }
}

/// What the system says, without the number that Rust adds.
fn text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(&*text, |(text, _)| text).to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use interleave::log::Draft;
    use interleave::log::entry::Ran;
    use interleave::log::frame::Records;

    use super::*;

    /// A disk with room for so many bytes, and with so many `fsync`s in it.
    #[derive(Clone, Debug)]
    struct Disk(Arc<Mutex<State>>);

    #[derive(Debug)]
    struct State {
        bytes: Vec<u8>,
        room: usize,
        synced: usize,
        syncs_left: usize,
    }

    impl Disk {
        fn new(room: usize, syncs_left: usize) -> Self {
            Self(Arc::new(Mutex::new(State { bytes: Vec::new(), room, synced: 0, syncs_left })))
        }

        /// How many whole commands there are on it, and how many bytes have been synced.
        fn content(&self) -> (usize, usize) {
            let state = self.0.lock().unwrap();
            let mut records = Records::new(7);
            records.feed(&state.bytes);
            let mut count = 0;
            while records.read_next().unwrap().is_some() {
                count += 1;
            }
            (count, state.synced)
        }
    }

    impl Sink for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.0.lock().unwrap();
            let length = bytes.len().min(state.room);
            if length == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.room -= length;
            state.bytes.extend_from_slice(&bytes[..length]);
            Ok(length)
        }

        fn sync(&mut self) -> io::Result<()> {
            let mut state = self.0.lock().unwrap();
            if state.syncs_left == 0 {
                return Err(io::Error::other("the disk is gone"));
            }
            state.syncs_left -= 1;
            state.synced = state.bytes.len();
            Ok(())
        }
    }

    fn set(writer: &mut Writer<Disk>) {
        let mut draft = Draft::default();
        draft.command(0, Ran::default(), [&b"SET"[..], b"key", b"value"].into_iter());
        draft.close();
        let end = writer.log.append(&mut draft);
        let taken = writer.log.take(Duration::ZERO, Vec::new());
        assert_eq!(taken.end, end);
        writer.take(taken.records, taken.end);
    }

    #[test]
    fn always_syncs_each_time_and_everysec_when_it_is_time() {
        for (fsync, synced) in [(Fsync::Always, true), (Fsync::EverySec, false), (Fsync::No, false)] {
            let disk = Disk::new(1000, 1000);
            let mut writer = Writer::new(Log::new(fsync), disk.clone(), 7);
            set(&mut writer);
            let bytes = writer.work();
            assert_eq!(disk.content(), (1, if synced { bytes } else { 0 }), "{fsync:?}");
            assert_eq!(writer.patience() <= SYNC_EVERY, fsync == Fsync::EverySec, "{fsync:?}");
            writer.dirty_since = writer.dirty_since.and_then(|since| since.checked_sub(SYNC_EVERY));
            writer.work();
            assert_eq!(disk.content().1, if fsync == Fsync::No { 0 } else { bytes }, "{fsync:?}");
        }
    }

    #[test]
    fn a_transaction_takes_one_write_and_one_sync() {
        let disk = Disk::new(1000, 10);
        let mut writer = Writer::new(Log::new(Fsync::Always), disk.clone(), 7);
        let mut draft = Draft::default();
        for key in [&b"one"[..], b"two", b"three"] {
            draft.command(0, Ran::default(), [&b"SET"[..], key, b"value"].into_iter());
        }
        draft.close();
        writer.log.append(&mut draft);
        let taken = writer.log.take(Duration::ZERO, Vec::new());
        writer.take(taken.records, taken.end);
        let written = writer.work();
        assert_eq!((disk.content(), disk.0.lock().unwrap().syncs_left), ((1, written), 9));
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_written_when_there_is_room() {
        let disk = Disk::new(70, 1000);
        let mut writer = Writer::new(Log::new(Fsync::Always), disk.clone(), 7);
        for _ in 0..2 {
            if writer.is_done() {
                set(&mut writer);
                writer.work();
            }
        }
        assert!(!writer.is_done() && writer.log.fails());
        assert_eq!(writer.log.failing().unwrap().0, "no storage space");
        assert_eq!(disk.content().0, 1);
        assert_eq!(writer.work(), 0);
        disk.0.lock().unwrap().room = 1000;
        assert!(writer.work() > 0 && writer.is_done() && !writer.log.fails());
        assert_eq!(disk.content(), (2, disk.0.lock().unwrap().bytes.len()));
    }

    #[test]
    fn after_a_failed_fsync_nothing_is_written_any_more() {
        let disk = Disk::new(1000, 1);
        let mut writer = Writer::new(Log::new(Fsync::Always), disk.clone(), 7);
        for _ in 0..2 {
            set(&mut writer);
            writer.work();
        }
        assert!(writer.is_lost() && writer.log.fails());
        disk.0.lock().unwrap().syncs_left = 10;
        assert!(!writer.sync() && writer.work() == 0 && writer.log.fails());
        assert_eq!(writer.log.failing().unwrap().0, "the disk is gone");
    }
}
