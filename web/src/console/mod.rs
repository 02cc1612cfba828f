//! Consoles: each a connection of its own, hence a task of its own on the server. Owns the tabs and what was typed in them;
//! knows replies, not how they travel, and finds its commands in the trace without knowing how that is drawn.

mod complete;
mod connection;
mod history;
mod listening;
mod view;

use std::fmt::Write as _;

use interleave::resp::{UnbalancedQuotes, Value, format_raw, format_value, prints_raw, split_line};
use interleave::scope::trace::{Command, CommandId, Path, Trace};
use leptos::prelude::*;

pub(crate) use self::complete::written;
use self::connection::Connection;
pub(crate) use self::view::Dock;
use crate::format::count;
use crate::page::Page;
use crate::saved::{self, LINES_MAX, SavedConsole, SavedLine};
use crate::source::News;

/// Entries a console keeps on screen; older ones are scrolled out for good.
const ENTRIES_MAX: usize = 500;

/// Consoles at a time: each is a connection, and a tab that must be reachable.
pub(crate) const CONSOLES_MAX: usize = 12;

/// Bytes of a reply that are shown; laying out the millions of a large value would stop the page. A script gets all.
const REPLY_SHOWN_BYTES_MAX: usize = 20_000;

/// A reply's text, cut where it is too long to be shown.
fn shortened(mut text: String) -> String {
    let all = text.len();
    if all > REPLY_SHOWN_BYTES_MAX {
        text.truncate(text.floor_char_boundary(REPLY_SHOWN_BYTES_MAX));
        let shown = count(text.len() as u64);
        let _ = write!(text, "\u{2026} ({shown} of {} bytes shown)", count(all as u64));
    }
    text
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) text: String,
    pub(crate) failed: bool,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A command that was typed.
    Command,
    /// The page's own words.
    Note,
    /// What the server sent by itself: a message of a channel, say.
    Message,
}

/// A command that was typed, or a line that came by itself.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) line: StoredValue<String>,
    pub(crate) kind: Kind,
    /// None until the reply is there.
    pub(crate) outcome: RwSignal<Option<Outcome>>,
    /// The command in the trace, once it is seen there.
    pub(crate) command: RwSignal<Option<CommandId>>,
    /// The way it took, once it is whole.
    pub(crate) way: StoredValue<Option<Way>>,
}

impl Entry {
    /// Gives back what an entry holds that is scrolled out for good. Messages come in any number; of a command's entry
    /// something may still want to know.
    fn forget(self) {
        if self.kind != Kind::Command {
            self.line.dispose();
            self.outcome.dispose();
            self.command.dispose();
            self.way.dispose();
        }
    }
}

/// A command and the way it took, kept beyond what the trace holds.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) command: Command,
    pub(crate) path: Path,
}

/// How a console stands with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Connecting,
    /// The server's number for it.
    Connected(Option<u32>),
    Closed,
}

/// One console. A handle: copies are the same console.
#[derive(Clone, Copy)]
pub(crate) struct Console {
    pub(crate) number: u32,
    pub(crate) entries: RwSignal<Vec<Entry>>,
    pub(crate) standing: RwSignal<Standing>,
    pub(crate) history: StoredValue<history::History>,
    connection: StoredValue<Connection, LocalStorage>,
}

/// All consoles.
#[derive(Clone, Copy)]
pub(crate) struct Consoles {
    pub(crate) list: RwSignal<Vec<Console>>,
    pub(crate) active: RwSignal<u32>,
    next_entry: StoredValue<u64>,
    // The page. What a click makes would else belong to the button, and an example's button is gone after its click.
    owner: StoredValue<Owner>,
    // What the server knows this window's consoles by.
    window: StoredValue<String>,
}

/// Told of a reply, for whoever asked by script.
pub(crate) type OnReply = Box<dyn FnOnce(Result<Value, String>)>;

