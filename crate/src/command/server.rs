//! Commands about the server as a whole.

use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use crate::resp::{Args, Reply};

pub(super) const DBSIZE: Spec = Spec {
    name: "dbsize",
    summary: "How many keys there are, expired ones not yet removed included.",
    usage: "",
    since: "1.0.0",
    group: Group::Server,
    complexity: "O(1)",
    arity: 1,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: KeySpec::All,
    subcommands: &[],
    run: Run::Keyspace(dbsize),
};

fn dbsize(ctx: &mut Ctx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let shards = ctx.keyspace.count();
    reply.count((0..shards).map(|shard| ctx.keyspace.nth(shard).len()).sum());
    Ok(())
}
