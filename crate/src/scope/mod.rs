//! Seeing tasks: what happened ([`event`]), how it is gathered ([`frame`]) and how it travels ([`codec`]).
//!
//! Recording stands on stock Tokio: [`traced`] wraps every spawned future, [`record`] puts events where they belong,
//! [`registry`] knows the names, and [`hub`] collects from all threads of a native process.
//!
//! A leaf of the crate: it knows no commands, no store and no transport.

pub mod codec;
pub mod event;
pub mod frame;
#[cfg(feature = "native")]
pub mod hub;
pub mod merge;
pub(crate) mod record;
mod registry;
#[cfg(feature = "native")]
mod ring;
mod row;
mod sink;
pub mod trace;
pub(crate) mod traced;
mod words;
