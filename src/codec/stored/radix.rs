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
        let (mut low, mut high) = (vec![u8::MAX; len], vec![0u8; len]);
        for string in strings.chunks_exact(len) {
            for ((low, high), &byte) in low.iter_mut().zip(&mut high).zip(string) {
                *low = (*low).min(byte);
                *high = (*high).max(byte);
            }
        }
        let varies: Vec<bool> = low.iter().zip(&high).map(|(low, high)| low < high).collect();
        let mut counts = [0u32; 256];
        for string in strings.chunks_exact(len) {
            for (&byte, _) in string.iter().zip(&varies).filter(|(_, varies)| **varies) {
                counts[usize::from(byte)] += 1;
            }
        }
        let mut alphabet: Vec<u8> =
            (0..=u8::MAX).filter(|&byte| counts[usize::from(byte)] > 0).collect();
        let positions: Vec<Digits> = low
            .iter()
            .zip(&high)
            .map(|(&low, &high)| {
                let span = high - low;
                let is_wide = usize::from(span) >= alphabet.len();
                if is_wide { Digits::Letter } else { Digits::Span { low, span } }
            })
            .collect();
        if !positions.contains(&Digits::Letter) {
            alphabet.clear();
        }
        Scheme { positions, alphabet, entropy: entropy(&counts, strings.len() / len) }
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
            let varying: Vec<(usize, Digits, u64)> = (word.start..)
                .zip(word.positions)
                .map(|(at, &digits)| (at, digits, self.radix(digits)))
                .filter(|&(_, _, radix)| radix > 1)
                .collect();
            numbers.clear();
            numbers.extend(strings.chunks_exact(len).map(|string| {
                varying.iter().fold(0u64, |number, &(at, digits, radix)| {
                    let digit = match digits {
                        Digits::Span { low, .. } => string[at] - low,
                        Digits::Letter => places[usize::from(string[at])],
                    };
                    number * radix + u64::from(digit)
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

    /// The byte of a digit below its radix.
    fn byte(&self, digits: Digits, digit: u64) -> u8 {
        let digit = digit.to_le_bytes()[0];
        match digits {
            Digits::Span { low, .. } => low + digit,
            Digits::Letter => self.alphabet[usize::from(digit)],
        }
    }
}

/// About how many bits an entropy coder takes for one of `count` strings with these letters.
fn entropy(counts: &[u32; 256], count: usize) -> u32 {
    let letters: u32 = counts.iter().sum();
    if letters == 0 {
        return 0;
    }
    let total = f64::from(letters);
    let collision: f64 = counts.iter().map(|&n| (f64::from(n) / total).powi(2)).sum();
    let strings = u32::try_from(count).map_or(f64::INFINITY, f64::from);
    let bits = -collision.log2() * total / strings;
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
    let first: Vec<u8> = scheme.positions.iter().map(|&digits| scheme.byte(digits, 0)).collect();
    let mut strings = first.repeat(count);
    let mut numbers = Vec::new();
    for word in scheme.words() {
        let varying: Vec<(usize, Digits, u64)> = (word.start..)
            .zip(word.positions)
            .map(|(at, &digits)| (at, digits, scheme.radix(digits)))
            .filter(|&(_, _, radix)| radix > 1)
            .collect();
        ints::read(input, count, &mut numbers)?;
        for (string, &number) in strings.chunks_exact_mut(len).zip(&numbers) {
            let mut number = number;
            for &(at, digits, radix) in varying.iter().rev() {
                string[at] = scheme.byte(digits, number % radix);
                number /= radix;
            }
            if number != 0 {
                return Err(wrong("a string beyond its positions"));
            }
        }
    }
    Ok(strings)
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
