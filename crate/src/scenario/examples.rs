//! The scenarios that come along: well-known ways for tasks to get into each other's way, and out of it.
//!
//! Owns the list. The texts are files in `crate/scenarios/`, each with a bug that some schedules show, beside a fix.

/// One lesson: a scenario with a bug, and the same without.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Its folder's name.
    pub name: &'static str,
    /// The text with the bug. Its first line says what happens.
    pub broken: &'static str,
    /// The text without.
    pub fixed: &'static str,
}

macro_rules! example {
    ($name:literal) => {
        Example {
            name: $name,
            broken: include_str!(concat!("../../scenarios/", $name, "/broken.txt")),
            fixed: include_str!(concat!("../../scenarios/", $name, "/fixed.txt")),
        }
    };
}

/// All of them, from the simplest on.
pub const EXAMPLES: [Example; 7] = [
    example!("oversell"),
    example!("lost-update"),
    example!("deadlock"),
    example!("held-lock"),
    example!("full-channel"),
    example!("starvation"),
    example!("work-queue"),
];
