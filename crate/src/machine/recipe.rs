//! How a run is kept: everything that makes it again, and the step whoever opens it stands at.
//!
//! Owns the form that files and links hold, and what is refused of it. Knows no engine.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::{CHOICES_MAX, Choices, Flavor, Pick, WORKERS_MAX};
use crate::sharing::Kind;

/// The form that is written; what is newer is not read.
pub const FORMAT: u32 = 1;

/// Longest text of a recipe, in bytes: the most choices, and the longest scenario.
pub const RECIPE_BYTES_MAX: usize = 16 << 20;

/// Most steps of a run, and so the furthest it can stand at.
pub const STEPS_MAX: u64 = 1_000_000;

/// Longest time for which a lock is held as a lesson, in milliseconds.
const HOLD_MS_MAX: u64 = 60_000;

/// What makes a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// The scenario's text.
    pub scenario: String,
    /// How connections share the store.
    pub sharing: Kind,
    /// Who decides which task is polled.
    pub flavor: Flavor,
    /// Whether commands go straight to the store, without a session for each client.
    pub direct: bool,
    /// How long `async-mutex` holds its lock across an `.await`, in milliseconds.
    pub hold_ms: u64,
    /// Where random choices start, the server's and the model's.
    pub seed: u64,
    /// What was chosen, where the person is the scheduler.
    pub choices: Choices,
    /// The step at which whoever opens it stands.
    pub step: u64,
}

/// The same as text holds it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    scenario: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sharing: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flavor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workers: Option<u8>,
    #[serde(default, skip_serializing_if = "is_default")]
    direct: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    hold_ms: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    seed: u64,
    /// How many steps were made, and of each choice among several the option and how many there were.
    #[serde(default, skip_serializing_if = "is_default")]
    choices: (u64, Vec<(u32, u32)>),
    #[serde(default, skip_serializing_if = "is_default")]
    step: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Only what says of which form it is.
#[derive(Deserialize)]
struct Form {
    format: u32,
}

/// A text that is no recipe.
#[derive(Debug)]
pub struct RecipeError(Kinds);

#[derive(Debug)]
enum Kinds {
    TooLong { bytes: usize },
    TooNew { format: u32 },
    Form(serde_json::Error),
    Field { name: &'static str, expected: String, found: String },
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kinds::TooLong { bytes } => {
                write!(f, "expected a saved run of at most {RECIPE_BYTES_MAX} bytes, found {bytes}")
            }
            Kinds::TooNew { format } => write!(
                f,
                "expected a saved run of format {FORMAT} at most, found format {format}: it was saved by a newer version; \
                 open it with that one"
            ),
            Kinds::Form(error) => {
                write!(f, "expected a saved run, found something else or a part of one: {error}")
            }
            Kinds::Field { name, expected, found } => {
                write!(f, "expected {expected} as the `{name}` of a saved run, found {found}")
            }
        }
    }
}

impl Error for RecipeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kinds::Form(error) => Some(error),
            _ => None,
        }
    }
}

impl Recipe {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let picks = self.choices.picks().iter().map(|pick| (pick.option, pick.options)).collect();
        let written = Written {
            format: FORMAT,
            scenario: self.scenario.clone(),
            sharing: Some(self.sharing.name().to_owned()),
            flavor: Some(self.flavor.name().to_owned()),
            workers: matches!(self.flavor, Flavor::MultiThread { .. }).then(|| self.flavor.workers()),
            direct: self.direct,
            hold_ms: self.hold_ms,
            seed: self.seed,
            choices: (self.choices.steps(), picks),
            step: self.step,
        };
        serde_json::to_string(&written).expect("texts and numbers can be written")
    }

    /// Reads what [`Self::to_json`] wrote. Whether its scenario is one is not looked at here.
    ///
    /// # Errors
    /// If it is no recipe, a newer one, or says what no run can be.
    pub fn from_json(text: &str) -> Result<Self, RecipeError> {
        if text.len() > RECIPE_BYTES_MAX {
            return Err(RecipeError(Kinds::TooLong { bytes: text.len() }));
        }
        // Of a newer form nothing else can be expected to be as it is here.
        let form: Form = serde_json::from_str(text).map_err(|error| RecipeError(Kinds::Form(error)))?;
        if form.format > FORMAT {
            return Err(RecipeError(Kinds::TooNew { format: form.format }));
        }
        let written: Written = serde_json::from_str(text).map_err(|error| RecipeError(Kinds::Form(error)))?;
        written.read()
    }
}

