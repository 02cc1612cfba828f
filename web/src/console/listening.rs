//! Which of the values a server sends answer a request, and which came by themselves: messages of channels, and what MONITOR
//! shows. Owns what a connection listens to, as far as that decides it. Knows neither bytes nor the page.

use std::collections::BTreeSet;

use interleave::resp::Value;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nobody asked for it now.
    Message,
    /// It answers the request in front, or a part of it: so many more do.
    Reply {
        /// How many values the same request is answered with from now on.
        more: usize,
    },
}

/// How many values answer a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answers {
    /// None: CLIENT REPLY has the server say nothing.
    None,
    #[default]
    One,
    /// One for each name, of this kind; without names, one for each of what the connection listens to.
    Confirmations {
        /// Which kind, by its place in [`KINDS`].
        kind: usize,
        names: usize,
    },
    /// The connection is shown all commands from then on.
    Monitor,
    /// The connection is as when it was new.
    Reset,
}

/// What can be listened to: the first letter of the commands.
const KINDS: [&str; 3] = ["", "p", "s"];

/// What a connection listens to, and whether it is answered at all.
#[derive(Debug, Default)]
pub(super) struct Listening {
    names: [BTreeSet<Vec<u8>>; 3],
    monitors: bool,
    silence: Silence,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Silence {
    #[default]
    No,
    Next,
    Yes,
}

impl Listening {
    /// How a request will be answered. To be asked for every request that is sent, in order.
    pub(super) fn ask(&mut self, arguments: &[Vec<u8>]) -> Answers {
        let word =
            |index: usize| arguments.get(index).map(|word| word.to_ascii_lowercase()).unwrap_or_default();
        let silent = self.silence;
        if silent == Silence::Next {
            self.silence = Silence::No;
        }
        match &word(0)[..] {
            b"client" if word(1) == b"reply" && arguments.len() == 3 => match &word(2)[..] {
                b"on" => {
                    self.silence = Silence::No;
                    return Answers::One;
                }
                b"off" => {
                    self.silence = Silence::Yes;
                    return Answers::None;
                }
                b"skip" => {
                    if silent != Silence::Yes {
                        self.silence = Silence::Next;
                    }
                    return Answers::None;
                }
                _ => {}
            },
            b"reset" => {
                self.silence = Silence::No;
                return Answers::Reset;
            }
            command => {
                let listens = |kind: &&str| {
                    let verb = command.strip_prefix(kind.as_bytes());
                    verb.is_some_and(|verb| verb == b"subscribe" || verb == b"unsubscribe")
                };
                if let Some(kind) = KINDS.iter().position(listens) {
                    // These are pushed however silent the server is.
                    return Answers::Confirmations { kind, names: arguments.len() - 1 };
                }
            }
        }
        match silent {
            Silence::No if word(0) == b"monitor" => Answers::Monitor,
            Silence::No => Answers::One,
            Silence::Next | Silence::Yes => Answers::None,
        }
    }

    /// What `value` is, when the request in front is to be `answered` so, or none is.
    pub(super) fn hear(&mut self, value: &Value, answered: Option<Answers>) -> Meaning {
        if let Some((verb, name)) = confirmation(value)
            && let Some(Answers::Confirmations { kind, names }) = answered
            && verb.strip_prefix(KINDS[kind].as_bytes()).is_some_and(|verb| verb.ends_with(b"subscribe"))
        {
            let listened = &mut self.names[kind];
            // Without names, as many as there were, this one included; without any, one that says so.
            let more = if names == 0 { listened.len().max(1) } else { names } - 1;
            match name {
                Some(name) if verb.ends_with(b"unsubscribe") => _ = listened.remove(name),
                Some(name) => _ = listened.insert(name.to_vec()),
                None => {}
            }
            return Meaning::Reply { more };
        }
        if self.is_message(value) {
            return Meaning::Message;
        }
        match (answered, value) {
            (Some(Answers::Monitor), Value::Simple(text)) => self.monitors = text == "OK",
            (Some(Answers::Reset), Value::Simple(_)) => *self = Self::default(),
            _ => {}
        }
        Meaning::Reply { more: 0 }
    }

