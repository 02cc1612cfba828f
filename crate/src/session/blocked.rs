//! A client whose command waits for a key to have something.
//!
//! Owns what a session does meanwhile: it listens for the answer, for the client's leaving, and for what ends sessions.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite};

use super::stream::read_ahead;
use super::{Session, stopped};
use crate::command::Mistake;
use crate::resp::Reply;
use crate::sharing::Blocked;
use crate::store::Waiter;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Waits until a command that found nothing has an answer. Ends with an error when the client leaves meanwhile, or the
    /// server stops: nobody is there to be answered then.
    pub(super) async fn wait(&mut self, mut blocked: Box<Blocked>) -> io::Result<()> {
        self.write().await?;
        self.client.wait_with(Some(Arc::clone(&blocked.ticket) as Arc<dyn Waiter>));
        let Self { stream, arrived, service, client, .. } = self;
        let rt = service.rt.clone();
        let answer = {
            let mut stopped = pin!(stopped(service.stop.clone()));
            let mut ended = pin!(blocked.ended(&rt));
            loop {
                tokio::select! {
                    // In order, not at random: a run must repeat.
                    biased;
                    answer = &mut ended => break answer,
                    read = read_ahead(stream, arrived) => {
                        let bytes = read?;
                        if bytes == 0 {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                        service.server.counters.served().bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
                    }
                    () = client.killed() => return Err(io::ErrorKind::ConnectionAborted.into()),
                    () = &mut stopped => return Err(io::Error::other("the server stops")),
                }
            }
        };
        self.client.wait_with(None);
        let Some(answer) = answer else {
            Reply::new(&mut self.job.replies, self.job.protocol).null_array();
            return Ok(());
        };
        // Whoever carried it out wrote it down before.
        if let Some(log) = self.service.server.log()
            && let Err(failing) = log.settle(log.end()).await
        {
            Reply::new(&mut self.job.replies, self.job.protocol).error(Mistake::log_fails(&failing));
        } else {
            self.job.replies.extend_from_slice(&answer);
        }
        Ok(())
    }
}
