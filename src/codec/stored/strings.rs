//! Runs of strings: the payloads of one type tag, without a number's structure.
//!
//! Five forms: as *numbers* where all have one length and few different bytes a position
//! (`radix`), by a *dictionary* where few of them are different, as *decimals* of one scale, as
//! *templates* where few of them are different but for the numbers in them, else their *bytes*
//! through zstd.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use super::bits::{Reader, pack, width_of, write_len, wrong};
use super::decimals::{self, Decimals};
use super::radix::{self, Scheme};
use super::templates::{self, Templates};
use super::{ints, squeeze};
use crate::codec::DecodeError;

const BYTES: u8 = 0;
const NUMBERS: u8 = 1;
const DICTIONARY: u8 = 2;
const TEMPLATES: u8 = 3;
const DECIMALS: u8 = 4;

/// How long the strings of a run are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lens<'a> {
    /// All as long as their type tag says.
    Fixed(usize),
    /// One length a string.
    Each(&'a [u64]),
    /// The same, of payloads that are decimals.
    Decimals(&'a [u64]),
}

impl<'a> Lens<'a> {
    /// The length of each string, where their type tag does not say it.
    fn each(self) -> Option<&'a [u64]> {
        match self {
            Lens::Fixed(_) => None,
            Lens::Each(lens) | Lens::Decimals(lens) => Some(lens),
        }
    }
}

/// Strings that were read.
#[derive(Debug, Default)]
pub(super) struct Strings {
    /// The strings, one after the other.
    pub(super) bytes: Vec<u8>,
    /// Their lengths, where their type tag does not say it.
    pub(super) lens: Vec<u64>,
}

pub(super) fn as_len(len: u64) -> usize {
    usize::try_from(len).expect("lengths of what is in memory")
}

/// How many bits tell this many entries apart.
fn bits_of(entries: usize) -> u32 {
    width_of(u64::try_from(entries.saturating_sub(1)).expect("at most 128 entries"))
}

fn bits_as_len(bits: u32) -> usize {
    usize::try_from(bits).expect("a width in bits")
}

/// Appends a run. The number of strings is not written.
pub(super) fn write(lens: Lens<'_>, strings: &[u8], out: &mut Vec<u8>) {
    if write_packed(lens, strings, out).is_none() {
        out.push(BYTES);
        if let Some(lens) = lens.each() {
            ints::write(lens, out);
        }
        squeeze::write(strings, out);
    }
}

/// Appends a run in a form of its own, where one is worth it.
fn write_packed(lens: Lens<'_>, strings: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if lens.each().is_some() && squeeze::looks_random(strings) {
        return None;
    }
    let common = match lens {
        Lens::Fixed(len) => Some(len),
        Lens::Each(lens) | Lens::Decimals(lens) => {
            let first = lens.first().copied().unwrap_or(0);
            lens.iter().all(|&len| len == first).then(|| as_len(first))
        }
    };
    let count = match lens {
        Lens::Fixed(len) => strings.len() / len,
        Lens::Each(lens) | Lens::Decimals(lens) => lens.len(),
    };
    let dictionary = lens.each().and_then(|lens| Dictionary::new(lens, strings));
    let scheme = common
        .filter(|len| (1..=radix::LONGEST).contains(len))
        .map(|len| (len, Scheme::new(strings, len)))
        // Letters that come in words are better left to zstd, and random bytes as they are.
        .filter(|&(len, ref scheme)| {
            let bits = scheme.bits();
            bits <= scheme.entropy + scheme.entropy / 16 && bits_as_len(bits) <= len * 7
        });
    match (scheme, dictionary) {
        (Some((len, scheme)), dictionary)
            if dictionary.as_ref().is_none_or(|dictionary| {
                count * bits_as_len(scheme.bits()) / 8 <= dictionary.cost(count)
            }) =>
        {
            out.push(NUMBERS);
            if lens.each().is_some() {
                write_len(len, out);
            }
            scheme.write(strings, out);
        }
        (_, Some(dictionary)) => {
            out.push(DICTIONARY);
            dictionary.write(strings, out);
        }
        _ => match lens {
            Lens::Fixed(_) => return None,
            Lens::Decimals(lens) => {
                let decimals = Decimals::new(lens, strings)?;
                out.push(DECIMALS);
                decimals.write(out);
            }
            Lens::Each(lens) => {
                let templates = Templates::new(lens, strings)?;
                out.push(TEMPLATES);
                templates.write(out);
            }
        },
    }
    Some(())
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
        (DICTIONARY, None) => {
            let (dictionary, bytes) = Dictionary::read(input, count, limit)?;
            dictionary.strings(&bytes, limit)
        }
        (TEMPLATES, None) => templates::read(input, count, limit),
        (DECIMALS, None) => decimals::read(input, count, limit),
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
#[derive(Debug)]
pub(super) struct Dictionary {
    /// Where they are among the bytes of the run.
    pub(super) entries: Vec<Range<usize>>,
    /// The number of its entry for each row.
    pub(super) rows: Vec<u8>,
}

