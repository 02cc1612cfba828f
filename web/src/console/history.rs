//! What was typed in a console, to be had again with the arrow keys. Knows no keys.

/// Lines remembered.
const LINES_MAX: usize = 200;

/// The lines, and where in them a person stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    lines: Vec<String>,
    // From the end: 0 is the new line being typed.
    back: usize,
    // The new line as it was before looking back.
    draft: String,
}

impl History {
    pub(crate) fn new(lines: Vec<String>) -> Self {
        Self { lines, ..Self::default() }
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Remembers a line, unless it repeats the last one.
    pub(crate) fn add(&mut self, line: &str) {
        self.back = 0;
        self.draft.clear();
        if self.lines.last().is_none_or(|last| last != line) && !line.trim().is_empty() {
            self.lines.push(line.to_owned());
            if self.lines.len() > LINES_MAX {
                self.lines.remove(0);
            }
        }
    }

    /// The line before; `typed` is what stands there now.
    pub(crate) fn older(&mut self, typed: &str) -> Option<String> {
        if self.back == self.lines.len() {
            return None;
        }
        if self.back == 0 {
            typed.clone_into(&mut self.draft);
        }
        self.back += 1;
        Some(self.lines[self.lines.len() - self.back].clone())
    }

    /// The line after; at last the one that was being typed.
    pub(crate) fn newer(&mut self) -> Option<String> {
        self.back = self.back.checked_sub(1)?;
        Some(match self.back {
            0 => std::mem::take(&mut self.draft),
            back => self.lines[self.lines.len() - back].clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_back_and_returns_to_what_was_being_typed() {
        let mut history = History::default();
        for line in ["SET a 1", "GET a", "GET a", "  "] {
            history.add(line);
        }
        assert_eq!(history.older("IN").as_deref(), Some("GET a"));
        assert_eq!(history.older("GET a").as_deref(), Some("SET a 1"));
        assert_eq!(history.older("SET a 1"), None);
        assert_eq!(history.newer().as_deref(), Some("GET a"));
        assert_eq!(history.newer().as_deref(), Some("IN"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn remembers_a_bounded_number_of_lines() {
        let mut history = History::default();
        for number in 0..LINES_MAX + 5 {
            history.add(&number.to_string());
        }
        assert_eq!(history.lines().len(), LINES_MAX);
        assert_eq!(history.lines()[0], "5");
    }
}
