//! CLIENT: what clients tell about themselves and ask about each other.
//!
//! What they do to each other is in [`super::client_control`].

use std::sync::Arc;

use super::client::{Listed, Names};
use super::client_control::{KILL, NO_EVICT, PAUSE, REPLY, UNPAUSE};
use super::help;
use super::mistake::Mistake;
use super::parse::{integer, is};
use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use crate::resp::{Args, Reply, parse_i64};

pub(super) const CLIENT: Spec = Spec {
    name: "client",
    summary: "A container for commands about connections.",
    usage: "",
    since: "2.4.0",
    group: Group::Connection,
    complexity: "Depends on the subcommand",
    arity: -2,
    flags: &[],
    keys: KeySpec::None,
    subcommands: &[
        ID, INFO, LIST, KILL, PAUSE, UNPAUSE, REPLY, NO_EVICT, GETNAME, SETNAME, SETINFO, UNBLOCK, HELP,
    ],
    run: help::RUN,
};

const ID: Spec = Spec {
    name: "client|id",
    summary: "The number of this connection.",
    usage: "",
    since: "5.0.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(id),
};

fn id(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.integer(ctx.client.id() as i64);
    Ok(())
}

const INFO: Spec = Spec {
    name: "client|info",
    summary: "This connection in one line.",
    usage: "",
    since: "6.2.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(info),
};

fn info(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.verbatim("txt", ctx.client.listed().line(ctx.now_ms) + "\n");
    Ok(())
}

const LIST: Spec = Spec {
    name: "client|list",
    summary: "All connections, or some, a line each.",
    usage: "[TYPE (NORMAL | MASTER | REPLICA | PUBSUB) | ID client-id ...]",
    since: "2.4.0",
    group: Group::Connection,
    complexity: "O(N) in the number of connections",
    arity: -2,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Dangerous],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(list),
};

fn list(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mut text = String::new();
    let mut add = |client: &Arc<Listed>| {
        if !client.is_gone() {
            text.push_str(&client.line(ctx.now_ms));
            text.push('\n');
        }
    };
    match args.get(2) {
        None => ctx.server.clients().values().for_each(add),
        Some(option) if is(option, "TYPE") && args.len() == 4 => {
            let kind = ClientType::parse(&args[3])?;
            ctx.server.clients().values().filter(|client| kind.is_of(client)).for_each(add);
        }
        Some(option) if is(option, "ID") && args.len() > 3 => {
            let ids: Option<Vec<i64>> = args.from(3).map(parse_i64).collect();
            let ids = ids.ok_or(Mistake::new("ERR Invalid client ID"))?;
            let clients = ctx.server.clients();
            ids.iter().filter_map(|id| clients.get(&(*id as u64))).for_each(&mut add);
        }
        Some(_) => return Err(Mistake::SYNTAX),
    }
    reply.verbatim("txt", text);
    Ok(())
}

/// What kind a client is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientType {
    /// One that asks and is answered.
    Normal,
    /// One that listens.
    PubSub,
    /// Another server: there is none.
    Server,
}

impl ClientType {
    pub(super) fn parse(name: &[u8]) -> Result<Self, Mistake> {
        if is(name, "NORMAL") {
            Ok(Self::Normal)
        } else if is(name, "PUBSUB") {
            Ok(Self::PubSub)
        } else if ["MASTER", "REPLICA", "SLAVE"].iter().any(|other| is(name, other)) {
            Ok(Self::Server)
        } else {
            Err(Mistake::from([b"ERR Unknown client type '", name, b"'"].concat()))
        }
    }

    pub(super) fn is_of(self, client: &Listed) -> bool {
        self == if client.listens() { Self::PubSub } else { Self::Normal }
    }
}

const GETNAME: Spec = Spec {
    name: "client|getname",
    summary: "The name this connection was given.",
    usage: "",
    since: "2.6.9",
    group: Group::Connection,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(getname),
};

fn getname(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let name = ctx.client.name();
    if name.is_empty() {
        reply.null();
    } else {
        reply.bulk(name);
    }
    Ok(())
}

const SETNAME: Spec = Spec {
    name: "client|setname",
    summary: "Gives this connection a name, which the timeline shows; an empty one takes it away.",
    usage: "connection-name",
    since: "2.6.9",
    group: Group::Connection,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(setname),
};

fn setname(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    ctx.client.listed().names().name = check_name(&args[2])?;
    reply.ok();
    Ok(())
}

/// A name a client may have: printable and without spaces, so that CLIENT LIST stays readable by programs.
pub(super) fn check_name(name: &[u8]) -> Result<String, Mistake> {
    printable(name)
        .ok_or(Mistake::new("ERR Client names cannot contain spaces, newlines or special characters."))
}

/// `text` if it is of visible ASCII characters only.
fn printable(text: &[u8]) -> Option<String> {
    text.iter().all(u8::is_ascii_graphic).then(|| String::from_utf8_lossy(text).into_owned())
}

/// Redis has it from 7.2 on, and today's client libraries send it unasked.
const SETINFO: Spec = Spec {
    name: "client|setinfo",
    summary: "Tells which library the client uses.",
    usage: "(LIB-NAME libname | LIB-VER libver)",
    since: "7.2.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: 4,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(setinfo),
};

fn setinfo(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let attribute = &args[2];
    let field: fn(&mut Names) -> &mut String = if is(attribute, "LIB-NAME") {
        |names| &mut names.lib_name
    } else if is(attribute, "LIB-VER") {
        |names| &mut names.lib_version
    } else {
        return Err(Mistake::from([b"ERR Unrecognized option '", attribute, b"'"].concat()));
    };
    let value = printable(&args[3]).ok_or_else(|| {
        let attribute = String::from_utf8_lossy(attribute).to_ascii_lowercase();
        Mistake::from(format!("ERR {attribute} cannot contain spaces, newlines or special characters."))
    })?;
    *field(&mut ctx.client.listed().names()) = value;
    reply.ok();
    Ok(())
}

const UNBLOCK: Spec = Spec {
    name: "client|unblock",
    summary: "Lets a client wait no longer, as if its time had passed or with an error; answers whether it waited.",
    usage: "client-id [TIMEOUT | ERROR]",
    since: "5.0.0",
    group: Group::Connection,
    complexity: "O(log(N)) in the number of connections",
    arity: -3,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Dangerous],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(unblock),
};

fn unblock(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() > 4 {
        return Err(Mistake::unknown_form(args));
    }
    let error = match args.get(3) {
        None => None,
        Some(reason) if is(reason, "TIMEOUT") => None,
        Some(reason) if is(reason, "ERROR") => Some("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
        Some(_) => return Err(Mistake::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = integer(&args[2])?;
    let waiter = ctx.server.clients().get(&(id as u64)).and_then(|client| client.waits().clone());
    reply.integer(i64::from(waiter.is_some_and(|waiter| waiter.release(error))));
    Ok(())
}

const HELP: Spec = help::of("client|help", "5.0.0", Group::Connection);
