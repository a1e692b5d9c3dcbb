//! Running a pack: the target is checked, locked, changed and checked again in one transaction.
//!
//! `run` is the order of it all; `rows` compares rows byte by byte, `checks` what is larger than a
//! row, `referring` finds rows the pack knows nothing of, `relations` whose rows count for others,
//! `receipt` remembers, `prove` does the
//! same on a scratch copy before there is a pack at all. Where statements commit one by one, `saga`
//! and `online` are the order of it.

mod checks;
pub mod error;
mod gate;
mod names;
mod online;
pub mod options;
pub mod outcome;
mod parents;
pub mod prove;
pub mod receipt;
mod referring;
mod relations;
mod rows;
pub mod run;
mod saga;
mod sinks;
mod stand_ins;
mod statements;

pub use error::ApplyError;
pub use options::{Finish, Held, Options, Watch};
pub use outcome::{Drift, DriftClass, Ending, Outcome};
pub use prove::create_pack;
pub use run::apply;
