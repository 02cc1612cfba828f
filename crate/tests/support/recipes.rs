//! Runs made by chance: scenarios of all that the language has, on every flavour and sharing. The same number, the same run,
//! here and in a browser. They end whatever the order of their polls, some of them in a deadlock.

use std::fmt::Write;

use fastrand::Rng;
use interleave::engine::Flavor;
use interleave::machine::{Machine, Recipe};
use interleave::scope::codec;
use interleave::sharing::Kind;

/// What there is to be shared. Few of each, so that tasks meet.
const KEYS: [&str; 3] = ["stock", "hits", "{tag}:a"];
const LOCKS: [&str; 2] = ["till", "ledger"];

/// The run called `number`. Under [`Flavor::Manual`] with choices made by chance, for which it is made once.
pub(super) fn recipe(number: u64) -> Recipe {
    let mut chance = Rng::with_seed(number);
    let flavor = match number % 3 {
        0 => Flavor::CurrentThread,
        1 => Flavor::MultiThread { workers: chance.u8(1..=8) },
        _ => Flavor::Manual,
    };
    let recipe = Recipe {
        scenario: Writer { chance: chance.fork(), text: String::new(), names: 0 }.scenario(),
        sharing: Kind::ALL[chance.u64(..Kind::ALL.len() as u64) as usize],
        flavor,
        direct: chance.u8(..4) == 0,
        hold_ms: chance.u64(..2),
        seed: chance.u64(..),
        ..Recipe::default()
    };
    if flavor == Flavor::Manual { chosen(&recipe, &mut chance) } else { recipe }
}

/// `recipe` with a choice at every step.
fn chosen(recipe: &Recipe, chance: &mut Rng) -> Recipe {
    let mut machine = open(recipe);
    // Where there are fewer options it takes the first.
    while machine.choose(chance.u64(..4) as usize).or_else(|| machine.step()).is_some() {}
    Recipe { step: 0, ..machine.recipe() }
}

/// All that a run of `recipe` records, as it travels.
pub(super) fn trace(recipe: &Recipe) -> Vec<u8> {
    let mut machine = open(recipe);
    while machine.step().is_some() {}
    let (mut frames, mut bytes) = (Vec::new(), Vec::new());
    machine.take_frames(&mut frames);
    codec::encode(&frames, &mut bytes);
    bytes
}

fn open(recipe: &Recipe) -> Machine {
    Machine::open(recipe).unwrap_or_else(|error| panic!("{error}, in\n{}", recipe.scenario))
}

/// Writes a scenario.
struct Writer {
    chance: Rng,
    text: String,
    /// Names given so far: none is given twice.
    names: u32,
}

impl Writer {
    fn scenario(mut self) -> String {
        let room = self.chance.u32(1..4);
        self.line(format_args!("channel mail {room}"));
        self.line(format_args!("setup {{\nSET stock 3"));
        self.block(0);
        self.line(format_args!("}}"));
        for _ in 0..self.chance.u32(1..4) {
            let (name, count) = (self.name("client"), self.chance.u32(1..4));
            self.line(format_args!("client {name} * {count} {{\nlet mine = me"));
            self.block(2);
            self.line(format_args!("}}"));
        }
        let letters = self.chance.u32(..6);
        self.line(format_args!("client reader {{\nrepeat {letters} {{\nreceive mail\n}}"));
        self.block(1);
        self.line(format_args!("}}\nfinally {{\nassert GET stock == 3\nRANDOMKEY\n}}"));
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("a text takes what is written to it");
    }

    fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what}-{}", self.names).replace('-', "_")
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.chance.u64(..of.len() as u64) as usize]
    }

    /// Some statements, with blocks in them as deep as `depth`.
    fn block(&mut self, depth: u32) {
        for _ in 0..self.chance.u32(1..6) {
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: u32) {
        let key = self.one_of(&KEYS);
        match self.chance.u32(..if depth > 0 { 15 } else { 10 }) {
            0 => self.line(format_args!("INCR {key}")),
            1 => self.line(format_args!("APPEND {key} 1")),
            2 => self.line(format_args!("DEL {key}")),
            3 => self.line(format_args!("PEXPIRE {key} 1")),
            4 => self.line(format_args!("MSET stock 1 hits 2")),
            5 => self.line(format_args!("yield")),
            6 => {
                let for_us = self.chance.u32(1..1_500);
                self.line(format_args!("sleep {for_us}us"));
            }
            7 => {
                let for_us = self.chance.u32(1..300);
                self.line(format_args!("spin {for_us}us"));
            }
            8 => {
                let name = self.name("seen");
                self.line(format_args!("let {name} = GET {key}\nassert {name} != 2"));
            }
            9 => self.line(format_args!("send mail 'a letter'")),
            10 => {
                let lock = self.one_of(&LOCKS);
                self.line(format_args!("lock {lock} {{"));
                self.block(depth - 1);
                self.line(format_args!("}}"));
            }
            11 => {
                self.line(format_args!("if GET {key} == 3 {{"));
                self.block(depth - 1);
                self.line(format_args!("}} else {{"));
                self.block(depth - 1);
                self.line(format_args!("}}"));
            }
            12 => {
                let times = self.chance.u32(..4);
                self.line(format_args!("repeat {times} {{"));
                self.block(depth - 1);
                self.line(format_args!("}}"));
            }
            _ => {
                let name = self.name("helper");
                self.line(format_args!("spawn {name} {{"));
                self.block(depth - 1);
                self.line(format_args!("}}"));
                if self.chance.bool() {
                    self.block(0);
                    self.line(format_args!("join {name}"));
                }
            }
        }
    }
}
