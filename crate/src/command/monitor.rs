//! MONITOR: every command that is taken up, shown to those who look on.
//!
//! An onlooker has the mailbox of a listener, so one that reads slowly is disconnected like one. Commands on data are shown in the
//! order in which sessions take them up, which need not be the one in which they reach the data; the others, and those of a
//! transaction, when they have been carried out.

use super::auth::is_secret_argument;
use super::broker::Topic;
use super::client::Client;
use super::mistake::Mistake;
use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use crate::resp::{Args, Reply, quote};

/// What all onlookers look at.
pub(super) const EVERYTHING: &[u8] = b"";

pub(super) const MONITOR: Spec = Spec {
    name: "monitor",
    summary: "Shows all commands that the server is asked for, until RESET or the connection's end.",
    usage: "",
    since: "1.0.0",
    group: Group::Server,
    complexity: "O(1); each command then costs O(N) in the number of onlookers",
    arity: 1,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Dangerous],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(monitor),
};

fn monitor(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    // Asked twice, Redis answers once.
    if ctx.server.broker.subscribe(ctx.client.subscriptions(), Topic::Everything, EVERYTHING) {
        reply.ok();
    }
    Ok(())
}

/// Shows a request to all onlookers, if there are any and it is not for administrators.
#[inline]
pub(crate) fn show(client: &Client, spec: &Spec, args: Args<'_>, now_ms: u64) {
    // QUIT is no command to Redis.
    if client.server().broker.is_watched() && !spec.has(Flag::Admin) && spec.name != "quit" {
        show_to_all(client, spec, args, now_ms);
    }
}

#[cold]
fn show_to_all(client: &Client, spec: &Spec, args: Args<'_>, now_ms: u64) {
    let address = &client.listed().peer.address;
    let mut line = format!("{}.{:06} [{} {address}]", now_ms / 1000, now_ms % 1000 * 1000, client.database());
    for (index, argument) in args.iter().enumerate() {
        line.push(' ');
        quote(if is_secret_argument(spec, args, index) { b"(redacted)" } else { argument }, &mut line);
    }
    let server = client.server();
    server.broker.publish(server, Topic::Everything, EVERYTHING, line.as_bytes());
}

/// Why an onlooker may not ask for a command on data, if it is one: Redis takes it for a kind of replica.
pub(super) fn refuse_data(spec: &Spec) -> Result<(), Mistake> {
    if [Flag::Write, Flag::ReadOnly, Flag::MayReplicate].iter().any(|flag| spec.has(*flag)) {
        return Err(Mistake::new("ERR Replica can't interact with the keyspace"));
    }
    Ok(())
}
