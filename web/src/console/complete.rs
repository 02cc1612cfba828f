//! Help while a command is typed: which it may become, and what it takes. Comes from the command table; knows no keys and
//! no place on the page.

use interleave::command::{Spec, TABLE, lookup};

/// Suggestions shown at once.
const SUGGESTIONS_MAX: usize = 7;

/// What can be said about a line as it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Help {
    /// The command, or subcommand, that the line names.
    pub(crate) command: Option<&'static Spec>,
    /// Commands the last word may become, while it is the name that is being typed.
    pub(crate) suggestions: Vec<&'static Spec>,
}

/// Looks at `line` as it stands, the cursor at its end.
pub(crate) fn help(line: &str) -> Help {
    let line = line.trim_start();
    let mut words = line.split_whitespace();
    let Some(first) = words.next() else { return Help::default() };
    let typing_first = line.len() == first.len();
    let container = lookup(first.as_bytes()).map(|(_, spec)| spec);
    if typing_first {
        return Help { command: container, suggestions: suggest(TABLE, first, |spec| spec.name) };
    }
    let Some(spec) = container else { return Help::default() };
    let second = words.next().unwrap_or_default();
    let typing_second = !line.ends_with(char::is_whitespace) && words.next().is_none() || second.is_empty();
    let sub = spec.subcommands.iter().find(|sub| subname(sub).eq_ignore_ascii_case(second));
    let suggestions = if typing_second && !spec.subcommands.is_empty() {
        suggest(spec.subcommands, second, subname)
    } else {
        Vec::new()
    };
    Help { command: sub.or(Some(spec)), suggestions }
}

/// Those that begin with `typed`, unless it is one of them in full and no other begins with it.
fn suggest(table: &'static [Spec], typed: &str, name: impl Fn(&Spec) -> &str) -> Vec<&'static Spec> {
    let begins =
        |spec: &&Spec| name(spec).get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed));
    let mut found: Vec<_> = table.iter().filter(begins).collect();
    found.sort_by_key(|spec| spec.name);
    if let [only] = found[..]
        && name(only).len() == typed.len()
    {
        found.clear();
    }
    found.truncate(SUGGESTIONS_MAX);
    found
}

/// `id` of `client|id`.
fn subname(spec: &Spec) -> &str {
    spec.name.rsplit('|').next().unwrap_or(spec.name)
}

/// How a command is written: `CLIENT SETNAME`.
pub(crate) fn written(spec: &Spec) -> String {
    spec.name.replace('|', " ").to_ascii_uppercase()
}

/// The line with its last word completed to `spec`'s name, in the case that was typed, and a space if arguments follow.
pub(crate) fn complete(line: &str, spec: &Spec) -> String {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let typed = &line[start..];
    let name = subname(spec);
    let lower = typed.chars().any(char::is_lowercase);
    let name = if lower { name.to_owned() } else { name.to_ascii_uppercase() };
    let takes_more = spec.arity.unsigned_abs() > 1 + u32::from(spec.name.contains('|')) || spec.arity < 0;
    format!("{}{name}{}", &line[..start], if takes_more || !spec.subcommands.is_empty() { " " } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, command: Option<&str>, suggestions: &[&str]) {
        let help = help(line);
        assert_eq!(help.command.map(|spec| spec.name), command, "{line:?}");
        let names: Vec<&str> = help.suggestions.iter().map(|spec| spec.name).collect();
        assert_eq!(names, suggestions, "{line:?}");
    }

    #[test]
    fn suggests_while_the_name_is_typed() {
        check("", None, &[]);
        check("rena", None, &["rename", "renamenx"]);
        check("RENAME", Some("rename"), &["rename", "renamenx"]);
        check("DBSIZE", Some("dbsize"), &[]);
        check("nonsense", None, &[]);
    }

    #[test]
    fn explains_while_arguments_are_typed() {
        check("SET greeting hello E", Some("set"), &[]);
        check("client setn", Some("client"), &["client|setname"]);
        check("client setname", Some("client|setname"), &[]);
        check("client setname me", Some("client|setname"), &[]);
        check("nonsense x", None, &[]);
    }

    #[test]
    fn completes_in_the_case_that_was_typed() {
        let spec = |line: &str| help(line).suggestions[0];
        assert_eq!(complete("rena", spec("rena")), "rename ");
        assert_eq!(complete("INCRB", spec("INCRB")), "INCRBY ");
        assert_eq!(complete("client setn", spec("client setn")), "client setname ");
        assert_eq!(complete("DBS", spec("DBS")), "DBSIZE");
    }
}
