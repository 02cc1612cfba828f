//! Small programs that between them do all that makes a scheduler decide something. Written once, run on any runtime.
//!
//! None depends on how long anything takes: where a program sleeps, its deadlines lie far apart. None uses what is random
//! in itself: `select!` without `biased`, a map with a random seed, or `tokio::sync::watch` (and `Barrier`, which is made
//! of it), which spreads its waiters over eight lists at random.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use interleave::rt::{Answers, AsyncMutex, JoinHandle, Rt, channel};
use tokio::sync::{Notify, Semaphore, broadcast};

pub(super) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A program, by name. Its future is its first task.
#[derive(Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    /// It sleeps: on a busy machine, deadlines that lie apart may all have passed when somebody looks.
    pub(super) sleeps: bool,
    pub(super) main: fn(Rt) -> Running,
}

const fn program(name: &'static str, main: fn(Rt) -> Running) -> Program {
    Program { name, sleeps: false, main }
}

const fn sleeping(name: &'static str, main: fn(Rt) -> Running) -> Program {
    Program { name, sleeps: true, main }
}

/// All of them.
pub(super) const PROGRAMS: &[Program] = &[
    program("spawn three", |rt| Box::pin(spawn_three(rt))),
    program("spawn tree", |rt| Box::pin(async move { tree(&rt, 4, false).await })),
    program("spawn tree, joined", |rt| Box::pin(async move { tree(&rt, 4, true).await })),
    program("ping-pong", |rt| Box::pin(ping_pong(rt, 10, 0))),
    program("ping-pong among others", |rt| Box::pin(ping_pong(rt, 40, 3))),
    program("mutex hand-off", |rt| Box::pin(mutex(rt, 5, 3))),
    sleeping("mutex held over a sleep", |rt| Box::pin(mutex_and_sleep(rt))),
    program("mpsc, room for one", |rt| Box::pin(mpsc(rt, 1, 4, 10))),
    program("mpsc, room for many", |rt| Box::pin(mpsc(rt, 64, 4, 50))),
    program("oneshot chain", |rt| Box::pin(oneshots(rt))),
    program("join in reverse", |rt| Box::pin(join_in_reverse(rt))),
    program("yield in turn", |rt| Box::pin(yields(rt, 3, 5))),
    program("yield many times", |rt| Box::pin(yields(rt, 7, 100))),
    program("yield while others spawn", |rt| Box::pin(yield_and_spawn(rt))),
    program("budget spent on a channel", |rt| Box::pin(budget(rt))),
    sleeping("budget spent on joins", |rt| Box::pin(joins(rt))),
    program("budget shared through the LIFO slot", |rt| Box::pin(shared_budget(rt))),
    sleeping("budget handed on, and none left", |rt| Box::pin(handed_budget(rt))),
    program("select", |rt| Box::pin(select(rt))),
    sleeping("sleepers", |rt| Box::pin(sleepers(rt))),
    sleeping("timeouts", |rt| Box::pin(timeouts(rt))),
    program("600 spawned at once", |rt| Box::pin(many(rt, 600, false))),
    program("600 that yield", |rt| Box::pin(many(rt, 600, true))),
    program("abort", |rt| Box::pin(abort(rt))),
    program("panic", |rt| Box::pin(panics(rt))),
    program("wakes itself", |rt| Box::pin(wakes_itself(rt))),
    program("actor", |rt| Box::pin(actor(rt))),
    program("notify all", |rt| Box::pin(notify(rt))),
    program("semaphore", |rt| Box::pin(semaphore(rt))),
    program("broadcast", |rt| Box::pin(broadcasts(rt))),
    program("a long time with everything", |rt| Box::pin(everything(rt))),
];

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

async fn all(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.await.unwrap();
    }
}

async fn spawn_three(rt: Rt) {
    for number in 0..3 {
        rt.spawn("task", number, async {});
    }
}

