//! Publish and subscribe: who listens, who tells.
//!
//! A subscriber's confirmations and messages are pushes in RESP3. In RESP2 they are arrays like any reply, so a client that
//! listens may ask for little else there ([`super::admission`]). Who listens to what is in [`super::broker`].

use super::Mistake;
use super::broker::{Message, Topic};
use super::client_control::Silence;
use super::help;
use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use crate::resp::{Args, Reply};

/// What commands of listeners have.
const LISTENING: &[Flag] = &[Flag::PubSub, Flag::NoScript, Flag::Loading, Flag::Stale];
/// What commands of those who tell have.
const TELLING: &[Flag] = &[Flag::PubSub, Flag::Loading, Flag::Stale, Flag::Fast, Flag::MayReplicate];
/// What commands of those who ask have.
const ASKING: &[Flag] = &[Flag::PubSub, Flag::Loading, Flag::Stale];

impl Topic {
    /// What messages of this kind are called.
    fn message(self) -> &'static str {
        match self {
            Self::Channel => "message",
            Self::Pattern => "pmessage",
            Self::Shard => "smessage",
            Self::Everything => "monitor",
        }
    }

    fn subscribe(self) -> &'static str {
        match self {
            Self::Channel => "subscribe",
            Self::Pattern => "psubscribe",
            Self::Shard => "ssubscribe",
            Self::Everything => "monitor",
        }
    }

    fn unsubscribe(self) -> &'static str {
        match self {
            Self::Channel => "unsubscribe",
            Self::Pattern => "punsubscribe",
            Self::Shard => "sunsubscribe",
            Self::Everything => "reset",
        }
    }
}

impl Message {
    /// Writes it the way the client it was handed to speaks now.
    pub(crate) fn write(&self, reply: &mut Reply<'_>) {
        if self.topic == Topic::Everything {
            // A line as it is, in both versions of the protocol.
            reply.simple(&String::from_utf8_lossy(&self.payload));
            return;
        }
        let is_matched = self.topic == Topic::Pattern;
        reply.push(3 + usize::from(is_matched));
        reply.bulk(self.topic.message());
        if is_matched {
            reply.bulk(&self.pattern);
        }
        reply.bulk(&self.channel);
        reply.bulk(&self.payload);
    }
}

/// Whether a command is answered by pushes alone, which are sent also to clients that want no replies.
pub(crate) fn is_confirmed(spec: &Spec) -> bool {
    spec.group == Group::PubSub && spec.has(Flag::NoScript)
}

pub(super) const SUBSCRIBE: Spec = Spec {
    name: "subscribe",
    summary: "Listens to channels: what is published there comes to this connection.",
    usage: "channel ...",
    since: "2.0.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of channels",
    arity: -2,
    flags: LISTENING,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(subscribe),
};

fn subscribe(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    listen(ctx, Topic::Channel, args, reply)
}

pub(super) const PSUBSCRIBE: Spec = Spec {
    name: "psubscribe",
    summary: "Listens to all channels whose names match the patterns.",
    usage: "pattern ...",
    since: "2.0.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of patterns",
    arity: -2,
    flags: LISTENING,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(psubscribe),
};

fn psubscribe(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    listen(ctx, Topic::Pattern, args, reply)
}

pub(super) const SSUBSCRIBE: Spec = Spec {
    name: "ssubscribe",
    summary: "Listens to shard channels. There is one shard here; they are channels with names of their own.",
    usage: "shardchannel ...",
    since: "7.0.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of channels",
    arity: -2,
    flags: LISTENING,
    keys: KeySpec::EVERY,
    subcommands: &[],
    run: Run::session(ssubscribe),
};

fn ssubscribe(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    listen(ctx, Topic::Shard, args, reply)
}

fn listen(ctx: &mut SessionCtx<'_>, topic: Topic, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let most = ctx.server.config.subscriptions_max;
    let has: usize = Topic::ALL.into_iter().map(|topic| ctx.client.subscription_count(topic)).sum();
    if has + (args.len() - 1) > most {
        return Err(Mistake::from(format!(
            "ERR a client may listen to at most {most} channels and patterns"
        )));
    }
    for name in args.from(1) {
        ctx.server.broker.subscribe(ctx.client.subscriptions(), topic, name);
        confirm(ctx, topic, topic.subscribe(), Some(name), reply);
    }
    Ok(())
}

pub(super) const UNSUBSCRIBE: Spec = Spec {
    name: "unsubscribe",
    summary: "Listens no longer to these channels, or to none.",
    usage: "[channel ...]",
    since: "2.0.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of channels",
    arity: -1,
    flags: LISTENING,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(unsubscribe),
};

fn unsubscribe(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    stop_listening(ctx, Topic::Channel, args, reply)
}

pub(super) const PUNSUBSCRIBE: Spec = Spec {
    name: "punsubscribe",
    summary: "Listens no longer to channels that match these patterns, or any.",
    usage: "[pattern ...]",
    since: "2.0.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of patterns",
    arity: -1,
    flags: LISTENING,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(punsubscribe),
};

fn punsubscribe(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    stop_listening(ctx, Topic::Pattern, args, reply)
}

pub(super) const SUNSUBSCRIBE: Spec = Spec {
    name: "sunsubscribe",
    summary: "Listens no longer to these shard channels, or to none.",
    usage: "[shardchannel ...]",
    since: "7.0.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of channels",
    arity: -1,
    flags: LISTENING,
    keys: KeySpec::EVERY,
    subcommands: &[],
    run: Run::session(sunsubscribe),
};

fn sunsubscribe(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    stop_listening(ctx, Topic::Shard, args, reply)
}

