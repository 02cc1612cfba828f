//! How many polls a second (of processor time) the engines take, and how long exploring takes. `cargo xtask bench engine`
//! runs it. For a profile: a part of a name as argument measures what is called so, and nothing else.

use std::sync::Arc;
use std::time::Instant;

use interleave::engine::{CurrentThread, Flavor, Manual, MultiThread, Step};
use interleave::explore::{Bounds, Explorer};
use interleave::machine::{Machine, Recipe};
use interleave::rt::{Rt, channel};
use interleave::scenario::{Limits, Scenario, Setting};
use interleave::sharing::Kind;

/// After so many polls a host takes what was recorded: it does not pile up.
const TURN_POLLS: u64 = 4096;

/// Runs `program` on `engine` until nothing is ready, and prints what it took. `turn` makes at most [`TURN_POLLS`] steps, and adds
/// their number; whether it made as many.
macro_rules! measure {
    ($name:expr, $engine:expr, $program:expr, $turn:expr) => {
        if is_wanted($name) {
            let mut engine = $engine;
            let rt = engine.rt();
            engine.enter(|| rt.spawn("main", 0, $program(rt.clone())));
            let (mut polls, mut frames) = (0_u64, Vec::new());
            let started = Clock::now();
            while $turn(&mut engine, &mut polls) {
                engine.take_frames(&mut frames);
                frames.clear();
            }
            let seconds = started.seconds();
            println!("{:<40} {polls:>8} polls, {:>5.2} M/s", $name, polls as f64 / seconds / 1e6);
        }
    };
}

/// As the tab makes them.
fn at_once(engine: &mut CurrentThread, polls: &mut u64) -> bool {
    let mut asked = 0;
    let last = engine.steps(|| {
        asked += 1;
        asked <= TURN_POLLS
    });
    *polls += asked - 1;
    last == Step::Polled
}

fn one_by_one(polls: &mut u64, mut step: impl FnMut() -> Step) -> bool {
    for _ in 0..TURN_POLLS {
        if step() != Step::Polled {
            return false;
        }
        *polls += 1;
    }
    true
}

/// Whether what is called `name` is to be measured.
fn is_wanted(name: &str) -> bool {
    let mut parts = std::env::args().skip(1).peekable();
    parts.peek().is_none() || parts.any(|part| name.contains(&part))
}

/// Processor time where the system tells it, so that a busy machine does not matter; else the time of day.
struct Clock {
    started: Instant,
    on_cpu_ns: Option<u64>,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a measurement")]
    fn now() -> Self {
        Self { started: Instant::now(), on_cpu_ns: Self::on_cpu_ns() }
    }

    fn on_cpu_ns() -> Option<u64> {
        std::fs::read_to_string("/proc/self/schedstat").ok()?.split(' ').next()?.parse().ok()
    }

    fn seconds(&self) -> f64 {
        match (self.on_cpu_ns, Self::on_cpu_ns()) {
            (Some(before), Some(after)) => (after - before) as f64 / 1e9,
            _ => self.started.elapsed().as_secs_f64(),
        }
    }
}

/// The same where the caller chooses: always who has been ready longest.
fn measure_manual<F: Future<Output: Send> + Send + 'static>(
    name: &str,
    mut engine: Manual,
    program: impl FnOnce(Rt) -> F,
) {
    if !is_wanted(name) {
        return;
    }
    let rt = engine.rt();
    engine.enter(|| rt.spawn("main", 0, program(rt.clone())));
    let mut frames = Vec::new();
    let started = Clock::now();
    while engine.count() > 0 {
        engine.choose(0);
        if engine.choices().steps().is_multiple_of(4096) {
            engine.take_frames(&mut frames);
            frames.clear();
        }
    }
    let (seconds, polls) = (started.seconds(), engine.choices().steps());
    println!("{name:<40} {polls:>8} polls, {:>5.2} M/s", polls as f64 / seconds / 1e6);
}

/// Explores the last item in stock being sold to `buyers` again and again, for half a second at least.
fn measure_exploring(buyers: usize) {
    if !is_wanted(&format!("oversell, {buyers} buyers")) {
        return;
    }
    let source = format!(
        "setup {{ SET stock 1 }}
        client buyer * {buyers} {{
            let stock = GET stock
            if stock > 0 {{ DECR stock }}
        }}
        finally {{ assert GET stock >= 0 }}"
    );
    let scenario = Scenario::parse(&source, &Limits::default()).expect("a scenario without a mistake");
    let scenario = Arc::new(scenario);
    let setting = Setting { sharing: Kind::Mutex, ..Setting::default() };
    let (started, mut times) = (Clock::now(), 0_u32);
    let report = loop {
        let mut explorer = Explorer::new(Arc::clone(&scenario), setting, 0, Bounds::default());
        while explorer.go(u64::MAX) {}
        times += 1;
        let report = explorer.report();
        if started.seconds() > 0.5 {
            break report;
        }
    };
    let seconds = started.seconds() / f64::from(times);
    let schedules = report.schedules.exact().expect("few enough to be counted");
    println!(
        "oversell, {buyers} buyers: {:>8.2} ms; {schedules} schedules accounted for by {} states and {} runs: \
         {:.2} M schedules/s, {:.0} k runs/s",
        seconds * 1e3,
        report.states,
        report.runs,
        schedules as f64 / seconds / 1e6,
        report.runs as f64 / seconds / 1e3,
    );
}

