//! Which key goes when memory is short.
//!
//! Owns the eight policies and the choice by sampling: of a few keys taken by chance the one goes that is the most to go, as in
//! Redis, whose order by last use is as approximate. Knows no limit; whoever has one says how often.

use super::databases::Databases;
use super::shard::Store;

/// What is evicted when memory is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Nothing: commands that may need memory are refused.
    #[default]
    NoEviction,
    /// Any key, the one not used for longest first.
    AllkeysLru,
    /// Any key, the one used least often first.
    AllkeysLfu,
    /// Any key.
    AllkeysRandom,
    /// A key that will expire, the one not used for longest first.
    VolatileLru,
    /// A key that will expire, the one used least often first.
    VolatileLfu,
    /// A key that will expire.
    VolatileRandom,
    /// A key that will expire, the one to expire next first.
    VolatileTtl,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::NoEviction,
        Self::AllkeysLru,
        Self::AllkeysLfu,
        Self::AllkeysRandom,
        Self::VolatileLru,
        Self::VolatileLfu,
        Self::VolatileRandom,
        Self::VolatileTtl,
    ];

    /// Its name as a setting.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoEviction => "noeviction",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::AllkeysRandom => "allkeys-random",
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
        }
    }

    /// Whether it goes by how often keys are used.
    #[must_use]
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::AllkeysLfu | Self::VolatileLfu)
    }

    fn takes_volatile_only(self) -> bool {
        matches!(self, Self::VolatileLru | Self::VolatileLfu | Self::VolatileRandom | Self::VolatileTtl)
    }
}

impl std::str::FromStr for Policy {
    type Err = String;

    /// Finds a policy by its name, in capitals or not.
    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|policy| policy.name().eq_ignore_ascii_case(name));
        named.ok_or_else(|| format!("expected {}, found '{name}'", Self::ALL.map(Self::name).join(", ")))
    }
}

/// Positions looked at for each key wanted when only those that will expire may go and they are rare among the others.
const LOOKS: usize = 16;

impl Store {
    /// Whether the policy leaves anything here to be evicted.
    fn has_victims(&self, policy: Policy) -> bool {
        match policy {
            Policy::NoEviction => false,
            _ if policy.takes_volatile_only() => self.volatile() > 0,
            _ => !self.is_empty(),
        }
    }

    /// Of `samples` keys that may go the position of the one that is the most to go, and how much that is.
    ///
    /// Costs a look at each; where keys that will expire are so rare that chance finds none, a walk to the next one.
    fn victim(&self, policy: Policy, samples: usize, random: &mut fastrand::Rng) -> Option<(u64, usize)> {
        if !self.has_victims(policy) {
            return None;
        }
        let samples = match policy {
            Policy::AllkeysRandom | Policy::VolatileRandom => 1,
            _ => samples.max(1),
        };
        let len = self.len();
        let mut anywhere = || random.u64(..len as u64) as usize;
        let may_go = |position: usize| !policy.takes_volatile_only() || self.expiry_at(position).is_some();
        let urgency = |position: usize| match policy {
            // What expires never is not asked for.
            Policy::VolatileTtl => u64::MAX - self.expiry_at(position).unwrap_or(u64::MAX),
            Policy::AllkeysRandom | Policy::VolatileRandom => 0,
            _ => self.access().staleness(position),
        };
        let by_chance = (0..samples * LOOKS).map(|_| anywhere()).filter(|at| may_go(*at)).take(samples);
        let best = by_chance.map(|at| (urgency(at), at)).max();
        best.or_else(|| {
            let start = anywhere();
            (start..len).chain(0..start).find(|at| may_go(*at)).map(|at| (urgency(at), at))
        })
    }
}

impl Databases {
    /// Whether the policy leaves anything here to be evicted.
    pub fn has_victims(&mut self, policy: Policy) -> bool {
        self.stores().any(|store| store.has_victims(policy))
    }

