//! The server in a browser tab: the same sessions on a real Tokio current-thread runtime, over in-memory pipes.
//!
//! A WebAssembly module of its own, so that the page's worker can drive it, stop it and throw it away. It keeps no
//! JavaScript object: bytes go in, bytes come out, and the host says what time it is. Knows nothing of the page.

mod pipe;
mod scene;

use std::sync::Arc;
use std::time::Duration;

use interleave::command::{Config, Peer, Server};
use interleave::engine::{CurrentThread, Step};
use interleave::scope::codec;
use interleave::scope::frame::{Frame, Hello, Origin};
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Sharing};
use litemap::LiteMap;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};
use wasm_bindgen::prelude::*;

use self::pipe::Pipe;

/// Polls in one turn before the host gets its thread back: some milliseconds.
const TURN_POLLS_MAX: usize = 5_000;

/// How long a request may stay half-arrived, as in the native server.
const UNFINISHED_TIMEOUT: Duration = Duration::from_secs(30);

/// A server, its runtime, and the pipes to it.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Tab {
    engine: CurrentThread,
    connections: mpsc::UnboundedSender<Arrival>,
    // The server never stops: it is thrown away.
    _stop: watch::Sender<bool>,
    pipes: LiteMap<u32, Pipe>,
    frames: Vec<Frame>,
    // The host's clock at the last turn; none before the first and after a pause. Time passes between turns only.
    host_ms: Option<f64>,
    running: bool,
}

/// A new connection at the listener: its end of the pipe, and who it is.
pub(crate) type Arrival = (DuplexStream, Peer);

#[wasm_bindgen]
impl Tab {
    /// A server whose connections share the store as `sharing` says, at 0 ns of virtual time; `unix_ms` is what its wall clock
    /// shows then. `hold_ms` is how long `async-mutex` keeps its lock after a batch. With `scene`, three clients come and
    /// count together.
    #[wasm_bindgen(constructor)]
    pub fn new(sharing: &str, hold_ms: u32, scene: bool, seed: f64, unix_ms: f64) -> Result<Self, JsError> {
        let kind: Kind = sharing.parse()?;
        let engine = CurrentThread::new(unix_ms as u64);
        let rt = engine.rt();
        let (stop, stopped) = watch::channel(false);
        let (connections, mut arrivals) = mpsc::unbounded_channel::<Arrival>();
        let visitors = connections.clone();
        engine.enter(|| {
            let door = rt.clone();
            rt.spawn("listener", 0, async move {
                let server = Arc::new(Server::new(Config::default(), door.unix_ms(), seed as u64));
                let hold = Duration::from_millis(hold_ms.into());
                let options = Options { seed: seed as u64, shards: 4, hold, ..Options::default() };
                let sharing = Sharing::new(kind, options, &door, &server);
                let service = Service {
                    sharing,
                    server,
                    rt: door.clone(),
                    unfinished_timeout: UNFINISHED_TIMEOUT,
                    idle_timeout: None,
                    stop: stopped,
                };
                service.spawn_expiry();
                if scene {
                    scene::spawn(&door, &visitors);
                }
                drop(visitors);
                while let Some((stream, peer)) = arrivals.recv().await {
                    service.spawn(stream, peer);
                }
            });
        });
        let hello = Hello {
            origin: Origin::Observed,
            place: "this tab".to_owned(),
            flavor: "current-thread".to_owned(),
            workers: 1,
            sharing: kind.to_string(),
            virtual_time: true,
            now_ns: 0,
        };
        let mut frames = vec![Frame::Hello(hello)];
        frames.extend(engine.snapshot());
        Ok(Self {
            engine,
            connections,
            _stop: stop,
            pipes: LiteMap::new_vec(),
            frames,
            host_ms: None,
            running: true,
        })
    }

    /// Opens connection `number`, the host's name for it. One that is open under that name is closed.
    pub fn open(&mut self, number: u32) {
        let (pipe, end) = Pipe::new();
        let peer = Peer { address: format!("console-{number}"), local_address: "tab".to_owned() };
        self.engine.enter(|| {
            self.pipes.insert(number, pipe);
            // The listener lives as long as the engine.
            let _ = self.connections.send((end, peer));
        });
    }

    /// Sends `bytes` on connection `number`. They go on their way with the next turn.
    pub fn send(&mut self, number: u32, bytes: &[u8]) {
        if let Some(pipe) = self.pipes.get_mut(&number) {
            pipe.send(bytes);
        }
    }

    /// Closes connection `number`.
    pub fn close(&mut self, number: u32) {
        self.engine.enter(|| self.pipes.remove(&number));
    }

    /// What connection `number` was sent.
    pub fn take_output(&mut self, number: u32) -> Vec<u8> {
        self.pipes.get_mut(&number).map(Pipe::take_received).unwrap_or_default()
    }

    /// Whether the server closed connection `number`, or there is none.
    pub fn is_closed(&self, number: u32) -> bool {
        self.pipes.get(&number).is_none_or(Pipe::is_closed)
    }

    /// Runs on (`true`) or stands still (`false`). Virtual time stands still too.
    pub fn running(&mut self, running: bool) {
        self.running = running;
        self.host_ms = None;
    }

