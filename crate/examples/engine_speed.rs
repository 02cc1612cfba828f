//! How many polls a second (of processor time) the engines take: `cargo run --release -p interleave --features native --example engine_speed`.

use std::time::Instant;

use interleave::engine::{CurrentThread, MultiThread, Step};
use interleave::rt::{Rt, channel};

/// Steps until nothing is ready, and prints what it took.
macro_rules! measure {
    ($name:expr, $engine:expr, $program:expr) => {{
        let mut engine = $engine;
        let rt = engine.rt();
        engine.enter(|| rt.spawn("main", 0, $program(rt.clone())));
        let (mut polls, mut frames) = (0_u64, Vec::new());
        let started = Clock::now();
        while let Step::Polled = engine.step() {
            polls += 1;
            // As a host does after each turn: what was recorded does not pile up.
            if polls % 4096 == 0 {
                engine.take_frames(&mut frames);
                frames.clear();
            }
        }
        let seconds = started.seconds();
        println!("{:<36} {polls:>8} polls, {:>5.2} M/s", $name, polls as f64 / seconds / 1e6);
    }};
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

fn main() {
    measure!("yields, current-thread", CurrentThread::new(0), yields);
    measure!("ping-pong, current-thread", CurrentThread::new(0), ping_pong);
    for workers in [1, 2, 4, 8] {
        measure!(format!("yields, model of {workers} workers"), MultiThread::new(workers, 7, 0), yields);
        measure!(
            format!("ping-pong, model of {workers} workers"),
            MultiThread::new(workers, 7, 0),
            ping_pong
        );
    }
}
