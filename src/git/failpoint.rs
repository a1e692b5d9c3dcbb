//! Places at which tests stop the program. Programs that are shipped have none.

/// Waits here until a file is gone, where a test wants it (`DEEPDIFF_TEST_WAIT_AT=NAME:FILE`).
#[cfg(debug_assertions)]
pub(super) fn pass(name: &str) {
    if let Ok(setting) = std::env::var("DEEPDIFF_TEST_WAIT_AT")
        && let Some((at, file)) = setting.split_once(':')
        && at == name
    {
        // A second file says that the place was reached.
        let file = std::path::Path::new(file);
        let reached = file.with_extension("reached");
        while file.exists() {
            if !reached.exists() {
                let _ = crate::fsio::FileSystem::create(&crate::fsio::RealFs, &reached);
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub(super) fn pass(_name: &str) {}
