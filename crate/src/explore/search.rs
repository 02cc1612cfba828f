//! The search: from state to state, depth first, each step known or made.
//!
//! Owns the order in which options are followed and when a run is made to learn what one leads to. What was learned is
//! [`steps`](super::steps)' to keep, and what lies behind a state [`graph`](super::graph)'s.

use super::count::Count;
use super::graph::{Met, Reached, add};
use super::path::Path;
use super::place::Place;
use super::{Bounds, Explorer, Known, Reach};
use crate::scenario::Outcome;

/// A state some of whose options have been followed.
#[derive(Debug)]
pub(super) struct Frame {
    place: Place,
    state: u64,
    pub(super) options: usize,
    /// Steps and choices from the beginning to this state.
    at: (u64, usize),
    pub(super) next: usize,
    /// What the option before that is.
    followed: u64,
    /// Steps from the state before to this one.
    steps: u64,
    pub(super) reached: Vec<Reached>,
}

impl Explorer {
    /// Follows one more option, or finishes a state; gives the steps made. `path` is a run that was on the way there, if there is
    /// one.
    pub(super) fn follow(&mut self, path: &mut Option<Path>) -> u64 {
        let Some(frame) = self.frames.last_mut() else {
            let here = self.made(path).place();
            return self.arrive(path, here, 0);
        };
        if frame.next == frame.options {
            self.finish();
            return 0;
        }
        let option = frame.next;
        frame.next += 1;
        frame.followed = frame.place.meaning(option);
        let (place, (before, picks)) = (frame.place.clone(), frame.at);
        self.trail.go_back(before, picks);
        path.take_if(|path| path.steps() > before);
        let here = self.step(path, &place, option);
        self.arrive(path, here, before)
    }

    /// A run that stands at the end of the trail: `path`, which is on the way there, or a new one.
    fn made<'a>(&mut self, path: &'a mut Option<Path>) -> &'a mut Path {
        let path = match path {
            Some(path) => path,
            none => {
                self.runs += 1;
                none.insert(self.path(true))
            }
        };
        let followed = path.follow(&self.trail, self.trail.steps());
        followed.expect("the same choices find the same options");
        path
    }

    /// Takes option `option` at `place`, the end of the trail; where that leads to. What is known is not made again.
    fn step(&mut self, path: &mut Option<Path>, place: &Place, option: usize) -> Place {
        let limits = self.setting.limits;
        if let Some(after) = self.steps.after(place, option, &limits) {
            self.trail.push(option, place.count());
            #[cfg(test)]
            if self.distrusts {
                assert_eq!(
                    self.made(path).place(),
                    after,
                    "a step did something else than before: {place:?}"
                );
            }
            return after;
        }
        let path = self.made(path);
        path.choose(option);
        self.trail.catch_up(path.choices());
        let after = path.place();
        self.steps.learn(place, option, &after, &limits);
        after
    }

    /// Goes on from `here` to the next choice or the end; steps made since there were `before`.
    fn arrive(&mut self, path: &mut Option<Path>, mut here: Place, before: u64) -> u64 {
        let met = loop {
            if here.is_end() {
                let Some(number) = self.end(path, &here) else {
                    *path = None;
                    self.draw(Reach { bound: "outcomes", most: self.bounds.outcomes as u64 });
                    return self.trail.steps() - before;
                };
                break Met::Done(vec![Reached {
                    outcome: number,
                    schedules: Count::ONE,
                    steps: 0,
                    option: 0,
                }]);
            }
            if self.trail.steps() >= self.bounds.run_steps {
                self.cut += 1;
                break Met::Done(Vec::new());
            }
            match here.options() {
                1 if !here.is_simple() => {
                    // Nothing of what comes is known.
                    let path = self.made(path);
                    path.forward(self.bounds.run_steps);
                    self.trail.catch_up(path.choices());
                    here = path.place();
                }
                1 => here = self.step(path, &here, 0),
                options => break self.meet(here, options, before),
            }
        };
        let steps = self.trail.steps() - before;
        match met {
            Met::New => {
                if let Some(reach) = self.is_too_much() {
                    *path = None;
                    self.draw(reach);
                }
            }
            Met::Done(reached) => self.add(&reached, steps),
            Met::UnderWay => {
                unreachable!("a run came back to a state it had left: its fingerprint lacks something")
            }
        }
        steps
    }

    /// Meets the state of `place`, where there are `options`; it is followed next if it is new.
    fn meet(&mut self, place: Place, options: usize, before: u64) -> Met {
        let state = place.state();
        let met = self.graph.meet(state);
        if let Met::New = met {
            let at = (self.trail.steps(), self.trail.picks().len());
            let steps = at.0 - before;
            self.frames.push(Frame {
                place,
                state,
                options,
                at,
                next: 0,
                followed: 0,
                steps,
                reached: Vec::new(),
            });
        }
        met
    }

    /// The number of the outcome at the end `place`; `None` if there are too many.
    fn end(&mut self, path: &mut Option<Path>, place: &Place) -> Option<u32> {
        let known = self.steps.outcome(place);
        #[cfg(test)]
        let known = known.filter(|_| !self.distrusts);
        if let Some(number) = known {
            self.shorter(number);
            return Some(number);
        }
        let outcome = self.made(path).end().expect("it stands at an end");
        let number = self.number(outcome)?;
        #[cfg(test)]
        assert!(
            self.steps.outcome(place).is_none_or(|known| known == number),
            "an end came to something else"
        );
        self.steps.ends(place, number);
        Some(number)
    }

    /// What `reached` says lies `steps` steps behind the last frame's last option.
    fn add(&mut self, reached: &[Reached], steps: u64) {
        match self.frames.last_mut() {
            Some(frame) => add(&mut frame.reached, reached, steps, frame.followed),
            None => {
                let mut whole = Vec::new();
                add(&mut whole, reached, steps, 0);
                self.whole = Some(whole);
            }
        }
    }

    /// The last frame's options have all been followed.
    fn finish(&mut self) {
        let frame = self.frames.pop().expect("only a frame that is there is finished");
        self.add(&frame.reached, frame.steps);
        self.graph.finish(frame.state, frame.reached);
    }

    /// The bound that the graph has passed, if it has passed one.
    fn is_too_much(&self) -> Option<Reach> {
        let Bounds { states, entries, .. } = self.bounds;
        let sizes = [("states", self.graph.len(), states), ("entries", self.graph.entries(), entries)];
        let passed = sizes.into_iter().find(|(_, size, most)| size > most);
        passed.map(|(bound, _, most)| Reach { bound, most: most as u64 })
    }

    /// The number of `outcome`, to which the trail leads; `None` if there are too many to keep another.
    pub(super) fn number(&mut self, outcome: Outcome) -> Option<u32> {
        if let Some(&number) = self.numbers.get(&outcome) {
            self.shorter(number);
            return Some(number);
        }
        if self.known.len() == self.bounds.outcomes {
            return None;
        }
        let number = self.known.len() as u32;
        self.numbers.insert(outcome.clone(), number);
        self.known.push(Known { outcome, shortest: self.trail.clone(), confirmed: false });
        Some(number)
    }

    /// The trail leads to outcome `number`, perhaps sooner than any schedule before.
    fn shorter(&mut self, number: u32) {
        let known = &mut self.known[number as usize];
        if self.trail.steps() < known.shortest.steps() {
            (known.shortest, known.confirmed) = (self.trail.clone(), false);
        }
    }
}