fn tree(rt: &Rt, depth: u32, join: bool) -> Running {
    let rt = rt.clone();
    Box::pin(async move {
        if depth == 0 {
            return;
        }
        let children: Vec<_> =
            (0..2).map(|side| rt.spawn("node", depth * 10 + side, tree(&rt, depth - 1, join))).collect();
        if join {
            all(children).await;
        }
    })
}

async fn ping_pong(rt: Rt, rounds: u32, bystanders: u32) {
    let (ping, mut pinged) = channel("ping", 1);
    let (pong, mut ponged) = channel("pong", 1);
    for number in 0..bystanders {
        let inner = rt.clone();
        rt.spawn("bystander", number, async move {
            for _ in 0..rounds {
                inner.yield_now().await;
            }
        });
    }
    rt.spawn("pong", 0, async move {
        while let Some(ball) = pinged.receive().await {
            if pong.send(ball).await.is_err() {
                break;
            }
        }
    });
    rt.spawn("ping", 0, async move {
        for ball in 0..rounds {
            ping.send(ball).await.unwrap();
            assert_eq!(ponged.receive().await, Some(ball));
        }
    });
}

async fn mutex(rt: Rt, tasks: u32, rounds: u32) {
    let lock = Arc::new(AsyncMutex::new("store", 0, 0));
    let tasks = (0..tasks).map(|number| {
        let (inner, lock) = (rt.clone(), Arc::clone(&lock));
        rt.spawn("task", number, async move {
            for _ in 0..rounds {
                let mut held = lock.lock().await;
                inner.yield_now().await;
                *held += 1;
            }
        })
    });
    all(tasks.collect::<Vec<_>>()).await;
}

async fn mutex_and_sleep(rt: Rt) {
    let lock = Arc::new(AsyncMutex::new("store", 0, 0));
    for number in 0..3 {
        let (inner, lock) = (rt.clone(), Arc::clone(&lock));
        rt.spawn("task", number, async move {
            let mut held = lock.lock().await;
            inner.sleep(ms(4)).await;
            *held += 1;
        });
    }
}

async fn mpsc(rt: Rt, room: usize, senders: u32, letters: u32) {
    let (sender, mut receiver) = channel("mail", room);
    for number in 0..senders {
        let sender = sender.clone();
        rt.spawn("sender", number, async move {
            for letter in 0..letters {
                sender.send(letter).await.unwrap();
            }
        });
    }
    drop(sender);
    rt.spawn("receiver", 0, async move { while receiver.receive().await.is_some() {} });
}

async fn oneshots(rt: Rt) {
    let answers = Answers::new("answer");
    let (mut promise, first) = answers.promise::<u32>();
    for number in 0..6 {
        let (next, answer) = answers.promise();
        rt.spawn("link", number, async move {
            let got = answer.await.unwrap();
            promise.keep(got + 1).unwrap();
        });
        promise = next;
    }
    rt.spawn("start", 0, async move { promise.keep(1).unwrap() });
    assert_eq!(first.await, Some(7));
}

async fn join_in_reverse(rt: Rt) {
    let tasks: Vec<_> = (0..5)
        .map(|number| {
            let inner = rt.clone();
            rt.spawn("task", number, async move {
                for _ in 0..number {
                    inner.yield_now().await;
                }
            })
        })
        .collect();
    all(tasks.into_iter().rev()).await;
}

async fn yields(rt: Rt, tasks: u32, times: u32) {
    for number in 0..tasks {
        let inner = rt.clone();
        rt.spawn("task", number, async move {
            for _ in 0..times {
                inner.yield_now().await;
            }
        });
    }
}

async fn yield_and_spawn(rt: Rt) {
    for number in 0..4 {
        let inner = rt.clone();
        rt.spawn("parent", number, async move {
            for round in 0..3 {
                inner.spawn("child", number * 10 + round, async {});
                inner.yield_now().await;
            }
        });
    }
}

async fn budget(rt: Rt) {
    let (sender, mut receiver) = channel("mail", 400);
    for letter in 0..400 {
        sender.send(letter).await.unwrap();
    }
    drop(sender);
    rt.spawn("receiver", 0, async move { while receiver.receive().await.is_some() {} });
    yields(rt, 2, 4).await;
}

