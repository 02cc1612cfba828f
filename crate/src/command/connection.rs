//! Commands about the client's own connection.

use super::Mistake;
use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use crate::resp::{Args, Reply};

pub(super) const PING: Spec = Spec {
    name: "ping",
    summary: "Answers PONG, or the message: is anyone there?",
    usage: "[message]",
    since: "1.0.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: -1,
    flags: &[Flag::Fast],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::Session(ping),
};

fn ping(_: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    match args.len() {
        1 => reply.simple("PONG"),
        2 => reply.bulk(&args[1]),
        _ => return Err(Mistake::arity(PING.name)),
    }
    Ok(())
}

pub(super) const ECHO: Spec = Spec {
    name: "echo",
    summary: "Answers the message.",
    usage: "message",
    since: "1.0.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::Session(echo),
};

fn echo(_: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.bulk(&args[1]);
    Ok(())
}

pub(super) const QUIT: Spec = Spec {
    name: "quit",
    summary: "Closes the connection once everything before it is answered.",
    usage: "",
    since: "1.0.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: -1,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::Session(quit),
};

fn quit(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    ctx.client.quit();
    reply.ok();
    Ok(())
}
