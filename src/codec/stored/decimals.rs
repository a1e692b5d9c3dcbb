//! Runs of decimals of one scale, as integers: what a column declared `numeric(12,2)` holds.
//!
//! Their payloads are digits, one a byte, of different lengths; zstd needs much time for those and
//! finds nothing in them but their radix. Only payloads that are just as `cell::write_payload`
//! writes them take this form, since they are rebuilt from sign, digits and scale.

use super::bits::{Reader, width_of, wrong};
use super::ints;
use super::strings::{Strings, as_len};
use crate::codec::DecodeError;

/// Numbers of more digits are left to others: so many always fit in 63 bits.
const MOST_DIGITS: usize = 18;

/// Class, scale.
const HEAD: usize = 3;

/// How long payloads usually are, at most: room for so much is made in advance.
const USUAL: usize = 12;

const NEGATIVE: u8 = 1;
const POSITIVE: u8 = 2;

/// Decimals as integers.
pub(super) struct Decimals {
    scale: u16,
    /// Two's complement.
    numbers: Vec<u64>,
}

impl Decimals {
    /// The decimals of these payloads; `None` where one is of another form or scale, or where
    /// their digits take less room by themselves.
    pub(super) fn new(lens: &[u64], payloads: &[u8]) -> Option<Decimals> {
        let &[_, low, high, ..] = payloads else { return None };
        let scale = [low, high];
        let mut numbers = Vec::with_capacity(lens.len());
        let (mut least, mut most) = (i64::MAX, i64::MIN);
        let mut rest = payloads;
        for &len in lens {
            let (payload, after) = rest.split_at(as_len(len));
            rest = after;
            let number = number_of(payload, scale)?;
            (least, most) = (least.min(number), most.max(number));
            numbers.push(number.cast_unsigned());
        }
        let width = as_len(u64::from(width_of(most.wrapping_sub(least).cast_unsigned())));
        let digits = payloads.len() - numbers.len() * HEAD;
        // A digit takes about three bits and a half, and its share of a length.
        let is_worth_it = width * numbers.len() <= 4 * digits;
        is_worth_it.then_some(Decimals { scale: u16::from_le_bytes(scale), numbers })
    }

    /// Appends scale and numbers.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.scale.to_le_bytes());
        ints::write(&self.numbers, out);
    }
}

/// The number that a payload of this scale holds, the point left out.
fn number_of(payload: &[u8], scale: [u8; 2]) -> Option<i64> {
    let (&[class, low, high], digits) = payload.split_first_chunk::<HEAD>()?;
    if [low, high] != scale || digits.len() > MOST_DIGITS || digits.first() == Some(&0) {
        return None;
    }
    let mut number = 0i64;
    for &digit in digits {
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    match class {
        POSITIVE => Some(number),
        NEGATIVE if number != 0 => Some(-number),
        _ => None,
    }
}

/// Reads `count` decimals whose payloads have at most `limit` bytes together.
pub(super) fn read(
    input: &mut Reader<'_>,
    count: usize,
    limit: usize,
) -> Result<Strings, DecodeError> {
    let scale = [input.byte()?, input.byte()?];
    let mut numbers = Vec::new();
    ints::read(input, count, &mut numbers)?;
    let mut strings = Strings::default();
    strings.lens.reserve(count);
    strings.bytes.reserve(limit.min(count * USUAL));
    for number in numbers {
        let number = number.cast_signed();
        let class = if number < 0 { NEGATIVE } else { POSITIVE };
        let mut digits = [0u8; MOST_DIGITS];
        let mut start = MOST_DIGITS;
        let mut rest = number.unsigned_abs();
        while rest > 0 {
            start = start.checked_sub(1).ok_or_else(|| wrong("a decimal of too many digits"))?;
            digits[start] = (rest % 10).to_le_bytes()[0];
            rest /= 10;
        }
        let digits = &digits[start..];
        strings.bytes.extend_from_slice(&[class, scale[0], scale[1]]);
        strings.bytes.extend_from_slice(digits);
        if strings.bytes.len() > limit {
            return Err(wrong("decimals longer than promised"));
        }
        strings.lens.push(u64::try_from(HEAD + digits.len()).expect("at most 21"));
    }
    Ok(strings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::cell;
    use crate::model::value::FiniteDecimal;
    use crate::model::{Decimal, ValueRef};

    fn payloads(numbers: impl Iterator<Item = (i64, u16)>) -> (Vec<u64>, Vec<u8>) {
        let (mut lens, mut bytes) = (Vec::new(), Vec::new());
        for (number, scale) in numbers {
            let digits: Vec<u8> =
                number.unsigned_abs().to_string().bytes().map(|digit| digit - b'0').collect();
            let number = FiniteDecimal::new(number < 0, &digits, scale).unwrap();
            let start = bytes.len();
            cell::write_payload(ValueRef::Decimal(&Decimal::Finite(number)), &mut bytes);
            lens.push((bytes.len() - start) as u64);
        }
        (lens, bytes)
    }

    fn round_trip(numbers: impl Iterator<Item = (i64, u16)>) -> Option<usize> {
        let (lens, bytes) = payloads(numbers);
        let mut out = Vec::new();
        Decimals::new(&lens, &bytes)?.write(&mut out);
        let mut input = Reader::new(&out);
        let again = read(&mut input, lens.len(), bytes.len()).unwrap();
        input.finish().unwrap();
        assert_eq!((again.bytes, again.lens), (bytes.clone(), lens.clone()));
        assert!(read(&mut Reader::new(&out), lens.len(), bytes.len() - 1).is_err());
        Some(out.len())
    }

    #[test]
    fn amounts_take_their_bits() {
        let amounts = (0..255i64).map(|n| (n * 7_919_317 % 10_000_000 - 50_000, 2));
        assert!(round_trip(amounts).unwrap() < 255 * 3 + 20);
        let most = 999_999_999_999_999_999;
        assert!(
            round_trip([most, -most, most - 1, 1 - most].map(|n| (n, 18)).into_iter()).is_some()
        );
        assert!(
            round_trip([100, 0, -100, 101, -99].map(|n| (n, 0)).into_iter().cycle().take(50))
                .is_some()
        );
    }

    #[test]
    fn others_are_left_alone() {
        assert!(round_trip([(1, 2), (1, 3)].into_iter()).is_none(), "two scales");
        assert!(round_trip([(1_000_000_000_000_000_000, 2)].into_iter()).is_none(), "19 digits");
        let steep = (0..100).map(|n| (if n == 0 { 1 << 59 } else { n % 10 }, 2));
        assert!(round_trip(steep).is_none(), "short digits beside a long number");
        for payload in [&[0][..], &[4], &[2, 2, 0, 0, 5], &[2, 2, 0, 10], &[1, 2, 0], &[3, 2, 0, 1]]
        {
            assert!(Decimals::new(&[payload.len() as u64], payload).is_none(), "{payload:?}");
        }
    }

    #[test]
    fn numbers_of_nineteen_digits_are_refused() {
        let mut packed = vec![2, 0];
        ints::write(&[1_000_000_000_000_000_000, 5], &mut packed);
        assert!(read(&mut Reader::new(&packed), 2, 1000).is_err());
    }
}
