//! What the server asks of the system as a process: how many sockets it may have, how much memory and time it has taken.
//! Knows Linux's files and Unix's limits; elsewhere it knows nothing, and says so by doing nothing.

/// File descriptors that are no clients': listeners, runtimes, log, HTTP connections, watchers, the near ends of a
/// scenario's connections, and some to spare.
const OTHER_FILES: u64 = 1024;

/// Lets this process have `clients` sockets besides what it needs itself, as far as the system permits. Many
/// systems begin with 1,024 and permit far more.
///
/// # Errors
/// How many clients there can be, if fewer.
pub fn permit_clients(clients: usize) -> Result<(), u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let wanted = clients as u64 + OTHER_FILES;
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // No limit is none.
        let Some(current) = current.filter(|current| *current < wanted) else { return Ok(()) };
        let possible = maximum.map_or(wanted, |maximum| maximum.min(wanted));
        let permitted = match setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }) {
            Ok(()) => possible,
            Err(_) => current,
        };
        if permitted < wanted {
            return Err(permitted.saturating_sub(OTHER_FILES));
        }
    }
    #[cfg(not(unix))]
    let _ = (clients, OTHER_FILES);
    Ok(())
}

/// Resident memory in bytes; 0 where it cannot be told.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident
        .and_then(|text| text.trim().strip_suffix("kB"))
        .and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// For how long processors have worked for this process, and the system on its behalf, in microseconds; 0 where it cannot be
/// told. Linux counts hundredths of a second.
pub(crate) fn processor_time_us() -> (u64, u64) {
    #[cfg(target_os = "linux")]
    {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // "PID (NAME) STATE ...": the name may hold anything, so count from its closing parenthesis.
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        let mut ticks = fields.skip(11).map(|field| field.parse::<u64>().unwrap_or(0));
        let tick_us = 1_000_000 / rustix::param::clock_ticks_per_second().max(1);
        let mut next_us = || ticks.next().unwrap_or(0) * tick_us;
        (next_us(), next_us())
    }
    #[cfg(not(target_os = "linux"))]
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn time_that_is_worked_is_counted() {
        let began = std::time::Instant::now();
        let before = processor_time_us().0;
        while processor_time_us().0 < before + 20_000 {
            assert!(
                began.elapsed() < std::time::Duration::from_secs(60),
                "busy for a minute, and not told of"
            );
            std::hint::black_box((0..1_000_000u64).sum::<u64>());
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn resident_memory_is_some_megabytes() {
        let bytes = resident_bytes();
        assert!((1 << 20..1 << 32).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_few_clients_are_permitted() {
        assert_eq!(permit_clients(1), Ok(()));
    }
}