impl Consoles {
    /// The consoles of the last visit, or a first one.
    pub(crate) fn new(saved: &[SavedConsole], active: usize) -> Self {
        let consoles = Self {
            list: RwSignal::new(Vec::new()),
            active: RwSignal::new(1),
            next_entry: StoredValue::new(0),
            owner: StoredValue::new(Owner::current().unwrap_or_default()),
            window: StoredValue::new(saved::window_word()),
        };
        let first = [SavedConsole { number: 1, ..SavedConsole::default() }];
        let saved = if saved.is_empty() { &first } else { saved };
        for saved in saved.iter().take(CONSOLES_MAX) {
            consoles.list.update(|list| list.push(consoles.restore(saved)));
        }
        let list = consoles.list.get_untracked();
        consoles.active.set(list.get(active).or(list.first()).map_or(1, |console| console.number));
        consoles
    }

    fn restore(&self, saved: &SavedConsole) -> Console {
        let entries = saved.lines.iter().map(|line| {
            let text = line.reply.clone().unwrap_or_default();
            self.entry(&line.command, Kind::Command, Some(Outcome { text, failed: line.failed }))
        });
        let entries = entries.collect();
        let make = || Console {
            number: saved.number,
            entries: RwSignal::new(entries),
            standing: RwSignal::new(Standing::Connecting),
            history: StoredValue::new(history::History::new(saved.history.clone())),
            connection: StoredValue::new_local(Connection::default()),
        };
        self.owner.with_value(|owner| owner.with(make))
    }

    fn entry(&self, line: &str, kind: Kind, outcome: Option<Outcome>) -> Entry {
        let id = self.next_entry.get_value();
        self.next_entry.set_value(id + 1);
        let make = || Entry {
            id,
            line: StoredValue::new(line.to_owned()),
            kind,
            outcome: RwSignal::new(outcome),
            command: RwSignal::new(None),
            way: StoredValue::new(None),
        };
        self.owner.with_value(|owner| owner.with(make))
    }

    /// Opens a console more, in front; none past [`CONSOLES_MAX`].
    pub(crate) fn add(&self, page: Page) {
        let numbers: Vec<u32> = self.list.with_untracked(|list| list.iter().map(|c| c.number).collect());
        if numbers.len() >= CONSOLES_MAX {
            return;
        }
        let number = (1..).find(|number| !numbers.contains(number)).unwrap_or(1);
        let console = self.restore(&SavedConsole { number, ..SavedConsole::default() });
        self.list.update(|list| list.push(console));
        self.active.set(number);
        page.open(number);
    }

    /// Closes a console and its connection; the last one stays.
    pub(crate) fn remove(&self, page: Page, number: u32) {
        if self.list.with_untracked(Vec::len) < 2 {
            return;
        }
        page.close(number);
        let place =
            self.list.with_untracked(|list| list.iter().position(|c| c.number == number)).unwrap_or(0);
        self.list.update(|list| list.retain(|console| console.number != number));
        if self.active.get_untracked() == number {
            let next = self.list.with_untracked(|list| list[place.min(list.len() - 1)].number);
            self.active.set(next);
        }
    }

    /// The console called `number`.
    pub(crate) fn get(&self, number: u32) -> Option<Console> {
        self.list.with_untracked(|list| list.iter().find(|console| console.number == number).copied())
    }

    /// The console in front.
    pub(crate) fn front(&self) -> Option<Console> {
        self.get(self.active.get_untracked())
    }

    /// What a console calls itself: another window's first console is not this one's.
    pub(crate) fn name_of(&self, number: u32) -> String {
        self.window.with_value(|window| format!("console-{number}-{window}"))
    }

    /// What a client's name is on this page: the window's own consoles go without its word.
    pub(crate) fn shown_name(&self, name: &mut String) {
        self.window.with_value(|window| {
            let shown = name.strip_suffix(&**window).and_then(|name| name.strip_suffix('-'));
            if let Some(shown) = shown.filter(|shown| shown.starts_with("console-")) {
                *name = shown.to_owned();
            }
        });
    }

    /// What a source says about a console.
    pub(crate) fn hear(&self, page: Page, news: News) {
        let (News::Opened(number) | News::Bytes(number, _) | News::Closed(number)) = &news else { return };
        let Some(console) = self.get(*number) else { return };
        match news {
            News::Bytes(_, bytes) => console.received(page, self, &bytes),
            News::Closed(_) => console.closed(self),
            _ => console.opened(page),
        }
    }

