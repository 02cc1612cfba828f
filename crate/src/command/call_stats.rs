//! How often each command was called, how long that took, and how often it went wrong: what INFO says under Commandstats and
//! Latencystats.
//!
//! Owns the counting, which every command pays for, and its two reports. What is counted as a call, whoever runs commands
//! says; no clock is read here.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::info::Report;
use super::striped::Striped;
use super::table::{Found, TABLE};

/// The percentiles of Latencystats, in thousandths: Redis's `latency-tracking-info-percentiles` as it comes.
const PERCENTILES: [(&str, u64); 3] = [("p50", 500), ("p99", 990), ("p99.9", 999)];

/// Counts of every command and subcommand. Relaxed throughout: they order nothing.
///
/// A command takes 1 KB once it was asked for and 4.3 KB more for each stripe on which it ran: 12 MB at most, when every command there
/// is has run on every stripe.
#[derive(Debug)]
pub(crate) struct CallStats(Box<[OnceLock<Box<Command>>]>);

/// What is counted of one command; made when it is first asked for.
#[derive(Debug, Default)]
struct Command {
    ran: Striped<Ran>,
    /// Refused before it ran. Rare, so on no stripe.
    rejected: AtomicU64,
}

/// One thread's part.
#[derive(Debug, Default)]
struct Ran {
    calls: AtomicU64,
    failed: AtomicU64,
    took_ns: AtomicU64,
    times: OnceLock<Box<Histogram>>,
}

/// Calls of one command that ran one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    /// How many.
    pub(crate) calls: u64,
    /// How many of them were answered with an error.
    pub(crate) failed: u64,
    /// How long all of them took; `None` where nobody knows.
    pub(crate) took_ns: Option<u64>,
}

impl Default for CallStats {
    fn default() -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(COMMANDS).collect())
    }
}

impl CallStats {
    /// Counts `calls` of `found`. Some nanoseconds, whatever their number.
    pub(crate) fn count(&self, found: Found, calls: Calls) {
        let ran = self.command(found).ran.own();
        ran.calls.fetch_add(calls.calls, Relaxed);
        if calls.failed > 0 {
            ran.failed.fetch_add(calls.failed, Relaxed);
        }
        if let Some(took_ns) = calls.took_ns {
            ran.took_ns.fetch_add(took_ns, Relaxed);
            ran.times.get_or_init(Box::default).count(took_ns / calls.calls.max(1), calls.calls);
        }
    }

    /// Counts that `found` was asked for and refused before it ran.
    pub(crate) fn count_rejected(&self, found: Found) {
        self.command(found).rejected.fetch_add(1, Relaxed);
    }

    fn command(&self, found: Found) -> &Command {
        self.0[number(found)].get_or_init(Box::default)
    }

    /// Those that were asked for, by name, in the order of the table.
    fn commands(&self) -> impl Iterator<Item = (&'static str, &Command)> {
        names().zip(&self.0).filter_map(|(name, command)| Some((name, &**command.get()?)))
    }

    pub(super) fn reset(&self) {
        for (_, command) in self.commands() {
            command.rejected.store(0, Relaxed);
            for ran in command.ran.iter() {
                for count in [&ran.calls, &ran.failed, &ran.took_ns] {
                    count.store(0, Relaxed);
                }
                ran.times
                    .get()
                    .into_iter()
                    .flat_map(|times| &times.0)
                    .for_each(|count| count.store(0, Relaxed));
            }
        }
    }

    /// A line for each command that was asked for, as Redis writes it.
    pub(super) fn report_calls(&self, report: &mut Report<'_>) {
        for (name, command) in self.commands() {
            let (calls, failed) = (command.ran.sum(|ran| &ran.calls), command.ran.sum(|ran| &ran.failed));
            let rejected = command.rejected.load(Relaxed);
            if calls + rejected == 0 {
                continue;
            }
            let us = command.ran.sum(|ran| &ran.took_ns) as f64 / 1000.0;
            let us_per_call = if calls == 0 { 0.0 } else { us / calls as f64 };
            report.line(format_args!(
                "cmdstat_{name}:calls={calls},usec={us:.0},usec_per_call={us_per_call:.2},\
                 rejected_calls={rejected},failed_calls={failed}"
            ));
        }
    }

    /// A line for each command of which it is known how long it took, as Redis writes it.
    pub(super) fn report_times(&self, report: &mut Report<'_>) {
        for (name, command) in self.commands() {
            let mut counts = vec![0; BUCKETS];
            for times in command.ran.iter().filter_map(|ran| ran.times.get()) {
                counts.iter_mut().zip(&times.0).for_each(|(sum, count)| *sum += count.load(Relaxed));
            }
            if counts.iter().sum::<u64>() > 0 {
                let times = PERCENTILES.map(|(label, share)| {
                    format!("{label}={:.3}", percentile(&counts, share) as f64 / 1000.0)
                });
                report.line(format_args!("latency_percentiles_usec_{name}:{}", times.join(",")));
            }
        }
    }
}