/// At most so many entries: more are found by zstd.
const MOST_ENTRIES: usize = 128;

const SLOTS: usize = 512;

/// A dictionary that grows with the rows.
pub(super) struct DictionaryBuilder {
    dictionary: Dictionary,
    /// One more than the number of an entry, by its hash; 0 is empty.
    slots: [u8; SLOTS],
}

impl DictionaryBuilder {
    /// Adds the string of the next row. `false` where there are too many different ones.
    pub(super) fn add(&mut self, bytes: &[u8], at: Range<usize>) -> bool {
        let string = &bytes[at.clone()];
        let hash = xxh3_64(string).to_le_bytes();
        let mut slot = usize::from(u16::from_le_bytes([hash[0], hash[1]])) % SLOTS;
        let Dictionary { entries, rows } = &mut self.dictionary;
        loop {
            match self.slots[slot].checked_sub(1) {
                None if entries.len() >= (16 + rows.len() / 2).min(MOST_ENTRIES) => return false,
                None => {
                    entries.push(at);
                    let number = u8::try_from(entries.len()).expect("at most 128 entries");
                    self.slots[slot] = number;
                    rows.push(number - 1);
                    return true;
                }
                Some(number) if bytes[entries[usize::from(number)].clone()] == *string => {
                    rows.push(number);
                    return true;
                }
                Some(_) => slot = (slot + 1) % SLOTS,
            }
        }
    }

    pub(super) fn finish(self) -> Dictionary {
        self.dictionary
    }
}

impl Dictionary {
    pub(super) fn builder(rows: usize) -> DictionaryBuilder {
        let dictionary = Dictionary { entries: Vec::new(), rows: Vec::with_capacity(rows) };
        DictionaryBuilder { dictionary, slots: [0; SLOTS] }
    }

    /// The dictionary of these strings, if it is worth it.
    fn new(lens: &[u64], strings: &[u8]) -> Option<Dictionary> {
        let mut building = Dictionary::builder(lens.len());
        let mut start = 0;
        for &len in lens {
            let at = start..start + as_len(len);
            start = at.end;
            if !building.add(strings, at) {
                return None;
            }
        }
        let dictionary = building.finish();
        (dictionary.cost(lens.len()) < strings.len() / 2).then_some(dictionary)
    }

    /// How many bytes its entries take, about.
    pub(super) fn entries_len(&self) -> usize {
        self.entries.iter().map(|entry| entry.len() + 1).sum()
    }

    /// How many bytes it will take for `count` strings, about.
    fn cost(&self, count: usize) -> usize {
        self.entries_len() + count * bits_as_len(self.width()) / 8
    }

    fn width(&self) -> u32 {
        bits_of(self.entries.len())
    }

    /// Appends the entries and the rows.
    pub(super) fn write(&self, strings: &[u8], out: &mut Vec<u8>) {
        write_len(self.entries.len(), out);
        let lens: Vec<u64> =
            self.entries.iter().map(|entry| u64::try_from(entry.len()).expect("short")).collect();
        ints::write(&lens, out);
        let mut bytes = Vec::new();
        self.entries.iter().for_each(|entry| bytes.extend_from_slice(&strings[entry.clone()]));
        squeeze::write(&bytes, out);
        pack(self.rows.iter().map(|&number| u64::from(number)), self.width(), out);
    }

    /// Reads a dictionary for `count` rows, and the bytes of its entries.
    pub(super) fn read(
        input: &mut Reader<'_>,
        count: usize,
        limit: usize,
    ) -> Result<(Dictionary, Vec<u8>), DecodeError> {
        let mut lens = Vec::new();
        let entries = input.len(MOST_ENTRIES)?;
        ints::read(input, entries, &mut lens)?;
        let bytes = squeeze::read(input, total_of(&lens, limit)?)?;
        let mut dictionary = Dictionary::builder(count).finish();
        let mut start = 0;
        for len in lens {
            dictionary.entries.push(start..start + as_len(len));
            start += as_len(len);
        }
        let (rows, width) = (&mut dictionary.rows, bits_of(entries));
        input.unpack(count, width, |number| rows.push(number.to_le_bytes()[0]))?;
        if dictionary.rows.iter().any(|&row| usize::from(row) >= entries) {
            return Err(wrong("an entry beyond its dictionary"));
        }
        Ok((dictionary, bytes))
    }

    /// The strings of all rows.
    fn strings(&self, bytes: &[u8], limit: usize) -> Result<Strings, DecodeError> {
        let entries = self.rows.iter().map(|&row| self.entries[usize::from(row)].clone());
        let lens: Vec<u64> = entries.clone().map(|entry| entry.len() as u64).collect();
        let mut all = Vec::with_capacity(total_of(&lens, limit)?);
        entries.for_each(|entry| all.extend_from_slice(&bytes[entry]));
        Ok(Strings { bytes: all, lens })
    }
}
