//! XREAD and XREADGROUP: what comes next in streams, for one reader or for a group's consumers to share out.
//!
//! Owns where a read starts and what it answers. A read that finds nothing says what it waits for; it is called again for one key
//! when that was changed.

use std::time::Duration;

use super::Mistake;
use super::parse::{is, timeout_ms};
use super::spec::{Ctx, Flag, KeySpec, Keys, Run, Spec, Wait};
use super::stream_groups::note;
use super::stream_words::{Elements, count_or_all, id, no_group, write_entries, write_entry, write_id};
use super::streams::FAMILY;
use crate::resp::{Args, Protocol, Reply};
use crate::store::stream::{Group, Log, StreamId};
use crate::store::{Collection, Stream};

pub(super) const XREAD: Spec = Spec {
    name: "xread",
    summary: "The entries of streams above an id for each; `$` stands for the last id there is.",
    usage: "[COUNT count] [BLOCK milliseconds] STREAMS key ... id ...",
    complexity: "O(N) in the number of entries answered, for each stream",
    arity: -4,
    flags: &[Flag::ReadOnly, Flag::Blocking],
    keys: KeySpec::AfterWord { word: "STREAMS", from: 1, keys },
    run: Run::blocking(xread),
    ..FAMILY
};

/// `None` once it has answered.
type Tried = Result<Option<Wait>, Mistake>;

fn xread(ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>, reply: &mut Reply<'_>) -> Tried {
    read(ctx, args, only, false, reply)
}

pub(super) const XREADGROUP: Spec = Spec {
    name: "xreadgroup",
    summary: "Entries for a consumer of a group: with `>` such as nobody of the group was given yet, with an id its own pending ones above it.",
    usage: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key ... id ...",
    complexity: "O(N) in the number of entries answered, for each stream",
    arity: -7,
    flags: &[Flag::Write, Flag::Blocking],
    keys: KeySpec::AfterWord { word: "STREAMS", from: 4, keys },
    run: Run::blocking(xreadgroup),
    ..FAMILY
};

fn xreadgroup(ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>, reply: &mut Reply<'_>) -> Tried {
    read(ctx, args, only, true, reply)
}

fn read(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    only: Option<&[u8]>,
    is_of_group: bool,
    reply: &mut Reply<'_>,
) -> Tried {
    let options = ReadOptions::parse(args, is_of_group)?;
    let from = options.places(ctx, args, only)?;
    if options.try_read(ctx, args, &from, reply) {
        return Ok(None);
    }
    let Some(timeout_ms) = options.block_ms else {
        reply.null_array();
        return Ok(None);
    };
    // What `$` stands for is settled now.
    let ids = from.iter().enumerate().filter_map(|(stream, place)| match place {
        Place::After(id) => {
            Some((options.first + options.streams + stream, id.to_string().into_bytes().into()))
        }
        Place::New | Place::Elsewhere => None,
    });
    Ok(Some(Wait {
        timeout: (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms)),
        keys: keys(args),
        null_array: true,
        settled: ids.collect(),
        minds_absence: is_of_group,
    }))
}

/// The keys of a read; none where it will be a mistake.
fn keys(args: Args<'_>) -> Keys {
    match first_key(args) {
        Some(first) if first < args.len() && (args.len() - first).is_multiple_of(2) => {
            let last = first + (args.len() - first) / 2 - 1;
            Keys::Some { besides: None, first, last, step: 1 }
        }
        _ => Keys::None,
    }
}

/// The position after the word STREAMS, which may also be the name of a group.
fn first_key(args: Args<'_>) -> Option<usize> {
    let mut at = 1;
    loop {
        let option = args.get(at)?;
        at += match option {
            _ if is(option, "STREAMS") => return Some(at + 1),
            _ if is(option, "GROUP") => 3,
            _ if is(option, "COUNT") || is(option, "BLOCK") => 2,
            _ => 1,
        };
    }
}

