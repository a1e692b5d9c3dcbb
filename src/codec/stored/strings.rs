//! Runs of strings: the payloads of one type tag, without a number's structure.
//!
//! Three forms: as *numbers* where all have one length and few different bytes a position
//! (`radix`), by a *dictionary* where few of them are different, else their *bytes* through zstd.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::bits::{Reader, pack, width_of, write_len, wrong};
use super::radix::{self, Scheme};
use super::{ints, squeeze};
use crate::codec::DecodeError;

const BYTES: u8 = 0;
const NUMBERS: u8 = 1;
const DICTIONARY: u8 = 2;

/// How long the strings of a run are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lens<'a> {
    /// All as long as their type tag says.
    Fixed(usize),
    /// One length a string.
    Each(&'a [u64]),
}

/// Strings that were read.
#[derive(Debug, Default)]
pub(super) struct Strings {
    /// The strings, one after the other.
    pub(super) bytes: Vec<u8>,
    /// Their lengths, where their type tag does not say it.
    pub(super) lens: Vec<u64>,
}

fn as_len(len: u64) -> usize {
    usize::try_from(len).expect("lengths of what is in memory")
}

fn bits_as_len(bits: u32) -> usize {
    usize::try_from(bits).expect("a width in bits")
}

/// Appends a run. The number of strings is not written.
pub(super) fn write(lens: Lens<'_>, strings: &[u8], out: &mut Vec<u8>) {
    let common = match lens {
        Lens::Fixed(len) => Some(len),
        Lens::Each(lens) => {
            let first = lens.first().copied().unwrap_or(0);
            lens.iter().all(|&len| len == first).then(|| as_len(first))
        }
    };
    let count = match lens {
        Lens::Fixed(len) => strings.len() / len,
        Lens::Each(lens) => lens.len(),
    };
    let dictionary = match lens {
        Lens::Fixed(_) => None,
        Lens::Each(lens) => Dictionary::new(lens, strings),
    };
    let scheme = common
        .filter(|len| (1..=radix::LONGEST).contains(len))
        .map(|len| (len, Scheme::new(strings, len)))
        // Letters that come in words are better left to zstd, and random bytes as they are.
        .filter(|&(len, ref scheme)| {
            let bits = scheme.bits();
            bits <= scheme.entropy + scheme.entropy / 16 && bits_as_len(bits) <= len * 7
        });
    match (scheme, dictionary) {
        (Some((_, scheme)), Some(dictionary))
            if dictionary.cost(count) < count * bits_as_len(scheme.bits()) / 8 =>
        {
            out.push(DICTIONARY);
            return dictionary.write(strings, out);
        }
        (Some((len, scheme)), _) => {
            out.push(NUMBERS);
            if matches!(lens, Lens::Each(_)) {
                write_len(len, out);
            }
            return scheme.write(strings, out);
        }
        (None, Some(dictionary)) => {
            out.push(DICTIONARY);
            return dictionary.write(strings, out);
        }
        (None, None) => {}
    }
    out.push(BYTES);
    if let Lens::Each(lens) = lens {
        ints::write(lens, out);
    }
    squeeze::write(strings, out);
}

/// Reads `count` strings of at most `limit` bytes together.
pub(super) fn read(
    input: &mut Reader<'_>,
    count: usize,
    fixed_len: Option<usize>,
    limit: usize,
) -> Result<Strings, DecodeError> {
    let total = |len: usize| {
        len.checked_mul(count).filter(|&total| total <= limit).ok_or_else(|| wrong("too long"))
    };
    match (input.byte()?, fixed_len) {
        (NUMBERS, Some(len)) => {
            total(len)?;
            Ok(Strings { bytes: radix::read(input, count, len)?, lens: Vec::new() })
        }
        (NUMBERS, None) => {
            let len = input.len(radix::LONGEST)?;
            if len == 0 {
                return Err(wrong("numbers of no digits"));
            }
            total(len)?;
            let lens = vec![u64::try_from(len).expect("at most 128"); count];
            Ok(Strings { bytes: radix::read(input, count, len)?, lens })
        }
        (BYTES, Some(len)) => {
            Ok(Strings { bytes: squeeze::read(input, total(len)?)?, lens: Vec::new() })
        }
        (BYTES, None) => {
            let mut lens = Vec::new();
            ints::read(input, count, &mut lens)?;
            let bytes = squeeze::read(input, total_of(&lens, limit)?)?;
            Ok(Strings { bytes, lens })
        }
        (DICTIONARY, None) => read_dictionary(input, count, limit),
        _ => Err(wrong("strings of unknown form")),
    }
}

