//! What is asked before a request of a client of whom something special is known: may it ask this, does it want a reply, is
//! everybody held up, does somebody look on.
//!
//! Owns the order of the questions. Nearly all requests are asked none of them: see `Session::is_plain`.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Session, stopped};
use crate::command::{self, Found, Group, Mistake, Run, Spec};
use crate::resp::Reply;
use crate::rt::step;
use crate::scope::event::Event;
use crate::scope::record;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Whether a request may run without a further question.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.client.is_plain() && !self.service.server.has_questions()
    }

    /// Runs a request as its client wants it answered, or not.
    pub(super) async fn run_found(&mut self, index: usize, found: Found, now_ms: u64) -> io::Result<()> {
        if !self.client.begins_silent() {
            return self.run_admitted(index, found, now_ms).await;
        }
        self.run_job().await?;
        self.write().await?;
        self.silent = true;
        let ran = match self.run_admitted(index, found, now_ms).await {
            Ok(()) => self.run_job().await,
            failed => failed,
        };
        self.silent = false;
        // Its confirmations are sent all the same, if it is one to subscribe.
        if self.client.is_silent() && !command::is_confirmed(found.spec) {
            self.job.replies.clear();
        }
        ran
    }

    /// Runs a request here, gathers it, or puts it to those that will run where the data is; if it may be run.
    async fn run_admitted(&mut self, index: usize, found: Found, now_ms: u64) -> io::Result<()> {
        self.client.note_command(found, now_ms);
        if let Err(mistake) = command::admit(&self.client, found.spec) {
            self.run_job().await?;
            self.refuse(index, Some(found), mistake);
            return Ok(());
        }
        self.wait_while_paused(found.spec).await?;
        if self.client.is_in_transaction() && self.gather(index, found).await? {
            return Ok(());
        }
        match found.spec.run {
            Run::Session(run) => {
                self.run_job().await?;
                if found.spec.group == Group::PubSub {
                    // What it does others see.
                    step::preempt().await;
                }
                self.run_here(index, found, run, now_ms);
                command::show(&self.client, found.spec, self.job.batch.request(index), now_ms);
            }
            Run::Exec => {
                self.exec(index, found).await?;
                command::show(&self.client, found.spec, self.job.batch.request(index), now_ms);
            }
            _ => {
                command::show(&self.client, found.spec, self.job.batch.request(index), now_ms);
                self.job.push(index, found);
            }
        }
        Ok(())
    }

    /// Answers a request that no command takes, if an answer is wanted.
    pub(super) async fn refuse_unknown(&mut self, index: usize, mistake: Mistake) -> io::Result<()> {
        if self.client.begins_silent() {
            self.write().await?;
        }
        self.refuse(index, None, mistake);
        if self.client.is_silent() {
            self.job.replies.clear();
        }
        Ok(())
    }

    /// Answers what a client did wrong: to ask for what no command takes, or for one it may not have now.
    fn refuse(&mut self, index: usize, found: Option<Found>, mistake: Mistake) {
        let asked_for = found.or_else(|| command::find(self.job.batch.request(index)).ok());
        asked_for.into_iter().for_each(|found| self.service.server.calls.count_rejected(found));
        let mistake = self.client.refuse(self.job.batch.request(index), mistake);
        let (labels, client) = (self.service.sharing.labels(), self.job.client);
        record::record(found.map_or(labels.refused(client), |found| labels.start(client, found)));
        self.service.server.errors.count(&mistake);
        Reply::new(&mut self.job.replies, self.job.protocol).error(mistake);
        record::record(Event::CommandEnd { failed: true });
    }

    /// Waits as long as CLIENT PAUSE holds up commands like this one. What came before it is done and answered.
    async fn wait_while_paused(&mut self, spec: &Spec) -> io::Result<()> {
        let rt = self.service.rt.clone();
        while let Some(left_ms) =
            self.service.server.pause.holds(|| self.client.may_write(spec), || rt.unix_ms())
        {
            self.run_job().await?;
            if !self.silent {
                self.write().await?;
            }
            let server = Arc::clone(&self.service.server);
            let mut ended = pin!(server.pause.ended());
            // From here on an end is not missed.
            ended.as_mut().enable();
            if server.pause.holds(|| self.client.may_write(spec), || rt.unix_ms()).is_none() {
                break;
            }
            tokio::select! {
                biased;
                () = ended => {}
                () = self.client.killed() => return Err(io::ErrorKind::ConnectionAborted.into()),
                // On a receiver of its own: to have seen the value here would be to have seen it where bytes are awaited.
                () = stopped(self.service.stop.clone()) => break,
                () = rt.sleep(Duration::from_millis(left_ms)) => {}
            }
        }
        Ok(())
    }
}