async fn joins(rt: Rt) {
    let tasks: Vec<_> = (0..300).map(|number| rt.spawn("task", number, async {})).collect();
    // By now all have ended.
    rt.sleep(ms(3)).await;
    rt.spawn("bystander", 0, async {});
    all(tasks).await;
}

async fn shared_budget(rt: Rt) {
    let (sender, mut receiver) = channel("mail", 200);
    let inner = rt.clone();
    rt.spawn("receiver", 0, async move { while receiver.receive().await.is_some() {} });
    rt.spawn("bystander", 0, async move { inner.yield_now().await });
    rt.spawn("sender", 0, async move {
        for letter in 0..1000 {
            sender.send(letter).await.unwrap();
        }
    });
}

/// Each task of a row spends some of the budget that it shares with those before it, and wakes the next.
async fn handed_budget(rt: Rt) {
    for row in [[50, 50, 50], [128, 1, 1], [100, 28, 1], [127, 0, 2]] {
        let bells: Vec<_> = row.iter().map(|_| Arc::new(Notify::new())).collect();
        for (number, spends) in row.into_iter().enumerate() {
            let (bell, next) = (Arc::clone(&bells[number]), bells.get(number + 1).map(Arc::clone));
            rt.spawn("link", row[0] * 10 + number as u32, async move {
                // Costs nothing, other than a wait that Tokio counts.
                tokio::task::coop::unconstrained(bell.notified()).await;
                for _ in 0..spends {
                    tokio::task::coop::consume_budget().await;
                }
                if let Some(next) = next {
                    next.notify_one();
                }
            });
        }
        // All wait before the first is woken; meanwhile others are ready, behind whom a task without budget goes.
        rt.sleep(ms(2)).await;
        for number in 0..3 {
            rt.spawn("bystander", number, async {});
        }
        bells[0].notify_one();
    }
}

async fn select(rt: Rt) {
    let (sender, mut receiver) = channel("mail", 1);
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let chooser = rt.spawn("chooser", 0, async move {
        let mut got = 0;
        loop {
            tokio::select! {
                biased;
                () = stopped.notified() => break,
                letter = receiver.receive() => match letter {
                    Some(_) => got += 1,
                    None => break,
                },
            }
        }
        assert!(got > 0);
    });
    let inner = rt.clone();
    rt.spawn("sender", 0, async move {
        for letter in 0..10 {
            if sender.send(letter).await.is_err() {
                break;
            }
            inner.yield_now().await;
        }
    });
    let inner = rt.clone();
    rt.spawn("stopper", 0, async move {
        for _ in 0..5 {
            inner.yield_now().await;
        }
        stop.notify_one();
    });
    chooser.await.unwrap();
}

async fn sleepers(rt: Rt) {
    let mut tasks = Vec::new();
    for number in [5, 1, 3, 2, 4] {
        let inner = rt.clone();
        tasks.push(rt.spawn("sleeper", number, async move {
            inner.sleep(ms(u64::from(number) * 6)).await;
            inner.spawn("after", number, async {});
            inner.yield_now().await;
        }));
    }
    all(tasks).await;
}

async fn timeouts(rt: Rt) {
    let (sender, mut receiver) = channel("mail", 1);
    let inner = rt.clone();
    rt.spawn("sender", 0, async move {
        inner.sleep(ms(5)).await;
        sender.send(1).await.unwrap();
        inner.sleep(ms(40)).await;
        let _ = sender.send(2).await;
    });
    let inner = rt.clone();
    rt.spawn("waiter", 0, async move {
        assert_eq!(inner.timeout(ms(30), receiver.receive()).await, Some(Some(1)));
        assert_eq!(inner.timeout(ms(10), receiver.receive()).await, None);
    });
}

async fn many(rt: Rt, tasks: u32, gives_way: bool) {
    for number in 0..tasks {
        let inner = rt.clone();
        rt.spawn("task", number, async move {
            if gives_way {
                inner.yield_now().await;
            }
        });
    }
}

