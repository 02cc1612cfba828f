//! Rules about the source that no compiler checks: how files open, what they are called, what may not be in them.
//! Knows nothing of what the code does.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::root;

/// Checks every text file of the source tree; the error lists each breach as `file:line: rule`.
pub(crate) fn check() -> Result<()> {
    let mut breaches = Vec::new();
    for file in source_files(root())? {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let path = file.strip_prefix(root()).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        breaches.extend(breaches_of(&path, &text));
    }
    if !breaches.is_empty() {
        bail!("the source is not tidy:\n{}", breaches.join("\n"));
    }
    Ok(())
}

fn source_files(folder: &Path) -> Result<Vec<PathBuf>> {
    const KINDS: [&str; 8] = ["rs", "toml", "md", "js", "css", "html", "sh", "yml"];
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if !matches!(&*name, "target" | "dist" | ".git") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|kind| KINDS.iter().any(|known| kind == *known)) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What is wrong with one file, given its path from the top of the tree.
fn breaches_of(path: &str, text: &str) -> Vec<String> {
    // Put together here, or this file would break its own rules.
    let forbidden = [
        (concat!("TO", "DO"), "finish it, or say in plain words what is absent and why"),
        (concat!("FIX", "ME"), "fix it"),
        (concat!("/ho", "me/"), "a path of one person's machine"),
        (concat!("/ro", "ot/"), "a path of one person's machine"),
        (concat!("/Us", "ers/"), "a path of one person's machine"),
    ];
    let mut breaches = Vec::new();
    let mut breach = |line: usize, rule: &str| breaches.push(format!("{path}:{line}: {rule}"));
    if let Some(name) = path.rsplit('/').next()
        && path.ends_with(".rs")
        && name.chars().any(|c| !c.is_ascii_lowercase() && !c.is_ascii_digit() && !"_.".contains(c))
    {
        breach(1, "name the file in snake_case");
    }
    if path.ends_with(".rs") && !opens_with_its_story(text) {
        breach(1, "open the file with `//!`: what it owns, and what it refuses to know");
    }
    if path.ends_with("Cargo.toml") {
        for (line, name) in unexplained_dependencies(text) {
            breach(line, &format!("say above `{name}` what the dependency does for us"));
        }
    }
    for (index, line) in text.lines().enumerate() {
        for (word, rule) in forbidden {
            if line.contains(word) {
                breach(index + 1, &format!("`{word}`: {rule}"));
            }
        }
        if line.ends_with([' ', '\t']) && !path.ends_with(".md") {
            breach(index + 1, "space at the end of the line");
        }
        let is_comment = path.ends_with(".rs") && line.trim_start().starts_with("//");
        if is_comment
            && line.contains(['\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2013}', '\u{2014}'])
        {
            breach(index + 1, "plain ASCII quotes and dashes in comments");
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        breach(text.lines().count(), "end the file with a newline");
    }
    breaches
}

/// Inner attributes may come first only where they must, so the first line decides.
fn opens_with_its_story(text: &str) -> bool {
    text.lines()
        .next()
        .is_some_and(|line| line.strip_prefix("//! ").is_some_and(|story| !story.trim().is_empty()))
}

/// Dependencies from elsewhere with no comment above them in their paragraph: line number and name.
fn unexplained_dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_dependencies = false;
    let mut explained = false;
    for (index, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
            explained = false;
        } else if line.trim().is_empty() {
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else if let Some((name, value)) = line.split_once(['=', '.'])
            && in_dependencies
            && !explained
            // Explained where the workspace names it, or one of our own packages.
            && !value.contains("workspace = true")
            && !value.contains("path = ")
            && line.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            found.push((index + 1, name.trim().to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_tidy() {
        if let Err(error) = check() {
            panic!("{error:#}");
        }
    }

    fn check_one(path: &str, text: &str, expected: &[&str]) {
        assert_eq!(breaches_of(path, text), expected);
    }

    #[test]
    fn a_file_says_what_it_owns() {
        check_one("a/b.rs", "//! Owns b.\nfn b() {}\n", &[]);
        let rule = "a/b.rs:1: open the file with `//!`: what it owns, and what it refuses to know";
        check_one("a/b.rs", "fn b() {}\n", &[rule]);
        check_one("a/b.rs", "", &[rule]);
        check_one("a/b.rs", "//!\nfn b() {}\n", &[rule]);
    }

    #[test]
    fn a_file_is_named_in_snake_case() {
        check_one("a/B-c.rs", "//! Owns b.\n", &["a/B-c.rs:1: name the file in snake_case"]);
        check_one("a/read-me.md", "text\n", &[]);
    }

    #[test]
    fn nothing_is_left_for_later() {
        let later = concat!("//! Owns b. TO", "DO: all of it.\n");
        let expected =
            concat!("b.rs:1: `TO", "DO`: finish it, or say in plain words what is absent and why").to_owned();
        check_one("b.rs", later, &[&expected]);
    }

    #[test]
    fn lines_end_where_their_text_ends() {
        check_one("b.css", "a {} \n", &["b.css:1: space at the end of the line"]);
        check_one("b.css", "a {}", &["b.css:1: end the file with a newline"]);
    }

    #[test]
    fn comments_are_plain() {
        check_one("b.rs", "//! Owns b\u{2014}all.\n", &["b.rs:1: plain ASCII quotes and dashes in comments"]);
        check_one("b.rs", "//! Owns b.\nconst DASH: &str = \"\u{2014}\";\n", &[]);
    }

    #[test]
    fn dependencies_say_why() {
        let rule = "Cargo.toml:2: say above `serde` what the dependency does for us";
        check_one("Cargo.toml", "[dependencies]\nserde = \"1\"\n", &[rule]);
        check_one("Cargo.toml", "[dependencies]\n# Derives.\nserde = \"1\"\nserde_json = \"1\"\n", &[]);
        check_one("Cargo.toml", "[dependencies]\nserde.workspace = true\nours = { path = \"x\" }\n", &[]);
        check_one("Cargo.toml", "[features]\nserde = []\n", &[]);
    }
}
