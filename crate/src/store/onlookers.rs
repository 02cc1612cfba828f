//! Who looks on at the keys of one store: those who watch a key for changes, and those who wait for it to have something.
//!
//! Owns both tables, the order of those who wait, and which keys the command that runs has touched. Runs nobody: who
//! watches learns it by a flag of its own, and whoever runs commands serves those who wait. Who has gone is forgotten by
//! and by: the tables are swept whenever they have doubled, so they never hold many more than there are.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use litemap::LiteMap;

use super::keyspace::Keyspace;

/// A client as the stores know it, who may watch keys: WATCH adds one, and once a watched key was changed the watcher is
/// dirty until it [forgets](Self::forget) them all.
#[derive(Debug, Default)]
pub struct Watcher {
    /// How often it has forgotten, twice, and one more once it is dirty: what was noted before counts no more.
    state: AtomicU64,
    identity: AtomicU64,
    /// Of its own client's only; by database.
    keys: Mutex<Vec<(usize, Box<[u8]>)>>,
}

impl Watcher {
    /// Whether a watched key was changed. Whoever asks must hold the locks of the watched keys' stores, or learns what was.
    pub fn is_dirty(&self) -> bool {
        self.state.load(Ordering::Acquire) & 1 == 1
    }

    /// Watches nothing any more, and is clean.
    pub fn forget(&self) {
        self.keys().clear();
        self.state.store((self.epoch() + 1) << 1, Ordering::Release);
    }

    /// The keys it watches, each with its database.
    pub fn keys(&self) -> MutexGuard<'_, Vec<(usize, Box<[u8]>)>> {
        // Held for the list only; no user code can panic inside.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that is its client's in every run.
    pub(crate) fn identity(&self) -> u64 {
        self.identity.load(Ordering::Relaxed)
    }

    pub(crate) fn identify(&self, identity: u64) {
        self.identity.store(identity, Ordering::Relaxed);
    }

    fn epoch(&self) -> u64 {
        self.state.load(Ordering::Acquire) >> 1
    }

