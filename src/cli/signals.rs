//! SIGINT and SIGTERM: the first asks to stop in order, the second ends the program at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

use super::error::CliError;
use super::exit::Exit;

/// Whether somebody asked to stop.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that the signals raise from now on.
    pub fn on_signals() -> Result<StopFlag, CliError> {
        let flag = StopFlag::default();
        let failed = |error| CliError::because(Exit::CouldNot, "cannot watch for signals", error);
        for signal in [SIGINT, SIGTERM] {
            let code = i32::from(Exit::Interrupted.code());
            // Order matters: a second signal finds the flag raised and ends the program.
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&flag.0))
                .map_err(failed)?;
            signal_hook::flag::register(signal, Arc::clone(&flag.0)).map_err(failed)?;
        }
        Ok(flag)
    }

    /// The flag, for whoever waits for a server.
    pub fn shared(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether somebody asked to stop.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
