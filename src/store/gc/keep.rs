//! Rules by which older snapshots of a ref stay: the last few, one a day, a week, a month, a year.
//!
//! A snapshot stays if any rule keeps it. A rule for days keeps the newest snapshot of each of the
//! latest days on which there were any, and likewise the others; days, ISO weeks, months and years
//! are those of UTC. What counts is when the ref was moved to a snapshot. Where a ref stands now
//! stays in any case. Nothing here knows what a snapshot holds.

use std::collections::HashSet;
use std::num::NonZeroU32;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::model::SnapshotId;
use crate::store::{LogEntry, Moment, RefName};

/// How many snapshots of each ref stay, by rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeepRules {
    /// The last ones.
    pub last: Option<NonZeroU32>,
    /// The newest of each day.
    pub daily: Option<NonZeroU32>,
    /// The newest of each week.
    pub weekly: Option<NonZeroU32>,
    /// The newest of each month.
    pub monthly: Option<NonZeroU32>,
    /// The newest of each year.
    pub yearly: Option<NonZeroU32>,
}

/// A snapshot that a ref has named, and what keeps it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    /// The ref.
    pub reference: RefName,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// When the ref came to name it, for the last time.
    pub when: Moment,
    /// The rules that keep it; none where it may go.
    pub rules: Vec<&'static str>,
}

/// The bucket of a rule that a day falls into.
type Bucket = fn(Date) -> (i16, i16);

fn day(date: Date) -> (i16, i16) {
    (date.year(), date.day_of_year())
}

fn week(date: Date) -> (i16, i16) {
    let week = date.iso_week_date();
    (week.year(), i16::from(week.week()))
}

fn month(date: Date) -> (i16, i16) {
    (date.year(), i16::from(date.month()))
}

fn year(date: Date) -> (i16, i16) {
    (date.year(), 0)
}

impl KeepRules {
    /// Whether there is any rule.
    pub fn is_empty(&self) -> bool {
        *self == KeepRules::default()
    }

    /// What becomes of the snapshots of a ref, the newest first. `head` is where it stands, `log` how
    /// it moved; those that are not there any more do not count.
    pub(super) fn apply(
        &self,
        reference: &RefName,
        head: SnapshotId,
        log: &[LogEntry],
        is_there: &dyn Fn(SnapshotId) -> bool,
    ) -> Vec<Retained> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        // What a move left behind was named by an earlier one, unless that line is gone.
        let named = log.iter().rev().map(|entry| (entry.new, entry.when));
        let left = log.iter().rev().map(|entry| (entry.old, entry.when));
        for (snapshot, when) in named.chain(left) {
            let Some(snapshot) = snapshot else { continue };
            if seen.insert(snapshot) && is_there(snapshot) {
                let reference = reference.clone();
                found.push(Retained { reference, snapshot, when, rules: Vec::new() });
            }
        }
        found.sort_by_key(|retained| std::cmp::Reverse(retained.when));
        for retained in found.iter_mut().filter(|retained| retained.snapshot == head) {
            retained.rules.push("head");
        }
        let last = self.last.map_or(0, NonZeroU32::get);
        let last = usize::try_from(last).unwrap_or(usize::MAX);
        found.iter_mut().take(last).for_each(|retained| retained.rules.push("last"));
        let rules: [(&str, Option<NonZeroU32>, Bucket); 4] = [
            ("daily", self.daily, day),
            ("weekly", self.weekly, week),
            ("monthly", self.monthly, month),
            ("yearly", self.yearly, year),
        ];
        for (name, count, bucket) in rules {
            let mut left = count.map_or(0, NonZeroU32::get);
            let mut latest = None;
            for retained in &mut found {
                let at = bucket(date_of(retained.when));
                if left > 0 && latest != Some(at) {
                    retained.rules.push(name);
                    latest = Some(at);
                    left -= 1;
                }
            }
        }
        found
    }
}

/// The day of a moment, in UTC.
fn date_of(when: Moment) -> Date {
    let at = Timestamp::from_microsecond(when.0).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectId;

    fn id(number: u8) -> SnapshotId {
        SnapshotId(ObjectId([number; 32]))
    }

    /// What is kept of snapshots taken at these moments, numbered from 1, and by which rules.
    fn kept(rules: KeepRules, moments: &[&str]) -> Vec<String> {
        let mut old = None;
        let mut log = Vec::new();
        for (number, moment) in (1u8..).zip(moments) {
            let when = Moment(moment.parse::<Timestamp>().unwrap().as_microsecond());
            let (who, message) = (String::new(), String::new());
            log.push(LogEntry { when, old, new: Some(id(number)), who, message });
            old = Some(id(number));
        }
        let name = RefName::new("prod").unwrap();
        let found = rules.apply(&name, old.unwrap(), &log, &|_| true);
        let kept = found.iter().filter(|retained| !retained.rules.is_empty());
        kept.map(|r| format!("{} {}", r.snapshot.0.0[0], r.rules.join(" "))).collect()
    }

    #[test]
    fn the_newest_of_each_bucket_stays() {
        let count = NonZeroU32::new;
        let moments = [
            "2024-12-29T10:00:00Z", // 1: a Sunday, the last day of week 52
            "2024-12-30T10:00:00Z", // 2: week 1 of 2025
            "2025-01-01T00:00:00Z", // 3: the same week
            "2025-01-01T23:59:59Z", // 4
            "2025-01-02T00:00:00Z", // 5
            "2025-02-01T00:00:00Z", // 6
        ];
        let daily = KeepRules { daily: count(3), ..KeepRules::default() };
        assert_eq!(kept(daily, &moments), ["6 head daily", "5 daily", "4 daily"]);
        let weekly = KeepRules { weekly: count(9), ..KeepRules::default() };
        assert_eq!(kept(weekly, &moments), ["6 head weekly", "5 weekly", "1 weekly"]);
        let monthly = KeepRules { monthly: count(2), yearly: count(2), ..KeepRules::default() };
        assert_eq!(kept(monthly, &moments), ["6 head monthly yearly", "5 monthly", "2 yearly"]);
        let last = KeepRules { last: count(2), ..KeepRules::default() };
        assert_eq!(kept(last, &moments), ["6 head last", "5 last"]);
    }
}