async fn abort(rt: Rt) {
    let waits = rt.spawn("waits", 0, std::future::pending::<()>());
    let ready = rt.spawn("ready", 0, async {});
    rt.spawn("bystander", 0, async {});
    rt.yield_now().await;
    let late = rt.spawn("late", 0, async {});
    late.abort();
    waits.abort();
    assert!(waits.await.is_err());
    assert!(late.await.is_err());
    assert!(ready.await.is_ok());
}

async fn panics(rt: Rt) {
    let quiet = rt.spawn("panics", 0, async {
        // Unwinds without the hook, which would print.
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    rt.spawn("bystander", 0, async {});
    assert_eq!(quiet.await.unwrap_err().to_string(), "the task panicked before it returned: on purpose");
}

async fn wakes_itself(rt: Rt) {
    for number in 0..3 {
        let mut left = 4;
        rt.spawn(
            "task",
            number,
            poll_fn(move |cx| {
                if left == 0 {
                    return Poll::Ready(());
                }
                left -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }),
        );
    }
}

async fn actor(rt: Rt) {
    let (sender, mut receiver) = channel("jobs", 4);
    let answers = Answers::new("answer");
    for number in 0..5 {
        let (sender, answers) = (sender.clone(), answers.clone());
        rt.spawn("client", number, async move {
            for job in 0..8 {
                let (promise, answer) = answers.promise();
                assert!(sender.send((job, promise)).await.is_ok());
                assert_eq!(answer.await, Some(job + 1));
            }
        });
    }
    drop(sender);
    rt.spawn("owner", 0, async move {
        while let Some((job, promise)) = receiver.receive().await {
            promise.keep(job + 1).unwrap();
        }
    });
}

async fn notify(rt: Rt) {
    let bell = Arc::new(Notify::new());
    for number in 0..6 {
        let bell = Arc::clone(&bell);
        rt.spawn("waiter", number, async move {
            bell.notified().await;
            bell.notified().await;
        });
    }
    rt.yield_now().await;
    rt.yield_now().await;
    bell.notify_waiters();
    rt.yield_now().await;
    bell.notify_waiters();
}

async fn semaphore(rt: Rt) {
    let places = Arc::new(Semaphore::new(2));
    for number in 0..6 {
        let (inner, places) = (rt.clone(), Arc::clone(&places));
        rt.spawn("guest", number, async move {
            for _ in 0..3 {
                let _place = places.acquire().await.unwrap();
                inner.yield_now().await;
            }
        });
    }
}

async fn broadcasts(rt: Rt) {
    let (news, _) = broadcast::channel(4);
    for number in 0..3 {
        let mut reader = news.subscribe();
        rt.spawn("reader", number, async move {
            loop {
                if let Err(broadcast::error::RecvError::Closed) = reader.recv().await {
                    break;
                }
            }
        });
    }
    for round in 0..12 {
        news.send(round).unwrap();
        if round % 2 == 0 {
            rt.yield_now().await;
        }
    }
}

async fn everything(rt: Rt) {
    let lock = Arc::new(AsyncMutex::new("store", 0, 0));
    let (sender, mut receiver) = channel("mail", 3);
    let mut tasks = Vec::new();
    for number in 0..12 {
        let (inner, lock, sender) = (rt.clone(), Arc::clone(&lock), sender.clone());
        tasks.push(rt.spawn("worker", number, async move {
            for round in 0..40 {
                match (number + round) % 5 {
                    0 => inner.yield_now().await,
                    1 => *lock.lock().await += 1,
                    2 => sender.send(round).await.unwrap(),
                    3 => inner.spawn("helper", number * 100 + round, async {}).await.unwrap(),
                    _ => {
                        let _held = lock.lock().await;
                        inner.yield_now().await;
                    }
                }
            }
        }));
    }
    drop(sender);
    rt.spawn("receiver", 0, async move { while receiver.receive().await.is_some() {} });
    all(tasks).await;
}
