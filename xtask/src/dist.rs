//! `cargo xtask dist`: what is handed out, laid into `dist/`. Knows nothing of how the parts are built.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell::{root, say};
use crate::{page, server};

/// Fills `dist/` anew: the server, one file to copy and run, and the folder `page`, which any web host can serve.
pub(crate) fn dist() -> Result<()> {
    let server = server::build_with_page(server::Profile::Dist)?;
    let page = page::folder();
    let dist = root().join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist)?;
    }
    let server_bytes = copy(&server, &dist.join(server.file_name().expect("a binary has a name")))?;
    let mut page_bytes = 0;
    for entry in fs::read_dir(&page)? {
        let file = entry?.path();
        page_bytes += copy(&file, &dist.join("page").join(file.file_name().expect("a file has a name")))?;
    }
    say(format!("{}: the server with the page in it, {server_bytes} bytes", shown(&dist, &server)));
    say(format!("dist/page: the page for any web host, {page_bytes} bytes with its compressed copies"));
    Ok(())
}

/// Copies a file into a folder made where missing; returns its length.
fn copy(from: &Path, to: &Path) -> Result<u64> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

fn shown(dist: &Path, server: &Path) -> String {
    let name = server.file_name().unwrap_or_default().to_string_lossy();
    format!("{}/{name}", dist.file_name().unwrap_or_default().to_string_lossy())
}
