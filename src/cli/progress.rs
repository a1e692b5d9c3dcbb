//! Progress on a terminal: a bar where the number of rows is known, none in a pipe.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that counts rows, or nothing at all.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar on standard error, where that is a terminal and the user wants one.
    pub fn new(is_wanted: bool) -> Self {
        let bar = ProgressBar::no_length();
        if is_wanted && std::io::stderr().is_terminal() {
            bar.enable_steady_tick(Duration::from_millis(200));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Progress { bar }
    }

    /// A new thing is being done, with as many rows as `total` says, where that is known.
    pub fn start(&self, what: &str, total: Option<u64>) {
        let template = match total {
            Some(_) => "{msg:20!} {bar:30} {human_pos}/{human_len} rows  {per_sec}  ETA {eta}",
            None => "{msg:20!} {spinner} {human_pos} rows  {per_sec}",
        };
        self.bar.reset();
        self.bar.set_style(ProgressStyle::with_template(template).expect("the template is fixed"));
        match total {
            Some(total) => self.bar.set_length(total),
            None => self.bar.unset_length(),
        }
        self.bar.set_message(what.to_owned());
    }

    /// So many rows are done.
    pub fn rows(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
