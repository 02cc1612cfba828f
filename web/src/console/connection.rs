//! A console's connection as a Redis client: requests out, replies in, each reply to the request it answers, and each
//! request to the command the trace saw. What is a reply at all is told by [`super::listening`]. Knows no socket and no page.

use std::collections::VecDeque;

use bytes::BytesMut;
use interleave::command::{TABLE, resolve};
use interleave::resp::{Batch, Decoder, Limits, ReplyDecoder, ReplyLimits, Value, encode_request};
use interleave::scope::event::REFUSED;
use interleave::scope::trace::{CommandId, Trace};
use leptos::prelude::{Set, SetValue};

use super::listening::{Answers, Listening, Meaning};
use super::{Entry, OnReply, Outcome, Way};

/// A request whose reply is to come.
pub(crate) struct Pending {
    pub(crate) entry: Option<Entry>,
    /// Whether the reply is shown as plain text.
    pub(crate) raw: bool,
    pub(crate) done: Option<OnReply>,
}

/// A request that was sent, and what has come for it so far.
struct Sent {
    request: Pending,
    answers: Answers,
    /// All but the last.
    parts: Vec<Value>,
    /// How many values are to come besides the next.
    more: Option<usize>,
}

/// What came.
pub(crate) enum News {
    /// The reply to a request: one value, or one for each of its names.
    Reply(Pending, Vec<Value>),
    /// What nobody asked for now.
    Message(Value),
}

/// A request that the trace has not shown yet.
struct Unseen {
    entry: Option<Entry>,
    name: &'static str,
}

/// One connection, from its opening to its close.
pub(crate) struct Connection {
    open: bool,
    decoder: ReplyDecoder,
    arrived: BytesMut,
    // Typed before the connection stood.
    outbox: BytesMut,
    // The first reply is to the greeting, if one was sent and not answered yet.
    greeting: bool,
    listening: Listening,
    pending: VecDeque<Sent>,
    pub(crate) client: Option<u32>,
    unseen: VecDeque<Unseen>,
    seen: Option<CommandId>,
    // Seen, and not yet written their replies.
    on_their_way: Vec<(Entry, CommandId)>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            open: false,
            decoder: ReplyDecoder::new(ReplyLimits::default()),
            arrived: BytesMut::new(),
            outbox: BytesMut::new(),
            greeting: false,
            listening: Listening::default(),
            pending: VecDeque::new(),
            client: None,
            unseen: VecDeque::new(),
            seen: None,
            on_their_way: Vec::new(),
        }
    }
}

impl Connection {
    /// Notes a request; returns its bytes, or keeps them until the connection stands.
    pub(crate) fn ask(&mut self, pending: Pending, arguments: &[Vec<u8>]) -> Option<BytesMut> {
        let mut bytes = BytesMut::new();
        encode_request(arguments, &mut bytes);
        if let Some(name) = starts_as(bytes.clone()) {
            self.unseen.push_back(Unseen { entry: pending.entry, name });
        }
        match self.listening.ask(arguments) {
            Answers::None => pending.stay_unanswered(),
            answers => {
                self.pending.push_back(Sent { request: pending, answers, parts: Vec::new(), more: None });
            }
        }
        if self.open {
            Some(bytes)
        } else {
            self.outbox.extend_from_slice(&bytes);
            None
        }
    }

    /// The connection stands: what to send first. A greeting names the console, so that the timeline can, and tells the
    /// server's number for it.
    pub(crate) fn opened(&mut self, name: &str) -> BytesMut {
        let waiting = std::mem::take(&mut self.outbox);
        let (pending, mut unseen) = (std::mem::take(&mut self.pending), std::mem::take(&mut self.unseen));
        unseen.push_front(Unseen { entry: None, name: "hello" });
        let listening = std::mem::take(&mut self.listening);
        *self = Self { open: true, greeting: true, listening, pending, unseen, ..Self::default() };
        let mut bytes = BytesMut::new();
        // In RESP3 what comes by itself is told apart, and a console that listens can be typed in.
        encode_request(&["HELLO", "3", "SETNAME", name], &mut bytes);
        bytes.extend_from_slice(&waiting);
        bytes
    }

