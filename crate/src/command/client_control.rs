//! CLIENT's commands that act on connections: end them, hold them up, silence them.

use super::client::Listed;
use super::clients::ClientType;
use super::mistake::Mistake;
use super::parse::{is, timeout_ms};
use super::pause::Pausing;
use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use crate::resp::{Args, Reply, parse_i64};

pub(super) const KILL: Spec = Spec {
    name: "client|kill",
    summary: "Ends the connections that all filters fit, or the one from this address; how many.",
    usage: "(ip:port | (ID client-id | TYPE (NORMAL | MASTER | REPLICA | PUBSUB) | USER username | ADDR ip:port \
            | LADDR ip:port | SKIPME (YES | NO)) ...)",
    since: "2.4.0",
    group: Group::Connection,
    complexity: "O(N) in the number of connections",
    arity: -3,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Dangerous],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(kill),
};

/// Which connections to end: those that everything here fits.
#[derive(Default)]
struct Filter<'a> {
    id: Option<u64>,
    kind: Option<ClientType>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    spares_itself: bool,
}

impl Filter<'_> {
    fn fits(&self, client: &Listed, itself: u64) -> bool {
        let is_at =
            |wanted: Option<&[u8]>, address: &str| wanted.is_none_or(|wanted| wanted == address.as_bytes());
        !client.is_gone()
            && self.id.is_none_or(|id| id == client.id)
            && self.kind.is_none_or(|kind| kind.is_of(client))
            && is_at(self.address, &client.peer.address)
            && is_at(self.local_address, &client.peer.local_address)
            && !(self.spares_itself && client.id == itself)
    }
}

fn kill(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() == 3 {
        // The older form, which spares nobody.
        let filter = Filter { address: Some(&args[2]), ..Filter::default() };
        if kill_all(ctx, &filter) == 0 {
            return Err(Mistake::new("ERR No such client"));
        }
        reply.ok();
        return Ok(());
    }
    let mut filter = Filter { spares_itself: true, ..Filter::default() };
    let mut rest = args.from(2);
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(Mistake::SYNTAX)?;
        if is(option, "ID") {
            let id = parse_i64(value).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
            filter.id = Some(id.ok_or(Mistake::new("ERR client-id should be greater than 0"))?);
        } else if is(option, "TYPE") {
            filter.kind = Some(ClientType::parse(value)?);
        } else if is(option, "ADDR") {
            filter.address = Some(value);
        } else if is(option, "LADDR") {
            filter.local_address = Some(value);
        } else if is(option, "USER") {
            // All are the same user; there is no other.
            if value != b"default" {
                return Err(Mistake::from([b"ERR No such user '", value, b"'"].concat()));
            }
        } else if is(option, "SKIPME") && (is(value, "YES") || is(value, "NO")) {
            filter.spares_itself = is(value, "YES");
        } else {
            return Err(Mistake::SYNTAX);
        }
    }
    reply.count(kill_all(ctx, &filter));
    Ok(())
}

/// Has all clients that `filter` fits end; how many. The one that asks ends once it is answered, the others where they wait.
fn kill_all(ctx: &mut SessionCtx<'_>, filter: &Filter<'_>) -> usize {
    let itself = ctx.client.id();
    let mut killed = 0;
    let mut kills_itself = false;
    for client in ctx.server.clients().values().filter(|client| filter.fits(client, itself)) {
        killed += 1;
        if client.id == itself {
            kills_itself = true;
        } else {
            client.bell.ring();
        }
    }
    if kills_itself {
        ctx.client.quit();
    }
    killed
}

pub(super) const PAUSE: Spec = Spec {
    name: "client|pause",
    summary: "Has clients wait before their next command, or the next that may change data. A batch that has begun goes on.",
    usage: "timeout [WRITE | ALL]",
    since: "2.9.50",
    group: Group::Connection,
    complexity: "O(1)",
    arity: -3,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Dangerous],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(pause),
};

fn pause(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let pausing = match args.get(3) {
        _ if args.len() > 4 => return Err(Mistake::unknown_form(args)),
        None => Pausing::All,
        Some(mode) if is(mode, "ALL") => Pausing::All,
        Some(mode) if is(mode, "WRITE") => Pausing::Writes,
        Some(_) => return Err(Mistake::new("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let ms = timeout_ms(&args[2])?;
    ctx.server.pause.begin(pausing, ctx.now_ms.saturating_add(ms), ctx.now_ms);
    reply.ok();
    Ok(())
}

pub(super) const UNPAUSE: Spec = Spec {
    name: "client|unpause",
    summary: "Lets clients that CLIENT PAUSE holds up go on. Where that holds up all, it waits like everything.",
    usage: "",
    since: "6.2.0",
    group: Group::Connection,
    complexity: "O(N) in the number of clients that wait",
    arity: 2,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Dangerous],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(unpause),
};

fn unpause(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    ctx.server.pause.end();
    reply.ok();
    Ok(())
}

pub(super) const REPLY: Spec = Spec {
    name: "client|reply",
    summary: "Whether this connection is answered: always, never, or not this time and the next.",
    usage: "(ON | OFF | SKIP)",
    since: "3.2.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(reply_mode),
};

fn reply_mode(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mode = &args[2];
    if is(mode, "ON") {
        ctx.client.silence = Silence::None;
        reply.ok();
    } else if is(mode, "OFF") {
        ctx.client.silence = Silence::Always;
    } else if is(mode, "SKIP") {
        if ctx.client.silence != Silence::Always {
            ctx.client.silence = Silence::Next;
        }
    } else {
        return Err(Mistake::SYNTAX);
    }
    Ok(())
}

/// What of a client's replies it is not sent. What is pushed is sent all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing.
    #[default]
    None,
    /// That to the next command.
    Next,
    /// That to the command that runs.
    This,
    /// Everything.
    Always,
}

pub(super) const NO_EVICT: Spec = Spec {
    name: "client|no-evict",
    summary: "Marks this connection as one not to be ended for its memory. None is here: each has limits of its own.",
    usage: "(ON | OFF)",
    since: "7.0.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Dangerous],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(no_evict),
};

fn no_evict(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mode = &args[2];
    if !is(mode, "ON") && !is(mode, "OFF") {
        return Err(Mistake::SYNTAX);
    }
    ctx.client.listed().set(Listed::NO_EVICT, is(mode, "ON"));
    reply.ok();
    Ok(())
}
