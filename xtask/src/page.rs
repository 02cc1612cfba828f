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
#[derive(Clone, Copy, PartialEq, Eq)]
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

/// What draws a frame is the page's own; the crate reads the trace.
const PAGE: Module = Module {
    package: "interleave-web",
    name: "page",
    config: &["--config", r#"profile.page.package.interleave.opt-level="z""#],
};

/// What runs in workers. The tab's server, which has a visitor's whole second for a command, is sent as small as it can be; the
/// time machine is there to be quick.
const WORKERS: [Module; 2] = [
    Module {
        package: "interleave-tab",
        name: "tab",
        config: &[
            "--config",
            r#"profile.page.package.interleave.opt-level="z""#,
            "--config",
            r#"profile.page.package.tokio.opt-level="z""#,
        ],
    },
    Module { package: "interleave-engine", name: "engine", config: &[] },
];

/// Builds what is out of date, prints the sizes, and returns the folder.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    let wasm = Wasm::find()?;
    say("building the page's wasm modules");
    let page_dir = toolchain::target_dir();
    let workers_dir = page_dir.with_file_name("wasm-workers");
    // Each in a call of its own: in one, cargo would give the page, too, the code of all commands that the workers' modules ask
    // for. And the workers' beside the page's, in another folder: each ends on one core, for half a minute.
    let (page, workers) = std::thread::scope(|scope| {
        let workers = scope.spawn(|| -> Result<Vec<_>> {
            WORKERS.iter().map(|module| module.build(&wasm, profile, &workers_dir, &["--quiet"])).collect()
        });
        let page = PAGE.build(&wasm, profile, &page_dir, &[]);
        (page, workers.join().expect("a build does not panic"))
    });
    let modules: Vec<_> = std::iter::once(page?).chain(workers?).collect();
    let static_files = files_in(&root().join("web/static"))?;

    let folder = folder();
    let stamp_file = toolchain::target_dir().join("page.stamp");
    let stamp = stamp(modules.iter().map(|(file, _)| file).chain(&static_files))?;
    if fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) && folder.is_dir() {
        say(format!("{} is up to date", folder.display()));
        return Ok(folder);
    }

    // Made aside and renamed at the end: a server being built embeds either the old page or the new.
    let draft = folder.with_extension("draft");
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    fs::create_dir_all(&draft)?;
    for (file, name) in &modules {
        say(format!("wasm-bindgen: {name}.js, {name}_bg.wasm"));
        bind(file, name, profile, &draft)?;
    }
    for file in &static_files {
        let copy = draft.join(file.file_name().expect("a file has a name"));
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("css" | "js") => fs::write(copy, without_comments(&fs::read_to_string(file)?))?,
            _ => drop(fs::copy(file, copy)?),
        }
    }
    say("compressing");
    let sizes = compress_all(&draft, profile)?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(&draft, &folder)?;
    fs::write(&stamp_file, stamp)?;
    print_sizes(&sizes);
    say(format!("the page is in {}", folder.display()));
    Ok(folder)
}

impl Module {
    /// Builds it, and returns its file with the name that the page loads it by.
    fn build(
        &self,
        wasm: &Wasm,
        profile: Profile,
        target_dir: &Path,
        flags: &[&str],
    ) -> Result<(PathBuf, &'static str)> {
        let (flag, folder) = match profile {
            Profile::Page => ("--profile=page", "page"),
            Profile::Dev => ("--profile=dev", "debug"),
        };
        let package = format!("--package={}", self.package);
        run(wasm.build(target_dir).args(self.config).args([&*package, "--lib", flag]).args(flags))?;
        let library = self.package.replace('-', "_");
        let file = target_dir.join(toolchain::TARGET).join(folder).join(library).with_extension("wasm");
        Ok((file, self.name))
    }
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

/// What the page is made from, in one text: if it is the same, so is the page.
fn stamp<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Result<String> {
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

/// The sizes of one file of the page, in bytes.
struct Size {
    name: String,
    raw: usize,
    brotli: usize,
    gzip: usize,
}

fn compress_all(folder: &Path, profile: Profile) -> Result<Vec<Size>> {
    let (brotli_level, gzip_level) = match profile {
        Profile::Page => (11, flate2::Compression::best()),
        Profile::Dev => (1, flate2::Compression::fast()),
    };
    let compress = |file: &Path| -> Result<Size> {
        let raw = fs::read(file)?;
        let mut brotli = Vec::new();
        let window_log = 22;
        brotli::CompressorWriter::new(&mut brotli, 4096, brotli_level, window_log).write_all(&raw)?;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), gzip_level);
        gzip.write_all(&raw)?;
        let gzip = gzip.finish()?;
        fs::write(with_suffix(file, ".br"), &brotli)?;
        fs::write(with_suffix(file, ".gz"), &gzip)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Size { name, raw: raw.len(), brotli: brotli.len(), gzip: gzip.len() })
    };
    let files = files_in(folder)?;
    // The modules take ten seconds each, and there are three.
    std::thread::scope(|scope| {
        let sizes: Vec<_> = files.iter().map(|file| scope.spawn(|| compress(file))).collect();
        sizes.into_iter().map(|size| size.join().expect("compressing does not panic")).collect()
    })
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn print_sizes(sizes: &[Size]) {
    println!("{:<20} {:>12} {:>12} {:>12}", "file", "bytes", "brotli", "gzip");
    let total = sizes.iter().fold((0, 0, 0), |sum, size| {
        println!("{:<20} {:>12} {:>12} {:>12}", size.name, size.raw, size.brotli, size.gzip);
        (sum.0 + size.raw, sum.1 + size.brotli, sum.2 + size.gzip)
    });
    println!("{:<20} {:>12} {:>12} {:>12}", "total", total.0, total.1, total.2);
}
