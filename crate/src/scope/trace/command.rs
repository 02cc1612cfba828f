//! Commands as a recording knows them: whose, when, and in which polls.

use std::collections::{HashMap, VecDeque};

use super::poll::PollId;
use crate::scope::event::{LabelId, TaskId};

/// Commands held: 72 bytes each.
const COMMANDS_MAX: u64 = 500_000;

/// A command, by its place in the recording: later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(u64);

/// One command of one client.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Whose.
    pub client: u32,
    /// What was asked.
    pub name: LabelId,
    /// Who serves the client.
    pub task: Option<TaskId>,
    /// When it started, after parsing.
    pub start_ns: u64,
    /// When its reply was made.
    pub end_ns: Option<u64>,
    /// In which poll it started.
    pub start_poll: Option<PollId>,
    /// In which poll its reply was made.
    pub end_poll: Option<PollId>,
    /// Whether the reply is an error.
    pub failed: bool,
}

/// All commands held.
#[derive(Debug, Default)]
pub(super) struct Commands {
    evicted: u64,
    commands: VecDeque<Command>,
    // By client, in order.
    clients: HashMap<u32, VecDeque<CommandId>>,
    // Started and not ended, the oldest first.
    open: HashMap<u32, VecDeque<CommandId>>,
}

impl Commands {
    pub(super) fn get(&self, id: CommandId) -> Option<&Command> {
        self.commands.get(usize::try_from(id.0.checked_sub(self.evicted)?).ok()?)
    }

    pub(super) fn of_client(&self, client: u32, after: Option<CommandId>) -> impl Iterator<Item = CommandId> {
        self.clients.get(&client).into_iter().flat_map(move |commands| {
            let from = after.map_or(0, |after| commands.partition_point(|id| *id <= after));
            commands.range(from..).copied()
        })
    }

    pub(super) fn start(
        &mut self,
        client: u32,
        name: LabelId,
        task: Option<TaskId>,
        start_ns: u64,
        start_poll: Option<PollId>,
    ) {
        let id = CommandId(self.evicted + self.commands.len() as u64);
        let (end_ns, end_poll, failed) = (None, None, false);
        self.commands.push_back(Command {
            client,
            name,
            task,
            start_ns,
            end_ns,
            start_poll,
            end_poll,
            failed,
        });
        self.clients.entry(client).or_default().push_back(id);
        self.open.entry(client).or_default().push_back(id);
        if self.commands.len() as u64 > COMMANDS_MAX {
            self.evict();
        }
    }

    /// The oldest open command of `client` ends.
    pub(super) fn end(&mut self, client: u32, end_ns: u64, end_poll: Option<PollId>, failed: bool) {
        let Some(id) = self.open.get_mut(&client).and_then(VecDeque::pop_front) else { return };
        let place = id.0.checked_sub(self.evicted).and_then(|place| usize::try_from(place).ok());
        if let Some(command) = place.and_then(|place| self.commands.get_mut(place)) {
            (command.end_ns, command.end_poll, command.failed) = (Some(end_ns), end_poll, failed);
        }
    }

    pub(super) fn forget_before(&mut self, at_ns: u64) {
        while self.commands.front().is_some_and(|command| command.start_ns < at_ns) {
            self.evict();
        }
    }

    fn evict(&mut self) {
        let id = CommandId(self.evicted);
        let Some(command) = self.commands.pop_front() else { return };
        self.evicted += 1;
        for lists in [&mut self.clients, &mut self.open] {
            if let Some(list) = lists.get_mut(&command.client) {
                list.pop_front_if(|first| *first == id);
                if list.is_empty() {
                    lists.remove(&command.client);
                }
            }
        }
    }
}
