//! What changed from one look at the run to the next: tasks that were stolen, options that came and went. Pure; knows
//! no view.

use super::message::{Choice, Look};

/// A task that one worker took from another's local queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steal {
    pub(crate) task: u32,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// The tasks that were stolen between two looks. Only those of neighbouring steps can be told: later, a task may have been
/// woken by another worker as well.
pub(crate) fn steals(before: &Look, after: &Look) -> Vec<Steal> {
    if after.step != before.step + 1 {
        return Vec::new();
    }
    let queued = before
        .workers
        .iter()
        .enumerate()
        .flat_map(|(from, worker)| worker.local.iter().map(move |&task| (task, from)));
    let has = |to: usize, task: u32| {
        let worker = &after.workers[to];
        worker.running == Some(task) || worker.local.contains(&task)
    };
    let stolen = queued.filter_map(|(task, from)| {
        let to = (0..after.workers.len()).find(|&to| to != from && has(to, task))?;
        Some(Steal { task, from, to })
    });
    stolen.collect()
}

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
    use super::super::message::Worker;
    use super::*;

    fn look(step: u64, workers: &[(&[u32], Option<u32>)]) -> Look {
        let worker = |(local, running): &(&[u32], Option<u32>)| Worker {
            local: local.to_vec(),
            running: *running,
            ..Worker::default()
        };
        Look { step, workers: workers.iter().map(worker).collect(), ..Look::default() }
    }

    #[test]
    fn a_task_in_another_queue_was_stolen() {
        let before = look(4, &[(&[1, 2, 3], Some(9)), (&[], None)]);
        let after = look(5, &[(&[3], Some(9)), (&[1], Some(2))]);
        let expected = [Steal { task: 1, from: 0, to: 1 }, Steal { task: 2, from: 0, to: 1 }];
        assert_eq!(steals(&before, &after), expected);
        assert_eq!(steals(&before, &Look { step: 7, ..after }), []);
    }

    #[test]
    fn a_task_that_moves_up_was_not() {
        let before = look(4, &[(&[1, 2], None), (&[3], None)]);
        let after = look(5, &[(&[2], Some(1)), (&[], Some(3))]);
        assert_eq!(steals(&before, &after), []);
    }

    #[test]
    fn options_come_and_go() {
        let choice = |name: &str| Choice { name: name.to_owned(), ..Choice::default() };
        let (before, after) = ([choice("a"), choice("b"), choice("c")], [choice("b"), choice("d")]);
        let change = change(&before, &after, Some(&before[0]));
        assert_eq!(change, Change { possible: vec!["d".to_owned()], gone: vec!["c".to_owned()] });
    }
}