    /// What it began to watch in `epoch` was changed; nothing if it has forgotten since.
    fn touch(&self, epoch: u64) {
        let clean = epoch << 1;
        let _ = self.state.compare_exchange(clean, clean | 1, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Is told the words of a waiter's command that was carried out.
pub type Done<'a> = &'a mut dyn FnMut(&mut dyn Keyspace, &[&[u8]]);

/// Somebody who waits for a key to have something. What becomes of it is the business of whoever made it.
pub trait Waiter: Send + Sync {
    /// Whether it waits no longer: it was served, or has gone.
    fn is_over(&self) -> bool;

    /// Whether serving it needs another shard than that of the key it waits for.
    fn is_far(&self) -> bool;

    /// Whether it is to be served as well when its key is there no more.
    fn minds_absence(&self) -> bool;

    /// Serves it from `key`, if that has what it waits for; false if it goes on waiting. Its database is selected, and the
    /// shards of its keys are in `keyspace`: that of `key`, and all if it [is far](Self::is_far).
    ///
    /// When its command was carried out and may have changed something, and before it learns that, `done` is told the command's
    /// words.
    fn serve(
        &self,
        key: &[u8],
        keyspace: &mut dyn Keyspace,
        now_ms: u64,
        random: &mut fastrand::Rng,
        done: Done<'_>,
    ) -> bool;

    /// Lets it wait no longer: answers that its time has passed, or an error. Whether it waited.
    fn release(&self, error: Option<&str>) -> bool;

    /// A hash of who it is and what it waits with, the same in every run.
    fn digest(&self) -> u64;
}

impl fmt::Debug for dyn Waiter {
    // Of the trait's own knowledge only: asked to print itself, a waiter would print the whole server that it leads to, and the
    // code for that would be in every program.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}

/// Who watches a key, and in which of its epochs it began to.
type Watching = (Weak<Watcher>, u64);

/// Those who look on at one store.
#[derive(Debug, Default)]
pub(super) struct Onlookers {
    watchers: BTreeMap<Box<[u8]>, Vec<Watching>>,
    waiters: LiteMap<Box<[u8]>, VecDeque<Arc<dyn Waiter>>>,
    /// The keys of both tables that the command has touched, some twice.
    touched: Vec<Box<[u8]>>,
    /// Keys that somebody waits for and whose time has come, whatever the command does.
    expired: Vec<Box<[u8]>>,
    /// Entries of both tables, and how many there may be before they are swept.
    len: usize,
    sweep_at: usize,
    /// Of those who wait, how many need another shard, too.
    far: usize,
}

/// So few entries are not worth sweeping.
const SWEEP_LEAST: usize = 64;

impl Onlookers {
    fn is_looked_at(&self, key: &[u8]) -> bool {
        self.watchers.contains_key(key) || self.waiters.contains_key(key)
    }

    pub(super) fn watch(&mut self, key: &[u8], watcher: &Arc<Watcher>) {
        let epoch = watcher.epoch();
        self.watchers.entry(key.into()).or_default().push((Arc::downgrade(watcher), epoch));
        self.count_one();
    }

    pub(super) fn wait(&mut self, key: &[u8], waiter: Arc<dyn Waiter>) {
        self.far += usize::from(waiter.is_far());
        self.waiters.entry(key.into()).or_default().push_back(waiter);
        self.count_one();
    }

    /// Those who wait for `key`, in the order they came. Who is not served is to be put back.
    pub(super) fn take_waiters(&mut self, key: &[u8]) -> VecDeque<Arc<dyn Waiter>> {
        let waiters = self.waiters.remove(key).unwrap_or_default();
        self.len -= waiters.len();
        self.far -= far(&waiters);
        waiters
    }

    pub(super) fn put_back(&mut self, key: &[u8], mut waiters: VecDeque<Arc<dyn Waiter>>) {
        waiters.retain(|waiter| !waiter.is_over());
        if !waiters.is_empty() {
            self.len += waiters.len();
            self.far += far(&waiters);
            self.waiters.insert(key.into(), waiters);
        }
    }

    /// Notes that the command changes `key`.
    pub(super) fn touch(&mut self, key: &[u8]) {
        if self.is_looked_at(key) {
            self.touched.push(key.into());
        }
    }

    /// Takes back the last [`Self::touch`], if it was of `key`.
    pub(super) fn untouch(&mut self, key: &[u8]) {
        self.touched.pop_if(|touched| **touched == *key);
    }

    /// `key` is gone by itself: a change to who watches it or waits for it, whatever the command does.
    pub(super) fn expired(&mut self, key: &[u8]) {
        self.tell_watchers(key);
        if self.waiters.contains_key(key) {
            self.expired.push(key.into());
        }
    }

    fn tell_watchers(&self, key: &[u8]) {
        for (watcher, epoch) in self.watchers.get(key).into_iter().flatten() {
            if let Some(watcher) = watcher.upgrade() {
                watcher.touch(*epoch);
            }
        }
    }

    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty() || !self.expired.is_empty()
    }

    /// The command is done: tells who watches what it touched, and hands out the keys among them, and among those whose time has
    /// come, that somebody waits for.
    pub(super) fn settle(&mut self) -> Vec<Box<[u8]>> {
        let mut touched = std::mem::take(&mut self.expired);
        let changed = touched.len();
        touched.append(&mut self.touched);
        touched[changed..].iter().for_each(|key| self.tell_watchers(key));
        touched.retain(|key| self.waiters.contains_key(key));
        touched.dedup();
        touched
    }

    /// The command has failed, so it has changed nothing.
    pub(super) fn settle_nothing(&mut self) {
        self.touched.clear();
    }

    /// All keys that somebody looks on at.
    pub(super) fn keys(&self) -> Vec<Box<[u8]>> {
        self.watchers.keys().chain(self.waiters.keys()).cloned().collect()
    }

    /// How many wait who need another shard, too, some that have gone included.
    pub(super) fn far(&self) -> usize {
        self.far
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Forgets who has gone.
    pub(super) fn sweep(&mut self) {
        self.watchers.retain(|_, watchers| {
            let is_there = |watcher: &Weak<Watcher>, epoch| {
                watcher.upgrade().is_some_and(|watcher| watcher.epoch() == epoch)
            };
            watchers.retain(|(watcher, epoch)| is_there(watcher, *epoch));
            !watchers.is_empty()
        });
        self.waiters.iter_mut().for_each(|(_, waiters)| waiters.retain(|waiter| !waiter.is_over()));
        self.waiters.retain(|_, waiters| !waiters.is_empty());
        let watchers: usize = self.watchers.values().map(Vec::len).sum();
        self.len = watchers + self.waiters.values().map(VecDeque::len).sum::<usize>();
        self.far = self.waiters.values().map(far).sum();
        self.sweep_at = SWEEP_LEAST.max(2 * self.len);
    }

    fn count_one(&mut self) {
        self.len += 1;
        if self.len > self.sweep_at.max(SWEEP_LEAST) {
            self.sweep();
        }
    }

    /// Hashes who looks on at what, in order, those who have gone left out.
    pub(super) fn hash(&self, hasher: &mut impl Hasher) {
        for (key, watchers) in &self.watchers {
            for (watcher, epoch) in watchers {
                let watcher = watcher.upgrade().filter(|watcher| watcher.epoch() == *epoch);
                watcher.map(|watcher| (key, watcher.identity(), watcher.is_dirty())).hash(hasher);
            }
        }
        for (key, waiters) in self.waiters.iter() {
            for waiter in waiters.iter().filter(|waiter| !waiter.is_over()) {
                (key, waiter.digest()).hash(hasher);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.watchers.is_empty() && self.waiters.is_empty()
    }
}

fn far(waiters: &VecDeque<Arc<dyn Waiter>>) -> usize {
    waiters.iter().filter(|waiter| waiter.is_far()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, Value};

    #[test]
    fn a_change_is_told_to_who_watches_and_to_nobody_else() {
        let (mut store, one, other) =
            (Store::default(), Arc::new(Watcher::default()), Arc::new(Watcher::default()));
        store.watch(b"a", &one);
        store.watch(b"b", &other);
        store.insert(b"a", Value::Int(1), None);
        assert!(!one.is_dirty(), "not before the command is done");
        assert!(store.is_touched());
        store.settle();
        assert_eq!((one.is_dirty(), other.is_dirty()), (true, false));
        one.forget();
        store.remove(b"a", 0);
        store.settle();
        assert!(!one.is_dirty(), "what was noted before it forgot counts no more");
    }

    #[test]
    fn what_was_taken_back_or_has_failed_is_no_change() {
        let (mut store, watcher) = (Store::default(), Arc::new(Watcher::default()));
        store.insert(b"a", Value::Int(1), None);
        store.watch(b"a", &watcher);
        store.value_mut(b"a", 0);
        store.unchanged(b"a");
        assert!(!store.is_touched());
        store.value_mut(b"a", 0);
        store.settle_nothing();
        store.settle();
        assert!(!watcher.is_dirty());
    }

    #[test]
    fn expiry_is_a_change() {
        let (mut store, watcher) = (Store::default(), Arc::new(Watcher::default()));
        store.insert(b"a", Value::Int(1), Some(5));
        store.watch(b"a", &watcher);
        assert!(store.get(b"a", 6).is_none());
        assert!(watcher.is_dirty());
    }

    #[test]
    fn those_who_have_gone_take_no_room() {
        let mut store = Store::default();
        let stays = Arc::new(Watcher::default());
        store.watch(b"stays", &stays);
        for number in 0..100_000_u32 {
            let watcher = Arc::new(Watcher::default());
            store.watch(&number.to_be_bytes(), &watcher);
            // Some leave, some forget, which is the same.
            watcher.forget();
            stays.keys().clear();
        }
        assert!(store.onlookers() <= SWEEP_LEAST + 1, "{}", store.onlookers());
        store.forget_gone();
        assert_eq!(store.onlookers(), 1);
    }
}
