//! DEBUG: only SLEEP, which shows what a task does that keeps its worker.

use std::time::Duration;

use super::help;
use super::mistake::Mistake;
use super::parse::is;
use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use crate::resp::{Args, Reply, parse_f64};

/// Longest time a worker is kept: nobody should be able to stop the server by one command.
const BUSY_MAX: Duration = Duration::from_secs(60);

pub(super) const DEBUG: Spec = Spec {
    name: "debug",
    summary: "SLEEP keeps the worker busy for some seconds, 60 at most, without giving way: other tasks that are ready wait, \
              unless another worker takes them. Holds no lock.",
    usage: "SLEEP seconds",
    since: "1.0.0",
    group: Group::Server,
    complexity: "As long as it says",
    arity: -2,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Dangerous],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(debug),
};

fn debug(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() == 2 && is(&args[1], "HELP") {
        help::write_short(&DEBUG, reply);
        return Ok(());
    }
    if args.len() != 3 || !is(&args[1], "SLEEP") {
        return Err(Mistake::unknown_form(args));
    }
    // What is no number, or below 0, is no time at all, as in Redis.
    let seconds = parse_f64(&args[2]).unwrap_or(0.0).max(0.0);
    let busy = Duration::try_from_secs_f64(seconds).unwrap_or(BUSY_MAX).min(BUSY_MAX);
    ctx.client.busy = Some(busy);
    reply.ok();
    Ok(())
}