    fn is_message(&self, value: &Value) -> bool {
        match value {
            Value::Push(_) => true,
            // In RESP2 only its form tells, and a client that listens may ask for nothing of that form.
            Value::Array(parts) => {
                let listens = self.names.iter().any(|names| !names.is_empty());
                let is_named =
                    |name: &Vec<u8>| [&b"message"[..], b"pmessage", b"smessage"].contains(&&name[..]);
                listens && matches!(&parts[..], [Value::Bulk(name), _, _, ..] if is_named(name))
            }
            // A time and whose command it is: `1700000000.000000 [0 127.0.0.1:5000] "get" "k"`.
            Value::Simple(line) => {
                self.monitors && line.split_once(" [").is_some_and(|(time, _)| time.parse::<f64>().is_ok())
            }
            _ => false,
        }
    }
}

/// The verb and the name of a confirmation.
fn confirmation(value: &Value) -> Option<(&[u8], Option<&[u8]>)> {
    let (Value::Push(parts) | Value::Array(parts)) = value else { return None };
    match &parts[..] {
        [Value::Bulk(verb), Value::Bulk(name), Value::Integer(_)] => Some((verb, Some(name))),
        [Value::Bulk(verb), Value::Null, Value::Integer(_)] => Some((verb, None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use interleave::resp::{ReplyDecoder, split_line};

    use super::*;

    /// What each value that a server sends after `requests` is: `-` a message, `0`, `1` ... a reply with so many more.
    #[track_caller]
    fn check(requests: &[&str], sent: &str, expected: &str) {
        let mut listening = Listening::default();
        let mut asked: std::collections::VecDeque<Answers> = requests
            .iter()
            .map(|request| listening.ask(&split_line(request).unwrap()))
            .filter(|answers| *answers != Answers::None)
            .collect();
        let (mut decoder, mut sent) =
            (ReplyDecoder::default(), BytesMut::from(&*sent.replace(' ', "\r\n").replace('_', " ")));
        let (mut found, mut left) = (String::new(), 0);
        while let Some(value) = decoder.decode(&mut sent).unwrap() {
            match listening.hear(&value, asked.front().copied()) {
                Meaning::Message => found.push('-'),
                Meaning::Reply { more } => {
                    left = if left == 0 { more } else { left - 1 };
                    found.push_str(&left.to_string());
                    if left == 0 {
                        asked.pop_front();
                    }
                }
            }
        }
        assert_eq!((found.as_str(), asked.len()), (expected, 0), "{requests:?}");
    }

    #[test]
    fn messages_are_no_replies() {
        let message = ">3 $7 message $1 a $1 x ";
        check(&["GET k"], &format!("{message}+v {message}"), "-0-");
        check(&["SUBSCRIBE a"], &format!(">3 $9 subscribe $1 a :1 {message}"), "0-");
        // In RESP2 nothing but the form tells.
        let message = "*3 $7 message $1 a $1 x ";
        check(
            &["SUBSCRIBE a", "PING"],
            &format!("*3 $9 subscribe $1 a :1 {message}*2 $4 pong $0  {message}"),
            "0-0-",
        );
        check(&["LRANGE l 0 -1"], message, "0");
    }

    #[test]
    fn one_confirmation_for_each_name() {
        check(
            &["SUBSCRIBE a b", "GET k"],
            ">3 $9 subscribe $1 a :1 >3 $9 subscribe $1 b :2 _ ".replace('_', "$-1").as_str(),
            "100",
        );
        check(&["UNSUBSCRIBE"], ">3 $11 unsubscribe $-1 :0 ", "0");
        check(
            &["SUBSCRIBE a b", "UNSUBSCRIBE"],
            ">3 $9 subscribe $1 a :1 >3 $9 subscribe $1 b :2 >3 $11 unsubscribe $1 a :1 >3 $11 unsubscribe $1 b :0 ",
            "1010",
        );
        check(
            &["PSUBSCRIBE a*", "SUNSUBSCRIBE"],
            ">3 $10 psubscribe $2 a* :1 >3 $12 sunsubscribe $-1 :0 ",
            "00",
        );
        check(&["SUBSCRIBE", "GET k"], "-ERR_wrong_number $-1 ", "00");
    }

    #[test]
    fn what_monitor_shows_is_no_reply() {
        check(&["MONITOR", "PING"], "+OK +1700000000.1_[0_a:1]_\"ping\" +PONG ", "0-0");
        check(&["PING x", "GET k"], "+1700000000.1_[0_a:1] $-1 ", "00");
        check(&["MONITOR", "RESET", "PING"], "+OK +RESET +1.0_[0 ", "000");
    }

    #[test]
    fn a_silent_server_is_not_waited_for() {
        check(&["CLIENT REPLY SKIP", "PING", "GET k"], "$-1 ", "0");
        check(&["CLIENT REPLY OFF", "PING", "client reply skip", "GET k", "CLIENT REPLY ON"], "+OK ", "0");
        check(
            &["CLIENT REPLY OFF", "SUBSCRIBE a", "RESET", "PING"],
            ">3 $9 subscribe $1 a :1 +RESET +PONG ",
            "000",
        );
        check(&["CLIENT REPLY maybe"], "-ERR_syntax ", "0");
    }
}