impl Written {
    fn read(self) -> Result<Recipe, RecipeError> {
        let sharing = match &self.sharing {
            Some(name) => name.parse().map_err(|_| {
                let known = Kind::ALL.map(Kind::name).join(", ");
                field("sharing", format!("one of {known}"), name)
            })?,
            None => Kind::default(),
        };
        let workers = self.workers.unwrap_or(2);
        if !(1..=WORKERS_MAX).contains(&usize::from(workers)) {
            return Err(field("workers", format!("1 to {WORKERS_MAX}"), workers));
        }
        let flavor = match self.flavor.as_deref() {
            None | Some("current-thread") => Flavor::CurrentThread,
            Some("multi-thread") => Flavor::MultiThread { workers },
            Some("manual") => Flavor::Manual,
            Some(other) => {
                return Err(field("flavor", "current-thread, multi-thread or manual".to_owned(), other));
            }
        };
        if self.hold_ms > HOLD_MS_MAX {
            return Err(field("hold_ms", format!("at most {HOLD_MS_MAX}"), self.hold_ms));
        }
        if self.step > STEPS_MAX {
            return Err(field("step", format!("at most {STEPS_MAX}"), self.step));
        }
        let (steps, picks) = self.choices;
        if picks.len() > CHOICES_MAX || steps > STEPS_MAX {
            let expected = format!("at most {CHOICES_MAX}, in at most {STEPS_MAX} steps,");
            return Err(field("choices", expected, format!("{} in {steps} steps", picks.len())));
        }
        let picks = picks.into_iter().map(|(option, options)| Pick { option, options }).collect();
        let choices = Choices::new(steps, picks)
            .ok_or_else(|| field("choices", "options that were there".to_owned(), "others"))?;
        let Self { scenario, direct, hold_ms, seed, step, .. } = self;
        Ok(Recipe { scenario, sharing, flavor, direct, hold_ms, seed, choices, step })
    }
}

fn field(name: &'static str, expected: String, found: impl fmt::Display) -> RecipeError {
    RecipeError(Kinds::Field { name, expected, found: found.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        let picks = vec![Pick { option: 1, options: 2 }, Pick { option: 0, options: 3 }];
        Recipe {
            scenario: "client a { PING }\n# 日本".to_owned(),
            sharing: Kind::Actor,
            flavor: Flavor::MultiThread { workers: 8 },
            direct: true,
            hold_ms: 5,
            seed: u64::MAX,
            choices: Choices::new(7, picks).unwrap(),
            step: 4,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for flavor in [Flavor::CurrentThread, Flavor::MultiThread { workers: 1 }, Flavor::Manual] {
            let recipe = Recipe { flavor, ..recipe() };
            assert_eq!(Recipe::from_json(&recipe.to_json()).unwrap(), recipe);
        }
        let least = Recipe::from_json(r#"{"format":1,"scenario":"client a { PING }"}"#).unwrap();
        assert_eq!(least, Recipe { scenario: "client a { PING }".to_owned(), ..Recipe::default() });
    }

    #[test]
    fn a_part_of_one_is_none() {
        let text = Recipe { scenario: "x".to_owned(), ..recipe() }.to_json();
        for end in 0..text.len() {
            assert!(Recipe::from_json(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }

    #[test]
    fn what_no_run_can_be_is_refused_in_words() {
        let check = |fields: &str, expected: &str| {
            let text = format!(r#"{{"format":1,"scenario":"","flavor":"multi-thread"{fields}}}"#);
            let error = Recipe::from_json(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(r#","sharing":"best""#, "one of isolated, mutex");
        check(r#","workers":9"#, "1 to 8 as the `workers`");
        check(r#","workers":0"#, "found 0");
        check(r#","hold_ms":60001"#, "at most 60000");
        check(r#","step":1000001"#, "at most 1000000");
        check(r#","choices":[1,[[2,2]]]"#, "options that were there");
        check(r#","choices":[0,[[0,2]]]"#, "options that were there");
        check(r#","colour":"red""#, "unknown field");
        let newer = Recipe::from_json(r#"{"format":2,"story":"other"}"#).unwrap_err().to_string();
        assert!(newer.contains("newer version"), "{newer}");
        let long = Recipe::from_json(&" ".repeat(RECIPE_BYTES_MAX + 1)).unwrap_err().to_string();
        assert!(long.contains("at most"), "{long}");
    }
}