/// How many commands and subcommands there are.
const COMMANDS: usize = FIRST[TABLE.len() - 1] + TABLE[TABLE.len() - 1].subcommands.len() + 1;

/// The number of each command of the table; its subcommands' follow.
const FIRST: [usize; TABLE.len()] = {
    let mut first = [0; TABLE.len()];
    let mut at = 1;
    while at < TABLE.len() {
        first[at] = first[at - 1] + TABLE[at - 1].subcommands.len() + 1;
        at += 1;
    }
    first
};

fn number(found: Found) -> usize {
    static NUMBERS: [usize; TABLE.len()] = FIRST;
    let subcommands = TABLE[found.index].subcommands;
    let sub = subcommands.iter().position(|sub| std::ptr::eq(sub, found.spec));
    NUMBERS[found.index] + sub.map_or(0, |sub| sub + 1)
}

/// The names, by number.
fn names() -> impl Iterator<Item = &'static str> {
    TABLE
        .iter()
        .flat_map(|spec| std::iter::once(spec.name).chain(spec.subcommands.iter().map(|sub| sub.name)))
}

/// Bits of a time that tell one bucket of a [`Histogram`] from the next: each is a sixteenth of its times wide.
const BITS: u32 = 4;

/// Longer times, from about 68 s on, are counted as that.
const NS_MAX: u64 = (1 << 36) - 1;

const BUCKETS: usize = bucket(NS_MAX) + 1;

/// How many calls took how long. The buckets are laid out as HdrHistogram's: the same number in every power of two.
#[derive(Debug)]
struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Histogram {
    fn count(&self, ns: u64, calls: u64) {
        self.0[bucket(ns)].fetch_add(calls, Relaxed);
    }
}

const fn bucket(ns: u64) -> usize {
    let ns = if ns > NS_MAX { NS_MAX } else { ns };
    match (ns >> BITS).checked_ilog2() {
        None => ns as usize,
        Some(shift) => ((shift as usize) << BITS) + (ns >> shift) as usize,
    }
}

/// The longest time, in nanoseconds, that falls into a bucket.
fn longest_in(bucket: usize) -> u64 {
    let shift = (bucket >> BITS).saturating_sub(1);
    (((bucket - (shift << BITS)) as u64 + 1) << shift) - 1
}

/// The time within which `share` thousandths of the calls were done.
fn percentile(counts: &[u64], share: u64) -> u64 {
    let wanted = (counts.iter().sum::<u64>() * share).div_ceil(1000);
    let mut seen = 0;
    let reached = counts.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    reached.map_or(0, longest_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_a_sixteenth_wide_and_leave_nothing_out() {
        for bucket_at in 0..BUCKETS {
            let longest = longest_in(bucket_at);
            assert_eq!(bucket(longest), bucket_at);
            if bucket_at + 1 < BUCKETS {
                assert_eq!(bucket(longest + 1), bucket_at + 1, "behind {longest} ns");
                assert!(longest_in(bucket_at + 1) - longest <= 1 + longest / 16, "behind {longest} ns");
            }
        }
        assert_eq!((longest_in(BUCKETS - 1), bucket(u64::MAX)), (NS_MAX, BUCKETS - 1));
    }

    #[test]
    fn a_percentile_is_the_time_within_which_so_many_were_done() {
        let check = |times: &[(u64, u64)], share, expected| {
            let mut counts = vec![0; BUCKETS];
            times.iter().for_each(|&(ns, calls)| counts[bucket(ns)] += calls);
            assert_eq!(percentile(&counts, share), expected, "{share} of {times:?}");
        };
        check(&[(7, 1)], 500, 7);
        check(&[(7, 1)], 999, 7);
        check(&[(5, 50), (9, 50)], 500, 5);
        check(&[(5, 49), (9, 51)], 500, 9);
        check(&[(5, 99), (1000, 1)], 990, 5);
        check(&[(5, 99), (1000, 1)], 999, 1023);
        check(&[], 500, 0);
    }

    #[test]
    fn every_command_has_a_number_of_its_own() {
        let names: Vec<_> = names().collect();
        assert_eq!(names.len(), COMMANDS);
        for (index, spec) in TABLE.iter().enumerate() {
            assert_eq!(names[number(Found { index, spec })], spec.name);
            for sub in spec.subcommands {
                assert_eq!(names[number(Found { index, spec: sub })], sub.name);
            }
        }
    }
}
