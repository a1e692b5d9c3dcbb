//! Strings that are alike but for the numbers in them: a dictionary of templates, and the numbers.
//!
//! In a template each run of decimal digits is replaced by one `0`; since no other digit is left,
//! nothing is ambiguous. A run of up to 18 digits is the number of that digit string among all
//! digit strings, shorter ones first, so leading zeros are kept. The first numbers of all rows make
//! one run of integers, then the second ones, and so on.

use super::bits::{Reader, wrong};
use super::ints;
use super::strings::{Dictionary, Strings, as_len};
use crate::codec::DecodeError;

/// Longer runs of digits are two numbers.
const MOST_DIGITS: usize = 18;

/// Strings with more numbers are left to others.
const MOST_NUMBERS: usize = 16;

/// How many digit strings are shorter than `digits`: 0, 0, 10, 110, …
const SHORTER: [u64; MOST_DIGITS + 2] = {
    let mut shorter = [0u64; MOST_DIGITS + 2];
    let (mut digits, mut power) = (1, 10u64);
    while digits <= MOST_DIGITS {
        shorter[digits + 1] = shorter[digits] + power;
        power = power.wrapping_mul(10);
        digits += 1;
    }
    shorter
};

/// Strings taken apart.
pub(super) struct Templates {
    /// The templates, one after the other, one a row.
    bytes: Vec<u8>,
    dictionary: Dictionary,
    /// The numbers by their place in a string.
    numbers: Vec<Vec<u64>>,
}

impl Templates {
    /// Takes strings apart, if few templates are enough for them.
    pub(super) fn new(lens: &[u64], strings: &[u8]) -> Option<Templates> {
        let mut bytes = Vec::with_capacity(strings.len());
        let mut numbers: Vec<Vec<u64>> = Vec::new();
        let mut rest = strings;
        let mut building = Dictionary::builder(lens.len());
        for &len in lens {
            let (string, after) = rest.split_at(as_len(len));
            rest = after;
            let start = bytes.len();
            let count = take_apart(string, lens.len(), &mut bytes, &mut numbers);
            if count > MOST_NUMBERS || !building.add(&bytes, start..bytes.len()) {
                return None;
            }
        }
        let dictionary = building.finish();
        let is_worth_it = !numbers.is_empty() && dictionary.entries_len() * 2 < strings.len();
        is_worth_it.then_some(Templates { bytes, dictionary, numbers })
    }

    /// Appends the templates and the numbers.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.dictionary.write(&self.bytes, out);
        self.numbers.iter().for_each(|run| ints::write(run, out));
    }
}

/// Appends the template of a string, one of `rows`, and files its numbers; returns how many there
/// are.
fn take_apart(
    string: &[u8],
    rows: usize,
    template: &mut Vec<u8>,
    numbers: &mut Vec<Vec<u64>>,
) -> usize {
    let mut count = 0;
    let mut rest = string;
    while let Some(start) = rest.iter().position(u8::is_ascii_digit) {
        template.extend_from_slice(&rest[..start]);
        template.push(b'0');
        rest = &rest[start..];
        let (mut number, mut digits) = (0u64, 0);
        while digits < MOST_DIGITS
            && let Some(digit @ b'0'..=b'9') = rest.get(digits)
        {
            number = number * 10 + u64::from(digit - b'0');
            digits += 1;
        }
        rest = &rest[digits..];
        if count == numbers.len() {
            numbers.push(Vec::with_capacity(rows));
        }
        numbers[count].push(SHORTER[digits] + number);
        count += 1;
        if count > MOST_NUMBERS {
            return count;
        }
    }
    template.extend_from_slice(rest);
    count
}

