//! What a request means: one table of commands, one file a family.
//!
//! Owns the commands, their documentation and the state they act on besides the keyspace: the [`Client`] and the
//! [`Server`]. Knows no socket, task, lock of the store or clock; whoever calls brings the time and the keyspace.
//!
//! ```
//! use std::sync::Arc;
//! use interleave::command::{self, Config, Ctx, Peer, Run, Server, SessionCtx};
//! use interleave::resp::{Batch, Reply};
//! use interleave::store::Databases;
//!
//! let server = Arc::new(Server::new(Config::default(), 0, 7));
//! let mut client = server.connect(Peer::default(), 0).unwrap();
//! let mut batch = Batch::default();
//! batch.push(&["INCR", "hits"]);
//! let mut out = bytes::BytesMut::new();
//!
//! let args = batch.request(0);
//! let mut reply = Reply::new(&mut out, client.protocol());
//! let outcome = command::resolve(args).and_then(|found| match found.spec.run {
//!     Run::Session(run) => {
//!         run(&mut SessionCtx { client: &mut client, server: &server, now_ms: 0 }, args, &mut reply)
//!     }
//!     Run::Keyspace(run) => {
//!         let (mut keyspace, mut random) = (Databases::default(), fastrand::Rng::with_seed(1));
//!         let (keyspace, server) = (&mut keyspace, &*server);
//!         let (watcher, random) = (client.watcher(), &mut random);
//!         let mut ctx = Ctx { keyspace, database: 0, now_ms: 0, random, server, watcher };
//!         run(&mut ctx, args, &mut reply)
//!     }
//!     Run::Blocking(_) | Run::Exec => unreachable!("INCR neither waits nor ends a transaction"),
//! });
//! if let Err(mistake) = outcome {
//!     reply.error(mistake);
//! }
//! assert_eq!(&out[..], b":1\r\n");
//! ```

mod admission;
mod auth;
mod broker;
mod call_stats;
mod client;
mod context;
mod decimal;
mod errors;
mod help;
mod memory_limit;
mod mistake;
mod parse;
mod pattern;
mod pause;
mod sample;
mod settings;
mod spec;
mod stream_words;
mod table;
mod usage;
mod walk;

// The families.
mod blocking;
mod client_control;
mod clients;
mod command_list;
mod config;
mod connection;
mod counters;
mod databases;
mod debug;
mod expiry;
mod hashes;
mod info;
mod introspection;
mod keys;
mod lcs;
mod list_moves;
mod lists;
mod memory;
mod monitor;
mod objects;
mod persistence;
mod pubsub;
mod server;
mod set_algebra;
mod sets;
mod slow_log;
mod sort;
mod sorted_set_algebra;
mod sorted_set_ranges;
mod sorted_sets;
mod stream_claims;
mod stream_groups;
mod stream_info;
mod stream_reads;
mod streams;
mod strings;
mod striped;
mod substrings;
mod transactions;

pub use admission::{admit, admit_in_transaction};
pub use auth::PASSWORD_BYTES_MAX;
pub(crate) use call_stats::Calls;
pub(crate) use client::Call;
pub use client::{Client, Peer};
pub use config::bytes;
pub use context::{Config, Counters, Server};
pub use mistake::Mistake;
pub(crate) use monitor::show;
pub(crate) use pubsub::is_confirmed;
pub(crate) use slow_log::Slow;
pub use spec::{Ctx, Flag, Group, KeySpec, Keys, Outcome, Run, SessionCtx, Spec, Try, Wait};
pub(crate) use table::find;
pub use table::{Found, TABLE, lookup, resolve};
pub use transactions::Transaction;
pub use usage::{Argument, ArgumentKind};
