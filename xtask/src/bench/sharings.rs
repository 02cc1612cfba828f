//! `cargo xtask bench sharings`: the four ways in which connections share the store, beside each other. Writes the table and the
//! plot that `docs/sharings.md` is about; what they mean is said there.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use clap::Args;

use super::latency::p99_us;
use super::load::Load;
use super::redis::start_ours;
use super::{Effort, PACED, median};
use crate::shell::{apt, root, say};
use crate::{page, server};

/// What is compared, and the file that holds it. All are given as multiples of the first.
const SHARINGS: [(&str, &str); 4] = [
    ("mutex", "mutex.rs"),
    ("async-mutex", "async_mutex.rs"),
    ("sharded", "sharded.rs"),
    ("actor", "actor.rs"),
];

/// The page that tells of it, the plot beside it, and between which lines of the page the table stands.
const PAGE: &str = "docs/sharings.md";
const PLOT: &str = "docs/sharings.svg";
const MARKS: [&str; 2] = ["<!-- measured: begin -->\n", "<!-- measured: end -->\n"];

/// Flags of the benchmark.
#[derive(Args)]
pub(crate) struct Flags {
    /// Put what was measured into docs/sharings.md and its plot.
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    effort: Effort,
}

/// One number of every sharing.
struct Measure {
    name: String,
    /// Of the first sharing, with its unit.
    absolute: String,
    /// Of every sharing, as a multiple of the first's.
    ratios: Vec<f64>,
}

/// Measures, prints the table and, if asked to, writes it down.
pub(crate) fn bench(flags: &Flags) -> Result<()> {
    apt::need(&["redis-tools"])?;
    page::build(page::Profile::Page)?;
    let binary = server::build(server::Profile::Dist)?;
    let (server_core, load_core) = flags.effort.cores();
    let programs = SHARINGS
        .iter()
        .map(|(name, _)| start_ours(&binary, name, server_core))
        .collect::<Result<Vec<_>>>()?;

    let mut measures = Vec::new();
    for load in flags.effort.loads() {
        say(format!("{} -P {}: {} rounds", load.test, load.pipeline, flags.effort.rounds));
        let mut rounds = Vec::new();
        for _ in 0..flags.effort.rounds {
            let costs = programs.iter().map(|program| load.measure(program, load_core));
            rounds.push(costs.collect::<Result<Vec<_>>>()?);
        }
        let what = format!("{} `-P {}`", load.test.to_uppercase(), load.pipeline);
        let of = |value: fn(&super::load::Cost) -> f64| -> Vec<Vec<f64>> {
            rounds.iter().map(|round| round.iter().map(value).collect()).collect()
        };
        measures.push(measure(format!("{what} throughput"), &of(|cost| cost.rate), |rate| {
            format!("{:.0} k/s", rate / 1000.0)
        }));
        measures.push(measure(format!("{what} CPU"), &of(|cost| cost.cpu_us), |cpu_us| {
            format!("{cpu_us:.2} µs")
        }));
    }

    say(format!("latency: {} rounds", flags.effort.rounds));
    let load = Load {
        test: "get".to_owned(),
        pipeline: 1,
        keys: flags.effort.keys,
        requests: flags.effort.requests,
    };
    let mut rounds = Vec::new();
    for _ in 0..flags.effort.rounds {
        let half = load.measure(&programs[0], load_core)?.rate / 2.0;
        let round = programs.iter().map(|program| p99_us(program.port, half, PACED));
        rounds.push(round.collect::<Result<Vec<_>>>()?);
    }
    measures.push(measure("p99 latency at half load".to_owned(), &rounds, |us| format!("{us:.0} µs")));

    let lines = SHARINGS
        .iter()
        .map(|(_, file)| Ok(lines_of_code(&read(&format!("crate/src/sharing/{file}"))?) as f64))
        .collect::<Result<Vec<_>>>()?;
    // No part of the plot: the bars of what is measured would be too short beside it to be compared.
    let plot = plot(&measures);
    measures.push(measure("lines of code".to_owned(), &[lines], |lines| format!("{lines:.0}")));

    let table = table(&measures);
    println!("\n{table}");
    if flags.write {
        let text = between_marks(&read(PAGE)?, &table)?;
        fs::write(root().join(PAGE), text).with_context(|| format!("cannot write {PAGE}"))?;
        fs::write(root().join(PLOT), plot).with_context(|| format!("cannot write {PLOT}"))?;
        say(format!("written: {PAGE}, {PLOT}"));
    }
    Ok(())
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(root().join(file)).with_context(|| format!("cannot read {file}"))
}

