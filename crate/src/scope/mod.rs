//! Seeing tasks: what happened ([`event`]), how it is gathered ([`frame`]) and how it travels ([`codec`]).
//!
//! A leaf of the crate: it knows no commands, no store and no transport.

pub mod codec;
pub mod event;
pub mod frame;
