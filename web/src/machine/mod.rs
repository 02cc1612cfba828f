//! The time machine: a scenario on a server of its own that can be stopped, stepped, taken back and forked. Owns what the
//! page knows of the run and every way to change it; its parts show it. The run itself is in a worker, behind messages.

mod bench;
mod breakpoints;
mod compare;
mod editor;
mod explore;
mod look;
mod message;
mod moves;
mod native;
mod options;
mod share;
mod text;
mod transport;
mod worker;

use std::sync::Arc;

use interleave::scenario::EXAMPLES;
use interleave::scope::event::TaskId;
use interleave::scope::frame::Frame;
use interleave::scope::trace::Concurrency;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use self::bench::Bench;
pub(crate) use self::editor::focus;
pub(crate) use self::look::LookView;
use self::message::{Ahead, At, Check, Compared, Explored, Look, Message, Read, Recipe};
use self::moves::{Change, Steal};
pub(crate) use self::share::run_in_address;
pub(crate) use self::transport::key;
use self::worker::{News, Worker};
use crate::page::{Link, Page, Selected};
use crate::saved::SavedMachine;
use crate::source::{About, Kind};

/// The flavours of the engine, and what the page calls them.
pub(crate) const FLAVORS: [&str; 3] = ["current-thread", "multi-thread", "manual"];

/// The most workers of the multi-thread model.
pub(crate) const WORKERS_MAX: u16 = 8;

/// Breakpoints that are kept at once.
const BREAKPOINTS_MAX: usize = 32;

/// How a run is set up, besides its scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) sharing: String,
    pub(crate) flavor: String,
    pub(crate) workers: u16,
    pub(crate) seed: u64,
    pub(crate) direct: bool,
    pub(crate) hold_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let sharing = interleave::sharing::Kind::Mutex.name().to_owned();
        Self { sharing, flavor: FLAVORS[0].to_owned(), workers: 2, seed: 0, direct: false, hold_ms: 0 }
    }
}

impl Settings {
    /// Those of a recipe; what it does not say is as it was `before`.
    fn of(recipe: &Recipe, before: &Self) -> Self {
        Self {
            sharing: recipe.sharing.clone(),
            flavor: recipe.flavor.clone(),
            workers: recipe.workers.unwrap_or(before.workers).clamp(1, WORKERS_MAX),
            seed: recipe.seed,
            direct: recipe.direct,
            hold_ms: recipe.hold_ms,
        }
    }

    /// A run of `scenario` set up like this, at its start.
    pub(crate) fn recipe(&self, scenario: &str) -> Recipe {
        Recipe {
            scenario: scenario.to_owned(),
            sharing: self.sharing.clone(),
            flavor: self.flavor.clone(),
            workers: (self.flavor == "multi-thread").then_some(self.workers),
            seed: self.seed,
            direct: self.direct,
            hold_ms: self.hold_ms,
            ..Recipe::default()
        }
    }
}

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

