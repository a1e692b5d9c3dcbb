//! Strings of one length, position by position, as numbers.
//!
//! Where each position holds few different bytes (a timestamp, a UUID in text, a serial number with
//! a prefix, a random code), a string is a number whose digits have a radix each: the span of the
//! bytes at that position, 1 where they are all the same, or the size of the alphabet that the
//! positions of the run share. The first position counts most, so strings in order give numbers in
//! order, whose differences are small. Numbers beyond 64 bits are split into words.

use super::bits::{Reader, width_of, wrong};
use super::ints;
use crate::codec::DecodeError;

/// Longer strings are left to others.
pub(super) const LONGEST: usize = 128;

/// How the bytes at one position become digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    /// The byte less `low`, which is at most `span`.
    Span { low: u8, span: u8 },
    /// The place of the byte in the alphabet.
    Letter,
}

/// What [`Digits::Letter`] is written as: no span can follow this byte.
const LETTER: [u8; 2] = [1, 255];

/// How strings of one length become numbers.
#[derive(Debug)]
pub(super) struct Scheme {
    positions: Vec<Digits>,
    /// The letters, ascending; empty where no position uses them.
    alphabet: Vec<u8>,
    /// About how many bits an entropy coder would take for a string.
    pub(super) entropy: u32,
}

/// A run of positions whose digits make one word.
struct Word<'a> {
    start: usize,
    positions: &'a [Digits],
    /// One more than the largest number.
    product: u64,
}

impl Scheme {
    /// The scheme of these strings of `len` bytes.
    pub(super) fn new(strings: &[u8], len: usize) -> Scheme {
        let (low, high) = extremes(strings, len);
        let varying: Vec<usize> = (0..len).filter(|&at| low[at] < high[at]).collect();
        let widest = varying.iter().map(|&at| high[at] - low[at]).max().unwrap_or(0);
        let alphabet = if widest > NARROW { letters(strings, len, &varying) } else { Vec::new() };
        let is_wide = |span: u8| !alphabet.is_empty() && usize::from(span) >= alphabet.len();
        let positions: Vec<Digits> = (0..len)
            .map(|at| match high[at] - low[at] {
                span if is_wide(span) => Digits::Letter,
                span => Digits::Span { low: low[at], span },
            })
            .collect();
        let is_used = positions.contains(&Digits::Letter);
        let alphabet = if is_used { alphabet } else { Vec::new() };
        Scheme { positions, alphabet, entropy: entropy(strings, len, &varying) }
    }

    fn radix(&self, digits: Digits) -> u64 {
        match digits {
            Digits::Span { span, .. } => u64::from(span) + 1,
            Digits::Letter => u64::try_from(self.alphabet.len()).expect("at most 256 letters"),
        }
    }

    /// How many bits a string takes.
    pub(super) fn bits(&self) -> u32 {
        self.words().map(|word| width_of(word.product - 1)).sum()
    }

