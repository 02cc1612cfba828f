//! What a misspelt word may have meant.
//!
//! Knows nothing of what words are for.

/// The one of `known` that `word` most likely stands for; `None` if it is too far from all of them.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A slip of one letter in four: `GTE` is no `PERSIST`.
    let most = word.chars().count().div_ceil(4).min(3);
    let near = known.into_iter().map(|known| (distance(word, known), known));
    near.filter(|(distance, known)| *distance <= most && *known != word)
        .min_by_key(|near| near.0)
        .map(|near| near.1)
}

/// How many letters must be added, removed, replaced or swapped with their neighbour to make `a` of `b`, in any case.
fn distance(a: &str, b: &str) -> usize {
    let [a, b] = [a, b].map(|text| text.to_ascii_lowercase().chars().collect::<Vec<_>>());
    // Rows of the usual table; a swap looks back two of them.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (row, letter) in a.iter().enumerate() {
        let mut this = vec![row + 1];
        for (column, other) in b.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut best = replaced.min(last[column + 1] + 1).min(this[column] + 1);
            if row > 0 && column > 0 && *letter == b[column - 1] && a[row - 1] == *other {
                best = best.min(before[column - 1] + 1);
            }
            this.push(best);
        }
        before = std::mem::replace(&mut last, this);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood() {
        let known = ["GET", "SET", "INCR", "while", "repeat", "PERSIST"];
        let check = |word, expected| assert_eq!(nearest(word, known), expected, "{word}");
        check("GTE", Some("GET"));
        check("whlie", Some("while"));
        check("repaet", Some("repeat"));
        check("While", Some("while"));
        check("icnr", Some("INCR"));
        check("INCRR", Some("INCR"));
        check("frobnicate", None);
        check("x", None);
    }
}