    /// Finds the typed commands among those of the trace.
    pub(crate) fn find_in(&self, trace: &Trace) {
        for console in self.list.get_untracked() {
            console.connection.update_value(|connection| connection.find_in(trace));
        }
    }

    /// The way of a command that was typed, if it is known whole.
    pub(crate) fn way(&self, command: CommandId) -> Option<Way> {
        let entries =
            self.list.get_untracked().into_iter().flat_map(|console| console.entries.get_untracked());
        let mut typed = entries.filter(|entry| entry.command.get_untracked() == Some(command));
        typed.next().and_then(|entry| entry.way.get_value())
    }

    /// Begins anew with another server.
    pub(crate) fn forget_trace(&self) {
        for console in self.list.get_untracked() {
            console.lose_pending();
            console.standing.set(Standing::Connecting);
        }
        self.forget_commands();
    }

    /// Forgets what was found in a trace that is gone.
    pub(crate) fn forget_commands(&self) {
        for entry in self.list.get_untracked().iter().flat_map(|console| console.entries.get_untracked()) {
            entry.command.set(None);
            entry.way.set_value(None);
        }
    }

    /// Tells something in every console in which anything was typed.
    pub(crate) fn note(&self, text: &str) {
        for console in self.list.get_untracked() {
            let typed = console
                .entries
                .with_untracked(|entries| entries.last().is_some_and(|last| last.kind != Kind::Note));
            if typed {
                console.push(self.entry(text, Kind::Note, None));
            }
        }
    }

    /// What is kept until the next visit.
    pub(crate) fn saved(&self) -> Vec<SavedConsole> {
        self.list.with(|list| list.iter().map(Console::saved).collect())
    }
}

impl Console {
    /// Sends a line to the server, connecting first if need be. `done` is told the reply, if a script wants it.
    pub(crate) fn run(&self, page: Page, line: &str, done: Option<OnReply>) {
        let consoles = page.consoles;
        self.history.update_value(|history| history.add(line));
        let arguments = match split_line(line) {
            Ok(arguments) if arguments.is_empty() => {
                if let Some(done) = done {
                    done(Err("expected a command, found an empty line".to_owned()));
                }
                return;
            }
            Ok(arguments) => arguments,
            Err(UnbalancedQuotes) => {
                // What redis-cli says, which does not send such a line either.
                let text =
                    "Invalid argument(s): a quote is not closed, or text follows a closing quote".to_owned();
                self.push(consoles.entry(
                    line,
                    Kind::Command,
                    Some(Outcome { text: text.clone(), failed: true }),
                ));
                if let Some(done) = done {
                    done(Err(text));
                }
                return;
            }
        };
        let entry = consoles.entry(line, Kind::Command, None);
        self.push(entry);
        let raw = prints_raw(&arguments);
        let bytes = self.connection.try_update_value(|connection| {
            connection.ask(connection::Pending { entry: Some(entry), raw, done }, &arguments)
        });
        match self.standing.get_untracked() {
            Standing::Connected(_) => {
                if let Some(bytes) = bytes.flatten() {
                    page.send(self.number, &bytes);
                }
            }
            Standing::Connecting => {}
            // As redis-cli does: the next command connects again.
            Standing::Closed => page.open(self.number),
        }
    }

    fn push(&self, entry: Entry) {
        self.push_all(vec![entry]);
    }

    /// Puts `new` behind the others, and has the page look once.
    fn push_all(&self, new: Vec<Entry>) {
        if new.is_empty() {
            return;
        }
        self.entries.update(|entries| {
            entries.extend(new);
            let gone = entries.len().saturating_sub(ENTRIES_MAX);
            entries.drain(..gone).for_each(Entry::forget);
        });
    }

    /// Empties the console's screen.
    pub(crate) fn clear(&self) {
        self.entries.set(Vec::new());
    }