fn stop_listening(ctx: &mut SessionCtx<'_>, topic: Topic, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let named: Vec<&[u8]> = args.from(1).collect();
    let all = if named.is_empty() && ctx.client.subscription_count(topic) > 0 {
        ctx.client.subscriptions().names(topic)
    } else {
        Vec::new()
    };
    let names: Vec<&[u8]> = if all.is_empty() { named } else { all.iter().map(|name| &name[..]).collect() };
    for name in &names {
        if ctx.client.has_mailbox() {
            ctx.server.broker.unsubscribe(ctx.client.subscriptions(), topic, name);
            // What was published before comes before the confirmation, after which nothing of that name comes.
            ctx.client.write_messages(reply, usize::MAX);
        }
        confirm(ctx, topic, topic.unsubscribe(), Some(name), reply);
    }
    if names.is_empty() {
        confirm(ctx, topic, topic.unsubscribe(), None, reply);
    }
    ctx.client.settle_subscriptions();
    Ok(())
}

/// Says what the client listens to now: channels and patterns together, or shard channels.
fn confirm(ctx: &SessionCtx<'_>, topic: Topic, what: &str, name: Option<&[u8]>, reply: &mut Reply<'_>) {
    let count = |topic| ctx.client.subscription_count(topic);
    let listens_to = match topic {
        Topic::Channel | Topic::Pattern => count(Topic::Channel) + count(Topic::Pattern),
        other => count(other),
    };
    reply.push(3);
    reply.bulk(what);
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    reply.count(listens_to);
}

pub(super) const PUBLISH: Spec = Spec {
    name: "publish",
    summary: "Hands a message to all who listen to the channel; how many.",
    usage: "channel message",
    since: "2.0.0",
    group: Group::PubSub,
    complexity: "O(N+M) in the number of its listeners and of all patterns",
    arity: 3,
    flags: TELLING,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(publish),
};

fn publish(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    tell(ctx, Topic::Channel, args, reply)
}

pub(super) const SPUBLISH: Spec = Spec {
    name: "spublish",
    summary: "Hands a message to all who listen to the shard channel; how many.",
    usage: "shardchannel message",
    since: "7.0.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of its listeners",
    arity: 3,
    flags: TELLING,
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::session(spublish),
};

fn spublish(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    tell(ctx, Topic::Shard, args, reply)
}

fn tell(ctx: &mut SessionCtx<'_>, topic: Topic, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let told = ctx.server.broker.publish(ctx.server, topic, &args[1], &args[2]);
    // As in Redis: who listens to itself reads what it said before it reads how many heard it.
    if ctx.client.silence == Silence::None {
        ctx.client.write_messages(reply, usize::MAX);
    }
    reply.count(told);
    Ok(())
}

pub(super) const PUBSUB: Spec = Spec {
    name: "pubsub",
    summary: "A container for commands about channels.",
    usage: "",
    since: "2.8.0",
    group: Group::PubSub,
    complexity: "Depends on the subcommand",
    arity: -2,
    flags: &[],
    keys: KeySpec::None,
    subcommands: &[CHANNELS, NUMSUB, NUMPAT, SHARDCHANNELS, SHARDNUMSUB, HELP],
    run: help::RUN,
};

const CHANNELS: Spec = Spec {
    name: "pubsub|channels",
    summary: "The channels somebody listens to, or those whose names match.",
    usage: "[pattern]",
    since: "2.8.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of channels",
    arity: -2,
    flags: ASKING,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(channels),
};

fn channels(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    write_names(ctx, Topic::Channel, args, reply)
}

const SHARDCHANNELS: Spec = Spec {
    name: "pubsub|shardchannels",
    summary: "The shard channels somebody listens to, or those whose names match.",
    usage: "[pattern]",
    since: "7.0.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of shard channels",
    arity: -2,
    flags: ASKING,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(shardchannels),
};

fn shardchannels(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    write_names(ctx, Topic::Shard, args, reply)
}

fn write_names(ctx: &SessionCtx<'_>, topic: Topic, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(Mistake::unknown_form(args));
    }
    let names = ctx.server.broker.names(topic, args.get(2));
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name));
    Ok(())
}

const NUMSUB: Spec = Spec {
    name: "pubsub|numsub",
    summary: "How many listen to each channel, patterns left out.",
    usage: "[channel ...]",
    since: "2.8.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of channels asked for",
    arity: -2,
    flags: ASKING,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(numsub),
};

fn numsub(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    write_counts(ctx, Topic::Channel, args, reply)
}

const SHARDNUMSUB: Spec = Spec {
    name: "pubsub|shardnumsub",
    summary: "How many listen to each shard channel.",
    usage: "[shardchannel ...]",
    since: "7.0.0",
    group: Group::PubSub,
    complexity: "O(N) in the number of channels asked for",
    arity: -2,
    flags: ASKING,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(shardnumsub),
};

fn shardnumsub(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    write_counts(ctx, Topic::Shard, args, reply)
}

/// Names and counts in turn, an array in both versions of the protocol.
fn write_counts(ctx: &SessionCtx<'_>, topic: Topic, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.array(2 * (args.len() - 2));
    for name in args.from(2) {
        reply.bulk(name);
        reply.count(ctx.server.broker.listeners(topic, name));
    }
    Ok(())
}

const NUMPAT: Spec = Spec {
    name: "pubsub|numpat",
    summary: "How many different patterns somebody listens by.",
    usage: "",
    since: "2.8.0",
    group: Group::PubSub,
    complexity: "O(1)",
    arity: 2,
    flags: ASKING,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(numpat),
};

fn numpat(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.count(ctx.server.broker.count(Topic::Pattern));
    Ok(())
}

const HELP: Spec = help::of("pubsub|help", "6.2.0", Group::PubSub);
