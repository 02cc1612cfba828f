//! What changed from one look at the run to the next: options that came and went. Pure; knows no view.

use super::message::Choice;

/// What a choice made possible and what it took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) possible: Vec<String>,
    pub(crate) gone: Vec<String>,
}

/// The options that came and went between two looks; what was `chosen` is done, so it is not told as gone.
pub(crate) fn change(before: &[Choice], after: &[Choice], chosen: Option<&Choice>) -> Change {
    let labels_only_in = |some: &[Choice], others: &[Choice]| -> Vec<String> {
        let is_new = |choice: &&Choice| others.iter().all(|other| other.label() != choice.label());
        some.iter().filter(is_new).map(Choice::label).collect()
    };
    let mut gone = labels_only_in(before, after);
    gone.retain(|label| chosen.is_none_or(|chosen| chosen.label() != *label));
    Change { possible: labels_only_in(after, before), gone }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_and_go() {
        let choice = |name: &str| Choice { name: name.to_owned(), ..Choice::default() };
        let (before, after) = ([choice("a"), choice("b"), choice("c")], [choice("b"), choice("d")]);
        let change = change(&before, &after, Some(&before[0]));
        assert_eq!(change, Change { possible: vec!["d".to_owned()], gone: vec!["c".to_owned()] });
    }
}
