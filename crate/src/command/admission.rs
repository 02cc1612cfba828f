//! Whether a client may ask for what it asks for, as it stands now.
//!
//! Owns the rules that depend on the client and not on the arguments, with Redis's words for each. Whoever runs requests asks
//! here first, once [`resolve`](super::resolve) has found the command.

use super::client::Client;
use super::mistake::Mistake;
use super::monitor;
use super::spec::{Flag, Spec};
use crate::resp::Protocol;

/// What a client that listens may ask for in RESP2, where messages look like replies.
const WHILE_LISTENING: [&str; 9] = [
    "subscribe",
    "unsubscribe",
    "psubscribe",
    "punsubscribe",
    "ssubscribe",
    "sunsubscribe",
    "ping",
    "quit",
    "reset",
];

/// Lets a request through, or says why not. One look at the client for those of whom nothing is expected.
///
/// # Errors
/// The reply to write instead.
pub fn admit(client: &Client, spec: &Spec) -> Result<(), Mistake> {
    if !client.is_let_in() && !spec.has(Flag::NoAuth) {
        return Err(Mistake::new("NOAUTH Authentication required."));
    }
    if !client.has_mailbox() {
        return Ok(());
    }
    if client.looks_on() {
        monitor::refuse_data(spec)?;
    }
    if client.listens() && client.protocol() == Protocol::Resp2 && !WHILE_LISTENING.contains(&spec.name) {
        return Err(Mistake::from(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            spec.name
        )));
    }
    Ok(())
}

/// Why a command may not be carried out by EXEC, if it may not: as in Redis, whose words these are.
pub fn admit_in_transaction(spec: &Spec) -> Result<(), Mistake> {
    match spec.name {
        "monitor" => Err(Mistake::new("ERR MONITOR isn't allowed for DENY BLOCKING client")),
        "ssubscribe" => Err(Mistake::new("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")),
        _ => Ok(()),
    }
}
