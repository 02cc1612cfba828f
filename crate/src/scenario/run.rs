//! One run of a scenario: its server, its tasks, its limits and its outcome.
//!
//! Owns what the tasks of a run have in common, and the task that starts and awaits them. Statements are
//! [`task`](super::task)'s work. Knows no engine: whoever polls the tasks says when none of them can go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{SetOnce, watch};

use super::Scenario;
use super::ast::{Body, Part};
use super::collection;
use super::error::Span;
#[cfg(feature = "explore")]
use super::limits::Counted;
use super::limits::Limits;
use super::link::{Connect, Link, Way};
use super::names;
use super::outcome::{End, Outcome, Stop, TaskOutcome};
use super::panics::caught;
use super::parse::Script;
use super::progress::{Progress, TaskName};
use super::task::{Halt, Task};
use super::value::Value;
use crate::command::{self, Config, Server};
use crate::resp::{self, Batch};
use crate::rt::{Answers, AsyncMutex, JoinHandle, Promise, Receiver, Rt, Sender, channel, ledger, step};
use crate::session::Service;
use crate::sharing::{Kind, Mirror, Options, Sharing};

/// Longer than any run: the other limits come first.
const UNFINISHED_TIMEOUT: Duration = Duration::from_secs(86_400);

/// What a scenario is run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// How connections share the store.
    pub sharing: Kind,
    /// What can be chosen besides; its seed makes all random choices of the server repeat.
    pub options: Options,
    /// How long the run may last and how much it may take.
    pub limits: Limits,
    /// Whether the store's keys can be looked at during the run, see [`Run::keys`]. It costs a copy of each value touched.
    pub mirrored: bool,
    /// Whether commands go straight to the data, without a session and a pipe: no task but those of the scenario (and the
    /// store's owner, where there is one), and one poll a command. A command about the connection is refused then.
    pub direct: bool,
}

/// A run that has begun. Dropping it does not end its tasks; dropping their runtime does.
#[derive(Debug)]
pub struct Run {
    shared: Arc<Shared>,
}

impl Run {
    /// Begins a run of `scenario` on a server of its own: spawns the task `scenario`, which spawns all others.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn start(scenario: &Arc<Scenario>, setting: Setting, rt: &Rt) -> Self {
        Self::begin(scenario, setting, None, rt)
    }

    /// Begins a run of `scenario` whose clients connect to a server that runs already. What is in its store stays there, and
    /// how connections share it is that server's matter.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn start_on(server: Arc<dyn Connect>, scenario: &Arc<Scenario>, limits: Limits, rt: &Rt) -> Self {
        Self::begin(scenario, Setting { limits, ..Setting::default() }, Some(server), rt)
    }

    fn begin(scenario: &Arc<Scenario>, setting: Setting, server: Option<Arc<dyn Connect>>, rt: &Rt) -> Self {
        step::shares_time(scenario.script.spins);
        let shared = Arc::new(Shared {
            scenario: Arc::clone(scenario),
            setting,
            server,
            rt: rt.clone(),
            progress: Progress::new(&scenario.script),
            spawned: AtomicUsize::default(),
            time_us: AtomicU64::default(),
            commands: AtomicU64::default(),
            bytes: AtomicUsize::default(),
            named: Mutex::default(),
            stop: watch::channel(false).0,
            stopped: OnceLock::new(),
            outcome: SetOnce::new(),
            mirror: OnceLock::new(),
            reads_keys: AtomicBool::new(false),
        });
        rt.spawn("scenario", 0, conduct(Arc::clone(&shared), shared.stop.subscribe()));
        Self { shared }
    }

    /// What came of it, once it has come to its end or passed a limit.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.shared.outcome.get()
    }

    /// Whether it has passed a limit: its tasks go no further.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// What was counted against the limits.
    #[cfg(feature = "explore")]
    pub(crate) fn counted(&self) -> Counted {
        let Shared { spawned, time_us, commands, bytes, .. } = &*self.shared;
        Counted {
            spawned: spawned.load(Relaxed),
            time_us: time_us.load(Relaxed),
            commands: commands.load(Relaxed),
            bytes: bytes.load(Relaxed),
        }
    }

    /// What came of it, as soon as it has an outcome. Cancellation safe.
    pub async fn ended(&self) -> &Outcome {
        self.shared.outcome.wait().await
    }

    /// Ends it before its time, for a reason of the host's: `limit` names it and `message` is the whole sentence. The outcome
    /// is there at once and tells what each task waits for; a run that has one keeps it. The tasks end when they are
    /// polled next.
    pub fn stop(&self, limit: &'static str, message: String) {
        let stop = Stop { limit, place: None, message };
        // First of all: what one task lets go of when it ends, another gets.
        let unfinished = |span, waits| End::Unfinished { span, waits };
        let outcome = self.shared.gather(Some(&stop), unfinished, BTreeMap::new());
        // One that a task's limit has stopped already goes its own way.
        if self.shared.stopped.set(stop).is_ok() {
            let _ = self.shared.outcome.set(outcome);
        }
        self.shared.stop.send_replace(true);
    }

    /// Waits until none of its tasks and sessions is left. Cancellation safe.
    pub async fn left(&self) {
        self.shared.stop.closed().await;
    }

    /// What has come of it when nobody can go on: no task is ready and none sleeps. A run that has an outcome keeps it.
    #[must_use]
    pub fn deadlock(&self) -> Outcome {
        let Shared { stopped, outcome, .. } = &*self.shared;
        let stuck = |span, waits| End::Stuck { span, waits };
        let gather = || self.shared.gather(stopped.get(), stuck, BTreeMap::new());
        outcome.get().cloned().unwrap_or_else(gather)
    }

    /// The store's keys as they are now, if the [`Setting`] says so and the server stands.
    #[must_use]
    pub fn keys(&self) -> Option<&Mirror> {
        self.shared.mirror.get().map(|mirror| &**mirror)
    }

    /// Whether it has come to reading the keys for its outcome, and how many commands the scenario sent until then: what is
    /// sent after that is none of the scenario's.
    pub(crate) fn sent(&self) -> (bool, u64) {
        (self.shared.reads_keys.load(Relaxed), self.shared.commands.load(Relaxed))
    }

    /// Where its tasks stand.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.shared.progress
    }
}

