//! Strings of one length, position by position, as numbers.
//!
//! Where each position holds few different bytes (a timestamp, a UUID in text, a serial number with
//! a prefix), a string is a number whose digits have a radix each: the span of the bytes at that
//! position, 1 where they are all the same. The first position counts most, so strings in order
//! give numbers in order, whose differences are small. Numbers beyond 64 bits are split into words.

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
    /// A lower-case hexadecimal digit.
    Hex,
}

/// What [`Digits::Hex`] is written as: no span can follow this byte.
const HEX: [u8; 2] = [1, 255];

const HEX_DIGITS: [u8; 16] = *b"0123456789abcdef";

impl Digits {
    fn radix(self) -> u64 {
        match self {
            Digits::Span { span, .. } => u64::from(span) + 1,
            Digits::Hex => 16,
        }
    }

    fn digit(self, byte: u8) -> u64 {
        u64::from(match self {
            Digits::Span { low, .. } => byte - low,
            Digits::Hex if byte > b'9' => byte - b'a' + 10,
            Digits::Hex => byte - b'0',
        })
    }

    /// The byte of a digit below the radix.
    fn byte(self, digit: u64) -> u8 {
        let digit = digit.to_le_bytes()[0];
        match self {
            Digits::Span { low, .. } => low + digit,
            Digits::Hex => HEX_DIGITS[usize::from(digit)],
        }
    }
}

/// How strings of one length become numbers.
#[derive(Debug)]
pub(super) struct Scheme {
    positions: Vec<Digits>,
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
        let (mut low, mut high) = (vec![u8::MAX; len], vec![0u8; len]);
        for string in strings.chunks_exact(len) {
            for ((low, high), &byte) in low.iter_mut().zip(&mut high).zip(string) {
                *low = (*low).min(byte);
                *high = (*high).max(byte);
            }
        }
        let positions = (0..len).map(|at| {
            let bytes = || strings[at..].iter().step_by(len);
            let may_be_hex = low[at] >= b'0' && high[at] >= b'a' && high[at] <= b'f';
            if may_be_hex && bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                Digits::Hex
            } else {
                Digits::Span { low: low[at], span: high[at] - low[at] }
            }
        });
        Scheme { positions: positions.collect() }
    }

    /// How many bits a string takes, and how many of its bytes vary.
    pub(super) fn cost(&self) -> (u64, u64) {
        let bits = self.words().map(|word| u64::from(width_of(word.product - 1))).sum();
        let varying = self.positions.iter().map(|digits| u64::from(digits.radix() > 1)).sum();
        (bits, varying)
    }

    fn words(&self) -> impl Iterator<Item = Word<'_>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let rest = &self.positions[start..];
            let mut product = 1u64;
            let mut len = 0;
            while let Some(next) = rest.get(len).and_then(|d| product.checked_mul(d.radix())) {
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
                Digits::Hex => HEX,
            });
        }
        let len = self.positions.len();
        let mut numbers = Vec::with_capacity(strings.len() / len);
        for word in self.words() {
            let varying: Vec<(usize, Digits)> = (word.start..)
                .zip(word.positions.iter().copied())
                .filter(|(_, digits)| digits.radix() > 1)
                .collect();
            numbers.clear();
            numbers.extend(strings.chunks_exact(len).map(|string| {
                varying.iter().fold(0u64, |number, &(at, digits)| {
                    number * digits.radix() + digits.digit(string[at])
                })
            }));
            ints::write(&numbers, out);
        }
    }
}

/// Reads `count` strings of `len` bytes; `count * len` was checked by the caller.
pub(super) fn read(
    input: &mut Reader<'_>,
    count: usize,
    len: usize,
) -> Result<Vec<u8>, DecodeError> {
    let mut positions = Vec::with_capacity(len);
    for _ in 0..len {
        positions.push(match [input.byte()?, input.byte()?] {
            HEX => Digits::Hex,
            [low, span] if low.checked_add(span).is_some() => Digits::Span { low, span },
            _ => return Err(wrong("a position whose bytes end above 255")),
        });
    }
    let scheme = Scheme { positions };
    let first: Vec<u8> = scheme.positions.iter().map(|digits| digits.byte(0)).collect();
    let mut strings = first.repeat(count);
    let mut numbers = Vec::new();
    for word in scheme.words() {
        ints::read(input, count, &mut numbers)?;
        for (string, &number) in strings.chunks_exact_mut(len).zip(&numbers) {
            let mut number = number;
            let positions = &mut string[word.start..][..word.positions.len()];
            for (byte, digits) in positions.iter_mut().zip(word.positions).rev() {
                let radix = digits.radix();
                if radix > 1 {
                    *byte = digits.byte(number % radix);
                    number /= radix;
                }
            }
            if number != 0 {
                return Err(wrong("a string beyond its positions"));
            }
        }
    }
    Ok(strings)
}