    fn words(&self) -> impl Iterator<Item = Word<'_>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let rest = &self.positions[start..];
            let mut product = 1u64;
            let mut len = 0;
            while let Some(&digits) = rest.get(len) {
                let Some(next) = product.checked_mul(self.radix(digits)) else { break };
                product = next;
                len += 1;
            }
            let word = Word { start, positions: &rest[..len], product };
            start += len;
            (len > 0).then_some(word)
        })
        .filter(|word| word.product > 1)
    }

    /// Appends the scheme and the strings. Their number and length are not written.
    pub(super) fn write(&self, strings: &[u8], out: &mut Vec<u8>) {
        for digits in &self.positions {
            out.extend_from_slice(&match *digits {
                Digits::Span { low, span } => [low, span],
                Digits::Letter => LETTER,
            });
        }
        let mut places = [0u8; 256];
        if let Some(last) = self.alphabet.len().checked_sub(1) {
            out.push(u8::try_from(last).expect("at most 256 letters"));
            out.extend_from_slice(&self.alphabet);
            for (place, &letter) in (0..=u8::MAX).zip(&self.alphabet) {
                places[usize::from(letter)] = place;
            }
        }
        let len = self.positions.len();
        let mut numbers = Vec::with_capacity(strings.len() / len);
        for word in self.words() {
            // The weight of a position is the product of the radices after it.
            let mut weight = word.product;
            let mut varying = Vec::with_capacity(word.positions.len());
            for (at, &digits) in (word.start..).zip(word.positions) {
                weight /= self.radix(digits);
                if self.radix(digits) > 1 {
                    varying.push((at, digits, weight));
                }
            }
            numbers.clear();
            numbers.extend(strings.chunks_exact(len).map(|string| {
                varying.iter().fold(0u64, |number, &(at, digits, weight)| {
                    let digit = match digits {
                        Digits::Span { low, .. } => string[at] - low,
                        Digits::Letter => places[usize::from(string[at])],
                    };
                    number + u64::from(digit) * weight
                })
            }));
            ints::write(&numbers, out);
        }
    }

    fn read(input: &mut Reader<'_>, len: usize) -> Result<Scheme, DecodeError> {
        let mut positions = Vec::with_capacity(len);
        for _ in 0..len {
            positions.push(match [input.byte()?, input.byte()?] {
                LETTER => Digits::Letter,
                [low, span] if low.checked_add(span).is_some() => Digits::Span { low, span },
                _ => return Err(wrong("a position whose bytes end above 255")),
            });
        }
        let mut alphabet = Vec::new();
        if positions.contains(&Digits::Letter) {
            let len = usize::from(input.byte()?) + 1;
            alphabet.extend_from_slice(input.bytes(len)?);
        }
        Ok(Scheme { positions, alphabet, entropy: 0 })
    }

    /// The byte of the digit 0.
    fn lowest(&self, digits: Digits) -> u8 {
        match digits {
            Digits::Span { low, .. } => low,
            Digits::Letter => self.alphabet[0],
        }
    }

    /// The bytes of the digits below the radix.
    fn bytes(&self, digits: Digits) -> [u8; 256] {
        let mut bytes = [0; 256];
        match digits {
            Digits::Span { low, span } => {
                for (byte, value) in bytes.iter_mut().zip(low..=low + span) {
                    *byte = value;
                }
            }
            Digits::Letter => bytes[..self.alphabet.len()].copy_from_slice(&self.alphabet),
        }
        bytes
    }
}

/// Positions with a smaller span have no need of an alphabet.
const NARROW: u8 = 11;

/// The lowest and the highest byte at each position.
fn extremes(strings: &[u8], len: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut low, mut high) = (vec![u8::MAX; len], vec![0u8; len]);
    // Positions in steps of one vector register; the last step overlaps the one before it.
    let step = if len < STEP { 1 } else { STEP };
    for start in (0..len).step_by(step).map(|start| start.min(len - step)) {
        let ends = &strings[start..];
        if step == STEP {
            let (mut lowest, mut highest) = ([u8::MAX; STEP], [0u8; STEP]);
            for bytes in ends.chunks(len).filter_map(<[u8]>::first_chunk::<STEP>) {
                lowest = std::array::from_fn(|at| lowest[at].min(bytes[at]));
                highest = std::array::from_fn(|at| highest[at].max(bytes[at]));
            }
            low[start..start + STEP].copy_from_slice(&lowest);
            high[start..start + STEP].copy_from_slice(&highest);
        } else {
            low[start] = ends.iter().step_by(len).copied().min().unwrap_or(0);
            high[start] = ends.iter().step_by(len).copied().max().unwrap_or(0);
        }
    }
    (low, high)
}

const STEP: usize = 8;

/// The different bytes at these positions, ascending.
fn letters(strings: &[u8], len: usize, positions: &[usize]) -> Vec<u8> {
    let mut seen = [false; 256];
    if positions.len() == len {
        strings.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    } else {
        for string in strings.chunks_exact(len) {
            positions.iter().for_each(|&at| seen[usize::from(string[at])] = true);
        }
    }
    (0..=u8::MAX).filter(|&byte| seen[usize::from(byte)]).collect()
}

/// About how many bits an entropy coder takes for a string, from a sample of them.
fn entropy(strings: &[u8], len: usize, positions: &[usize]) -> u32 {
    let mut counts = [0u32; 256];
    let count = strings.len() / len;
    for string in strings.chunks_exact(len).step_by(count / 64 + 1) {
        for &at in positions {
            counts[usize::from(string[at])] += 1;
        }
    }
    let total = f64::from(counts.iter().sum::<u32>().max(1));
    let collision: f64 = counts.iter().map(|&n| (f64::from(n) / total).powi(2)).sum();
    let positions = u32::try_from(positions.len()).map_or(0.0, f64::from);
    let bits = -collision.max(f64::MIN_POSITIVE).log2() * positions;
    // Whole bits are exact enough.
    (0..1024u32).find(|&whole| f64::from(whole) >= bits).unwrap_or(1024)
}

