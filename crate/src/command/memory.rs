//! MEMORY: what a key takes.
//!
//! The figures are the store's estimate, the same that a memory limit goes by. There is no MEMORY STATS, DOCTOR or PURGE: they
//! tell of Redis's allocator.

use super::Mistake;
use super::help;
use super::parse::{integer, is};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use crate::resp::{Args, Reply};

pub(super) const MEMORY: Spec = Spec {
    name: "memory",
    summary: "A container for commands about memory.",
    usage: "",
    since: "4.0.0",
    group: Group::Server,
    complexity: "Depends on the subcommand",
    arity: -2,
    flags: &[],
    keys: KeySpec::None,
    subcommands: &[HELP, USAGE],
    run: help::RUN,
};

const USAGE: Spec = Spec {
    name: "memory|usage",
    summary: "About how many bytes a key and its value take. SAMPLES is taken and not needed: a collection counts all along.",
    usage: "key [SAMPLES count]",
    since: "4.0.0",
    group: Group::Server,
    complexity: "O(1)",
    arity: -3,
    flags: &[Flag::ReadOnly],
    keys: KeySpec::Range { first: 2, last: 2, step: 1 },
    subcommands: &[],
    run: Run::keyspace(usage),
};

fn usage(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    for index in (3..args.len()).step_by(2) {
        if !is(&args[index], "SAMPLES") || index + 1 == args.len() {
            return Err(Mistake::SYNTAX);
        }
        if integer(&args[index + 1])? < 0 {
            return Err(Mistake::SYNTAX);
        }
    }
    match ctx.keyspace.store(&args[2]).weight_of(&args[2], ctx.now_ms) {
        Some(bytes) => reply.count(bytes),
        None => reply.null(),
    }
    Ok(())
}

const HELP: Spec = help::of("memory|help", "4.0.0", Group::Server);
