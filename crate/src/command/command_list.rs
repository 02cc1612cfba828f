//! COMMAND's questions that take a filter or a request: which commands there are, and which words of a request are keys.
//!
//! What is told of a single command is in [`super::introspection`].

use super::Mistake;
use super::introspection::categories;
use super::parse::is;
use super::pattern::{Case, matches};
use super::spec::{Flag, Group, KeySpec, Keys, Outcome, Run, SessionCtx, Spec};
use super::table::{TABLE, lookup, subcommand};
use crate::resp::{Args, Batch, Reply};

pub(super) const LIST: Spec = Spec {
    name: "command|list",
    summary: "The names of all commands and subcommands, or of those that a filter lets through.",
    usage: "[FILTERBY (MODULE module-name | ACLCAT category | PATTERN pattern)]",
    since: "7.0.0",
    group: Group::Server,
    complexity: "O(N) in the number of commands",
    arity: -2,
    flags: &[Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(list),
};

/// Which commands to list.
enum Filter<'a> {
    All,
    /// Those of a module: there is none.
    Module,
    Category(&'a [u8]),
    Pattern(&'a [u8]),
}

impl Filter<'_> {
    fn fits(&self, spec: &Spec) -> bool {
        match self {
            Self::All => true,
            Self::Module => false,
            Self::Category(wanted) => categories(spec).iter().any(|category| is(wanted, &category[1..])),
            Self::Pattern(pattern) => matches(pattern, spec.name.as_bytes(), Case::Insensitive),
        }
    }
}

fn list(_: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let filter = match (args.len(), args.get(2), args.get(3)) {
        (2, ..) => Filter::All,
        (5, Some(option), Some(kind)) if is(option, "FILTERBY") => match &args[4] {
            _ if is(kind, "MODULE") => Filter::Module,
            category if is(kind, "ACLCAT") => Filter::Category(category),
            pattern if is(kind, "PATTERN") => Filter::Pattern(pattern),
            _ => return Err(Mistake::SYNTAX),
        },
        _ => return Err(Mistake::SYNTAX),
    };
    let all = TABLE.iter().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands));
    let names: Vec<&str> = all.filter(|spec| filter.fits(spec)).map(|spec| spec.name).collect();
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name));
    Ok(())
}

pub(super) const GETKEYS: Spec = Spec {
    name: "command|getkeys",
    summary: "Which words of a request are keys.",
    usage: "command [arg ...]",
    since: "2.8.13",
    group: Group::Server,
    complexity: "O(N) in the number of words",
    arity: -4,
    flags: &[Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(getkeys),
};

fn getkeys(_: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mut batch = Batch::default();
    batch.push(&args.from(2).collect::<Vec<_>>());
    let asked = batch.request(0);
    let invalid = Mistake::new("ERR Invalid command specified");
    let (_, command) = lookup(asked.name()).ok_or(invalid.clone())?;
    let spec = match asked.get(1) {
        Some(name) if !command.subcommands.is_empty() => subcommand(command, name).ok_or(invalid)?,
        _ => command,
    };
    let has_no_keys = matches!(spec.keys, KeySpec::None | KeySpec::All | KeySpec::Computed(_));
    // Channels are found like keys, and are none.
    if has_no_keys || spec.group == Group::PubSub {
        return Err(Mistake::new("ERR The command has no key arguments"));
    }
    if !spec.takes(asked.len()) {
        return Err(Mistake::new("ERR Invalid number of arguments specified for command"));
    }
    let keys: Vec<&[u8]> = match spec.keys(asked) {
        Keys::None | Keys::All => return Err(Mistake::new("ERR Invalid arguments specified for command")),
        keys => keys.iter(asked).collect(),
    };
    reply.array(keys.len());
    keys.iter().for_each(|key| reply.bulk(key));
    Ok(())
}