    /// Evicts one key of any database: of `samples` of each database the one that is the most to go. Which one, and of which
    /// database; `None` where there is none.
    pub fn evict(
        &mut self,
        policy: Policy,
        samples: usize,
        random: &mut fastrand::Rng,
    ) -> Option<(usize, Box<[u8]>)> {
        let is_random = matches!(policy, Policy::AllkeysRandom | Policy::VolatileRandom);
        let mut best: Option<(u64, usize, usize)> = None;
        for (number, store) in self.stores().enumerate() {
            if let Some((mut urgency, position)) = store.victim(policy, samples, random) {
                if is_random {
                    urgency = random.u64(..);
                }
                if best.is_none_or(|(other, ..)| urgency > other) {
                    best = Some((urgency, number, position));
                }
            }
        }
        let (_, number, position) = best?;
        let store = self.of(number);
        let key = store.at(position)?.0.into();
        store.evict_at(position);
        Some((number, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Upkeep, Value};

    fn upkeep(policy: Policy) -> Upkeep {
        // Time passes while the keys are made, and is not what this is about.
        let frequency = crate::store::Frequency { log_factor: 10, decay_minutes: 0 };
        Upkeep { counts_bytes: true, frequency: policy.is_lfu().then_some(frequency) }
    }

    /// A hundred keys: every tenth expires, later ones later; each was used at another time, and later ones more often.
    fn databases(policy: Policy) -> Databases {
        let mut databases = Databases::default();
        databases.keep_up(upkeep(policy), 1);
        for number in 0..100u64 {
            databases.set_clock(number * 60_000);
            let expires_ms = number.is_multiple_of(10).then_some(1_000_000_000 + number);
            databases.selected().insert(number.to_string().as_bytes(), Value::Int(0), expires_ms);
            for _ in 0..number * 100 {
                databases.selected().get(number.to_string().as_bytes(), 0);
            }
        }
        databases
    }

    /// The keys evicted under `policy`, in order.
    fn evicted(policy: Policy, samples: usize) -> Vec<u64> {
        let mut databases = databases(policy);
        databases.selected().keep_vanished();
        let mut random = fastrand::Rng::with_seed(3);
        let (mut evicted, mut count) = (Vec::new(), 0);
        while let Some((0, told)) = databases.evict(policy, samples, &mut random) {
            count += 1;
            databases.selected().take_vanished(|key| {
                assert_eq!(*key, *told);
                evicted.push(std::str::from_utf8(key).unwrap().parse().unwrap());
            });
        }
        assert_eq!((evicted.len(), databases.selected().stats().evicted), (count, count as u64));
        assert!(!databases.has_victims(policy));
        evicted
    }

    #[test]
    fn each_policy_takes_what_it_may_and_no_more() {
        for policy in Policy::ALL {
            let mut gone = evicted(policy, 5);
            gone.sort_unstable();
            let expected: Vec<u64> = match policy {
                Policy::NoEviction => vec![],
                _ if policy.takes_volatile_only() => (0..100).step_by(10).collect(),
                _ => (0..100).collect(),
            };
            assert_eq!(gone, expected, "{}", policy.name());
        }
    }

    #[test]
    fn the_first_to_go_are_about_the_oldest_the_rarest_and_the_next_to_expire() {
        for policy in [Policy::AllkeysLru, Policy::AllkeysLfu] {
            let first = &evicted(policy, 10)[..30];
            let mean = first.iter().sum::<u64>() / 30;
            assert!(mean < 25, "{}: {first:?}", policy.name());
        }
        for policy in [Policy::VolatileTtl, Policy::VolatileLru, Policy::VolatileLfu] {
            // So many samples of ten see all.
            let gone = evicted(policy, 400);
            assert_eq!(gone[0], 0, "{}: {gone:?}", policy.name());
        }
        assert_eq!(evicted(Policy::VolatileTtl, 400), (0..100).step_by(10).collect::<Vec<_>>());
        let mean = evicted(Policy::AllkeysRandom, 5)[..30].iter().sum::<u64>() / 30;
        assert!((30..70).contains(&mean), "by chance {mean}");
    }

    #[test]
    fn keys_of_every_database_go() {
        let mut databases = databases(Policy::AllkeysLru);
        databases.of(3).insert(b"elsewhere", Value::Int(1), None);
        let mut random = fastrand::Rng::with_seed(1);
        while databases.evict(Policy::AllkeysLru, 5, &mut random).is_some() {}
        assert!(databases.stores().all(|store| store.is_empty()));
        assert_eq!(databases.weight(), 0);
    }

    #[test]
    fn policies_have_names() {
        for policy in Policy::ALL {
            assert_eq!(policy.name().to_uppercase().parse(), Ok(policy));
        }
        assert!("lru".parse::<Policy>().unwrap_err().ends_with("found 'lru'"));
    }
}