/// Reads `count` strings of at most `limit` bytes together.
pub(super) fn read(
    input: &mut Reader<'_>,
    count: usize,
    limit: usize,
) -> Result<Strings, DecodeError> {
    let (dictionary, bytes) = Dictionary::read(input, count, limit)?;
    let numbers_in = |template: &[u8]| template.iter().filter(|byte| **byte == b'0').count();
    let in_entries: Vec<usize> =
        dictionary.entries.iter().map(|entry| numbers_in(&bytes[entry.clone()])).collect();
    let most = in_entries.iter().copied().max().unwrap_or(0);
    if most > MOST_NUMBERS {
        return Err(wrong("a template with too many numbers"));
    }
    let mut numbers = Vec::with_capacity(most);
    for place in 0..most {
        let rows = dictionary.rows.iter().filter(|&&row| in_entries[usize::from(row)] > place);
        let mut run = Vec::new();
        ints::read(input, rows.count(), &mut run)?;
        numbers.push(run.into_iter());
    }
    let entries = dictionary.entries.iter();
    let parts: Vec<Vec<&[u8]>> =
        entries.map(|entry| bytes[entry.clone()].split(|&byte| byte == b'0').collect()).collect();
    let mut strings = Strings::default();
    strings.lens.reserve(dictionary.rows.len());
    let templates_len: usize =
        dictionary.rows.iter().map(|&row| dictionary.entries[usize::from(row)].len()).sum();
    strings.bytes.reserve(limit.min(templates_len * 2));
    for &row in &dictionary.rows {
        let start = strings.bytes.len();
        let mut numbers = numbers.iter_mut();
        let (first, others) = parts[usize::from(row)].split_first().expect("one at least");
        strings.bytes.extend_from_slice(first);
        for part in others {
            let number = numbers.next().and_then(Iterator::next);
            let number = number.ok_or_else(|| wrong("a number is missing"))?;
            write_digits(number, &mut strings.bytes)?;
            strings.bytes.extend_from_slice(part);
        }
        if strings.bytes.len() > limit {
            return Err(wrong("strings longer than promised"));
        }
        let len = u64::try_from(strings.bytes.len() - start);
        strings.lens.push(len.expect("below the length of an object"));
    }
    Ok(strings)
}

/// Appends the digit string of this number.
fn write_digits(number: u64, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let digits = SHORTER.iter().skip(2).position(|&shorter| number < shorter);
    let digits = digits.ok_or_else(|| wrong("a number of too many digits"))? + 1;
    let mut rest = number - SHORTER[digits];
    let mut text = [b'0'; MOST_DIGITS];
    for digit in text[MOST_DIGITS - digits..].iter_mut().rev() {
        *digit += (rest % 10).to_le_bytes()[0];
        rest /= 10;
    }
    out.extend_from_slice(&text[MOST_DIGITS - digits..]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(strings: &[String]) -> Option<usize> {
        let lens: Vec<u64> = strings.iter().map(|string| string.len() as u64).collect();
        let bytes = strings.concat().into_bytes();
        let mut out = Vec::new();
        Templates::new(&lens, &bytes)?.write(&mut out);
        let mut input = Reader::new(&out);
        let again = read(&mut input, strings.len(), bytes.len()).unwrap();
        input.finish().unwrap();
        assert_eq!((again.bytes, again.lens), (bytes, lens));
        Some(out.len())
    }

    #[test]
    fn numbers_in_json_take_their_bits() {
        let rows: Vec<String> = (0..255u32)
            .map(|n| format!("{{\"batch\":{},\"shelf\":\"S{}\"}}", n * 7919 % 100_000, n % 400))
            .collect();
        assert!(round_trip(&rows).unwrap() < 255 * 27 / 8 + 60);
    }

    #[test]
    fn digits_come_back_as_they_were() {
        let mut rows: Vec<String> =
            ["", "0", "00", "007", "9", "10", "no digits", "1.2.3", "-5e-3"]
                .map(str::to_owned)
                .to_vec();
        rows.push("9".repeat(18));
        rows.push("0".repeat(18));
        rows.push("9".repeat(19));
        rows.push("1".repeat(40));
        rows.extend((0..40).map(|n| format!("{n:03} of {n}")));
        assert!(round_trip(&rows).is_some());
    }

    #[test]
    fn what_has_no_templates_is_left_alone() {
        let words: Vec<String> = (0..100).map(|n| format!("{} {n}", "x".repeat(n))).collect();
        assert!(round_trip(&words).is_none());
        let many: Vec<String> = (0..100).map(|n| format!("{n} ").repeat(17)).collect();
        assert!(round_trip(&many).is_none());
    }
}