    /// Lets virtual time catch up with `host_ms`, a clock of the host's in milliseconds, and polls what is ready.
    ///
    /// Returns how many milliseconds the host may wait until the next turn: 0 when there is more to do at once,
    /// infinity when nothing will happen until bytes come or the tab runs again.
    pub fn turn(&mut self, host_ms: f64) -> f64 {
        if !self.running {
            return f64::INFINITY;
        }
        let passed_ms = self.host_ms.replace(host_ms).map_or(0.0, |before| (host_ms - before).max(0.0));
        self.engine.advance_to(self.engine.now_ns() + (passed_ms * 1e6) as u64);
        let (mut polls, pipes) = (0, &mut self.pipes);
        let step = self.engine.steps(|| {
            let goes_on = polls < TURN_POLLS_MAX;
            if goes_on {
                polls += 1;
                pipes.iter_mut().for_each(|(_, pipe)| pipe.pump());
            }
            goes_on
        });
        match step {
            Step::Polled => 0.0,
            Step::Idle { next_deadline_ns: Some(at_ns) } => {
                at_ns.saturating_sub(self.engine.now_ns()) as f64 / 1e6
            }
            Step::Idle { next_deadline_ns: None } => f64::INFINITY,
        }
    }

    /// What was recorded since the last call, as one message of the trace.
    pub fn take_trace(&mut self) -> Vec<u8> {
        self.engine.take_frames(&mut self.frames);
        let mut message = Vec::new();
        codec::encode(&self.frames, &mut message);
        self.frames.clear();
        message
    }
}

#[cfg(test)]
mod tests {
    use interleave::scope::event::Event;

    use super::*;

    /// Runs `tab` for `ms` of its time and gives what happened.
    fn run(tab: &mut Tab, from_ms: f64, ms: f64) -> Vec<Event> {
        let mut at_ms = from_ms;
        while at_ms <= from_ms + ms {
            let wait_ms = tab.turn(at_ms);
            at_ms += wait_ms.clamp(1.0, 16.0);
        }
        let frames = codec::decode(&tab.take_trace()).unwrap();
        let events = frames.into_iter().filter_map(|frame| match frame {
            Frame::Events(chunk) => Some(chunk.events),
            _ => None,
        });
        events.flatten().map(|stamped| stamped.event).collect()
    }

    fn ask(tab: &mut Tab, number: u32, request: &str) -> String {
        tab.send(number, request.as_bytes());
        run(tab, 0.0, 1.0);
        String::from_utf8(tab.take_output(number)).unwrap()
    }

    #[test]
    fn consoles_share_the_store_unless_isolated() {
        for kind in Kind::ALL {
            let mut tab = Tab::new(kind.name(), 0, false, 1.0, 0.0).unwrap();
            tab.open(1);
            tab.open(2);
            assert_eq!(ask(&mut tab, 1, "INCR hits\r\n"), ":1\r\n", "under {kind}");
            let second = if kind == Kind::Isolated { ":1\r\n" } else { ":2\r\n" };
            assert_eq!(ask(&mut tab, 2, "INCR hits\r\n"), second, "under {kind}");
        }
    }

    #[test]
    fn a_closed_console_ends_its_task() {
        let mut tab = Tab::new("mutex", 0, false, 1.0, 0.0).unwrap();
        tab.open(1);
        assert_eq!(ask(&mut tab, 1, "QUIT\r\n"), "+OK\r\n");
        assert!(tab.is_closed(1));
        tab.open(2);
        run(&mut tab, 0.0, 1.0);
        tab.close(2);
        let events = run(&mut tab, 0.0, 1.0);
        assert!(events.iter().any(|event| matches!(event, Event::End { .. })), "{events:?}");
    }

    #[test]
    fn nothing_happens_while_it_stands_still() {
        let mut tab = Tab::new("actor", 0, true, 1.0, 0.0).unwrap();
        run(&mut tab, 0.0, 50.0);
        tab.running(false);
        assert_eq!(run(&mut tab, 50.0, 1_000.0), []);
        let stood_ns = tab.engine.now_ns();
        tab.running(true);
        tab.turn(5_000.0);
        assert!(tab.engine.now_ns() - stood_ns < 1_000_000, "time passed while the tab stood still");
    }

    #[test]
    fn the_scene_counts_to_sixty() {
        let mut tab = Tab::new("sharded", 0, true, 1.0, 0.0).unwrap();
        run(&mut tab, 0.0, 30_000.0);
        tab.open(1);
        assert_eq!(ask(&mut tab, 1, "GET counter\r\n"), "$2\r\n60\r\n");
    }

    #[test]
    fn a_lock_that_is_held_is_waited_for() {
        let mut tab = Tab::new("async-mutex", 20, false, 1.0, 0.0).unwrap();
        tab.open(1);
        tab.open(2);
        run(&mut tab, 0.0, 1.0);
        tab.send(1, b"INCR hits\r\n");
        tab.send(2, b"INCR hits\r\n");
        let events = run(&mut tab, 1.0, 10.0);
        assert!(events.iter().any(|event| matches!(event, Event::LockWait { .. })), "{events:?}");
        assert_eq!(tab.take_output(2), b"", "the other holds the lock");
        run(&mut tab, 11.0, 40.0);
        assert_eq!(tab.take_output(2), b":2\r\n");
    }

    #[test]
    fn the_same_turns_give_the_same_trace() {
        let trace = || {
            let mut tab = Tab::new("actor", 0, true, 7.0, 0.0).unwrap();
            let mut at_ms = 0.0;
            while at_ms < 3_000.0 {
                tab.turn(at_ms);
                at_ms += 10.0;
            }
            tab.take_trace()
        };
        assert_eq!(trace(), trace());
    }
}
