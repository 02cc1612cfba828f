//! Commands about the client's own connection.
//!
//! What clients tell and ask of themselves by CLIENT is in [`super::clients`].

use super::auth::authenticate;
use super::client::Listed;
use super::client_control::Silence;
use super::context::REDIS_VERSION;
use super::parse::is;
use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use super::{Mistake, clients, databases};
use crate::resp::{Args, Protocol, Reply, parse_i64};

/// What a command has that may be used at any time: before authentication, while data loads.
pub(super) const ANYTIME: &[Flag] =
    &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy];

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
    run: Run::session(ping),
};

fn ping(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() <= 2 && ctx.client.listens() && reply.protocol() == Protocol::Resp2 {
        // Shaped like a message, for whoever expects nothing else.
        reply.array(2);
        reply.bulk("pong");
        reply.bulk(args.get(1).unwrap_or_default());
        return Ok(());
    }
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
    run: Run::session(echo),
};

fn echo(_: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.bulk(&args[1]);
    Ok(())
}

pub(super) const HELLO: Spec = Spec {
    name: "hello",
    summary: "Chooses the protocol version, names the client, and tells who the server is.",
    usage: "[protover [AUTH username password] [SETNAME clientname]]",
    since: "6.0.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: -1,
    flags: ANYTIME,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(hello),
};

fn hello(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mut rest = args.from(1);
    let protocol = match rest.next().map(parse_i64) {
        None => ctx.client.protocol(),
        Some(Some(2)) => Protocol::Resp2,
        Some(Some(3)) => Protocol::Resp3,
        Some(Some(_)) => return Err(Mistake::new("NOPROTO unsupported protocol version")),
        Some(None) => {
            return Err(Mistake::new("ERR Protocol version is not an integer or out of range"));
        }
    };
    let mut name = None;
    while let Some(option) = rest.next() {
        if is(option, "AUTH") && rest.len() >= 2 {
            let (user, password) = (rest.next().unwrap_or_default(), rest.next().unwrap_or_default());
            authenticate(ctx.client, user, password)?;
        } else if is(option, "SETNAME") && rest.len() >= 1 {
            name = rest.next().map(clients::check_name).transpose()?;
        } else {
            return Err(Mistake::from([b"ERR Syntax error in HELLO option '", option, b"'"].concat()));
        }
    }
    if !ctx.client.is_let_in() {
        return Err(Mistake::new(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> \
             option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        ctx.client.listed().names().name = name;
    }
    ctx.client.set_protocol(protocol);
    reply.set_protocol(protocol);

    reply.map(7);
    reply.bulk("server");
    reply.bulk("redis");
    reply.bulk("version");
    reply.bulk(REDIS_VERSION);
    reply.bulk("proto");
    reply.integer(i64::from(protocol.number()));
    reply.bulk("id");
    reply.integer(ctx.client.id() as i64);
    reply.bulk("mode");
    reply.bulk("standalone");
    reply.bulk("role");
    reply.bulk("master");
    reply.bulk("modules");
    reply.array(0);
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
    flags: ANYTIME,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(quit),
};

fn quit(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    ctx.client.quit();
    reply.ok();
    Ok(())
}

pub(super) const RESET: Spec = Spec {
    name: "reset",
    summary: "Makes the connection as it was when new: RESP2, database 0, nothing listened to, watched or gathered, no name.",
    usage: "",
    since: "6.2.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: 1,
    flags: ANYTIME,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(reset),
};

fn reset(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    ctx.client.unsubscribe_all();
    ctx.client.silence = Silence::None;
    ctx.client.authenticated = !ctx.server.settings.has_password();
    ctx.client.listed().set(Listed::NO_EVICT, false);
    ctx.client.set_protocol(Protocol::Resp2);
    ctx.client.select(0);
    ctx.client.discard_transaction();
    ctx.client.listed().names().name.clear();
    reply.set_protocol(Protocol::Resp2);
    reply.simple("RESET");
    Ok(())
}

pub(super) const SELECT: Spec = Spec {
    name: "select",
    summary: "Chooses the database that further commands mean; the first is number 0.",
    usage: "index",
    since: "1.0.0",
    group: Group::Connection,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(select),
};

fn select(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let number = databases::number(&args[1], ctx.server)?;
    ctx.client.select(number);
    reply.ok();
    Ok(())
}
