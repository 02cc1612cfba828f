//! Our server beside redis-server: what both are asked they answer with the same bytes, in RESP2 and in RESP3.
//!
//! Everything that is typed in the crate's transcripts and conversations, random requests of every family, and what COMMAND
//! tells of each command. What differs on purpose is listed in [`differs`], or stands in the transcript itself after a line
//! that starts with `! `.

mod commands;
mod conversations;
mod differs;
mod random;
mod statistics;
mod talker;
mod transcripts;
