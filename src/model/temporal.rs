//! Dates and times by their raw fields, so that infinity, BC years, zero dates and 24:00 survive.
//!
//! Nothing here normalises, validates a calendar or converts a zone: a server's value comes in
//! and goes out as it was.

/// A calendar date by its fields; zero months and days (MySQL) are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Date {
    /// PostgreSQL's `-infinity`.
    NegativeInfinity,
    /// Astronomical year (0 is 1 BC), month 0–12, day 0–31.
    Fields {
        /// Astronomical year number.
        year: i32,
        /// 1 to 12, or 0 where a server allows it.
        month: u8,
        /// 1 to 31, or 0 where a server allows it.
        day: u8,
    },
    /// PostgreSQL's `infinity`.
    Infinity,
}

/// A date and a time of day in microseconds. The time of an infinite date is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    /// The date.
    pub date: Date,
    /// Microseconds since midnight.
    pub micros: i64,
}

/// A time of day with an offset from UTC, ordered by its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeTz {
    /// Microseconds since midnight, local.
    pub micros: i64,
    /// Seconds east of UTC.
    pub offset_seconds: i32,
}

/// PostgreSQL's interval: three fields that are never converted into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// Months.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}
