//! Builds the page into `target/page`: three wasm modules with their scripts, the static files, and compressed copies
//! beside each. Knows nothing of what is in the page.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::shell::{root, run, say};
use crate::toolchain::{self, Wasm};

/// How to build the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Small and fast; what visitors get.
    Page,
    /// Quick to build, with names in the browser's stack traces.
    Dev,
}

/// One of the page's wasm modules.
struct Module {
    /// Cargo's name of the package, whose library it is.
    package: &'static str,
    /// The name that the page loads it by.
    name: &'static str,
    /// Flags of its own for cargo.
    config: &'static [&'static str],
}

/// What draws a frame is the page's own. The tab's server, which has a visitor's whole second for a command, is sent as small as
/// it can be; the time machine is there to be quick, in each poll and each event of it.
const MODULES: [Module; 3] = [
    Module { package: "interleave-web", name: "page", config: &[] },
    Module { package: "interleave-tab", name: "tab", config: &[] },
    Module {
        package: "interleave-engine",
        name: "engine",
        config: &[
            "--config",
            "profile.page.package.interleave.opt-level=3",
            "--config",
            "profile.page.package.tokio.opt-level=3",
            // The last to be built, so on every core; `lto` makes them one again.
            "--config",
            "profile.page.package.interleave.codegen-units=16",
        ],
    },
];

/// Builds what is out of date, prints the sizes, and returns the folder.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    let wasm = Wasm::find()?;
    say("building the page's wasm modules");
    // Each in a call of its own: in one, cargo would give the page, too, the code of all commands that the workers' modules ask
    // for. A module is made ready while the next is built, as either keeps one core busy for long.
    let parts = std::thread::scope(|scope| -> Result<Vec<_>> {
        let mut parts = vec![scope.spawn(move || prepare_static(profile))];
        for module in &MODULES {
            let file = module.build(&wasm, profile)?;
            parts.push(scope.spawn(move || module.prepare(&file, profile)));
        }
        parts.into_iter().map(|part| part.join().expect("no part panics")).collect()
    })?;

    let folder = folder();
    // Which the server includes.
    let stamp_file = folder.with_extension("stamp");
    let stamp = parts.iter().map(|part| part.stamp.as_str()).collect::<String>();
    if fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) && folder.is_dir() {
        say(format!("{} is up to date", folder.display()));
        return Ok(folder);
    }
    // Made aside and renamed at the end: a server being built embeds either the old page or the new.
    replace(&folder, |draft| {
        for file in parts.iter().map(|part| files_in(&part.folder)).collect::<Result<Vec<_>>>()?.concat() {
            fs::copy(&file, draft.join(file.file_name().expect("a file has a name")))?;
        }
        Ok(())
    })?;
    fs::write(&stamp_file, stamp)?;
    print_sizes(&folder)?;
    say(format!("the page is in {}", folder.display()));
    Ok(folder)
}

impl Module {
    /// Builds it and returns its file.
    fn build(&self, wasm: &Wasm, profile: Profile) -> Result<PathBuf> {
        let (flag, folder) = match profile {
            Profile::Page => ("--profile=page", "page"),
            Profile::Dev => ("--profile=dev", "debug"),
        };
        let package = format!("--package={}", self.package);
        run(wasm.build().args(self.config).args([&*package, "--lib", flag]))?;
        let library = self.package.replace('-', "_");
        Ok(toolchain::target_dir().join(toolchain::TARGET).join(folder).join(library).with_extension("wasm"))
    }

    /// Makes of the built `file` what a browser loads.
    fn prepare(&self, file: &PathBuf, profile: Profile) -> Result<Part> {
        Part::prepare(self.name, profile, std::slice::from_ref(file), |draft| {
            say(format!("wasm-bindgen: {0}.js, {0}_bg.wasm", self.name));
            bind(file, self.name, profile, draft)
        })
    }
}

/// The files that are no wasm.
fn prepare_static(profile: Profile) -> Result<Part> {
    let files = files_in(&root().join("web/static"))?;
    Part::prepare("static", profile, &files, |draft| {
        for file in &files {
            let copy = draft.join(file.file_name().expect("a file has a name"));
            match file.extension().and_then(|ending| ending.to_str()) {
                Some("css" | "js") => fs::write(copy, without_comments(&fs::read_to_string(file)?))?,
                _ => drop(fs::copy(file, copy)?),
            }
        }
        Ok(())
    })
}

