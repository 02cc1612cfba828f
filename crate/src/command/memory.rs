//! MEMORY: what a key takes.
//!
//! The figures are the store's estimate, the same that a memory limit goes by. There is no MEMORY STATS, DOCTOR or PURGE: they
//! tell of Redis's allocator.

use super::Mistake;
use super::parse::{integer, is};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use super::table::write_help;
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
    run: Run::session(help),
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

const HELP: Spec = Spec {
    name: "memory|help",
    summary: "What MEMORY can do.",
    usage: "",
    since: "4.0.0",
    group: Group::Server,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(help),
};

fn help(_: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    write_help(&MEMORY, reply);
    Ok(())
}
