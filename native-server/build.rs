//! Makes sure that there is a folder to embed the page from, if an empty one. Builds nothing itself: `cargo xtask page` does.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let page = Path::new("../target/page");
    let stamp = page.with_extension("stamp");
    let made = std::fs::create_dir_all(page)
        .and_then(|()| if stamp.exists() { Ok(()) } else { std::fs::write(&stamp, "") });
    if let Err(error) = made {
        // Embedding it will fail with the same reason, and less to go by.
        println!("cargo:warning=cannot create {}: {error}", page.display());
    }
}
