//! The server from outside, in this process: what clients are answered, and how it ends.

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod connection;
mod http;
mod limits;
mod program;
mod pubsub;
mod random;
mod requests;
mod scenario;
mod shutdown;
mod websocket;