/// What a read is asked for.
struct ReadOptions<'a> {
    most: usize,
    /// The group, and the consumer that reads.
    group: Option<(&'a [u8], &'a [u8])>,
    /// What is handed out is not pending: it counts as acknowledged.
    no_ack: bool,
    /// How long it waits if there is nothing; 0: for ever.
    block_ms: Option<u64>,
    /// The position of the first key, and how many there are; as many ids follow.
    first: usize,
    streams: usize,
}

/// Where a read of one stream starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Above this id; with a group, among what the consumer has pending.
    After(StreamId),
    /// At what the group has not handed out.
    New,
    /// Nowhere: it is called again for another key.
    Elsewhere,
}

impl<'a> ReadOptions<'a> {
    fn parse(args: Args<'a>, is_of_group: bool) -> Result<Self, Mistake> {
        let mut options =
            Self { most: usize::MAX, group: None, no_ack: false, block_ms: None, first: 0, streams: 0 };
        let mut at = 1;
        while let Some(option) = args.get(at) {
            let more = args.len() - 1 - at;
            if is(option, "BLOCK") && more > 0 {
                options.block_ms = Some(timeout_ms(&args[at + 1])?);
                at += 1;
            } else if is(option, "COUNT") && more > 0 {
                options.most = count_or_all(args.get(at + 1).unwrap_or_default())?;
                at += 1;
            } else if is(option, "STREAMS") && more > 0 {
                if !more.is_multiple_of(2) {
                    return Err(Mistake::new(
                        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
                    ));
                }
                (options.first, options.streams) = (at + 1, more / 2);
                break;
            } else if is(option, "GROUP") && more > 1 {
                options.group = args.get(at + 1).zip(args.get(at + 2));
                at += 2;
            } else if is(option, "NOACK") {
                options.no_ack = true;
            } else {
                return Err(Mistake::SYNTAX);
            }
            if !is_of_group && (options.group.is_some() || options.no_ack) {
                let option = if options.no_ack { "NOACK" } else { "GROUP" };
                return Err(Mistake::from(format!(
                    "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
                )));
            }
            at += 1;
        }
        if options.streams == 0 {
            return Err(Mistake::SYNTAX);
        }
        if is_of_group && options.group.is_none() {
            return Err(Mistake::new("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(options)
    }

    /// Where the read of each stream starts, or of that at the key `only`: settled before any is read.
    fn places(&self, ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>) -> Result<Vec<Place>, Mistake> {
        let place = |stream| {
            let (key, text) = (&args[self.first + stream], &args[self.first + self.streams + stream]);
            if only.is_some_and(|only| only != key) {
                return Ok(Place::Elsewhere);
            }
            let stream = match ctx.keyspace.store(key).read::<Stream>(key, ctx.now_ms) {
                Ok(stream) => stream,
                Err(wrong_type) if only.is_none() => return Err(wrong_type.into()),
                // It may hold a stream again.
                Err(_) => None,
            };
            if only.is_some()
                && let Some((group, _)) = self.group
            {
                let stream = stream.ok_or(Mistake::new("UNBLOCKED the stream key no longer exists"))?;
                if !stream.groups.contains_key(group) {
                    return Err(Mistake::new(
                        "NOGROUP the consumer group this client was blocked on no longer exists",
                    ));
                }
            } else if let Some((group, _)) = self.group
                && !stream.is_some_and(|stream| stream.groups.contains_key(group))
            {
                return Err(no_group(key, group, " in XREADGROUP with GROUP option"));
            }
            match (text, self.group) {
                (b"$", None) => Ok(Place::After(stream.map_or(StreamId::MIN, |stream| stream.log.last_id()))),
                (b"$", Some(_)) => Err(Mistake::new(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this \
                     consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return \
                     an empty result set.",
                )),
                (b">", None) => Err(Mistake::new(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                )),
                (b">", Some(_)) => Ok(Place::New),
                (text, group) => Ok(match id(text)? {
                    // Nothing can be above it, and Redis takes it for `>`.
                    StreamId::MAX if group.is_some() => Place::New,
                    id => Place::After(id),
                }),
            }
        };
        (0..self.streams).map(place).collect()
    }

    /// Answers what there is; whether there is anything. If not, nothing is written, and the read may be tried again.
    fn try_read(&self, ctx: &mut Ctx<'_>, args: Args<'_>, from: &[Place], reply: &mut Reply<'_>) -> bool {
        let now_ms = ctx.now_ms;
        let mut found = Elements::new(reply);
        for (stream, place) in from.iter().enumerate() {
            let key = &args[self.first + stream];
            match (*place, self.group) {
                (Place::Elsewhere, _) => {}
                (Place::After(id), None) => {
                    let entry = ctx.keyspace.store(key).peek(key, now_ms);
                    let Some(stream) = entry.and_then(|entry| Stream::of(&entry.value)) else { continue };
                    let mut entries = stream.log.after(id).take(self.most).peekable();
                    if entries.peek().is_some() {
                        write_entries(entries, &mut start_stream(key, &mut found));
                    }
                }
                (place, Some(group)) => {
                    let store = ctx.keyspace.store(key);
                    // That it is a stream with such a group was checked when the places were told.
                    if let Ok(Some(stream)) = store.change::<Stream>(key, now_ms) {
                        let changed =
                            self.read_for(group, stream, place, now_ms, || start_stream(key, &mut found));
                        note(ctx, key, changed);
                    }
                }
                (Place::New, None) => unreachable!("`>` without a group is a mistake"),
            }
        }
        if found.len() == 0 {
            return false;
        }
        match reply.protocol() {
            Protocol::Resp2 => reply.array(found.len()),
            Protocol::Resp3 => reply.map(found.len()),
        }
        found.finish_bare(reply);
        true
    }

    /// Answers what a consumer of a group asks for, if there is anything, where `start` says; whether there is.
    fn read_for<'b>(
        &self,
        (name, consumer): (&[u8], &[u8]),
        stream: &mut Stream,
        place: Place,
        now_ms: u64,
        start: impl FnOnce() -> Reply<'b>,
    ) -> bool {
        let log = &stream.log;
        let Some(group) = stream.groups.get_mut(name) else { return false };
        if place == Place::New && log.after(group.last_id()).next().is_none() {
            return false;
        }
        // A consumer that is given nothing has not been seen, as in Redis.
        group.see_consumer(consumer, now_ms);
        match place {
            Place::After(id) => self.hand_out_again(log, group, id, now_ms, &mut start()),
            Place::New | Place::Elsewhere => self.hand_out(log, group, now_ms, &mut start()),
        }
        true
    }

    /// Answers entries that nobody of the group was given, and makes them the consumer's.
    fn hand_out(&self, log: &Log, group: &mut Group, now_ms: u64, reply: &mut Reply<'_>) {
        let mut written = Elements::new(reply);
        for entry in log.after(group.last_id()).take(self.most) {
            group.advance(log, entry.id);
            write_entry(&entry, &mut written.add());
            if let Some((_, consumer)) = self.group.filter(|_| !self.no_ack) {
                group.assign(entry.id, consumer, now_ms, 1);
            }
        }
        written.finish(reply);
    }

    /// Answers entries that the consumer was given and has not acknowledged; of one that is gone, its id alone.
    fn hand_out_again(
        &self,
        log: &Log,
        group: &mut Group,
        after: StreamId,
        now_ms: u64,
        reply: &mut Reply<'_>,
    ) {
        let (Some((_, consumer)), Some(first)) = (self.group, after.next()) else { return reply.array(0) };
        let ids = group.pending_of(Some(consumer), first..=StreamId::MAX);
        let ids: Vec<StreamId> = ids.take(self.most).map(|(id, _)| id).collect();
        reply.array(ids.len());
        for id in ids {
            match log.get(id) {
                Some(entry) => {
                    write_entry(&entry, reply);
                    group.deliver_again(id, now_ms);
                }
                None => {
                    reply.array(2);
                    write_id(id, reply);
                    reply.null_array();
                }
            }
        }
    }
}

/// Begins the part of the answer that is about the stream at `key`.
fn start_stream<'a>(key: &[u8], found: &'a mut Elements) -> Reply<'a> {
    let mut reply = found.add();
    if reply.protocol() == Protocol::Resp2 {
        reply.array(2);
    }
    reply.bulk(key);
    reply
}