/// Reads `count` strings of `len` bytes; `count * len` was checked by the caller.
pub(super) fn read(
    input: &mut Reader<'_>,
    count: usize,
    len: usize,
) -> Result<Vec<u8>, DecodeError> {
    let scheme = Scheme::read(input, len)?;
    let first: Vec<u8> = scheme.positions.iter().map(|&digits| scheme.lowest(digits)).collect();
    let mut strings = first.repeat(count);
    let mut numbers = Vec::new();
    for word in scheme.words() {
        let varying: Vec<(usize, Digits, Divisor)> = (word.start..)
            .zip(word.positions)
            .map(|(at, &digits)| (at, digits, scheme.radix(digits)))
            .filter(|&(_, _, radix)| radix > 1)
            .map(|(at, digits, radix)| (at, digits, Divisor::new(radix)))
            .collect();
        ints::read(input, count, &mut numbers)?;
        // Position by position, so that the divisions of different strings overlap.
        for &(at, digits, radix) in varying.iter().rev() {
            let bytes = scheme.bytes(digits);
            for (string, number) in strings.chunks_exact_mut(len).zip(&mut numbers) {
                let digit;
                (*number, digit) = radix.divide(*number);
                string[at] = bytes[usize::from(digit.to_le_bytes()[0])];
            }
        }
        if numbers.iter().any(|&number| number != 0) {
            return Err(wrong("a string beyond its positions"));
        }
    }
    Ok(strings)
}

/// Divides by one number many times: two multiplications instead of a division.
#[derive(Clone, Copy)]
struct Divisor {
    divisor: u64,
    /// 2^64 / divisor, rounded down.
    inverse: u64,
}

impl Divisor {
    /// `divisor` is above 1.
    fn new(divisor: u64) -> Divisor {
        // (2^64 - 1) / d is 2^64 / d rounded down, unless d is a power of two: then one less.
        let inverse = u64::MAX / divisor + u64::from(divisor.is_power_of_two());
        Divisor { divisor, inverse }
    }

    /// The quotient and the rest.
    #[inline]
    fn divide(self, number: u64) -> (u64, u64) {
        let high = (u128::from(number) * u128::from(self.inverse)) >> 64;
        let quotient = u64::try_from(high).expect("the upper half of a product of two words");
        // The inverse is short of 2^64 / d by less than one, so the quotient is right or one less.
        let rest = number - quotient * self.divisor;
        if rest < self.divisor { (quotient, rest) } else { (quotient + 1, rest - self.divisor) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(strings: &[String]) -> usize {
        let len = strings[0].len();
        let bytes = strings.concat().into_bytes();
        let mut out = Vec::new();
        Scheme::new(&bytes, len).write(&bytes, &mut out);
        let mut input = Reader::new(&out);
        assert_eq!(read(&mut input, strings.len(), len).unwrap(), bytes);
        input.finish().unwrap();
        out.len()
    }

    #[test]
    fn timestamps_take_the_bits_of_their_fields() {
        let time = |n: u64| {
            format!("2026-03-{:02} {:02}:{:02}:{:02}", n % 28 + 1, n / 7 % 24, n / 3 % 60, n % 60)
        };
        let times: Vec<String> =
            (0..255u64).map(|n| time(n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20)).collect();
        assert!(round_trip(&times) < 255 * 3 + 60);
    }

    #[test]
    fn division_by_multiplication_is_division() {
        let numbers = (0..64)
            .flat_map(|bit| [1u64 << bit, (1 << bit) - 1, u64::MAX >> bit, u64::MAX - bit])
            .chain((0..5000).map(|n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        for number in numbers {
            for divisor in 2..=256 {
                let expected = (number / divisor, number % divisor);
                assert_eq!(Divisor::new(divisor).divide(number), expected, "{number} / {divisor}");
            }
        }
    }

    #[test]
    fn strings_of_two_words_come_back() {
        let uuid = |n: u64| {
            let n = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            format!("{n:016x}-{:016x}", n.rotate_left(17) ^ 0x1234_5678)
        };
        let uuids: Vec<String> = (1..255).map(uuid).collect();
        assert!(round_trip(&uuids) < 255 * 16 + 120);
        round_trip(&["a\u{1}".into(), "b\u{7f}".into(), "zz".into()]);
    }
}
