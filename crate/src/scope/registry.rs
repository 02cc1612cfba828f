//! Names for the numbers in events, and which tasks are alive.
//!
//! Touched when a task is spawned or ends, when a lock or channel is made, and when a client names itself: never on
//! the path of a poll or a command. One registry serves the process; an engine brings its own, so that its
//! numbers repeat from run to run. Knows nothing of when things happened but a task's spawning.

use std::collections::HashMap;
use std::panic::Location;

use foldhash::fast::RandomState;
use litemap::LiteMap;

use super::event::{LabelId, ObjectId, TaskId};
use super::frame::{AliveTask, Definition, Frame, ObjectKind};

/// Most locks and channels that have names of their own: enough for the most shards a server may have, and some 10 MB. A
/// server makes some for every scenario that it is asked to run; those that come later are one [`OTHER`] of each kind.
const OBJECTS_MAX: usize = 1 << 17;

/// The name of locks and channels past the limit.
const OTHER: &str = "other";

/// Texts, objects and living tasks.
#[derive(Default)]
pub(super) struct Registry {
    labels: Vec<Definition>,
    // Keyed by address: label texts and places are statics, and comparing addresses spares reading them.
    label_ids: HashMap<(usize, usize), LabelId, RandomState>,
    objects: Vec<Definition>,
    // Ordered, so that a snapshot is the same bytes every time.
    client_names: LiteMap<u32, String>,
    alive: LiteMap<TaskId, Alive>,
    tasks_spawned: u32,
    /// Definitions made since they were last taken, kept only while somebody watches.
    fresh: Vec<Definition>,
    keep_fresh: bool,
    quiet: bool,
    /// Locks and channels that were given a number only.
    objects_unnamed: u32,
}

struct Alive {
    parent: Option<TaskId>,
    label: LabelId,
    number: u32,
    spawned_at_ns: u64,
}

impl Registry {
    /// One that gives numbers and keeps no names: nobody will ask for them.
    pub(super) fn quiet() -> Self {
        Self { quiet: true, ..Self::default() }
    }

    /// Whether anybody may ask for names.
    pub(super) fn keeps_names(&self) -> bool {
        !self.quiet
    }

    /// The label of `text` at `place`; the same pair gets the same number.
    pub(super) fn label(&mut self, text: &'static str, place: Option<&'static Location<'static>>) -> LabelId {
        if self.quiet {
            return LabelId(0);
        }
        let key = (text.as_ptr().addr(), place.map_or(0, |place| std::ptr::from_ref(place).addr()));
        if let Some(&id) = self.label_ids.get(&key) {
            return id;
        }
        let id = LabelId(self.labels.len() as u32);
        self.label_ids.insert(key, id);
        let (file, line) = place.map_or((String::new(), 0), |place| (place.file().to_owned(), place.line()));
        let definition = Definition::Label { id, text: text.to_owned(), file, line };
        self.note(|| definition.clone());
        self.labels.push(definition);
        id
    }

    /// A new lock or channel.
    pub(super) fn object(&mut self, kind: ObjectKind, name: &str, number: u32) -> ObjectId {
        if self.quiet {
            self.objects_unnamed += 1;
            return ObjectId(self.objects_unnamed);
        }
        let (mut name, mut number) = (name, number);
        if let Some(others) = self.objects.get(OBJECTS_MAX..) {
            let alike =
                |other: &&Definition| matches!(other, Definition::Object { kind: its, .. } if *its == kind);
            if let Some(Definition::Object { id, .. }) = others.iter().find(alike) {
                return *id;
            }
            (name, number) = (OTHER, 0);
        }
        let id = ObjectId(self.objects.len() as u32);
        let definition = Definition::Object { id, kind, name: name.to_owned(), number };
        self.note(|| definition.clone());
        self.objects.push(definition);
        id
    }

    /// What `object` is.
    pub(super) fn kind(&self, object: ObjectId) -> Option<ObjectKind> {
        match self.objects.get(object.0 as usize)? {
            Definition::Object { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// What `client` calls itself; empty when it no longer does, or has gone.
    pub(super) fn client_name(&mut self, client: u32, name: &str) {
        if name.is_empty() {
            if self.client_names.remove(&client).is_none() {
                return;
            }
        } else {
            self.client_names.insert(client, name.to_owned());
        }
        self.note(|| Definition::ClientName { client, name: name.to_owned() });
    }

    /// Numbers a new task and counts it as alive.
    pub(super) fn spawned(
        &mut self,
        parent: Option<TaskId>,
        text: &'static str,
        number: u32,
        place: &'static Location<'static>,
        spawned_at_ns: u64,
    ) -> (TaskId, LabelId) {
        let label = self.label(text, Some(place));
        self.tasks_spawned += 1;
        let task = TaskId(self.tasks_spawned);
        if self.quiet {
            return (task, label);
        }
        self.alive.insert(task, Alive { parent, label, number, spawned_at_ns });
        (task, label)
    }

    /// `task` is gone.
    pub(super) fn ended(&mut self, task: TaskId) {
        self.alive.remove(&task);
    }

    /// All that a watcher who comes now must be told; from here on, [`Self::take_fresh`] has what comes after.
    pub(super) fn snapshot(&mut self) -> [Frame; 2] {
        self.keep_fresh = true;
        let names = self
            .client_names
            .iter()
            .map(|(&client, name)| Definition::ClientName { client, name: name.clone() });
        let definitions = self.labels.iter().chain(&self.objects).cloned().chain(names).collect();
        let alive = self.alive.iter().map(|(&task, alive)| AliveTask {
            task,
            parent: alive.parent,
            label: alive.label,
            number: alive.number,
            spawned_at_ns: alive.spawned_at_ns,
        });
        [Frame::Define(definitions), Frame::Alive(alive.collect())]
    }

    /// Definitions made since the last call, or since watching began.
    pub(super) fn take_fresh(&mut self) -> Option<Frame> {
        (!self.fresh.is_empty()).then(|| Frame::Define(std::mem::take(&mut self.fresh)))
    }

    /// Nobody watches any more.
    #[cfg(feature = "native")]
    pub(super) fn forget_fresh(&mut self) {
        self.keep_fresh = false;
        self.fresh.clear();
    }

    fn note(&mut self, definition: impl FnOnce() -> Definition) {
        if self.keep_fresh {
            self.fresh.push(definition());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_objects_have_names() {
        let mut registry = Registry::default();
        let mut object = |kind| registry.object(kind, "till", 7);
        let last = (0..OBJECTS_MAX).map(|_| object(ObjectKind::Mutex)).last();
        let [lock, channel] = [ObjectKind::Mutex, ObjectKind::Mpsc].map(&mut object);
        assert!(last < Some(lock) && lock != channel);
        assert_eq!([ObjectKind::Mutex, ObjectKind::Mpsc].map(object), [lock, channel], "no more of a kind");
        assert_eq!(registry.kind(channel), Some(ObjectKind::Mpsc));
        assert_eq!(registry.objects.len(), OBJECTS_MAX + 2);
    }
}
