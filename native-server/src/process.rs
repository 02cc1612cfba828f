//! What the server asks of the system as a process: how many sockets it may have, how much memory it has.
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

#[cfg(test)]
mod tests {
    use super::*;

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
