//! Seeing tasks: what happened ([`event`]), and how it travels to whoever watches ([`frame`]).
//!
//! A leaf of the crate: it knows no commands, no store and no transport.

pub mod event;
pub mod frame;
