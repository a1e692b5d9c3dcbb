//! What a person calls a snapshot: `prod`, `v1`, `3fa9…`, `prod~2`, `prod@2026-11-01`.
//!
//! The grammar only; looking things up is `context`'s business.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::error::CliError;

/// The name of a snapshot, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// A ref, a tag or the beginning of an id.
    pub base: String,
    /// The state of the ref at this moment, in microseconds since 1970 UTC.
    pub at: Option<i64>,
    /// How many parents back.
    pub ancestors: u32,
}

impl Revision {
    /// Takes the name apart: `base[@date][~n]…`.
    pub fn parse(text: &str) -> Result<Revision, CliError> {
        let wrong = |why: String| {
            CliError::usage(format!("`{text}` does not name a snapshot: {why}"))
                .hint("use a ref, a tag, an id, ref~n or ref@date (2026-11-01, 2026-11-01T12:30)")
        };
        let (rest, steps) = match text.find('~') {
            Some(tilde) => text.split_at(tilde),
            None => (text, ""),
        };
        let mut ancestors = 0u32;
        for step in steps.split('~').skip(1) {
            let step = match step {
                "" => 1,
                digits => digits.parse::<u32>().map_err(|_| wrong(format!("`~{digits}`")))?,
            };
            ancestors = ancestors.saturating_add(step);
        }
        let (base, at) = match rest.split_once('@') {
            Some((base, date)) => {
                let at = moment(date).ok_or_else(|| wrong(format!("`{date}` is no date")))?;
                (base, Some(at))
            }
            None => (rest, None),
        };
        if base.is_empty() {
            return Err(wrong("it begins with no name".to_owned()));
        }
        Ok(Revision { base: base.to_owned(), at, ancestors })
    }
}

/// A moment in microseconds since 1970: an RFC 3339 time, a local time, or the end of a local day.
fn moment(text: &str) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_microsecond());
    }
    let local = |at: DateTime| at.to_zoned(TimeZone::system()).ok();
    if let Ok(day) = text.parse::<Date>()
        && !text.contains(['T', ' '])
    {
        let next = day.checked_add(1.day()).ok()?;
        return Some(local(next.into())?.timestamp().as_microsecond() - 1);
    }
    Some(local(text.parse().ok()?)?.timestamp().as_microsecond())
}

/// A moment as a person reads it, in UTC to the second.
pub fn shown(micros: i64) -> String {
    match Timestamp::from_microsecond(micros) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{micros} µs since 1970"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        let parsed = Revision::parse("prod@2026-11-01T00:00:00Z~2~").unwrap();
        assert_eq!((parsed.base.as_str(), parsed.ancestors), ("prod", 3));
        assert_eq!(shown(parsed.at.unwrap()), "2026-11-01 00:00:00 UTC");
        assert_eq!(Revision::parse("prod").unwrap().ancestors, 0);
        for wrong in ["", "~1", "prod~x", "prod@yesterday"] {
            assert!(Revision::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_means_its_end() {
        let day = Revision::parse("prod@2026-11-01").unwrap().at.unwrap();
        let noon = Revision::parse("prod@2026-11-01T12:00").unwrap().at.unwrap();
        assert!(day > noon);
    }
}
