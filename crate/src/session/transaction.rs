//! The requests of a transaction: gathered one by one, carried out together.
//!
//! Owns what a session does for MULTI and EXEC. Which requests wait, and what comes of them, commands and sharing know.

use std::io;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite};

use super::Session;
use crate::command::{Calls, Found};
use crate::resp::Reply;
use crate::scope::event::Event;
use crate::scope::record;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Has a request wait for EXEC, if it is one that does; true if it was answered.
    pub(super) async fn gather(&mut self, index: usize, found: Found) -> io::Result<bool> {
        self.run_job().await?;
        let limits = &self.service.server.config.limits;
        let request = self.job.batch.request(index);
        let Some(outcome) = self.client.gather(found, request, limits) else { return Ok(false) };
        record::record(self.service.sharing.labels().start(self.job.client, found));
        let failed = outcome.is_err();
        let mut reply = Reply::new(&mut self.job.replies, self.job.protocol);
        match outcome {
            Ok(()) => reply.simple("QUEUED"),
            Err(mistake) => {
                self.service.server.errors.count(&mistake);
                self.service.server.calls.count_rejected(found);
                reply.error(mistake);
            }
        }
        record::record(Event::CommandEnd { failed });
        Ok(true)
    }

    /// Carries out what the client has gathered, as one command where the store is reached.
    pub(super) async fn exec(&mut self, index: usize, found: Found) -> io::Result<()> {
        self.run_job().await?;
        match self.client.end_transaction() {
            Ok(transaction) => {
                let commands = transaction.requests().len() as u64;
                self.service.server.counters.served().commands.fetch_add(commands, Ordering::Relaxed);
                self.job.transaction = Some(Box::new(transaction));
                self.job.push(index, found);
                self.run_job().await?;
                if let Some(transaction) = self.job.transaction.take() {
                    self.client = transaction.into_client();
                    self.tell_client();
                }
            }
            Err(mistake) => {
                self.service.server.errors.count(&mistake);
                let calls = Calls { calls: 1, failed: 1, took_ns: None };
                self.service.server.calls.count(found, calls);
                record::record(self.service.sharing.labels().start(self.job.client, found));
                Reply::new(&mut self.job.replies, self.job.protocol).error(mistake);
                record::record(Event::CommandEnd { failed: true });
            }
        }
        Ok(())
    }
}