/// Two recordings that are to be shown beside each other.
struct Gathered {
    /// The server's, and when it began.
    observed: Vec<Frame>,
    from_ns: u64,
    /// This run's, once it comes.
    modelled: Option<Vec<Vec<u8>>>,
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
    /// Tasks that were stolen in the last step.
    pub(crate) steals: RwSignal<Vec<Steal>>,
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
    // The run to be opened comes from elsewhere than the editor, which is to show it then.
    shows_opened: StoredValue<bool>,
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
            steals: RwSignal::new(Vec::new()),
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
            shows_opened: StoredValue::new(false),
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
        }
    }

    /// Starts its worker and opens a run: of `link`, if the page was opened with one, else of what is in the editor.
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
            None => self.open_text(),
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

    /// Opens a run of the text in the editor.
    pub(crate) fn open_text(self) {
        let recipe = self.text.with_untracked(|text| self.settings.with_untracked(|s| s.recipe(text)));
        self.open_recipe(&written(&recipe), false);
    }

    /// Opens a run; `shows` it in the editor, too.
    pub(crate) fn open_recipe(self, recipe: &str, shows: bool) {
        self.open(&json!({ "do": "open", "recipe": recipe }), shows);
    }

    /// Opens what is in a link or a file.
    pub(crate) fn open_from(self, what: &'static str, text: &str) {
        self.open(&json!({ "do": "open", what: text }), true);
    }

    fn open(self, message: &Value, shows: bool) {
        self.shows_opened.set_value(shows);
        self.of_link.set_value(message["link"].is_string());
        self.notice.set(None);
        self.refused.set(None);
        self.post(message);
    }

    /// Changes how runs are set up, and opens one.
    pub(crate) fn set_up(self, change: impl FnOnce(&mut Settings)) {
        self.settings.update(change);
        self.open_text();
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

    /// Steps on.
    pub(crate) fn step(self, count: u64) {
        self.act(&json!({ "do": "step", "count": count }));
    }

    /// Steps back.
    pub(crate) fn back(self) {
        // From where the worker stands by then: keys may come faster than its answers.
        self.post(&json!({ "do": "step", "count": -1 }));
    }

    /// Goes on to the end of the next poll of the selected task.
    pub(crate) fn step_task(self, page: Page) {
        match selected_task(page) {
            Some(task) => self.act(&json!({ "do": "stepTask", "task": task.0 })),
            None => self.say("Select a task first: click its name on the timeline or in the state."),
        }
    }

    /// Plays, or pauses.
    pub(crate) fn play(self, plays: bool) {
        if plays {
            self.notice.set(None);
            self.act(&json!({ "do": "play", "perSecond": self.per_second.get_untracked() }));
        } else {
            self.post(&json!({ "do": "pause" }));
        }
    }

    /// Whether it plays.
    pub(crate) fn is_playing(self) -> bool {
        self.at.with(|at| at.as_ref().is_some_and(|at| at.playing))
    }

    /// Plays faster or slower.
    pub(crate) fn set_speed(self, per_second: u32) {
        self.per_second.set(per_second);
        if self.at.with_untracked(|at| at.as_ref().is_some_and(|at| at.playing)) {
            self.play(true);
        }
    }

    /// To where the branch ends; at its head, on to where the run ends.
    pub(crate) fn to_end(self) {
        let Some(at) = self.at.get_untracked() else { return };
        if at.step < at.head {
            self.seek(at.head);
        } else {
            self.notice.set(None);
            self.run_to_end();
        }
    }

    /// Goes to a step. While a slider is dragged only the latest place counts.
    pub(crate) fn seek(self, step: u64) {
        self.seek_to(json!({ "do": "seek", "step": step }));
    }

    /// Goes to a moment of the recording.
    pub(crate) fn seek_time(self, at_ns: f64) {
        self.seek_to(json!({ "do": "seekTime", "ns": at_ns.max(0.0).round() }));
    }

    fn seek_to(self, message: Value) {
        if self.seeking.get_value() {
            self.seek_next.set_value(Some(message));
        } else {
            self.seeking.set_value(true);
            self.act(&message);
        }
    }

    /// Chooses what happens next.
    pub(crate) fn choose(self, option: u32) {
        let chosen = self.look.with_untracked(|look| {
            let options = &look.as_ref()?.options;
            options.iter().find(|choice| choice.option == option).cloned()
        });
        if chosen.is_some() {
            self.chosen.set_value(chosen);
            self.act(&json!({ "do": "choose", "option": option }));
        }
    }

    /// From here on the person is the scheduler.
    pub(crate) fn take_over(self) {
        self.act(&json!({ "do": "takeOver" }));
    }

    /// Goes back to a branch, to where it was left.
    pub(crate) fn go_to_branch(self, index: usize) {
        self.act(&json!({ "do": "branch", "index": index }));
    }

    /// Stops at these from now on.
    pub(crate) fn set_breakpoints(self, mut list: Vec<Breakpoint>) {
        list.truncate(BREAKPOINTS_MAX);
        self.post(&json!({ "do": "breakpoints", "list": list }));
        self.breakpoints.set(list);
    }

    /// Plays as fast as it goes, to the end.
    pub(crate) fn run_to_end(self) {
        self.act(&json!({ "do": "play", "perSecond": 0 }));
    }

    /// Tells the worker to go somewhere. Where two runs are shown, only one is from then on.
    fn act(self, message: &Value) {
        if self.shows_two() {
            self.back_to_run();
        }
        self.post(message);
    }

    /// Whether the timeline shows two runs side by side.
    fn shows_two(self) -> bool {
        self.compared.with_untracked(Option::is_some) || self.is_beside.get_untracked()
    }

    /// Shows what was `observed` on the server from `from_ns` on beside this run.
    fn beside(self, observed: Vec<Frame>, from_ns: u64) {
        self.gathers.set_value(Some(Gathered { observed, from_ns, modelled: None }));
        self.post(&json!({ "do": "pause" }));
        self.post(&json!({ "do": "trace" }));
    }

    /// A part of the run's own trace that is gathered to be shown beside another. Whether it was.
    fn gather(self, bytes: &[u8], reset: bool) -> bool {
        let gather = |gathers: &mut Option<Gathered>| {
            let Some(gathered) = gathers else { return false };
            // What comes before a reset is on its way from before.
            if reset {
                gathered.modelled = Some(Vec::new());
            }
            if let Some(modelled) = &mut gathered.modelled {
                modelled.push(bytes.to_vec());
            }
            true
        };
        self.gathers.try_update_value(gather).unwrap_or(false)
    }

    /// All of the run's trace has come: shows both.
    fn show_gathered(self, page: Page) {
        let whole = self
            .gathers
            .with_value(|gathers| gathers.as_ref().is_some_and(|gathered| gathered.modelled.is_some()));
        let gathered = if whole { self.gathers.try_update_value(Option::take).flatten() } else { None };
        if let Some(Gathered { observed, from_ns, modelled: Some(modelled) }) = gathered {
            self.compared.set(None);
            self.is_beside.set(true);
            page.renew_trace();
            page.push_trace(native::side_by_side(&observed, from_ns, &modelled));
            page.timeline.fit_soon();
        }
    }

    /// From two runs side by side back to the one.
    pub(crate) fn back_to_run(self) {
        self.compared.set(None);
        self.is_beside.set(false);
        self.post(&json!({ "do": "trace" }));
    }

    /// Says that something is not opened, and why.
    pub(crate) fn refuse(self, why: String) {
        self.refused.set(Some(why.clone()));
        self.complain(why);
    }

    /// Asks for the run as it stands: its recipe and its link.
    pub(crate) fn ask_recipe(self, done: impl FnOnce(String, String) + 'static) {
        let id = self.new_id();
        self.asked.update_value(|asked| asked.push((id, Box::new(done))));
        self.post(&json!({ "do": "recipe", "id": id }));
    }

    /// Runs two recipes beside each other.
    pub(crate) fn compare(self, a: &str, b: &str) {
        self.post(&json!({ "do": "compare", "recipes": [a, b] }));
    }

    /// Explores every interleaving of the text in the editor.
    pub(crate) fn explore(self) {
        // A worker of its own, and a new one: what another scenario left behind is gone with the old.
        let Some(worker) = Worker::start(move |news| self.hear_explorer(news)) else {
            self.complain("This browser does not let the page start a worker.");
            return;
        };
        let text = self.text.get_untracked();
        let recipe = self.settings.with_untracked(|settings| settings.recipe(&text));
        worker.post(&json!({ "do": "explore", "recipe": written(&recipe) }));
        self.explorer.set_value(Some(worker));
        self.raw.update_value(|raw| raw.explored = "{}".to_owned());
        self.explored_text.set_value(text);
        self.explored.set(Some(Explored::default()));
    }

    /// Ends exploring; what was found so far stays.
    pub(crate) fn stop_exploring(self) {
        self.explorer
            .with_value(|worker| worker.as_ref().map(|worker| worker.post(&json!({ "do": "stop" }))));
    }

    fn hear_explorer(self, news: News) {
        match news {
            News::Told(message) => {
                if let Some(report) = message.explored {
                    self.explored.set(self.read(report, |raw| &mut raw.explored));
                    self.look_ahead();
                }
                if message.id.is_some_and(|id| id == self.ahead_asked.get_value()) {
                    self.ahead.set(message.ahead.and_then(|ahead| self.read(ahead, |raw| &mut raw.ahead)));
                }
                if let Some(why) = message.refused.or(message.failed) {
                    self.complain(format!("Exploring ended: {why}"));
                    self.end_exploring();
                }
            }
            News::Broken(why) => {
                self.complain(why);
                self.end_exploring();
            }
            News::Trace { .. } => {}
        }
    }

    /// Asks what can come of each option, if all interleavings were run. Only then is it known, and only of a run that is
    /// direct, as those are that are explored.
    fn look_ahead(self) {
        let explored =
            self.explored.with_untracked(|it| it.as_ref().is_some_and(|it| it.complete && it.done));
        let chooses = self.look.with_untracked(|look| look.as_ref().is_some_and(|it| !it.options.is_empty()));
        if !explored || !chooses || !self.opened.with_untracked(|it| it.as_ref().is_some_and(|it| it.direct))
        {
            return;
        }
        self.ask_recipe(move |recipe, _| {
            let id = self.new_id();
            self.ahead_asked.set_value(id);
            let message = json!({ "do": "ahead", "id": id, "recipe": recipe });
            self.explorer.with_value(|explorer| explorer.as_ref().map(|explorer| explorer.post(&message)));
        });
    }

    fn end_exploring(self) {
        self.explorer.set_value(None);
        self.explored.set(None);
    }

    fn hear(self, page: Page, news: News) {
        match news {
            // The page shows another place; what it missed is sent again when it comes back.
            News::Trace { .. } if page.kind.get_untracked() != Kind::Machine => {}
            News::Trace { bytes, reset } => {
                if self.gather(&bytes, reset) || !reset && self.shows_two() {
                    return;
                }
                if reset {
                    page.renew_trace();
                }
                page.push_trace(bytes);
            }
            News::Told(message) => self.told(page, *message),
            News::Broken(why) => self.down(page, &why),
        }
    }

    fn told(self, page: Page, message: Message) {
        if let Some(recipe) = message.opened.as_deref() {
            self.has_opened(page, recipe);
        }
        if let Some(why) = message.refused {
            self.refuse(why);
            if self.opened.with_untracked(Option::is_none) {
                // It waits for nothing any more.
                self.down(page, "nothing is open");
            }
        }
        // An answer about a text that has changed since is out of date.
        if let Some(report) = message.report.filter(|_| message.checked == Some(self.check_asked.get_value()))
        {
            self.check.set(self.read(report, |raw| &mut raw.check).unwrap_or_default());
        }
        if let Some(at) = message.at {
            self.stands(page, at);
            self.show_gathered(page);
        }
        if let Some(look) = message.look.and_then(|look| self.read(look, |raw| &mut raw.look)) {
            self.looks(look);
        }
        if let Some(hit) = message.hit {
            self.say(format!("Stopped at step {}: {} `{}`.", hit.step, hit.kind, hit.text));
        }
        if let Some(why) = message.failed {
            let step = message.step.unwrap_or_default();
            self.complain(format!(
                "The run broke down and was thrown away: {why}. It was made again, and stands at step {step}."
            ));
        }
        if let (Some(recipe), Some(id)) = (message.recipe, message.id) {
            let asked = self.asked.try_update_value(|asked| {
                let place = asked.iter().position(|(asked, _)| *asked == id)?;
                Some(asked.swap_remove(place).1)
            });
            if let Some(done) = asked.flatten() {
                done(recipe, message.link.unwrap_or_default());
            }
        }
        if let Some(compared) = message.compared {
            self.compared.set(self.read(compared, |raw| &mut raw.compared));
            page.timeline.fit_soon();
        }
    }

    fn has_opened(self, page: Page, recipe: &str) {
        let Ok(recipe) = serde_json::from_str::<Recipe>(recipe) else { return };
        if self.shows_opened.get_value() && self.text.with_untracked(|text| *text != recipe.scenario) {
            self.text.set(recipe.scenario.clone());
            self.check_text();
        }
        let settings = self.settings.with_untracked(|before| Settings::of(&recipe, before));
        self.settings.set(settings);
        if !self.of_link.get_value() && share::forget_address() {
            page.chosen.set(Some(Kind::Machine));
        }
        if self.explored_text.with_value(|text| *text != recipe.scenario) {
            self.explored.set(None);
            self.explorer.set_value(None);
        }
        page.link.set(Link::Up(about(&recipe)));
        self.native.forget_others(&recipe.scenario);
        self.opened.set(Some(recipe));
        self.compared.set(None);
        self.is_beside.set(false);
        self.look.set(None);
        self.steals.set(Vec::new());
        self.change.set(None);
        self.link.set(None);
        // A run that stands in its midst is looked at as a whole; a new one goes on at the scale there is.
        if self.opened.with_untracked(|opened| opened.as_ref().is_some_and(|opened| opened.step > 0)) {
            page.timeline.fit_soon();
        }
    }

    fn stands(self, page: Page, at: At) {
        self.seeking.set_value(false);
        if let Some(next) = self.seek_next.try_update_value(Option::take).flatten() {
            self.seek_to(next);
        }
        let forked = self.at.with_untracked(|before| {
            let before = before.as_ref()?;
            (at.branches.len() > before.branches.len() && !before.branches.is_empty())
                .then_some(before.branch)
        });
        if let Some(label) = forked.and_then(|left| at.branches.get(left)).map(|branch| &branch.label) {
            self.say(format!("Forked here: the other future stays under branches, as “{label}”."));
        }
        if self.at.with_untracked(|before| before.as_ref() != Some(&at)) {
            let now_ns = at.now_ns;
            self.at.set(Some(at));
            // A link to another step is of no use.
            self.link.set(None);
            page.timeline.keep_in_sight(now_ns as f64);
        }
    }

    fn looks(self, look: Look) {
        let (steals, options) = self.look.with_untracked(|before| {
            let before = before.as_deref();
            let steals = before.map(|before| moves::steals(before, &look)).unwrap_or_default();
            (steals, before.map(|before| before.options.clone()).unwrap_or_default())
        });
        if let Some(chosen) = self.chosen.try_update_value(Option::take).flatten() {
            self.change.set(Some(moves::change(&options, &look.options, Some(&chosen))));
        } else if options != look.options {
            self.change.set(None);
        }
        self.steals.set(steals);
        self.look.set(Some(Arc::new(look)));
        self.ahead.set(None);
        self.ahead_asked.set_value(0);
        if !self.at.with_untracked(|at| at.as_ref().is_some_and(|at| at.playing)) {
            self.look_ahead();
        }
    }

    /// Tells the worker what a script has to say to it.
    pub(crate) fn send(self, message: &Value) {
        self.post(message);
    }

    /// Where the playhead stands on the timeline: at the step, or where two runs part.
    pub(crate) fn playhead(self) -> Option<Playhead> {
        let parted = self.compared.with_untracked(|compared| {
            let parted = compared.as_ref()?.parted.as_ref();
            Some(parted.map(|parted| Playhead { at_ns: parted.at_ns, dims: false }))
        });
        match parted {
            _ if self.is_beside.get_untracked() => None,
            Some(parted) => parted,
            None => {
                self.at.with_untracked(|at| at.as_ref().map(|at| Playhead { at_ns: at.now_ns, dims: true }))
            }
        }
    }

    /// Where the run stands, for numbers that are of this moment: its time, and the tasks in flight.
    pub(crate) fn moment(self) -> Option<(u64, Concurrency)> {
        self.look.with_untracked(|look| {
            let look = look.as_ref().filter(|_| !self.shows_two())?;
            let count =
                |states: &[&str]| look.tasks.iter().filter(|task| states.contains(&&*task.state)).count();
            let (alive, busy) = (count(&["running", "scheduled", "idle"]), count(&["running", "scheduled"]));
            Some((look.now_ns, Concurrency { alive, busy }))
        })
    }

    /// Whether the run stands before the end of its branch.
    pub(crate) fn is_in_the_past(self) -> bool {
        self.at.with(|at| at.as_ref().is_some_and(|at| at.step < at.head))
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

    /// Reads what the module has written, and keeps it as it is for [`Self::describe`].
    fn read<T: Read>(self, text: String, place: fn(&mut Raw) -> &mut String) -> Option<T> {
        let value = serde_json::from_str(&text).ok().filter(|value: &Value| !value.is_null());
        let value = value.map(|value| T::read(&value));
        self.raw.update_value(|raw| *place(raw) = text);
        value
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
            "stolen": self.steals.with_untracked(|steals| steals.iter().map(|steal| steal.task).collect::<Vec<_>>()),
            "ahead": shown(self.ahead.with_untracked(Option::is_some), &raw.ahead),
            "link": self.link.get_untracked(),
            "native": self.native.describe(),
            "beside": self.is_beside.get_untracked(),
        })
    }
}

/// Where the picture of a run is parted into what was and what is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Playhead {
    pub(crate) at_ns: u64,
    /// Whether what comes after it is not so yet.
    pub(crate) dims: bool,
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
