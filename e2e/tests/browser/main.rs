//! The page as a person uses it, in headless Chromium: in the tab first, where no server is needed, then with a native
//! server. Each test looks at what is on the page or at what `interleave.state()` says of it.

mod console;
mod determinism;
mod devtools;
mod look;
mod machine;
mod machine_runs;
mod machine_worker;
mod native;
mod random;
mod saved;
mod scene;
mod timeline;
