//! Numbers with units, for people. Knows nothing of where they come from.

/// A length of time with three digits that count: `940 ns`, `12.4 µs`, `3.10 s`, `2 min 5 s`.
pub(crate) fn duration(ns: f64) -> String {
    let ns = ns.max(0.0);
    let scaled = |value: f64, unit: &str| {
        let digits = if value >= 99.95 {
            0
        } else if value >= 9.995 {
            1
        } else {
            2
        };
        format!("{value:.digits$} {unit}")
    };
    match ns {
        ns if ns < 999.5 => format!("{ns:.0} ns"),
        ns if ns < 999_500.0 => scaled(ns / 1e3, "µs"),
        ns if ns < 999_500_000.0 => scaled(ns / 1e6, "ms"),
        ns if ns < 59_950_000_000.0 => scaled(ns / 1e9, "s"),
        ns => {
            let seconds = (ns / 1e9).round() as u64;
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

/// A moment of the recording: `1.234 567 s`, with digits down to `resolution_ns`.
pub(crate) fn moment(at_ns: f64, resolution_ns: f64) -> String {
    let digits = 9_u32.saturating_sub((resolution_ns.max(1.0) as u64).ilog10()) as usize;
    let text = format!("{:.digits$}", at_ns.max(0.0) / 1e9);
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = whole.to_owned();
    for (index, digit) in rest.chars().enumerate() {
        if index == 0 {
            out.push('.');
        } else if index.is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out.push_str(" s");
    out
}

/// A count with its thousands apart: `12 345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A count with what is counted, one or several: `1 run`, `12 runs`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A point in time as a person types it: `1.25`, `1.25 s`, `340ms`, `12 µs`, in nanoseconds.
pub(crate) fn parse_moment(text: &str) -> Option<f64> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..unit_at].parse().ok()?;
    let ns = match &text[unit_at..] {
        "" | "s" => 1e9,
        "ms" => 1e6,
        "us" | "µs" | "μs" => 1e3,
        "ns" => 1.0,
        _ => return None,
    };
    Some(number * ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        for (ns, expected) in [
            (0.0, "0 ns"),
            (940.0, "940 ns"),
            (999.6, "1.00 µs"),
            (12_400.0, "12.4 µs"),
            (999_600.0, "1.00 ms"),
            (1_234_567.0, "1.23 ms"),
            (345_678_901.0, "346 ms"),
            (3_100_000_000.0, "3.10 s"),
            (125_000_000_000.0, "2 min 5 s"),
        ] {
            assert_eq!(duration(ns), expected);
        }
    }

    #[test]
    fn moments_show_what_the_scale_can_tell() {
        assert_eq!(moment(1_234_567_890.0, 1_000.0), "1.234\u{202f}568 s");
        assert_eq!(moment(1_234_567_890.0, 1e9), "1 s");
        assert_eq!(moment(-5.0, 1e6), "0.000 s");
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1000, "1\u{202f}000"), (1234567, "1\u{202f}234\u{202f}567")]
        {
            assert_eq!(count(number), expected);
        }
    }

    #[test]
    fn moments_are_read_with_and_without_units() {
        for (text, expected) in [
            ("1.25", Some(1.25e9)),
            ("1.25 s", Some(1.25e9)),
            ("340ms", Some(340e6)),
            ("12 µs", Some(12e3)),
            ("7 ns", Some(7.0)),
            ("1\u{202f}000 ms", Some(1e9)),
            ("soon", None),
            ("", None),
            ("3 weeks", None),
        ] {
            assert_eq!(parse_moment(text), expected, "{text:?}");
        }
    }
}
