//! Figures beside their limits, a row each, for the programs that measure. Judges nothing: the machine may be busy.

/// Prints the heads of the columns.
pub fn head() {
    println!("{:<44} {:>32} {:>10}", "", "found", "limit");
}

/// Prints a row, with a mark when the figure does not hold.
pub fn row(what: &str, figures: &str, limit: &str, holds: bool) {
    println!("{what:<44} {figures:>32} {limit:>10} {}", if holds { "" } else { "over" });
}

/// The middle one; of nothing, NaN.
#[must_use]
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