/// The medians of `rounds`, each of which holds a number for every sharing.
fn measure(name: String, rounds: &[Vec<f64>], unit: impl Fn(f64) -> String) -> Measure {
    let ratios =
        (0..SHARINGS.len()).map(|index| median(rounds.iter().map(|round| round[index] / round[0]))).collect();
    Measure { name, absolute: unit(median(rounds.iter().map(|round| round[0]))), ratios }
}

/// Lines that are neither empty nor a comment.
fn lines_of_code(source: &str) -> usize {
    source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// What was measured, in Markdown.
fn table(measures: &[Measure]) -> String {
    let mut table = String::from("| |");
    for (name, _) in SHARINGS {
        let _ = write!(table, " `{name}` |");
    }
    table.push_str("\n| --- |");
    table.push_str(&" ---: |".repeat(SHARINGS.len()));
    table.push('\n');
    for Measure { name, absolute, ratios } in measures {
        let _ = write!(table, "| {name} | {absolute} |");
        for ratio in &ratios[1..] {
            let _ = write!(table, " × {ratio:.2} |");
        }
        table.push('\n');
    }
    table
}

/// `page` with `table` in the place kept for it.
fn between_marks(page: &str, table: &str) -> Result<String> {
    let [begin, end] = MARKS;
    let place = page.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let (before, after) = place.with_context(|| format!("expected the lines {MARKS:?} in {PAGE}"))?;
    Ok(format!("{before}{begin}{table}{end}{after}"))
}

/// A group of bars for every measure, a bar for every sharing. Drawn by hand: bars and words are all there is.
fn plot(measures: &[Measure]) -> String {
    // Told apart by who cannot tell red from green, on light and on dark.
    const COLORS: [&str; SHARINGS.len()] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"];
    // Pixels: of names, of a bar's thickness, between groups, of a bar that stands for 1, of the legend.
    const LEFT: usize = 190;
    const BAR: usize = 11;
    const GAP: usize = 14;
    const UNIT: f64 = 230.0;
    const HEAD: usize = 34;
    let group = SHARINGS.len() * BAR + GAP;
    let longest =
        measures.iter().flat_map(|measure| &measure.ratios).fold(1.0, |most: f64, ratio| most.max(*ratio));
    let (width, height) = (LEFT + (longest * UNIT) as usize + 60, HEAD + measures.len() * group);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <style>text{{fill:#24292f}}line{{stroke:#8c959f}}@media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}}}</style>\n\
         <title>Four ways to share the store, as multiples of mutex</title>\n"
    );
    for (index, ((name, _), color)) in SHARINGS.iter().zip(COLORS).enumerate() {
        let x = LEFT + index * 100;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"8\" width=\"11\" height=\"11\" fill=\"{color}\"/><text x=\"{}\" y=\"18\">{name}</text>",
            x + 16
        );
    }
    for (row, measure) in measures.iter().enumerate() {
        let top = HEAD + row * group;
        let name = measure.name.replace('`', "");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>",
            LEFT - 10,
            top + SHARINGS.len() * BAR / 2 + 4
        );
        for (index, (ratio, color)) in measure.ratios.iter().zip(COLORS).enumerate() {
            let (y, length) = (top + index * BAR, ratio * UNIT);
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.0}\" height=\"{}\" fill=\"{color}\"/>\
                 <text x=\"{:.0}\" y=\"{}\" font-size=\"9\">{ratio:.2}</text>",
                BAR - 1,
                LEFT as f64 + length + 4.0,
                y + BAR - 2
            );
        }
    }
    let one = LEFT as f64 + UNIT;
    let _ = writeln!(
        svg,
        "<line x1=\"{one}\" x2=\"{one}\" y1=\"{HEAD}\" y2=\"{height}\" stroke-dasharray=\"2 3\"/>\n</svg>"
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_its_place_and_is_replaced() {
        let rounds = [vec![10.0, 20.0, 5.0, 10.0], vec![10.0, 22.0, 5.0, 9.0], vec![40.0, 84.0, 20.0, 40.0]];
        let table = table(&[measure("speed".to_owned(), &rounds, |value| format!("{value} m"))]);
        let expected = "| | `mutex` | `async-mutex` | `sharded` | `actor` |\n\
                        | --- | ---: | ---: | ---: | ---: |\n\
                        | speed | 10 m | × 2.10 | × 0.50 | × 1.00 |\n";
        assert_eq!(table, expected);
        let [begin, end] = MARKS;
        let page = format!("before\n{begin}old\n{end}after\n");
        let written = between_marks(&page, &table).unwrap();
        assert_eq!(written, format!("before\n{begin}{table}{end}after\n"));
        assert_eq!(between_marks(&written, &table).unwrap(), written);
        assert!(between_marks("nothing", &table).is_err());
    }

    #[test]
    fn comments_are_not_code() {
        assert_eq!(lines_of_code("//! What.\n\nfn f() {\n    // Why.\n}\n"), 2);
    }
}
