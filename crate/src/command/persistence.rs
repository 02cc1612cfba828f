//! What a client can ask of the log: to be compacted, and how it stands.
//!
//! Owns the words for that. Knows no file; the host has them.

use std::sync::atomic::Ordering::Relaxed;

use super::info::Report;
use super::mistake::Mistake;
use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use crate::log::Log;
use crate::resp::{Args, Reply};

pub(super) const BGREWRITEAOF: Spec = Spec {
    name: "bgrewriteaof",
    summary: "Has the append-only log compacted in the background.",
    usage: "",
    since: "1.0.0",
    group: Group::Server,
    complexity: "O(1)",
    arity: 1,
    flags: &[Flag::Admin, Flag::NoScript, Flag::NoAsyncLoading, Flag::Dangerous],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(rewrite),
};

fn rewrite(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    const NONE: Mistake = Mistake::new(
        "ERR Can't execute an AOF background rewriting: there is no append-only file. Start the server with --appendonly.",
    );
    let log = ctx.server.log().ok_or(NONE)?;
    if !log.ask_rewrite() {
        return Err(Mistake::new("ERR Background append only file rewriting already in progress"));
    }
    reply.simple("Background append only file rewriting started");
    Ok(())
}

/// The section Persistence of INFO.
pub(super) fn report(log: Option<&Log>, report: &mut Report<'_>) {
    let status = |fails| if fails { "err" } else { "ok" };
    report.field("loading", 0);
    report.field("aof_enabled", u8::from(log.is_some()));
    let Some(log) = log else { return };
    let figures = log.figures();
    report.field("aof_rewrite_in_progress", u8::from(figures.rewrites_now.load(Relaxed)));
    report.field("aof_last_bgrewrite_status", status(figures.rewrite_failed.load(Relaxed)));
    report.field("aof_rewrites", figures.rewrites.load(Relaxed));
    report.field("aof_last_write_status", status(log.fails()));
    report.field("aof_current_size", figures.size_bytes.load(Relaxed));
    report.field("aof_base_size", figures.base_bytes.load(Relaxed));
    report.field("aof_buffer_length", log.pending_bytes());
}
