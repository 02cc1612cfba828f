//! Programs made by chance, of all that a task can do. They end whatever the order of their polls.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;
use interleave::rt::{Answers, AsyncMutex, Mutex, Promise, Rt, Sender, channel};

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The program called `seed`: the same gives the same.
pub(super) async fn random(rt: Rt, seed: u64) {
    let mut chance = Rng::with_seed(seed);
    let (mail, mut letters) = channel("mail", chance.u64(1..4) as usize);
    let (jobs, mut received) = channel("jobs", 2);
    let answers = Answers::new("answer");
    let shared = Shared {
        locks: Arc::new([AsyncMutex::new("lock", 0, ()), AsyncMutex::new("lock", 1, ())]),
        counter: Arc::new(Mutex::new("counter", 0, 0)),
        mail,
        jobs,
        answers,
    };
    rt.spawn("reader", 0, async move { while letters.receive().await.is_some() {} });
    rt.spawn("owner", 0, async move {
        while let Some((job, promise)) = received.receive().await {
            let _ = Promise::keep(promise, job);
        }
    });
    for number in 0..chance.u32(1..12) {
        rt.spawn("task", number, anything(rt.clone(), shared.clone(), chance.fork(), 2));
    }
}

/// What the tasks of a random program share.
#[derive(Clone)]
struct Shared {
    locks: Arc<[AsyncMutex<()>; 2]>,
    counter: Arc<Mutex<u32>>,
    mail: Sender<u32>,
    jobs: Sender<(u32, Promise<u32>)>,
    answers: Answers,
}

/// Up to a dozen deeds. No lock is awaited by who holds one, so nothing waits for ever.
fn anything(rt: Rt, shared: Shared, mut chance: Rng, depth: u32) -> Running {
    Box::pin(async move {
        for deed in 0..chance.u32(0..12) {
            match chance.u32(0..11) {
                0 | 1 => rt.yield_now().await,
                2 => rt.sleep(Duration::from_micros(chance.u64(0..50))).await,
                3 => *shared.counter.lock() += 1,
                4 => {
                    let _held = shared.locks[chance.u64(0..2) as usize].lock().await;
                    match chance.u32(0..3) {
                        0 => rt.yield_now().await,
                        1 => rt.sleep(Duration::from_micros(chance.u64(0..20))).await,
                        _ => {}
                    }
                }
                5 => shared.mail.send(deed).await.unwrap(),
                6 => {
                    let (promise, answer) = shared.answers.promise();
                    assert!(shared.jobs.send((deed, promise)).await.is_ok());
                    assert_eq!(answer.await, Some(deed));
                }
                7 => {
                    let mut left = chance.u32(0..4);
                    poll_fn(|cx| {
                        if left == 0 {
                            return Poll::Ready(());
                        }
                        left -= 1;
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    })
                    .await;
                }
                8 => {
                    // Spends the budget.
                    for _ in 0..chance.u32(0..200) {
                        tokio::task::coop::consume_budget().await;
                    }
                }
                _ if depth > 0 => {
                    let child = anything(rt.clone(), shared.clone(), chance.fork(), depth - 1);
                    let child = rt.spawn("child", deed, child);
                    match chance.u32(0..4) {
                        0 => child.await.unwrap(),
                        1 => child.abort(),
                        2 => drop(rt.timeout(Duration::from_micros(10), child).await),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    })
}
