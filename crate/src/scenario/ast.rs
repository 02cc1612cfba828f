//! A scenario as a tree, every name in it resolved.
//!
//! Owns the shape. Knows neither the text it came from, but for spans, nor how it is run.

use std::sync::Arc;
use std::time::Duration;

use super::error::Span;
use super::value::Value;

/// A task's statements and what it takes along.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) block: Block,
    /// It sends commands, so it needs a connection.
    pub(super) talks: bool,
    /// The channels it, or a task it spawns, sends to.
    pub(super) sends: Vec<usize>,
}

/// `setup`, a client or `finally`.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: Arc<str>,
    /// How many of it run at once; 1 for all but `client name * count`.
    pub(super) count: u32,
    /// Whether it was written with `* count`: then its tasks are numbered.
    pub(super) numbered: bool,
    pub(super) body: Arc<Body>,
    /// The names of its variables, by slot. Those of the tasks it spawns are among them.
    pub(super) variables: Vec<Arc<str>>,
}

/// `channel name capacity`.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: Arc<str>,
    pub(super) capacity: usize,
}

pub(super) type Block = Vec<Statement>;

#[derive(Debug)]
pub(super) struct Statement {
    /// Of a statement with a block, the part before the block.
    pub(super) span: Span,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Command(Command),
    /// `let name = value` and `name = value`: the slot was found by the parser.
    Set {
        slot: usize,
        value: Expression,
    },
    If {
        arms: Vec<Arm>,
        otherwise: Block,
    },
    While {
        condition: Expression,
        body: Block,
    },
    Repeat {
        times: Expression,
        body: Block,
    },
    /// `spawned` numbers the names that the task spawns under.
    Spawn {
        spawned: usize,
        name: Arc<str>,
        body: Arc<Body>,
    },
    Join {
        spawned: usize,
    },
    Assert(Expression),
    Yield,
    Sleep(Duration),
    Spin(Duration),
    Lock {
        lock: usize,
        body: Block,
    },
    Send {
        channel: usize,
        value: Expression,
    },
    Receive {
        channel: usize,
    },
}

/// `if condition { ... }` or `else if condition { ... }`.
#[derive(Debug)]
pub(super) struct Arm {
    pub(super) span: Span,
    pub(super) condition: Expression,
    pub(super) block: Block,
}

/// A request to the server, the command's name first.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) words: Vec<Text>,
}

/// Text with variables in it.
pub(super) type Text = Vec<Piece>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    Variable(usize),
}

/// An expression in postfix order, so that neither running nor dropping one needs more stack the longer it is.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Step {
    Push(Value),
    Text(Text),
    Load(usize),
    Command(Command),
    Receive(usize),
    Apply(Operator),
}

/// What stands between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
        Self::Remainder,
    ];

    /// How it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// The operator written as `symbol`.
    pub(super) fn from_symbol(symbol: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.symbol() == symbol)
    }

    /// Whether it compares, and so binds looser than those that reckon.
    pub(super) fn compares(self) -> bool {
        !self.is_sum() && !self.is_product()
    }

    pub(super) fn is_sum(self) -> bool {
        matches!(self, Self::Add | Self::Subtract)
    }

    pub(super) fn is_product(self) -> bool {
        matches!(self, Self::Multiply | Self::Divide | Self::Remainder)
    }
}