/// Draws schedules at random for as many runs.
fn measure_random(runs: u64) {
    if !is_wanted("at random") {
        return;
    }
    let source = "client a * 6 { let v = GET k\n SET k $me\n if v == 1 { DECR k } }";
    let scenario = Scenario::parse(source, &Limits::default()).expect("a scenario without a mistake");
    let setting = Setting { sharing: Kind::Mutex, ..Setting::default() };
    let bounds = Bounds { states: 1, random_runs: runs, ..Bounds::default() };
    let mut explorer = Explorer::new(Arc::new(scenario), setting, 0, bounds);
    let started = Clock::now();
    while explorer.go(u64::MAX) {}
    let seconds = started.seconds();
    println!("at random, 6 clients of 3 commands: {:.0} k runs/s", runs as f64 / seconds / 1e3);
}

async fn yields(rt: Rt) {
    for number in 0..100 {
        let inner = rt.clone();
        rt.spawn("task", number, async move {
            for _ in 0..10_000 {
                inner.yield_now().await;
            }
        });
    }
}

async fn ping_pong(rt: Rt) {
    for number in 0..10 {
        let (ping, mut pinged) = channel("ping", 1);
        let (pong, mut ponged) = channel("pong", 1);
        rt.spawn("pong", number, async move {
            while let Some(ball) = pinged.receive().await {
                if pong.send(ball).await.is_err() {
                    break;
                }
            }
        });
        rt.spawn("ping", number, async move {
            for ball in 0..50_000_u32 {
                ping.send(ball).await.unwrap();
                assert_eq!(ponged.receive().await, Some(ball));
            }
        });
    }
}

/// The time machine's steps: a scenario's tasks, everything recorded and seen.
fn measure_machine(flavor: Flavor) {
    let name = format!("time machine, {flavor}");
    if !is_wanted(&name) {
        return;
    }
    let scenario = "client a * 50 {\n repeat 4000 {\n yield\n }\n}".to_owned();
    let recipe = Recipe { scenario, flavor, direct: true, ..Recipe::default() };
    let mut machine = Machine::open(&recipe).unwrap_or_else(|error| panic!("{error}"));
    let mut frames = Vec::new();
    let started = Clock::now();
    while machine.step().is_some() {
        if machine.steps().is_multiple_of(2048) {
            machine.take_frames(&mut frames);
            frames.clear();
        }
    }
    let (seconds, polls) = (started.seconds(), machine.steps());
    println!("{name:<40} {polls:>8} polls, {:>5.2} M/s", polls as f64 / seconds / 1e6);
}

fn main() {
    measure!("yields, current-thread", CurrentThread::new(0), yields, at_once);
    measure!("ping-pong, current-thread", CurrentThread::new(0), ping_pong, at_once);
    let alone = |engine: &mut CurrentThread, polls: &mut u64| one_by_one(polls, || engine.step());
    measure!("yields, current-thread, step by step", CurrentThread::new(0), yields, alone);
    measure!("ping-pong, current-thread, step by step", CurrentThread::new(0), ping_pong, alone);
    let model = |engine: &mut MultiThread, polls: &mut u64| one_by_one(polls, || engine.step());
    for workers in [1, 2, 4, 8] {
        let engine = || MultiThread::new(workers, 7, 0);
        measure!(&format!("yields, model of {workers} workers"), engine(), yields, model);
        measure!(&format!("ping-pong, model of {workers} workers"), engine(), ping_pong, model);
    }
    measure_manual("yields, manual", Manual::new(0), yields);
    measure_manual("ping-pong, manual", Manual::new(0), ping_pong);
    measure_manual("yields, manual, unrecorded", Manual::unrecorded(0), yields);
    measure_manual("ping-pong, manual, unrecorded", Manual::unrecorded(0), ping_pong);
    for flavor in [Flavor::CurrentThread, Flavor::MultiThread { workers: 2 }, Flavor::Manual] {
        measure_machine(flavor);
    }
    for buyers in [4, 5, 6] {
        measure_exploring(buyers);
    }
    measure_random(100_000);
}
