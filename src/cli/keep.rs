//! Which older snapshots `gc` leaves, as its command line says. (`deepdiff.toml`: `Retention`.)

use std::num::NonZeroU32;

use clap::Args;

use crate::store::gc::KeepRules;

/// Rules by which older snapshots of a ref stay.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct KeepArgs {
    /// Of each ref keep the last N snapshots, instead of those of the last days. With any of these
    /// rules a snapshot stays that one of them keeps, or that a ref or tag names; those of
    /// deepdiff.toml do not count then.
    #[arg(long, value_name = "N")]
    pub keep_last: Option<NonZeroU32>,
    /// Of each ref keep the newest snapshot of each of the latest N days that have any (UTC).
    #[arg(long, value_name = "N")]
    pub keep_daily: Option<NonZeroU32>,
    /// The same of weeks.
    #[arg(long, value_name = "N")]
    pub keep_weekly: Option<NonZeroU32>,
    /// The same of months.
    #[arg(long, value_name = "N")]
    pub keep_monthly: Option<NonZeroU32>,
    /// The same of years.
    #[arg(long, value_name = "N")]
    pub keep_yearly: Option<NonZeroU32>,
    /// Keep what is committed in the git repository around the working directory, on any branch
    /// `deepdiff/*`; with rules or without.
    #[arg(long)]
    pub keep_in_git: bool,
}

impl KeepArgs {
    /// The rules, if there is one.
    pub fn rules(&self) -> Option<KeepRules> {
        let rules = KeepRules {
            last: self.keep_last,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
        };
        (!rules.is_empty()).then_some(rules)
    }
}
