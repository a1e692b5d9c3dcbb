//! Column blocks in packed form: tags, then the payloads of each tag as what they are.
//!
//! Tags are numbered and bit-packed. The payloads of one tag form a run: integers, floats or
//! strings. Only blocks that are just as `block::ColumnBuilder` writes them take this form, since
//! the plain bytes are rebuilt by the same rules.

use std::borrow::Cow;

use super::bits::{Reader, pack, width_of, write_len, wrong};
use super::strings::{self, Lens, Strings};
use super::{MAX_ROWS, floats, ints};
use crate::codec::DecodeError;
use crate::codec::block::{self, Runs};
use crate::codec::cell::{self, tag};

/// The payloads of one tag.
struct Part<'a> {
    tag: u8,
    /// The length of each payload, where the tag says it.
    width: Option<usize>,
    payloads: Cow<'a, [u8]>,
    /// The lengths of the payloads, where the tag does not say it.
    lens: Vec<u64>,
}

/// Appends the packed form, or returns `None` where the block has none.
pub(super) fn write(plain: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let runs = block::runs(plain).ok()??;
    if runs.rows == 0 || runs.rows > MAX_ROWS {
        return None;
    }
    let parts = parts_of(&runs)?;
    write_len(runs.rows, out);
    out.push(u8::try_from(parts.len()).expect("there are fewer than 64 tags"));
    out.extend(parts.iter().map(|part| part.tag));
    if parts.len() > 1 {
        let mut numbers = [0u64; 256];
        for (number, part) in (0..).zip(&parts) {
            numbers[usize::from(part.tag)] = number;
        }
        let tags = runs.tags.iter().map(|&tag| numbers[usize::from(tag)]);
        pack(tags, number_width(parts.len()), out);
    }
    parts.iter().for_each(|part| part.write(out));
    Some(())
}

fn number_width(parts: usize) -> u32 {
    width_of(u64::try_from(parts - 1).expect("there are fewer than 64 tags"))
}

fn lens_of(runs: &Runs<'_>) -> impl Iterator<Item = u64> {
    runs.lens
        .chunks_exact(4)
        .map(|len| u64::from(u32::from_le_bytes(len.try_into().expect("chunks of 4 bytes"))))
}

/// The parts of a block, in the order of their tags; `None` where its lengths do not fit.
fn parts_of<'a>(runs: &Runs<'a>) -> Option<Vec<Part<'a>>> {
    let mut counts = [0usize; 256];
    runs.tags.iter().for_each(|&tag| counts[usize::from(tag)] += 1);
    let mut parts = Vec::new();
    let (mut total, mut with_payload) = (0usize, 0);
    for (tag, &count) in (0..=u8::MAX).zip(&counts).filter(|(_, count)| **count > 0) {
        let rows = if runs.is_uniform { runs.rows } else { count };
        let width = cell::fixed_len(tag).ok()?;
        total = total.checked_add(width.unwrap_or(0).checked_mul(rows)?)?;
        with_payload += usize::from(width != Some(0));
        parts.push(Part { tag, width, payloads: Cow::Borrowed(&[]), lens: Vec::new() });
    }
    for len in lens_of(runs) {
        total = total.checked_add(usize::try_from(len).ok()?)?;
    }
    // One tag in the list of a mixed block is not what the builder would have written.
    let is_canonical = runs.is_uniform == (parts.len() == 1);
    if total != runs.payloads.len() || !is_canonical || with_payload == 0 {
        return None;
    }
    if with_payload == 1 {
        let part = parts.iter_mut().find(|part| part.width != Some(0))?;
        part.payloads = Cow::Borrowed(runs.payloads);
        part.lens = lens_of(runs).collect();
    } else {
        divide(runs, &mut parts);
    }
    Some(parts)
}

/// Gives each part its payloads, where several have some.
fn divide(runs: &Runs<'_>, parts: &mut [Part<'_>]) {
    let mut numbers = [0usize; 256];
    for (number, part) in parts.iter().enumerate() {
        numbers[usize::from(part.tag)] = number;
    }
    let mut lens = lens_of(runs);
    let mut rest = runs.payloads;
    for &tag in runs.tags {
        let part = &mut parts[numbers[usize::from(tag)]];
        let len = part.width.unwrap_or_else(|| {
            let len = lens.next().expect("one length a payload without a fixed one");
            part.lens.push(len);
            usize::try_from(len).expect("lengths were added up before")
        });
        let (payload, after) = rest.split_at(len);
        match <&[u8; 8]>::try_from(payload) {
            Ok(word) => part.payloads.to_mut().extend_from_slice(word),
            Err(_) => part.payloads.to_mut().extend_from_slice(payload),
        }
        rest = after;
    }
}

fn is_integer(tag: u8) -> bool {
    matches!(tag, tag::INT | tag::UINT | tag::TIME)
}

fn words_of(payloads: &[u8]) -> Vec<u64> {
    payloads
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().expect("chunks of 8 bytes")))
        .collect()
}

fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

