//! Makes sure that there is a folder to embed the page from, and that a new page is embedded. Builds nothing
//! itself: `cargo xtask page` does.

use std::path::Path;

fn main() {
    let page = Path::new("../target/page");
    println!("cargo:rerun-if-changed={}", page.display());
    if let Err(error) = std::fs::create_dir_all(page) {
        // Embedding it will fail with the same reason, and less to go by.
        println!("cargo:warning=cannot create {}: {error}", page.display());
    }
}