/// A part of the page as it is sent, with compressed copies: kept, so that a change costs the time of its own part alone.
struct Part {
    folder: PathBuf,
    /// What it is made from, in one text: if that is the same, so is the part.
    stamp: String,
}

impl Part {
    /// The part `name`, made from `sources` by `make`, unless it is there.
    fn prepare(
        name: &str,
        profile: Profile,
        sources: &[PathBuf],
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Self> {
        let folder = toolchain::target_dir().join("parts").join(name);
        let stamp = format!("{profile:?}\n{}", stamp(sources)?);
        let stamp_file = folder.with_extension("stamp");
        if !folder.is_dir() || fs::read_to_string(&stamp_file).ok().as_ref() != Some(&stamp) {
            replace(&folder, |draft| {
                make(draft)?;
                compress_all(draft, profile)
            })?;
            fs::write(&stamp_file, &stamp)?;
        }
        Ok(Self { folder, stamp })
    }
}

/// Has `fill` make the folder under another name, and puts it in the place of the old one when it is whole.
fn replace(folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let draft = folder.with_extension("draft");
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    fs::create_dir_all(&draft)?;
    fill(&draft)?;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::rename(&draft, folder).with_context(|| format!("cannot move {} into its place", draft.display()))
}

/// Where the built page is, or will be.
pub(crate) fn folder() -> PathBuf {
    root().join("target/page")
}

/// Writes `NAME.js` and `NAME_bg.wasm`.
fn bind(wasm: &Path, name: &str, profile: Profile, folder: &Path) -> Result<()> {
    let small = profile == Profile::Page;
    Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        .remove_name_section(small)
        .remove_producers_section(small)
        .out_name(name)
        .generate(folder)
        .with_context(|| format!("wasm-bindgen failed on {}", wasm.display()))
}

/// A style sheet or a script of ours as it is sent: comments that have lines to themselves, and indents, are for who works on it.
fn without_comments(text: &str) -> String {
    let mut is_comment = false;
    let mut kept = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        is_comment |= line.starts_with("/*");
        if !is_comment && !line.starts_with("//") {
            kept += line;
            kept.push('\n');
        }
        is_comment &= !line.ends_with("*/");
    }
    kept
}

/// Names the files as they now are.
fn stamp(files: &[PathBuf]) -> Result<String> {
    let mut stamp = String::new();
    for file in files {
        let meta = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?;
        let modified = meta.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
        writeln!(stamp, "{} {} {modified}", file.display(), meta.len())?;
    }
    Ok(stamp)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if !path.is_file() {
            bail!("{} is not a file: the page is one flat folder", path.display());
        }
        files.push(path);
    }
    files.sort();
    Ok(files)
}

/// The compressed copies, each with what is added to the file's name.
const COPIES: [&str; 2] = [".br", ".gz"];

fn compress_all(folder: &Path, profile: Profile) -> Result<()> {
    let (brotli_level, gzip_level) = match profile {
        Profile::Page => (11, flate2::Compression::best()),
        Profile::Dev => (1, flate2::Compression::fast()),
    };
    for file in files_in(folder)? {
        let raw = fs::read(&file)?;
        let mut brotli = Vec::new();
        let window_log = 22;
        brotli::CompressorWriter::new(&mut brotli, 4096, brotli_level, window_log).write_all(&raw)?;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), gzip_level);
        gzip.write_all(&raw)?;
        for (suffix, copy) in COPIES.into_iter().zip([brotli, gzip.finish()?]) {
            fs::write(with_suffix(&file, suffix), copy)?;
        }
    }
    Ok(())
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Prints what each file of the page weighs, as it is and compressed.
fn print_sizes(folder: &Path) -> Result<()> {
    let size = |file: &Path| -> Result<u64> { Ok(fs::metadata(file)?.len()) };
    let mut rows = Vec::new();
    for file in files_in(folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !COPIES.iter().any(|suffix| name.ends_with(suffix)) {
            let [brotli, gzip] = COPIES.map(|suffix| size(&with_suffix(&file, suffix)));
            rows.push((name, [size(&file)?, brotli?, gzip?]));
        }
    }
    let total = |column: usize| rows.iter().map(|(_, sizes)| sizes[column]).sum::<u64>();
    rows.push(("total".to_owned(), [total(0), total(1), total(2)]));
    println!("{:<20} {:>12} {:>12} {:>12}", "file", "bytes", "brotli", "gzip");
    for (name, [raw, brotli, gzip]) in rows {
        println!("{name:<20} {raw:>12} {brotli:>12} {gzip:>12}");
    }
    Ok(())
}
