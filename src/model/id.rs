//! Identifiers of stored things: 256-bit hashes, shown as lower-case hexadecimal.

use std::fmt;
use std::str::FromStr;

/// The hash that names an object: 256 bits over domain, kind, length and plain bytes
/// (`docs/format.md`, "Ids").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub [u8; 32]);

/// The id of a state: equal databases under one scope have equal state ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StateId(pub ObjectId);

/// The id of a snapshot: covers the state and where, when and how it was read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SnapshotId(pub ObjectId);

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id of 64 hexadecimal digits")]
pub struct ParseIdError(String);

impl ObjectId {
    /// How many hexadecimal digits people are shown.
    pub const SHORT: usize = 12;

    /// The first [`ObjectId::SHORT`] hexadecimal digits.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(Self::SHORT);
        text
    }
}

impl SnapshotId {
    /// The first digits, as shown to people.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl StateId {
    /// The first digits, as shown to people.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl fmt::Display for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ObjectId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseIdError(text.chars().take(80).collect());
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(wrong());
        }
        let mut id = [0u8; 32];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let high = hex_digit(pair[0]).ok_or_else(wrong)?;
            let low = hex_digit(pair[1]).ok_or_else(wrong)?;
            *byte = (high << 4) | low;
        }
        Ok(ObjectId(id))
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_parse_are_inverse() {
        let id = ObjectId([0xa7; 32]);
        assert_eq!(id.to_string().parse::<ObjectId>().unwrap(), id);
        assert!("A7".repeat(32).parse::<ObjectId>().is_err());
        assert!("a7".parse::<ObjectId>().is_err());
    }
}
