//! Reading the one-line usage of a command as a tree of arguments.
//!
//! Owns the notation: a command is documented once, as a line for people, and `COMMAND DOCS` and completion read the
//! same line.

/// One argument, or several that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: ArgumentKind,
    /// The word that must stand in front of it, or that it is.
    pub token: Option<String>,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it may be repeated.
    pub multiple: bool,
}

/// What an argument is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// A key's name.
    Key,
    /// Any bytes.
    String,
    /// An integer.
    Integer,
    /// A number, fractions allowed.
    Double,
    /// A glob pattern.
    Pattern,
    /// A time since the Unix epoch.
    UnixTime,
    /// Nothing but its token.
    PureToken,
    /// One of these.
    OneOf(Vec<Argument>),
    /// All of these, in order.
    Block(Vec<Argument>),
}

impl ArgumentKind {
    /// The name `COMMAND DOCS` gives it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf(_) => "oneof",
            Self::Block(_) => "block",
        }
    }

    /// What stands for this in a usage line. The words are few, so their meaning is fixed by their spelling.
    fn of_placeholder(word: &str) -> Self {
        match word {
            "key" | "newkey" | "source" | "destination" => Self::Key,
            "seconds" | "milliseconds" | "increment" | "decrement" | "offset" | "start" | "end" | "stop"
            | "cursor" | "count" | "numkeys" | "rank" | "num-matches" | "len" | "limit" | "index"
            | "destination-db" | "protover" | "client-id" | "ms" | "min-idle-time" | "entries-added"
            | "entries-read" => Self::Integer,
            "float-increment" | "float-timeout" | "score" | "weight" => Self::Double,
            "pattern" => Self::Pattern,
            "unix-time-seconds" | "unix-time-milliseconds" => Self::UnixTime,
            _ => Self::String,
        }
    }
}

/// The arguments a usage line describes. The table's lines are all well-formed, which a test makes sure of.
pub(super) fn arguments(usage: &str) -> Vec<Argument> {
    let spaced: String = usage.chars().fold(String::new(), |mut spaced, c| {
        match c {
            '[' | ']' | '(' | ')' | '|' => spaced.extend([' ', c, ' ']),
            _ => spaced.push(c),
        }
        spaced
    });
    let mut words = spaced.split_whitespace().peekable();
    sequence(&mut words)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// Arguments one after the other, up to the end of the alternative or group they stand in.
fn sequence(words: &mut Words<'_>) -> Vec<Argument> {
    let mut arguments: Vec<Argument> = Vec::new();
    while let Some(word) = words.next_if(|word| !matches!(*word, "|" | "]" | ")")) {
        match word {
            "..." => {
                if let Some(last) = arguments.last_mut() {
                    last.multiple = true;
                }
            }
            "[" | "(" => arguments.push(Argument { optional: word == "[", ..group(words) }),
            token if is_token(token) => {
                let mut parts = Vec::new();
                while let Some(part) = words.next_if(|next| is_placeholder(next)) {
                    parts.push(placeholder(part));
                }
                if words.next_if_eq(&"(").is_some() {
                    parts.push(group(words));
                }
                arguments.push(Argument { token: Some(token.to_owned()), ..join(parts, token) });
            }
            word => arguments.push(placeholder(word)),
        }
    }
    arguments
}

/// What stands between brackets, whose opening one is gone.
fn group(words: &mut Words<'_>) -> Argument {
    let mut alternatives = Vec::new();
    loop {
        let parts = sequence(words);
        alternatives.push(join(parts, "group"));
        if words.next() != Some("|") {
            break;
        }
    }
    if alternatives.len() == 1 {
        return alternatives.remove(0);
    }
    let names: Vec<&str> = alternatives.iter().map(|argument| argument.name.as_str()).collect();
    Argument { name: names.join("-or-"), kind: ArgumentKind::OneOf(alternatives), ..placeholder("") }
}

/// Several parts as one argument: nothing but a token where there is none, a block where there are many.
fn join(mut parts: Vec<Argument>, token: &str) -> Argument {
    match parts.len() {
        0 => Argument { kind: ArgumentKind::PureToken, ..placeholder(&token_name(token)) },
        1 => parts.remove(0),
        _ => {
            let names: Vec<&str> = parts.iter().map(|argument| argument.name.as_str()).collect();
            Argument { name: names.join("-"), kind: ArgumentKind::Block(parts), ..placeholder("") }
        }
    }
}

fn placeholder(word: &str) -> Argument {
    let kind = ArgumentKind::of_placeholder(word);
    Argument { name: word.to_owned(), kind, token: None, optional: false, multiple: false }
}

fn is_token(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase() || matches!(c, '*' | '=' | '~'))
}

/// What an argument that is nothing but its token is called.
fn token_name(token: &str) -> String {
    match token {
        "*" => "auto-id".to_owned(),
        "=" => "equal".to_owned(),
        "~" => "approximately".to_owned(),
        word => word.to_ascii_lowercase(),
    }
}

fn is_placeholder(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// The tree in one line: `name:kind`, `=TOKEN`, `?` optional, `+` multiple.
    fn show(arguments: &[Argument]) -> String {
        let one = |argument: &Argument| {
            let inner = match &argument.kind {
                ArgumentKind::OneOf(inner) | ArgumentKind::Block(inner) => format!("{{{}}}", show(inner)),
                _ => String::new(),
            };
            let token = argument.token.as_ref().map(|token| format!("={token}")).unwrap_or_default();
            let optional = if argument.optional { "?" } else { "" };
            let multiple = if argument.multiple { "+" } else { "" };
            format!("{}:{}{token}{optional}{multiple}{inner}", argument.name, argument.kind.name())
        };
        arguments.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn usages_read_as_trees() {
        let check = |usage| show(&arguments(usage));
        assert_snapshot!(check(""), @"");
        assert_snapshot!(check("key ..."), @"key:key+");
        assert_snapshot!(check("(key value) ..."), @"key-value:block+{key:key value:string}");
        assert_snapshot!(check("[message]"), @"message:string?");
        assert_snapshot!(check("key value [NX | XX] [GET] [EX seconds | KEEPTTL]"), @"key:key value:string nx-or-xx:oneof?{nx:pure-token=NX xx:pure-token=XX} get:pure-token=GET? seconds-or-keepttl:oneof?{seconds:integer=EX keepttl:pure-token=KEEPTTL}");
        assert_snapshot!(check("[= | ~] threshold (* | id)"), @"equal-or-approximately:oneof?{equal:pure-token== approximately:pure-token=~} threshold:string auto-id-or-id:oneof{auto-id:pure-token=* id:string}");
        assert_snapshot!(check("[protover [AUTH username password] [SETNAME clientname]]"), @"protover-username-password-clientname:block?{protover:integer username-password:block=AUTH?{username:string password:string} clientname:string=SETNAME?}");
        assert_snapshot!(check("[TYPE (NORMAL | MASTER) | ID client-id ...]"), @"normal-or-master-or-client-id:oneof?{normal-or-master:oneof=TYPE{normal:pure-token=NORMAL master:pure-token=MASTER} client-id:integer=ID+}");
    }

    #[test]
    fn every_usage_of_the_table_is_well_formed() {
        let specs = super::super::TABLE.iter().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands));
        for spec in specs {
            let mut depth = 0;
            for c in spec.usage.chars() {
                depth += i32::from(matches!(c, '[' | '(')) - i32::from(matches!(c, ']' | ')'));
                assert!(depth >= 0, "{}", spec.name);
            }
            assert_eq!(depth, 0, "{}", spec.name);
        }
    }
}