fn total_of(lens: &[u64], limit: usize) -> Result<usize, DecodeError> {
    lens.iter()
        .try_fold(0u64, |total, &len| total.checked_add(len))
        .and_then(|total| usize::try_from(total).ok())
        .filter(|&total| total <= limit)
        .ok_or_else(|| wrong("strings longer than promised"))
}

/// The different strings of a run, and which one stands in each row.
struct Dictionary {
    entries: Vec<Range<usize>>,
    rows: Vec<u16>,
}

/// At most so many entries, so that the table of them stays in the cache.
const MOST_ENTRIES: usize = 128;

const SLOTS: usize = 512;

impl Dictionary {
    /// The dictionary of these strings, if it is worth it.
    fn new(lens: &[u64], strings: &[u8]) -> Option<Dictionary> {
        let mut slots = [0u16; SLOTS];
        let mut dictionary =
            Dictionary { entries: Vec::new(), rows: Vec::with_capacity(lens.len()) };
        let mut start = 0;
        for (row, &len) in lens.iter().enumerate() {
            let at = start..start + as_len(len);
            start = at.end;
            let number = dictionary.number_of(strings, at, &mut slots);
            dictionary.rows.push(number);
            if dictionary.entries.len() > (16 + row / 4).min(MOST_ENTRIES) {
                return None;
            }
        }
        (dictionary.cost(lens.len()) < strings.len() / 2).then_some(dictionary)
    }

    /// How many bytes it will take for `count` strings, about.
    fn cost(&self, count: usize) -> usize {
        self.entries.iter().map(|entry| entry.len() + 1).sum::<usize>()
            + count * bits_as_len(self.width()) / 8
    }

    fn number_of(&mut self, strings: &[u8], at: Range<usize>, slots: &mut [u16; SLOTS]) -> u16 {
        let string = &strings[at.clone()];
        let hash = xxh3_64(string).to_le_bytes();
        let mut slot = usize::from(u16::from_le_bytes([hash[0], hash[1]])) % SLOTS;
        loop {
            match slots[slot].checked_sub(1) {
                None => {
                    self.entries.push(at);
                    let number = u16::try_from(self.entries.len()).expect("at most 129 entries");
                    slots[slot] = number;
                    return number - 1;
                }
                Some(number) if strings[self.entries[usize::from(number)].clone()] == *string => {
                    return number;
                }
                Some(_) => slot = (slot + 1) % SLOTS,
            }
        }
    }

    fn width(&self) -> u32 {
        width_of(u64::try_from(self.entries.len() - 1).expect("at most 128 entries"))
    }

    fn write(&self, strings: &[u8], out: &mut Vec<u8>) {
        write_len(self.entries.len(), out);
        let lens: Vec<u64> =
            self.entries.iter().map(|entry| u64::try_from(entry.len()).expect("short")).collect();
        ints::write(&lens, out);
        let mut bytes = Vec::new();
        self.entries.iter().for_each(|entry| bytes.extend_from_slice(&strings[entry.clone()]));
        squeeze::write(&bytes, out);
        pack(self.rows.iter().map(|&number| u64::from(number)), self.width(), out);
    }
}

fn read_dictionary(
    input: &mut Reader<'_>,
    count: usize,
    limit: usize,
) -> Result<Strings, DecodeError> {
    let entries = input.len(MOST_ENTRIES)?;
    let mut entry_lens = Vec::new();
    ints::read(input, entries, &mut entry_lens)?;
    let bytes = squeeze::read(input, total_of(&entry_lens, limit)?)?;
    let mut ranges = Vec::with_capacity(entries);
    let mut start = 0;
    for &len in &entry_lens {
        ranges.push(start..start + as_len(len));
        start += as_len(len);
    }
    let last = u64::try_from(entries).ok().and_then(|entries| entries.checked_sub(1));
    let width = width_of(last.ok_or_else(|| wrong("a dictionary without entries"))?);
    let mut rows = Vec::with_capacity(count);
    input.unpack(count, width, |number| rows.push(as_len(number)))?;
    let mut lens = Vec::with_capacity(count);
    for &row in &rows {
        lens.push(*entry_lens.get(row).ok_or_else(|| wrong("an entry beyond its dictionary"))?);
    }
    let mut all = Vec::with_capacity(total_of(&lens, limit)?);
    rows.iter().for_each(|&row| all.extend_from_slice(&bytes[ranges[row].clone()]));
    Ok(Strings { bytes: all, lens })
}
