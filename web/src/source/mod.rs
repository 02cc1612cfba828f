//! Where the server is: a process of its own behind WebSockets, or a worker of this tab. Either carries the consoles'
//! bytes and brings the trace; the rest of the page cannot tell them apart. Knows no reply and no event.

mod backoff;
mod native;
mod tab;

use std::rc::Rc;

pub(crate) use native::{About, Socket, address, probe};

use self::native::Native;
use self::tab::Tab;

/// The kinds of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A server process, at the address the page came from.
    Native,
    /// The server as WebAssembly, in a worker of this tab.
    Tab,
    /// A scenario on a server of its own, in the time machine. It takes no console.
    Machine,
}

impl Kind {
    /// Its name in saved state and in `interleave.state()`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Tab => "tab",
            Self::Machine => "machine",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Native, Self::Tab, Self::Machine].into_iter().find(|kind| kind.name() == name)
    }
}

/// What a source tells the page. Consoles are named by their numbers.
#[derive(Debug)]
pub(crate) enum News {
    /// The server can be reached: consoles may be opened.
    Up(About),
    /// It cannot; for how long until the next try, in milliseconds.
    Down { why: String, retry_ms: Option<i32> },
    /// A console's connection stands.
    Opened(u32),
    /// The server sent bytes to a console.
    Bytes(u32, Vec<u8>),
    /// A console's connection is over.
    Closed(u32),
    /// A message of the trace.
    Trace(Vec<u8>),
}

/// Whom a source tells.
pub(crate) type Listener = Rc<dyn Fn(News)>;

/// How the tab's server is to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TabOptions {
    pub(crate) sharing: interleave::sharing::Kind,
    /// How long `async-mutex` keeps its lock after the commands have run.
    pub(crate) hold_ms: u32,
    /// Whether the scene plays: three clients and one counter.
    pub(crate) scene: bool,
}

/// A server's connection to the page. Dropping it closes everything and tells nothing more.
pub(crate) enum Source {
    Native(Native),
    Tab(Tab),
}

impl Source {
    /// The server process at the page's own address; keeps trying while it cannot be reached.
    pub(crate) fn native(listener: Listener) -> Self {
        Self::Native(Native::start(listener))
    }

    /// A new server in this tab.
    pub(crate) fn tab(options: TabOptions, listener: Listener) -> Self {
        Self::Tab(Tab::start(options, listener))
    }

    /// Opens a connection for console `number`, closing one it has.
    pub(crate) fn open(&self, number: u32) {
        match self {
            Self::Native(native) => native.open(number),
            Self::Tab(tab) => tab.open(number),
        }
    }

    /// Sends `bytes` to the server as console `number`. Without a connection they go nowhere: wait for [`News::Opened`].
    pub(crate) fn send(&self, number: u32, bytes: &[u8]) {
        match self {
            Self::Native(native) => native.send(number, bytes),
            Self::Tab(tab) => tab.send(number, bytes),
        }
    }

    /// Closes console `number`'s connection.
    pub(crate) fn close(&self, number: u32) {
        match self {
            Self::Native(native) => native.close(number),
            Self::Tab(tab) => tab.close(number),
        }
    }

    /// Lets the tab's server run, or stand still. A native server cannot be stopped from here.
    pub(crate) fn set_running(&self, running: bool) {
        if let Self::Tab(tab) = self {
            tab.set_running(running);
        }
    }
}
