//! The time machine: a scenario on a server of its own that can be stopped, stepped, taken back and forked. Owns what the
//! page knows of the run and every way to change it; its parts show it. The run itself is in a worker, behind messages.

mod bench;
mod beside;
mod breakpoints;
mod compare;
mod editor;
mod explore;
mod exploring;
mod hearing;
mod look;
mod message;
mod moves;
mod native;
mod opening;
mod options;
mod settings;
mod share;
mod text;
mod transport;
mod walking;
mod worker;

use std::sync::Arc;

use interleave::scenario::EXAMPLES;
use interleave::scope::event::TaskId;
use interleave::scope::trace::Concurrency;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use self::bench::Bench;
use self::beside::Gathered;
pub(crate) use self::beside::Playhead;
pub(crate) use self::editor::focus;
pub(crate) use self::look::LookView;
use self::message::{Ahead, At, Check, Compared, Explored, Recipe};
pub(crate) use self::message::{Look, Steal};
use self::moves::Change;
pub(crate) use self::settings::{FLAVORS, Settings, WORKERS_MAX};
pub(crate) use self::share::run_in_address;
pub(crate) use self::transport::key;
use self::worker::Worker;
use crate::page::{Link, Page, Selected};
use crate::saved::SavedMachine;
use crate::source::{About, Kind};

/// Breakpoints that are kept at once.
const BREAKPOINTS_MAX: usize = 32;

/// Where a run is to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Breakpoint {
    /// `task`, `command`, `key`, `lock` or `outcome`.
    pub(crate) kind: String,
    pub(crate) text: String,
}

/// What the page has to say about the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Notice {
    pub(crate) text: String,
    /// Whether something went wrong.
    pub(crate) is_error: bool,
}

/// Which part of the time machine is in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    Script,
    State,
    Explore,
    Branches,
    Breakpoints,
    Compare,
    Share,
    Native,
}

/// What the module has written last, as it has: for scripts, which read JSON anyway.
#[derive(Clone, Debug, Default)]
struct Raw {
    check: String,
    look: String,
    explored: String,
    compared: String,
    ahead: String,
}

/// What is waited for when a recipe was asked of the worker.
type OnRecipe = Box<dyn FnOnce(String, String)>;

/// The time machine. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Machine {
    worker: StoredValue<Option<Worker>, LocalStorage>,
    explorer: StoredValue<Option<Worker>, LocalStorage>,
    /// The text in the editor.
    pub(crate) text: RwSignal<String>,
    /// What was in the editor before a scenario that comes along was chosen.
    pub(crate) own: StoredValue<Option<String>>,
    pub(crate) settings: RwSignal<Settings>,
    /// What is wrong with the text, and more.
    pub(crate) check: RwSignal<Check>,
    /// The run that is open.
    pub(crate) opened: RwSignal<Option<Recipe>>,
    pub(crate) at: RwSignal<Option<At>>,
    pub(crate) look: RwSignal<Option<Arc<Look>>>,
    /// What the last choice changed.
    pub(crate) change: RwSignal<Option<Change>>,
    pub(crate) breakpoints: RwSignal<Vec<Breakpoint>>,
    /// Polls a second when it plays; 0 is as fast as it goes.
    pub(crate) per_second: RwSignal<u32>,
    pub(crate) explored: RwSignal<Option<Explored>>,
    /// What can come of each option, where that is known.
    pub(crate) ahead: RwSignal<Option<Vec<Ahead>>>,
    ahead_asked: StoredValue<u64>,
    /// The scenario that was explored.
    explored_text: StoredValue<String>,
    pub(crate) compared: RwSignal<Option<Compared>>,
    /// Whether the server's run is on the timeline, too.
    pub(crate) is_beside: RwSignal<bool>,
    gathers: StoredValue<Option<Gathered>, LocalStorage>,
    pub(crate) native: native::Native,
    pub(crate) notice: RwSignal<Option<Notice>>,
    pub(crate) refused: RwSignal<Option<String>>,
    pub(crate) pane: RwSignal<Pane>,
    /// Whether there is room for one part at a time only.
    pub(crate) narrow: RwSignal<bool>,
    /// The link to where the run stands, once it was asked for.
    pub(crate) link: RwSignal<Option<String>>,
    /// What a reload is to find: the run with its branches and where each stands.
    kept: RwSignal<Option<String>>,
    // The run to be opened comes from elsewhere than the editor, which is to show it then.
    shows_opened: StoredValue<bool>,
    // It is one that exploring found.
    of_exploring: StoredValue<bool>,
    // It comes from the page's address, which names it as long as no other is opened.
    of_link: StoredValue<bool>,
    next_id: StoredValue<u64>,
    check_asked: StoredValue<u64>,
    raw: StoredValue<Raw>,
    asked: StoredValue<Vec<(u64, OnRecipe)>, LocalStorage>,
    // A seek is on its way; and where to go when it has arrived.
    seeking: StoredValue<bool>,
    seek_next: StoredValue<Option<Value>>,
    chosen: StoredValue<Option<message::Choice>>,
}