/// What the tasks of a run have in common.
#[derive(Debug)]
pub(super) struct Shared {
    scenario: Arc<Scenario>,
    pub(super) setting: Setting,
    /// The server it runs on, if that is not its own.
    server: Option<Arc<dyn Connect>>,
    pub(super) rt: Rt,
    pub(super) progress: Progress,
    // What is limited: each counts up only, and none orders anything else.
    spawned: AtomicUsize,
    time_us: AtomicU64,
    commands: AtomicU64,
    bytes: AtomicUsize,
    named: Mutex<Named>,
    // True when the run is to end before its time; sessions listen, too.
    stop: watch::Sender<bool>,
    stopped: OnceLock<Stop>,
    outcome: SetOnce<Outcome>,
    mirror: OnceLock<Arc<Mirror>>,
    /// The scenario has said its last, and the run reads the keys for its outcome.
    reads_keys: AtomicBool,
}

/// The keys that commands named.
#[derive(Debug, Default)]
struct Named {
    keys: BTreeSet<Bytes>,
    /// The last request, for the sake of its memory.
    request: Batch,
}

/// What the tasks of a run meet at. Apart from [`Shared`] because it is made inside the run, where locks and channels
/// are recorded.
#[derive(Debug)]
pub(super) struct Meeting {
    pub(super) way: Way,
    pub(super) locks: Vec<AsyncMutex<()>>,
    /// The receiving ends that no task has taken yet.
    receivers: Mutex<Vec<Option<Receiver<Value>>>>,
}

impl Meeting {
    /// The receiving end of `channel`: the task that asks first is the one that receives.
    pub(super) fn take_receiver(&self, channel: usize) -> Option<Receiver<Value>> {
        // Held for taking only; no user code can panic inside.
        self.receivers.lock().unwrap_or_else(PoisonError::into_inner)[channel].take()
    }
}

/// The sending ends of all channels.
pub(super) type Senders = Vec<Option<Sender<Value>>>;

/// The sending ends that `body` needs.
pub(super) fn senders_for(body: &Body, senders: &Senders) -> Senders {
    let needed = |channel: usize| body.sends.contains(&channel);
    let pick =
        |(channel, sender): (usize, &Option<Sender<Value>>)| sender.clone().filter(|_| needed(channel));
    senders.iter().enumerate().map(pick).collect()
}

impl Shared {
    fn script(&self) -> &Script {
        &self.scenario.script
    }

    /// Counts one more task.
    pub(super) fn count_task(&self) -> Result<(), (&'static str, String)> {
        let most = self.setting.limits.spawned_tasks;
        if self.spawned.fetch_add(1, Relaxed) >= most {
            return Err(("spawned_tasks", format!("more than {most} tasks were spawned")));
        }
        Ok(())
    }

    /// Counts time slept or computed.
    pub(super) fn count_time(&self, time: Duration) -> Result<(), (&'static str, String)> {
        let most = self.setting.limits.time;
        let time_us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let so_far = self.time_us.fetch_add(time_us.min(1 << 62), Relaxed);
        if u128::from(so_far) + u128::from(time_us) > most.as_micros() {
            return Err(("time", format!("more than {most:?} were slept or spun")));
        }
        Ok(())
    }

