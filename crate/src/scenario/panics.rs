//! A panic in a task of a run: caught on its way, so that what came of the task can say so. Where a panic ends the process, as in
//! WebAssembly, nothing is caught. Knows no statement.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// What a panic carries.
pub(super) type Payload = Box<dyn Any + Send>;

/// `work`'s result, or what it panicked with. It is not polled after that. Cancellation safe if `work` is.
pub(super) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Payload> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        // What it left behind broken is not looked at: it is dropped with it.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    })
    .await
}

/// What a panic says.
pub(super) fn message(payload: &Payload) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it did not say why".to_owned())
}
