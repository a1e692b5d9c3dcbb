//! Places at which tests end or stop the program. Programs that are shipped have none.

/// Counts a place that is passed; where a test wants it, the program ends there as if it had been
/// killed (`DEEPDIFF_TEST_KILL_AT=N`), or waits at the places of a name, or at one place, until a file is
/// gone (`DEEPDIFF_TEST_WAIT_AT=NAME:FILE`, `DEEPDIFF_TEST_WAIT_AT=N:FILE`).
#[cfg(debug_assertions)]
pub(super) fn pass(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let here = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
    let setting = |name: &str| std::env::var(name).ok();
    if setting("DEEPDIFF_TEST_KILL_AT").and_then(|at| at.parse().ok()) == Some(here) {
        std::process::abort();
    }
    if let Some(setting) = setting("DEEPDIFF_TEST_WAIT_AT")
        && let Some((at, file)) = setting.split_once(':')
        && (at == name || at.parse() == Ok(here))
    {
        let file = std::path::Path::new(file);
        while file.exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub(super) fn pass(_name: &str) {}
