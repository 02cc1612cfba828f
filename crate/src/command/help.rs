//! HELP: what the subcommands of a container do, in the layout of Redis's own help and the table's words.
//!
//! Owns the text and the entry that each container has for it. Knows no container by name.

use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use super::table::lookup;
use crate::resp::{Args, Reply};

/// What a container does, which is only ever asked for HELP by itself: all else is a subcommand's.
pub(super) const RUN: Run = Run::session(help);

const SUMMARY: &str = "Prints this help.";

/// The entry of a container's subcommand HELP, `name` with the container in front: `client|help`.
pub(super) const fn of(name: &'static str, since: &'static str, group: Group) -> Spec {
    Spec {
        name,
        summary: SUMMARY,
        usage: "",
        since,
        group,
        complexity: "O(1)",
        arity: 2,
        flags: &[Flag::Loading, Flag::Stale],
        keys: KeySpec::None,
        subcommands: &[],
        run: RUN,
    }
}

fn help(_: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    // The request has found its command by this name.
    if let Some((_, container)) = lookup(args.name()) {
        write_help(container, reply);
    }
    Ok(())
}

/// Help for what has no entries for its subcommands but one form, and HELP.
pub(super) fn write_short(spec: &Spec, reply: &mut Reply<'_>) {
    reply.array(5);
    write_title(&spec.name.to_ascii_uppercase(), reply);
    for (form, summary) in [(spec.usage, spec.summary), ("HELP", SUMMARY)] {
        reply.simple(form);
        reply.simple(&format!("    {summary}"));
    }
}

fn write_title(name: &str, reply: &mut Reply<'_>) {
    reply.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
}

fn write_help(container: &Spec, reply: &mut Reply<'_>) {
    reply.array(1 + 2 * container.subcommands.len());
    let name = container.name.to_ascii_uppercase();
    write_title(&name, reply);
    for sub in container.subcommands {
        let word = sub.name[name.len() + 1..].to_ascii_uppercase();
        reply.simple(format!("{word} {}", sub.usage).trim_end());
        reply.simple(&format!("    {}", sub.summary));
    }
}
