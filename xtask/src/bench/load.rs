//! One measurement: redis-benchmark against a running server, and the CPU time that either spent meanwhile. Knows
//! nothing of what is compared.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::program::{Program, cpu_of_ended_ns, on_core};
use crate::shell::read;

/// 50 clients that send `requests` of one command, with 64-byte values and keys at random out of `keys`.
pub(super) struct Load {
    /// As redis-benchmark names its tests. LRANGE_100 reads a list that was made before, which is not measured.
    pub(super) test: String,
    pub(super) pipeline: u32,
    pub(super) keys: u64,
    pub(super) requests: u64,
}

/// Elements pushed before a list is read: ten times what is read of it.
const LIST_LEN_MIN: u64 = 1_000;

/// What one measurement found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Throughput as redis-benchmark states it, requests a second.
    pub(super) rate: f64,
    /// The server's CPU time, microseconds a request: the same number as CPU seconds a million requests.
    pub(super) cpu_us: f64,
    /// How much of the time redis-benchmark, which has one thread, was at work: close to 1, it is the limit and not the server.
    /// From CPU time to a hundredth of a second.
    pub(super) load_busy: f64,
}

impl Load {
    pub(super) fn measure(&self, program: &Program, core: Option<u32>) -> Result<Cost> {
        let mut command = self.command(program.port, self.requests);
        if self.test.eq_ignore_ascii_case("lrange_100") {
            // redis-benchmark's own test of that name fills the list within what would be measured.
            let mut filling = self.command(program.port, LIST_LEN_MIN);
            read(&mut on_core(filling.args(["-t", "lpush"]), core))?;
            command.args(["lrange", "mylist", "0", "99"]);
        } else {
            command.args(["-t", &self.test]);
        }
        let (load_before_ns, cpu_before_ns) = (cpu_of_ended_ns()?, program.cpu_ns()?);
        let began = Instant::now();
        let output = read(&mut on_core(&command, core))?;
        let took = began.elapsed();
        let cpu_ns = program.cpu_ns()?.saturating_sub(cpu_before_ns);
        let load_ns = cpu_of_ended_ns()?.saturating_sub(load_before_ns);
        let rate =
            rate(&output).with_context(|| format!("expected redis-benchmark's CSV, found:\n{output}"))?;
        Ok(Cost {
            rate,
            cpu_us: cpu_ns as f64 / 1000.0 / self.requests as f64,
            load_busy: load_ns as f64 / took.as_nanos() as f64,
        })
    }

    fn command(&self, port: u16, requests: u64) -> Command {
        let mut command = Command::new("redis-benchmark");
        command.args(["-h", "127.0.0.1", "-c", "50", "-d", "64", "--csv"]);
        command.args(["-p", &port.to_string(), "-r", &self.keys.to_string()]);
        command.args(["-n", &requests.to_string(), "-P", &self.pipeline.to_string()]);
        command
    }
}

/// The second field of the last line: `"SET","81300.81",...`.
fn rate(csv: &str) -> Option<f64> {
    csv.lines().last()?.split(',').nth(1)?.trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_redis_benchmark() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"SET\",\"81300.81\",\"0.314\"";
        assert_eq!(rate(csv), Some(81300.81));
        assert_eq!(rate("\"test\",\"rps\""), None);
        assert_eq!(rate(""), None);
    }
}
