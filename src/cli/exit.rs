//! Exit codes: what a script learns without reading a word.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `diff`, equal.
    Done,
    /// `diff`: different, as with diff(1). `verify`: damaged.
    Different,
    /// The command line or the configuration is wrong.
    Usage,
    /// It could not be done: a connection, a file, a privilege, a disk.
    CouldNot,
    /// Refused for safety: drift, an edited pack, another target.
    Refused,
    /// The answer is incomplete.
    Incomplete,
    /// Stopped by a signal, in order.
    Interrupted,
    /// Whoever reads the output wanted no more of it; nobody can tell what it would have said.
    PipeClosed,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Different => 1,
            Exit::Usage => 2,
            Exit::CouldNot => 3,
            Exit::Refused => 4,
            Exit::Incomplete => 5,
            Exit::Interrupted => 130,
            // What a shell reports of a program that SIGPIPE ended.
            Exit::PipeClosed => 141,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