    fn opened(&self, page: Page) {
        let name = page.consoles.name_of(self.number);
        let bytes = self.connection.try_update_value(|connection| connection.opened(&name));
        self.standing.set(Standing::Connected(None));
        if let Some(bytes) = bytes {
            page.send(self.number, &bytes);
        }
    }

    fn received(&self, page: Page, consoles: &Consoles, bytes: &[u8]) {
        let Some(news) = self.connection.try_update_value(|connection| connection.received(bytes)) else {
            return;
        };
        match news {
            Ok(news) => {
                let messages = news.into_iter().filter_map(|news| self.tell(consoles, news)).collect();
                self.push_all(messages);
            }
            Err(why) => {
                self.push(consoles.entry(&why, Kind::Note, None));
                page.close(self.number);
                self.closed(consoles);
            }
        }
        let client = self.connection.with_value(|connection| connection.client);
        if self.standing.get_untracked() != Standing::Connected(client) {
            self.standing.set(Standing::Connected(client));
        }
    }

    /// Tells a reply to whoever asked; a message is handed back, to be shown.
    fn tell(&self, consoles: &Consoles, news: connection::News) -> Option<Entry> {
        let (pending, mut values) = match news {
            connection::News::Reply(pending, values) => (pending, values),
            connection::News::Message(value) => {
                let text = shortened(format_value(&value));
                return Some(consoles.entry(&text, Kind::Message, None));
            }
        };
        if let Some(entry) = pending.entry {
            let print = if pending.raw { format_raw } else { format_value };
            let text = values.iter().map(print).collect::<Vec<_>>().join("\n");
            let failed = matches!(values[..], [Value::Error(_)]);
            entry.outcome.set(Some(Outcome { text: shortened(text), failed }));
        }
        if let Some(done) = pending.done {
            done(Ok(if values.len() == 1 { values.remove(0) } else { Value::Array(values) }));
        }
        None
    }

    fn closed(&self, consoles: &Consoles) {
        if self.standing.get_untracked() == Standing::Closed {
            return;
        }
        let was_open = matches!(self.standing.get_untracked(), Standing::Connected(_));
        self.standing.set(Standing::Closed);
        // What was never sent waits for the next connection.
        if self.connection.with_value(Connection::is_open) {
            self.lose_pending();
        }
        if was_open {
            self.push(consoles.entry(
                "Connection closed. The next command connects again; so does the page, once a lost server is back.",
                Kind::Note,
                None,
            ));
        }
    }

    /// Whoever waits for a reply of this connection is told that none will come.
    fn lose_pending(&self) {
        let text = if self.connection.with_value(Connection::is_open) {
            "the connection was lost before the reply came; the command may have run or not"
        } else {
            "not sent: there was no connection"
        };
        let lost = self.connection.try_update_value(Connection::closed).unwrap_or_default();
        for pending in lost {
            let text = text.to_owned();
            if let Some(entry) = pending.entry {
                entry.outcome.set(Some(Outcome { text: text.clone(), failed: true }));
            }
            if let Some(done) = pending.done {
                done(Err(text));
            }
        }
    }

    fn saved(&self) -> SavedConsole {
        let lines = self.entries.with(|entries| {
            let commands = entries.iter().filter(|entry| entry.kind == Kind::Command);
            let mut lines: Vec<SavedLine> = commands
                .rev()
                .take(LINES_MAX)
                .map(|entry| {
                    let outcome = entry.outcome.get();
                    SavedLine {
                        command: entry.line.get_value(),
                        failed: outcome.as_ref().is_some_and(|outcome| outcome.failed),
                        reply: outcome.map(|outcome| outcome.text),
                    }
                })
                .collect();
            lines.reverse();
            lines
        });
        SavedConsole {
            number: self.number,
            lines,
            history: self.history.with_value(|history| history.lines().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_replies_are_cut_between_characters() {
        assert_eq!(shortened("short".to_owned()), "short");
        let long = shortened("\u{3042}".repeat(REPLY_SHOWN_BYTES_MAX));
        assert!(
            long.ends_with("\u{2026} (19\u{202f}998 of 60\u{202f}000 bytes shown)"),
            "{}",
            &long[long.len() - 60..]
        );
    }
}
