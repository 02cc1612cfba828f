//! `cargo xtask bench`: what the server costs, measured beside something to compare with. This file owns how a
//! measurement is taken and judged; what is compared lies in the files below.
//!
//! Machines are noisy and drift, so nothing is measured once: the servers take turns in many short rounds, the numbers
//! are medians, and a ratio is the median of the ratios within a round. CPU time is what travels best between machines:
//! it hardly depends on how the load generator and the server share the cores.

pub(crate) mod engine;
mod latency;
mod load;
pub(crate) mod memory;
pub(crate) mod page;
mod program;
pub(crate) mod redis;
pub(crate) mod scope;
pub(crate) mod sharings;
mod targets;

use std::time::Duration;

use clap::Args;

use load::Load;

/// How long one measurement of latency takes.
const PACED: Duration = Duration::from_secs(2);

/// Flags that every benchmark has.
#[derive(Args)]
pub(crate) struct Effort {
    /// Rounds, in each of which every server is measured once.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Pipelining depths.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    pipeline: Vec<u32>,
    /// Commands, as redis-benchmark names its tests.
    #[arg(long, value_delimiter = ',', default_values_t = ["set", "get", "incr"].map(String::from))]
    tests: Vec<String>,
    /// Requests of one measurement without pipelining; five times as many with.
    #[arg(long, default_value_t = 50_000)]
    requests: u64,
    /// Keys that the requests draw from.
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Give the server one core and the load generator another, instead of letting them share all.
    #[arg(long)]
    one_core: bool,
}

impl Effort {
    /// The core for the server and that for the load generator, if each is to have one.
    fn cores(&self) -> (Option<u32>, Option<u32>) {
        if self.one_core { (Some(0), Some(1)) } else { (None, None) }
    }

    /// Every combination of pipelining and command.
    fn loads(&self) -> Vec<Load> {
        let mut loads = Vec::new();
        for &pipeline in &self.pipeline {
            for test in &self.tests {
                let requests = if pipeline > 1 { self.requests * 5 } else { self.requests };
                loads.push(Load { test: test.clone(), pipeline, keys: self.keys, requests });
            }
        }
        loads
    }
}

/// The middle one, or the mean of the middle two; of nothing, NaN.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_outliers() {
        assert!(median([]).is_nan());
        assert_eq!(median([3.0]), 3.0);
        assert_eq!(median([9.0, 1.0]), 5.0);
        assert_eq!(median([2.0, 1000.0, 1.0]), 2.0);
    }
}