impl Part<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self.width {
            Some(0) => {}
            _ if is_integer(self.tag) => ints::write(&words_of(&self.payloads), out),
            _ if self.tag == tag::FLOAT64 => floats::write(&words_of(&self.payloads), out),
            Some(width) => strings::write(Lens::Fixed(width), &self.payloads, out),
            None if self.tag == tag::DECIMAL => {
                strings::write(Lens::Decimals(&self.lens), &self.payloads, out);
            }
            None => strings::write(Lens::Each(&self.lens), &self.payloads, out),
        }
    }

    /// Reads the payloads of `rows` cells, of at most `limit` bytes together.
    fn read(
        tag: u8,
        rows: usize,
        input: &mut Reader<'_>,
        limit: usize,
    ) -> Result<Part<'static>, DecodeError> {
        let width = cell::fixed_len(tag)?;
        let at_least = width.unwrap_or(4).checked_mul(rows);
        if at_least.is_none_or(|len| len > limit) {
            return Err(wrong("more rows than it has room for"));
        }
        let Strings { bytes, lens } = match width {
            Some(0) => Strings::default(),
            _ if is_integer(tag) => {
                let mut words = Vec::new();
                ints::read(input, rows, &mut words)?;
                Strings { bytes: bytes_of(&words), lens: Vec::new() }
            }
            _ if tag == tag::FLOAT64 => {
                let mut words = Vec::new();
                floats::read(input, rows, &mut words)?;
                Strings { bytes: bytes_of(&words), lens: Vec::new() }
            }
            width => strings::read(input, rows, width, limit)?,
        };
        Ok(Part { tag, width, payloads: Cow::Owned(bytes), lens })
    }
}

/// Rebuilds the plain bytes, which must be `plain_len`.
pub(super) fn read(input: &mut Reader<'_>, plain_len: usize) -> Result<Vec<u8>, DecodeError> {
    let rows = input.len(MAX_ROWS.min(plain_len))?;
    let count = usize::from(input.byte()?);
    let tags = input.bytes(count)?;
    if rows == 0 || count == 0 || !tags.windows(2).all(|pair| pair[0] < pair[1]) {
        return Err(wrong("a column block with impossible tags"));
    }
    // The number of its tag for each row; none where there is but one tag.
    let mut numbers = Vec::with_capacity(if count == 1 { 0 } else { rows });
    let mut rows_of = vec![if count == 1 { rows } else { 0 }; count];
    if count > 1 {
        let each = |number: u64| numbers.push(number.to_le_bytes()[0]);
        input.unpack(rows, number_width(count), each)?;
        for &number in &numbers {
            let rows = rows_of.get_mut(usize::from(number));
            *rows.ok_or_else(|| wrong("a tag beyond its list"))? += 1;
        }
    }
    let mut room = plain_len;
    let mut parts = Vec::with_capacity(count);
    for (&tag, &rows) in tags.iter().zip(&rows_of) {
        let part = Part::read(tag, rows, input, room)?;
        room = room.saturating_sub(part.payloads.len());
        parts.push(part);
    }
    let plain = join(rows, &numbers, &parts, plain_len);
    if plain.len() == plain_len { Ok(plain) } else { Err(wrong("not as long as promised")) }
}

/// Writes the parts as `block::ColumnBuilder` would have.
fn join(rows: usize, numbers: &[u8], parts: &[Part<'_>], plain_len: usize) -> Vec<u8> {
    let mut plain = Vec::with_capacity(plain_len);
    let is_uniform = parts.len() == 1;
    plain.push(if is_uniform { block::UNIFORM } else { block::MIXED });
    plain.extend_from_slice(&u32::try_from(rows).expect("below MAX_ROWS").to_le_bytes());
    if is_uniform {
        plain.push(parts[0].tag);
    } else {
        plain.extend(numbers.iter().map(|&number| parts[usize::from(number)].tag));
    }
    let mut with_payload = parts.iter().filter(|part| part.width != Some(0));
    match (with_payload.next(), with_payload.next()) {
        (Some(only), None) => {
            only.lens.iter().for_each(|&len| write_block_len(len, &mut plain));
            plain.extend_from_slice(&only.payloads);
        }
        _ => interleave(numbers, parts, &mut plain),
    }
    plain
}

fn write_block_len(len: u64, plain: &mut Vec<u8>) {
    // A length above 32 bits is above the length of every object, and was refused.
    plain.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

/// Writes lengths and payloads in the order of the rows, where several tags have some.
fn interleave(numbers: &[u8], parts: &[Part<'_>], plain: &mut Vec<u8>) {
    let mut lens: Vec<_> = parts.iter().map(|part| part.lens.iter()).collect();
    for &number in numbers {
        if let Some(&len) = lens[usize::from(number)].next() {
            write_block_len(len, plain);
        }
    }
    let mut rest: Vec<_> = parts.iter().map(|part| (&*part.payloads, part.lens.iter())).collect();
    for &number in numbers {
        let (payloads, lens) = &mut rest[usize::from(number)];
        let len = parts[usize::from(number)]
            .width
            .or_else(|| lens.next().and_then(|&len| usize::try_from(len).ok()));
        let split = len.and_then(|len| payloads.split_at_checked(len));
        let (payload, after) = split.unwrap_or((payloads, &[]));
        plain.extend_from_slice(payload);
        *payloads = after;
    }
}
