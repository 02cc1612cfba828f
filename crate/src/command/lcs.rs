//! LCS: what two strings have in common, in order.
//!
//! Owns the table of the longest common subsequences of their beginnings, and what is read from it.

use super::Mistake;
use super::parse::{integer, is};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use super::strings::with_string;
use crate::resp::{Args, Reply};

pub(super) const LCS: Spec = Spec {
    name: "lcs",
    summary: "The longest string that both strings have in them in order, with gaps; its length, or where it lies in each.",
    usage: "key key [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]",
    since: "7.0.0",
    group: Group::String,
    complexity: "O(N*M) in the lengths of the strings",
    arity: -3,
    flags: &[Flag::ReadOnly],
    keys: KeySpec::Range { first: 1, last: 2, step: 1 },
    subcommands: &[],
    run: Run::keyspace(lcs),
};

#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: i64,
}

fn parse(args: Args<'_>) -> Result<Options, Mistake> {
    let mut options = Options::default();
    let mut rest = args.from(3);
    while let Some(option) = rest.next() {
        if is(option, "IDX") {
            options.idx = true;
        } else if is(option, "LEN") {
            options.len = true;
        } else if is(option, "WITHMATCHLEN") {
            options.with_match_len = true;
        } else if is(option, "MINMATCHLEN") {
            options.min_match_len = integer(rest.next().ok_or(Mistake::SYNTAX)?)?;
        } else {
            return Err(Mistake::SYNTAX);
        }
    }
    if options.idx && options.len {
        return Err(Mistake::new("ERR If you want both the length and indexes, please just use IDX."));
    }
    Ok(options)
}

fn lcs(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mut strings = [Vec::new(), Vec::new()];
    for (string, key) in strings.iter_mut().zip(args.from(1)) {
        if let Some(entry) = ctx.keyspace.store(key).get(key, ctx.now_ms) {
            *string = with_string(&entry.value, <[u8]>::to_vec)
                .map_err(|_| Mistake::new("ERR The specified keys must contain string values"))?;
        }
    }
    let options = parse(args)?;
    let table = Table::new(&strings[0], &strings[1], ctx.server.config.limits.bulk_bytes)?;
    if options.idx {
        write_matches(&table, &options, reply);
    } else if options.len {
        reply.integer(table.whole().into());
    } else {
        reply.bulk(table.text());
    }
    Ok(())
}

fn write_matches(table: &Table<'_>, options: &Options, reply: &mut Reply<'_>) {
    let mut matches = table.matches();
    matches.retain(|found| found.len as i64 >= options.min_match_len);
    reply.map(2);
    reply.bulk("matches");
    reply.array(matches.len());
    for Match { a, b, len } in matches {
        reply.array(2 + usize::from(options.with_match_len));
        for start in [a, b] {
            reply.array(2);
            reply.count(start);
            reply.count(start + len - 1);
        }
        if options.with_match_len {
            reply.count(len);
        }
    }
    reply.bulk("len");
    reply.integer(table.whole().into());
}

/// How long the longest common subsequence of each two beginnings is.
struct Table<'a> {
    a: &'a [u8],
    b: &'a [u8],
    /// A row for each length of a beginning of `a`, from 0 on.
    lengths: Vec<u32>,
}

/// A run of bytes that is in both strings, and where it starts in each.
#[derive(Debug, PartialEq, Eq)]
struct Match {
    a: usize,
    b: usize,
    len: usize,
}

impl<'a> Table<'a> {
    /// Takes time and memory in the product of the lengths, at most `bytes_max` of the latter, as in Redis.
    fn new(a: &'a [u8], b: &'a [u8], bytes_max: usize) -> Result<Self, Mistake> {
        let width = b.len() + 1;
        let cells = (a.len() + 1).checked_mul(width).filter(|cells| *cells <= bytes_max / size_of::<u32>());
        let cells = cells.ok_or(Mistake::new(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ))?;
        let mut lengths = vec![0; cells];
        for (i, byte) in a.iter().enumerate() {
            let (above, row) = lengths[i * width..(i + 2) * width].split_at_mut(width);
            for (j, other) in b.iter().enumerate() {
                row[j + 1] = if byte == other { above[j] + 1 } else { above[j + 1].max(row[j]) };
            }
        }
        Ok(Self { a, b, lengths })
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.lengths[i * (self.b.len() + 1) + j]
    }

    /// The length for the whole strings.
    fn whole(&self) -> u32 {
        self.at(self.a.len(), self.b.len())
    }

    /// The positions of the bytes in common, the last first. Where several subsequences are as long it is the one that Redis
    /// finds.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        std::iter::from_fn(move || {
            while i > 0 && j > 0 {
                if self.a[i - 1] == self.b[j - 1] {
                    (i, j) = (i - 1, j - 1);
                    return Some((i, j));
                }
                if self.at(i - 1, j) > self.at(i, j - 1) {
                    i -= 1;
                } else {
                    j -= 1;
                }
            }
            None
        })
    }

    /// The subsequence.
    fn text(&self) -> Vec<u8> {
        let mut text: Vec<u8> = self.pairs().map(|(i, _)| self.a[i]).collect();
        text.reverse();
        text
    }

    /// Where it lies in both strings, in runs as long as they are, the last first.
    fn matches(&self) -> Vec<Match> {
        let mut matches: Vec<Match> = Vec::new();
        for (a, b) in self.pairs() {
            match matches.last_mut() {
                Some(last) if last.a == a + 1 && last.b == b + 1 => {
                    *last = Match { a, b, len: last.len + 1 };
                }
                _ => matches.push(Match { a, b, len: 1 }),
            }
        }
        matches
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_in(text: &[u8], whole: &[u8]) -> bool {
        let mut rest = whole.iter();
        text.iter().all(|byte| rest.any(|other| other == byte))
    }

    /// The length by definition: of all ways to leave bytes out.
    fn by_trying(a: &[u8], b: &[u8]) -> u32 {
        let keep = |mask: u32| -> Vec<u8> {
            (0..a.len()).filter(|bit| mask >> bit & 1 == 1).map(|bit| a[bit]).collect()
        };
        let masks = (0..1 << a.len()).filter(|mask| is_in(&keep(*mask), b));
        masks.map(u32::count_ones).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn none_is_longer_and_the_runs_are_in_both(a in "[a-c]{0,9}", b in "[a-c]{0,9}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let table = Table::new(a, b, 1 << 20).unwrap();
            let text = table.text();
            prop_assert_eq!(table.whole(), by_trying(a, b));
            prop_assert_eq!(text.len(), table.whole() as usize);
            prop_assert!(is_in(&text, a) && is_in(&text, b));
            let mut runs = Vec::new();
            for Match { a: in_a, b: in_b, len } in table.matches().iter().rev() {
                prop_assert_eq!(&a[*in_a..in_a + len], &b[*in_b..in_b + len]);
                runs.extend_from_slice(&a[*in_a..in_a + len]);
            }
            prop_assert_eq!(runs, text);
        }
    }

    #[test]
    fn memory_has_a_limit() {
        assert!(Table::new(&[0; 9], &[0; 9], 400).is_ok());
        assert!(Table::new(&[0; 9], &[0; 9], 399).is_err());
    }
}