    /// Counts one more command.
    pub(super) fn count_command(&self) -> Result<(), (&'static str, String)> {
        let most = self.setting.limits.commands;
        if self.commands.fetch_add(1, Relaxed) >= most {
            return Err(("commands", format!("more than {most} commands were sent")));
        }
        Ok(())
    }

    /// Counts a string of `bytes`.
    pub(super) fn count_bytes(&self, bytes: usize) -> Result<(), (&'static str, String)> {
        let limits = &self.setting.limits;
        if bytes > limits.value_bytes {
            let most = limits.value_bytes;
            return Err(("value_bytes", format!("a string is {bytes} bytes long, more than {most}")));
        }
        if self.bytes.fetch_add(bytes, Relaxed) + bytes > limits.total_bytes {
            let most = limits.total_bytes;
            return Err(("total_bytes", format!("the strings of the run are more than {most} bytes")));
        }
        Ok(())
    }

    /// Notes the keys that `request` names, to be looked at in the end.
    pub(super) fn note_keys(&self, request: &[Vec<u8>]) {
        let mut named = self.named();
        let Named { keys, request: last } = &mut *named;
        last.clear();
        last.push(request);
        let args = last.request(0);
        // What the server will refuse touches nothing.
        let Ok(found) = command::resolve(args) else { return };
        for key in found.spec.keys(args).iter(args) {
            if keys.contains(key) {
                continue;
            }
            ledger::named(key);
            keys.insert(Bytes::copy_from_slice(key));
            // The first in their order, whoever came first.
            if keys.len() > self.setting.limits.keys_shown {
                keys.pop_last();
            }
        }
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        // Held for set operations only; no user code can panic inside.
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the run because a task has passed a limit.
    pub(super) fn pass(&self, limit: &'static str, message: &str, task: &TaskName, span: Span) {
        let message = format!("{message}: this is the limit `{limit}` of a run");
        // The first one counts.
        let _ = self.stopped.set(Stop { limit, place: Some((task.clone(), span)), message });
        self.stop.send_replace(true);
    }

    /// Whether the run is to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopped.get().is_some()
    }

    /// `work`'s result, or `None` if the run is stopped before.
    pub(super) async fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.stop.subscribe();
        tokio::select! {
            // In order, not at random: a run must repeat.
            biased;
            result = work => Some(result),
            _ = stop.wait_for(|stop| *stop) => None,
        }
    }

    /// What has come of the run so far; tasks that have not ended end as `unfinished` says.
    fn gather(
        &self,
        stopped: Option<&Stop>,
        unfinished: impl Fn(Span, Option<super::progress::Waits>) -> End,
        keys: BTreeMap<Bytes, Value>,
    ) -> Outcome {
        let standings = self.progress.standings().clone();
        let mut tasks: Vec<_> = standings
            .iter()
            .map(|standing| {
                let end = standing.end.get().cloned().unwrap_or_else(|| {
                    unfinished(standing.span(), self.progress.waits_of(standing, &standings))
                });
                let kept = standing.kept().clone();
                TaskOutcome {
                    name: standing.name.clone(),
                    end,
                    failed: kept.failed,
                    variables: kept.variables,
                }
            })
            .collect();
        tasks.sort_by(|a, b| a.name.cmp(&b.name));
        Outcome { stopped: stopped.cloned(), tasks, keys }
    }
}

/// The whole run: the task `scenario`. It lives as long as it holds a receiver, as all tasks of the run do.
async fn conduct(shared: Arc<Shared>, _alive: watch::Receiver<bool>) {
    // Boxed: each of what is wrapped around it would hold it twice, ten kilobytes in all, which are moved on their way to be polled.
    let played = caught(shared.until_stopped(Box::pin(play(&shared)))).await;
    let (keys, panicked) = match played {
        Ok(keys) => (keys.unwrap_or_default(), None),
        // `setup` or `finally`, whose entry has it: nothing follows, and whoever waits for the outcome has it.
        Err(payload) => (BTreeMap::new(), Some(payload)),
    };
    let outcome = shared.gather(shared.stopped.get(), |_, _| End::Stopped, keys);
    // Only the host may have set it, when it did not wait for this.
    let _ = shared.outcome.set(outcome);
    if let Some(payload) = panicked {
        std::panic::resume_unwind(payload);
    }
}