/// What the header says of a run.
fn about(recipe: &Recipe) -> About {
    About {
        resp: String::new(),
        flavor: recipe.flavor.clone(),
        sharing: recipe.sharing.clone(),
        workers: recipe.workers.unwrap_or(1),
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now_ns: u64,
    pub(crate) concurrency: Concurrency,
    /// Tasks being polled now, if the run stands still.
    pub(crate) polled: Option<usize>,
}

impl Machine {
    /// As it was left at the last visit, without a worker yet.
    pub(crate) fn new(saved: Option<&SavedMachine>) -> Self {
        let saved = saved.cloned().unwrap_or_default();
        let text = saved.text.unwrap_or_else(|| EXAMPLES[0].broken.to_owned());
        Self {
            worker: StoredValue::new_local(None),
            explorer: StoredValue::new_local(None),
            text: RwSignal::new(text),
            own: StoredValue::new(None),
            settings: RwSignal::new(saved.settings),
            check: RwSignal::new(Check::default()),
            opened: RwSignal::new(None),
            at: RwSignal::new(None),
            look: RwSignal::new(None),
            change: RwSignal::new(None),
            breakpoints: RwSignal::new(saved.breakpoints),
            per_second: RwSignal::new(saved.per_second.unwrap_or(transport::PER_SECOND_FIRST)),
            explored: RwSignal::new(None),
            ahead: RwSignal::new(None),
            ahead_asked: StoredValue::new(0),
            explored_text: StoredValue::new(String::new()),
            compared: RwSignal::new(None),
            is_beside: RwSignal::new(false),
            gathers: StoredValue::new_local(None),
            native: native::Native::new(),
            notice: RwSignal::new(None),
            refused: RwSignal::new(None),
            pane: RwSignal::new(Pane::Script),
            narrow: RwSignal::new(false),
            link: RwSignal::new(None),
            kept: RwSignal::new(saved.run),
            shows_opened: StoredValue::new(false),
            of_exploring: StoredValue::new(false),
            of_link: StoredValue::new(false),
            next_id: StoredValue::new(0),
            check_asked: StoredValue::new(0),
            raw: StoredValue::new(Raw::default()),
            asked: StoredValue::new_local(Vec::new()),
            seeking: StoredValue::new(false),
            seek_next: StoredValue::new(None),
            chosen: StoredValue::new(None),
        }
    }

    /// What is kept until the next visit.
    pub(crate) fn saved(self) -> SavedMachine {
        SavedMachine {
            text: Some(self.text.get()),
            settings: self.settings.get(),
            breakpoints: self.breakpoints.get(),
            per_second: Some(self.per_second.get()),
            run: self.kept.get(),
        }
    }

    /// Starts its worker and opens a run: of `link`, if the page was opened with one, else the one that was kept, else of what is
    /// in the editor.
    ///
    /// Whoever comes back finds the run as it was left.
    pub(crate) fn start(self, page: Page, link: Option<String>) {
        let left = self.opened.get_untracked().filter(|_| self.worker.with_value(Option::is_some));
        if let (None, Some(recipe)) = (&link, left) {
            page.link.set(Link::Up(about(&recipe)));
            self.post(&json!({ "do": "trace" }));
            page.timeline.fit_soon();
            return;
        }
        self.leave();
        let Some(worker) = Worker::start(move |news| self.hear(page, news)) else {
            self.down(page, "this browser does not let the page start a worker");
            return;
        };
        self.worker.set_value(Some(worker));
        self.check_text();
        self.set_breakpoints(self.breakpoints.get_untracked());
        match link {
            Some(link) => self.open(&json!({ "do": "open", "link": link }), true),
            None => match self.kept.get_untracked() {
                Some(kept) => self.restore(&kept),
                None => self.open_text(),
            },
        }
    }

    /// Stands still while the page shows another place.
    pub(crate) fn rest(self) {
        self.post(&json!({ "do": "pause" }));
        self.compared.set(None);
        self.is_beside.set(false);
        self.gathers.set_value(None);
        self.native.leave();
    }

    /// Ends its workers.
    fn leave(self) {
        self.worker.set_value(None);
        self.explorer.set_value(None);
        self.opened.set(None);
        self.at.set(None);
        self.look.set(None);
        self.compared.set(None);
        self.is_beside.set(false);
        self.gathers.set_value(None);
        self.seeking.set_value(false);
        self.seek_next.set_value(None);
        // Whoever asked them hears no more.
        self.asked.set_value(Vec::new());
        self.native.leave();
        self.explored.update(|explored| {
            if let Some(explored) = explored.as_mut().filter(|explored| !explored.done) {
                (explored.done, explored.stopped) = (true, true);
            }
        });
    }

    fn post(self, message: &Value) {
        self.worker.with_value(|worker| worker.as_ref().map(|worker| worker.post(message)));
    }

    fn down(self, page: Page, why: &str) {
        page.link.set(Link::Down { why: why.to_owned(), retry_ms: None });
    }

    /// Says something; `None` says nothing any more.
    pub(crate) fn say(self, text: impl Into<String>) {
        self.notice.set(Some(Notice { text: text.into(), is_error: false }));
    }

    /// Says that something went wrong.
    pub(crate) fn complain(self, text: impl Into<String>) {
        self.notice.set(Some(Notice { text: text.into(), is_error: true }));
    }

    /// Asks what is wrong with the text.
    pub(crate) fn check_text(self) {
        let id = self.new_id();
        self.check_asked.set_value(id);
        let source = self.text.get_untracked();
        self.post(&json!({ "do": "check", "id": id, "source": source }));
    }

    fn new_id(self) -> u64 {
        self.next_id.update_value(|id| *id += 1);
        self.next_id.get_value()
    }

    /// Tells the worker what a script has to say to it.
    pub(crate) fn send(self, message: &Value) {
        self.post(message);
    }

    /// Where the run stands, for numbers that are of this moment.
    pub(crate) fn moment(self) -> Option<Moment> {
        self.look.with_untracked(|look| {
            let look = look.as_ref().filter(|_| !self.shows_two())?;
            let count =
                |states: &[&str]| look.tasks.iter().filter(|task| states.contains(&&*task.state)).count();
            let (alive, busy) = (count(&["running", "scheduled", "idle"]), count(&["running", "scheduled"]));
            let plays = self.at.with_untracked(|at| at.as_ref().is_some_and(|at| at.playing));
            Some(Moment {
                now_ns: look.now_ns,
                concurrency: Concurrency { alive, busy },
                polled: (!plays).then(|| count(&["running"])),
            })
        })
    }

    /// Whether the run stands at its end, which is not good.
    pub(crate) fn is_ended_badly(self) -> bool {
        self.at.with(|at| at.as_ref().is_some_and(|at| !at.playing && at.ended && at.step == at.head))
            && self.look.with(|look| {
                look.as_ref().and_then(|look| look.outcome.as_ref()).is_some_and(|outcome| !outcome.good)
            })
    }

    /// What is told in the header.
    pub(crate) fn status(self) -> String {
        self.at.with(|at| match at {
            None if self.refused.with(Option::is_some) => "nothing is open".to_owned(),
            None => "opening\u{2026}".to_owned(),
            Some(at) if at.playing => format!("playing, step {}", at.step),
            Some(at) if at.step < at.head => format!("stopped at step {} of {}", at.step, at.head),
            Some(at) if at.ended => {
                let outcome = self.look.with(|look| look.as_ref().and_then(|look| look.outcome.clone()));
                let verdict = match outcome {
                    Some(outcome) if outcome.good => ": good",
                    Some(outcome) if outcome.deadlock => ": deadlock",
                    Some(_) => ": something is wrong",
                    None => "",
                };
                format!("ended after {} steps{verdict}", at.step)
            }
            Some(at) => format!("stopped at step {}", at.step),
        })
    }

    /// What is known of it, for `interleave.state()`.
    pub(crate) fn describe(self) -> Value {
        let raw = self.raw.get_value();
        let shown = |is_there: bool, text: &str| {
            let value = is_there.then(|| serde_json::from_str(text).ok()).flatten();
            value.unwrap_or(Value::Null)
        };
        json!({
            "at": self.at.get_untracked(),
            "look": shown(self.look.with_untracked(Option::is_some), &raw.look),
            "opened": self.opened.get_untracked(),
            "settings": self.settings.get_untracked(),
            "text": self.text.get_untracked(),
            "check": shown(true, &raw.check),
            "explored": shown(self.explored.with_untracked(Option::is_some), &raw.explored),
            "compared": shown(self.compared.with_untracked(Option::is_some), &raw.compared),
            "refused": self.refused.get_untracked(),
            "notice": self.notice.get_untracked(),
            "breakpoints": self.breakpoints.get_untracked(),
            "ahead": shown(self.ahead.with_untracked(Option::is_some), &raw.ahead),
            "link": self.link.get_untracked(),
            "native": self.native.describe(),
            "beside": self.is_beside.get_untracked(),
        })
    }
}

/// The task that is selected, or whose poll or command is.
pub(crate) fn selected_task(page: Page) -> Option<TaskId> {
    page.trace.with_value(|trace| match page.selected.get_untracked()? {
        Selected::Task(task) => Some(task),
        Selected::Poll(poll) | Selected::Wake(poll) => trace.poll(poll).map(|poll| poll.task),
        Selected::Command(command) => trace.command(command).and_then(|command| command.task),
    })
}

/// Whether the page is a time machine now.
pub(crate) fn is_on(page: Page) -> bool {
    page.kind.get() == Kind::Machine
}

/// A recipe as the worker takes it.
fn written(recipe: &Recipe) -> String {
    // Strings and numbers: it cannot fail.
    serde_json::to_string(recipe).unwrap_or_default()
}
