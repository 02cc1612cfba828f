//! One task owns the store; requests go to it and replies come back as messages.
//!
//! No lock: the owner works through its messages one after the other. Its queue is bounded, so that when it cannot keep up
//! the connections wait in turn (back-pressure) instead of filling memory.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::rt::{Answers, Promise, Receiver, Rt, Sender, channel};
use crate::store::Databases;

use super::job::{Executor, Job, Labels};
use super::{OwnerGone, Share};

/// What the owner is asked to do.
#[derive(Debug)]
#[cfg_attr(
    target_pointer_width = "64",
    expect(
        clippy::large_enum_variant,
        reason = "nearly all are the large ones, and a box for each would cost more"
    )
)]
enum Message {
    /// Run this, and send it back with its replies.
    Run(Job, Promise<Job>),
    /// Remove a sample of the expired keys, and say whether any key is left that will expire.
    Expire(Promise<bool>),
}

/// Where messages to the owner go.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    messages: Sender<Message>,
    replies: Answers,
}

/// A connection that sends its requests to the owner.
pub(crate) struct Connection {
    owner: Owner,
    labels: Labels,
}

impl Owner {
    /// Spawns the task that owns the store; it ends when the last connection and the last `Owner` are gone.
    pub(super) fn spawn(rt: &Rt, executor: Executor, store: Databases, queue: usize) -> Self {
        let (messages, inbox) = channel("requests", queue);
        rt.spawn("store owner", 0, own(executor, store, inbox));
        Self { messages, replies: Answers::new("reply") }
    }

    pub(super) fn connect(&self, labels: &Labels) -> Connection {
        Connection { owner: self.clone(), labels: labels.clone() }
    }

    pub(super) async fn expire(&self) -> bool {
        let (promise, answer) = self.replies.promise();
        self.messages.send(Message::Expire(promise)).await.is_ok() && answer.await.unwrap_or(false)
    }
}

async fn own(mut executor: Executor, mut store: Databases, mut inbox: Receiver<Message>) {
    while let Some(message) = inbox.receive().await {
        match message {
            Message::Run(mut job, promise) => {
                // A panic costs the connection that caused it, whose promise is dropped; the owner serves the others.
                let run = AssertUnwindSafe(|| executor.run_all(&mut job, &mut store));
                if catch_unwind(run).is_ok() {
                    executor.knows(&job.replies);
                    // A client that has left awaits nothing.
                    let _ = promise.keep(job);
                }
                executor.knows(&[]);
            }
            Message::Expire(promise) => {
                let _ = promise.keep(executor.expire(&mut store));
            }
        }
    }
}

impl Share for Connection {
    async fn run(&mut self, job: &mut Job) -> Result<(), OwnerGone> {
        job.start_all(&self.labels);
        let (promise, answer) = self.owner.replies.promise();
        let sent = self.owner.messages.send(Message::Run(std::mem::take(job), promise)).await;
        if sent.is_err() {
            return Err(OwnerGone);
        }
        *job = answer.await.ok_or(OwnerGone)?;
        job.end();
        Ok(())
    }
}
