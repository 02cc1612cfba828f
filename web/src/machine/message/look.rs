//! All that is to be seen of a run while it stands still, as the worker tells it. Owns its form; knows no view.

use serde_json::Value;

use super::Read;

form! {
    /// All that is to be seen while the run stands still.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub(crate) struct Look {
        pub(crate) step: u64,
        pub(crate) now_ns: u64,
        pub(crate) flavor: String,
        pub(crate) sharing: String,
        /// How what tasks do is known: `observed` or `modelled`.
        pub(crate) origin: String,
        /// How what is in the queues is known: `inferred` or `modelled`.
        pub(crate) queues_origin: String,
        pub(crate) outcome: Option<Outcome>,
        pub(crate) options: Vec<Choice>,
        pub(crate) workers: Vec<Worker>,
        pub(crate) injection: Vec<u32>,
        /// Tasks that one worker took from another's local queue, in order: the last of them.
        pub(crate) steals: Vec<Steal>,
        pub(crate) locks: Vec<Lock>,
        pub(crate) channels: Vec<Channel>,
        pub(crate) timers: Vec<Timer>,
        pub(crate) keys: Vec<Key>,
        /// How many there are besides.
        pub(crate) keys_more: u64,
        pub(crate) tasks: Vec<Task>,
    }
}

impl Look {
    pub(crate) fn task(&self, id: u32) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// What a task is called.
    pub(crate) fn name(&self, id: u32) -> String {
        self.task(id).map_or_else(|| format!("task {id}"), |task| task.name.clone())
    }
}

form! {
    /// What came of a run.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Outcome {
        pub(crate) good: bool,
        pub(crate) deadlock: bool,
        pub(crate) headline: String,
        pub(crate) text: String,
    }
}

form! {
    /// What the person who schedules may let happen next.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Choice {
        pub(crate) option: u32,
        /// `poll` or `wait`.
        pub(crate) kind: String,
        pub(crate) task: Option<u32>,
        pub(crate) name: String,
        /// What the task does then.
        pub(crate) does: String,
        pub(crate) until_ns: Option<u64>,
    }
}

impl Choice {
    /// As its button has it: `buyer 2: GET stock`.
    pub(crate) fn label(&self) -> String {
        match (self.kind.as_str(), self.does.is_empty()) {
            ("wait", _) => match self.until_ns {
                Some(at_ns) => {
                    format!("let time pass until {}", crate::format::moment(at_ns as f64, 1_000.0))
                }
                None => "let time pass".to_owned(),
            },
            (_, true) => self.name.clone(),
            (_, false) => format!("{}: {}", self.name, self.does),
        }
    }
}

form! {
    /// A worker and what waits for it.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Worker {
        pub(crate) state: String,
        pub(crate) clock_ns: u64,
        pub(crate) running: Option<u32>,
        pub(crate) lifo_slot: Option<u32>,
        pub(crate) local: Vec<u32>,
        pub(crate) deferred: Vec<u32>,
    }
}

form! {
    /// A task that one worker took from another's local queue.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Steal {
        pub(crate) task: u32,
        pub(crate) name: String,
        pub(crate) from: usize,
        pub(crate) to: usize,
        pub(crate) at_ns: u64,
        /// Whether it still waits where it was taken to.
        pub(crate) waits: bool,
    }
}

form! {
    /// A lock that was ever touched.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Lock {
        pub(crate) name: String,
        /// `std` or `tokio`.
        pub(crate) kind: String,
        pub(crate) holder: Option<u32>,
        pub(crate) waiters: Vec<u32>,
    }
}

form! {
    /// A channel and what is in it.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Channel {
        pub(crate) name: String,
        /// `mpsc` or `oneshot`.
        pub(crate) kind: String,
        pub(crate) capacity: Option<u64>,
        pub(crate) messages: Vec<String>,
        /// Tasks that wait for a message.
        pub(crate) receivers: Vec<u32>,
        /// Tasks that wait for room.
        pub(crate) senders: Vec<u32>,
    }
}

form! {
    /// When a task's sleep ends.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Timer {
        pub(crate) at_ns: u64,
        pub(crate) task: Option<u32>,
    }
}

form! {
    /// A key of the store's.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Key {
        pub(crate) key: String,
        /// The number of the database it is in.
        pub(crate) database: u32,
        pub(crate) r#type: String,
        pub(crate) value: String,
        /// When it expires, by the run's clock.
        pub(crate) expires_ns: Option<u64>,
        /// Whose store it is in, where there are several.
        pub(crate) owner: Option<String>,
    }
}

form! {
    /// A task.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Task {
        pub(crate) id: u32,
        pub(crate) name: String,
        /// Whether it is one of the scenario's; else it is one of the server's.
        pub(crate) script: bool,
        /// `running`, `scheduled`, `idle` or `ended`.
        pub(crate) state: String,
        /// What it awaits, in words.
        pub(crate) waits: String,
        /// Where it stands in the scenario's text, in UTF-16 code units.
        pub(crate) start: Option<u32>,
        pub(crate) end: Option<u32>,
        pub(crate) line: Option<u32>,
        pub(crate) variables: Vec<(String, String)>,
        pub(crate) result: Option<String>,
    }
}