/// Builds the server, then runs `setup`, all clients and `finally`. Gives the keys' final values.
async fn play(shared: &Arc<Shared>) -> BTreeMap<Bytes, Value> {
    let script = shared.script();
    let (meeting, senders) = meet(shared);
    let mut link = Link::open(&meeting.way, "scenario");

    if let Some(setup) = &script.setup {
        let name = TaskName::of_part(0, &setup.name, 0);
        let mut task = Task::new(shared, &meeting, name, setup, &senders, Some(link));
        let done = task.perform(&setup.body).await;
        link = task.finish().await.expect("it was given one");
        if let Err(Halt) = done {
            // Nothing that follows would mean anything.
            return final_keys(shared, link).await;
        }
    }

    // Told by the last of them to end. Whoever awaits tasks one after the other is polled once for each, which is of no use
    // here and would be one more thing to choose.
    let (last, all_ended) = Answers::new("end of clients").promise::<()>();
    let last = Arc::new(last);
    let mut clients = Vec::new();
    for (place, client) in (1..).zip(&script.clients) {
        for number in 1..=client.count {
            clients.push(spawn_client(shared, &meeting, &senders, client, place, number, &last));
        }
    }
    drop(last);
    // Whoever receives learns that all who send have ended.
    drop(senders);
    all_ended.await;
    for client in clients {
        // How it ended is in its own entry.
        let _ = client.await;
    }

    if let Some(finally) = &script.finally {
        let name = TaskName::of_part(u32::MAX, &finally.name, 0);
        let mut task = Task::new(shared, &meeting, name, finally, &Senders::new(), Some(link));
        // How it ended is in its own entry.
        let _ = task.perform(&finally.body).await;
        link = task.finish().await.expect("it was given one");
    }
    final_keys(shared, link).await
}

/// The way to the server, the locks and the channels of a run.
fn meet(shared: &Arc<Shared>) -> (Arc<Meeting>, Senders) {
    let way = match &shared.server {
        Some(server) => Way::There(Arc::clone(server)),
        None if shared.setting.direct => Way::Direct(Box::new(service(shared))),
        None => Way::Here(Box::new(service(shared))),
    };
    let script = shared.script();
    if !script.channels.is_empty() {
        ledger::entangles();
    }
    let locks = script.locks.iter().map(|name| AsyncMutex::new(name, 0, ())).collect();
    let ends = script.channels.iter().map(|declared| channel(&declared.name, declared.capacity));
    let (senders, receivers): (Vec<_>, Vec<_>) =
        ends.map(|(sender, receiver)| (Some(sender), Some(receiver))).unzip();
    (Arc::new(Meeting { way, locks, receivers: Mutex::new(receivers) }), senders)
}

/// A server for this run alone.
fn service(shared: &Shared) -> Service {
    let Shared { setting, rt, .. } = shared;
    let mut config = Config::default();
    // A command adds at most one such string to the store, and there are `Limits::commands` of them.
    config.limits.bulk_bytes = setting.limits.value_bytes;
    let server = Arc::new(Server::new(config, rt.unix_ms(), setting.options.seed));
    let sharing = if setting.mirrored {
        let (sharing, mirror) = Sharing::mirrored(setting.sharing, setting.options, rt, &server);
        // Nobody else sets it.
        let _ = shared.mirror.set(mirror);
        sharing
    } else {
        Sharing::new(setting.sharing, setting.options, rt, &server)
    };
    Service {
        sharing,
        server,
        rt: rt.clone(),
        // Clients of ours finish what they begin.
        unfinished_timeout: UNFINISHED_TIMEOUT,
        idle_timeout: None,
        stop: shared.stop.subscribe(),
    }
}

fn spawn_client(
    shared: &Arc<Shared>,
    meeting: &Arc<Meeting>,
    senders: &Senders,
    client: &Part,
    place: u32,
    number: u32,
    last: &Arc<Promise<()>>,
) -> JoinHandle<()> {
    let name = TaskName::of_part(place, &client.name, if client.numbered { number } else { 0 });
    let (label, label_number) = (names::kept(name.label()), name.number());
    let link = client.body.talks.then(|| Link::open(&meeting.way, &name.to_string()));
    let mut task = Task::new(shared, meeting, name, client, senders, link);
    task.set_me(number);
    let (work, last) = (task.run(Arc::clone(&client.body)), Arc::clone(last));
    shared.rt.spawn(label, label_number, async move {
        work.await;
        drop(last);
    })
}

/// The values of all keys that commands named.
async fn final_keys(shared: &Shared, mut link: Link) -> BTreeMap<Bytes, Value> {
    if shared.is_stopping() {
        return BTreeMap::new();
    }
    let keys = shared.named().keys.clone();
    let mut values = BTreeMap::new();
    shared.reads_keys.store(true, Relaxed);
    if let Some(mirror) = shared.mirror.get() {
        mirror.note_no_touches();
    }
    for key in keys {
        let value = match link.call(&[b"GET", &*key]).await {
            // No string: what it holds as text for people.
            Ok(resp::Value::Error(_)) => collection::read(&mut link, &key).await,
            reply => reply,
        };
        // A connection that `finally` has closed shows nothing.
        let Ok(value) = value else { break };
        ledger::read("a key");
        values.insert(key, Value::from_reply(value).unwrap_or_default());
    }
    values
}