    /// Takes in bytes; gives all that is whole by now, or why nothing more can be understood.
    pub(crate) fn received(&mut self, bytes: &[u8]) -> Result<Vec<News>, String> {
        self.arrived.extend_from_slice(bytes);
        let mut news = Vec::new();
        while let Some(value) = self.decoder.decode(&mut self.arrived).map_err(|error| error.to_string())? {
            if std::mem::take(&mut self.greeting) {
                self.client = client_of(&value);
            } else {
                news.extend(self.heard(value));
            }
        }
        Ok(news)
    }

    /// What `value` is, unless it is a part of a reply with more to come.
    fn heard(&mut self, value: Value) -> Option<News> {
        let front = self.pending.front_mut();
        let Meaning::Reply { more } = self.listening.hear(&value, front.as_ref().map(|sent| sent.answers))
        else {
            return Some(News::Message(value));
        };
        // A reply that nobody waits for is shown where it comes.
        let Some(sent) = front else { return Some(News::Message(value)) };
        let more = sent.more.map_or(more, |left| left - 1);
        sent.parts.push(value);
        sent.more = Some(more);
        if more > 0 {
            return None;
        }
        self.pending.pop_front().map(|sent| News::Reply(sent.request, sent.parts))
    }

    /// Whether it stands: what was asked before that was not sent yet.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// The connection is over: the requests that will get no reply.
    pub(crate) fn closed(&mut self) -> Vec<Pending> {
        let lost = self.pending.drain(..).map(|sent| sent.request).collect();
        *self = Self::default();
        lost
    }

    /// Finds requests among the commands of the trace. Both are in order; what is missing there is passed over.
    pub(crate) fn find_in(&mut self, trace: &Trace) {
        let Some(client) = self.client else { return };
        for id in trace.commands_of(client, self.seen) {
            self.seen = Some(id);
            let name = trace.command(id).map_or("", |command| trace.label(command.name));
            if let Some(place) = self.unseen.iter().position(|unseen| unseen.name == name) {
                let found = self.unseen.drain(..=place).next_back();
                if let Some(entry) = found.and_then(|unseen| unseen.entry) {
                    entry.command.set(Some(id));
                    self.on_their_way.push((entry, id));
                }
            }
        }
        // A command's way is kept as soon as all of it is there: the trace forgets under load.
        self.on_their_way.retain(|(entry, id)| {
            let (Some(command), Some(path)) = (trace.command(*id), trace.path(*id)) else { return false };
            let whole = path.missing.is_empty();
            if whole {
                entry.way.set_value(Some(Way { command: *command, path }));
            }
            !whole
        });
    }
}

/// The name under which a request will show in the trace. One that the server does not know, or that has a wrong number of
/// arguments, shows as one that was refused; an empty one never starts.
fn starts_as(mut request: BytesMut) -> Option<&'static str> {
    let mut batch = Batch::default();
    Decoder::new(Limits::default()).decode(&mut request, &mut batch).ok()?;
    let found = (!batch.is_empty()).then(|| resolve(batch.request(0)))?;
    Some(found.map_or(REFUSED, |found| TABLE[found.index].name))
}

impl Pending {
    /// Tells whoever asked that there will be no reply, because CLIENT REPLY says so.
    fn stay_unanswered(self) {
        let text = "no reply: CLIENT REPLY is off, or skips this one";
        if let Some(entry) = self.entry {
            entry.outcome.set(Some(Outcome { text: format!("({text})"), failed: false }));
        }
        if let Some(done) = self.done {
            done(Err(text.to_owned()));
        }
    }
}

/// The client's number in the reply to HELLO.
fn client_of(greeting: &Value) -> Option<u32> {
    let Value::Map(fields) = greeting else { return None };
    fields.iter().find_map(|field| match field {
        (Value::Bulk(name), Value::Integer(id)) if name == b"id" => u32::try_from(*id).ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &[&str], expected: Option<&str>) {
        let mut bytes = BytesMut::new();
        encode_request(request, &mut bytes);
        assert_eq!(starts_as(bytes), expected, "{request:?}");
    }

    #[test]
    fn what_the_server_does_not_take_shows_as_refused() {
        check(&["GET", "a"], Some("get"));
        check(&["get"], Some(REFUSED));
        check(&["NONSENSE", "a"], Some(REFUSED));
        check(&["CLIENT", "ID"], Some("client"));
        check(&["CLIENT", "NONSENSE"], Some(REFUSED));
        check(&[], None);
    }
}
