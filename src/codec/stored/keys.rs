//! Key blocks in packed form.
//!
//! Three forms: integer keys *by component*, of which sorted consecutive ones cost almost nothing;
//! keys of one length as *numbers* (`radix`); others *front-coded*, each as the length of what it
//! shares with the key before it, and the rest through zstd. Only blocks that are just as
//! `block::write_keys` writes them take these forms.

use super::bits::{Reader, write_len, wrong};
use super::radix::{self, Scheme};
use super::{MAX_ROWS, ints, squeeze};
use crate::codec::DecodeError;
use crate::codec::cell::tag;

const INTEGERS: u8 = 0;
const NUMBERS: u8 = 1;
const FRONT_CODED: u8 = 2;

/// A tag and eight bytes.
const COMPONENT: usize = 9;

/// The sign bit, which a key has flipped so that negative numbers sort first.
const SIGN: u64 = 1 << 63;

/// Appends the packed form, or returns `None` where the block has none.
pub(super) fn write(plain: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (head, rest) = plain.split_first_chunk::<8>()?;
    let [rows, common] =
        [[head[0], head[1], head[2], head[3]], [head[4], head[5], head[6], head[7]]]
            .map(|number| usize::try_from(u32::from_le_bytes(number)).ok());
    let (rows, common) = (rows?, common?);
    if rows == 0 || rows > MAX_ROWS {
        return None;
    }
    write_len(rows, out);
    if common == 0 {
        let (lens, keys) = rest.split_at_checked(rows.checked_mul(4)?)?;
        let lens: Vec<usize> = lens
            .chunks_exact(4)
            .map(|len| {
                let len = u32::from_le_bytes(len.try_into().expect("chunks of 4 bytes"));
                usize::try_from(len).ok().filter(|&len| len <= keys.len())
            })
            .collect::<Option<_>>()?;
        let fits = lens.iter().sum::<usize>() == keys.len();
        if !fits || lens.iter().all(|len| *len == lens[0]) {
            return None;
        }
        write_front_coded(&lens, keys, out);
        return Some(());
    }
    if rows.checked_mul(common) != Some(rest.len()) {
        return None;
    }
    if common.is_multiple_of(COMPONENT) && rest.iter().step_by(COMPONENT).all(|&t| t == tag::INT) {
        out.push(INTEGERS);
        write_len(common / COMPONENT, out);
        write_components(common, rest, out);
        return Some(());
    }
    if common <= radix::LONGEST {
        let scheme = Scheme::new(rest, common);
        if scheme.bits() <= scheme.entropy {
            out.push(NUMBERS);
            write_len(common, out);
            scheme.write(rest, out);
            return Some(());
        }
    }
    write_front_coded(&vec![common; rows], rest, out);
    Some(())
}

fn write_components(common: usize, keys: &[u8], out: &mut Vec<u8>) {
    let mut numbers = Vec::with_capacity(keys.len() / common);
    for start in (0..common).step_by(COMPONENT) {
        numbers.clear();
        numbers.extend(keys.chunks_exact(common).map(|key| {
            let number = key[start + 1..start + COMPONENT].try_into().expect("8 bytes");
            u64::from_be_bytes(number) ^ SIGN
        }));
        ints::write(&numbers, out);
    }
}

fn write_front_coded(lens: &[usize], keys: &[u8], out: &mut Vec<u8>) {
    out.push(FRONT_CODED);
    let (mut shared_lens, mut rest_lens) = (Vec::new(), Vec::new());
    let mut bytes = Vec::with_capacity(keys.len());
    let (mut before, mut start): (&[u8], _) = (&[], 0);
    for len in lens {
        let key = &keys[start..start + len];
        let shared = before.iter().zip(key).take_while(|(a, b)| a == b).count();
        shared_lens.push(u64::try_from(shared).expect("keys are short"));
        rest_lens.push(u64::try_from(len - shared).expect("keys are short"));
        bytes.extend_from_slice(&key[shared..]);
        (before, start) = (key, start + len);
    }
    ints::write(&shared_lens, out);
    ints::write(&rest_lens, out);
    squeeze::write(&bytes, out);
}

/// Rebuilds the plain bytes, which must be `plain_len`.
pub(super) fn read(input: &mut Reader<'_>, plain_len: usize) -> Result<Vec<u8>, DecodeError> {
    let rows = input.len(MAX_ROWS.min(plain_len))?;
    if rows == 0 {
        return Err(wrong("a key block without keys"));
    }
    let mut plain = Vec::new();
    let head = |common: usize, plain: &mut Vec<u8>| {
        for number in [rows, common] {
            let number = u32::try_from(number).expect("below the length of an object");
            plain.extend_from_slice(&number.to_le_bytes());
        }
    };
    let has_room = |common: usize| rows.checked_mul(common).is_some_and(|len| len <= plain_len);
    match input.byte()? {
        INTEGERS => {
            let components = input.len(plain_len)?;
            let common = components.saturating_mul(COMPONENT);
            if components == 0 || !has_room(common) {
                return Err(wrong("more keys than it has room for"));
            }
            head(common, &mut plain);
            read_components(input, rows, common, &mut plain)?;
        }
        NUMBERS => {
            let common = input.len(radix::LONGEST)?;
            if common == 0 || !has_room(common) {
                return Err(wrong("more keys than it has room for"));
            }
            head(common, &mut plain);
            plain.extend_from_slice(&radix::read(input, rows, common)?);
        }
        FRONT_CODED => {
            let (lens, keys) = read_front_coded(input, rows, plain_len)?;
            let common = if lens.iter().all(|len| *len == lens[0]) { lens[0] } else { 0 };
            head(common, &mut plain);
            if common == 0 {
                for len in lens {
                    let len = u32::try_from(len).expect("below the length of an object");
                    plain.extend_from_slice(&len.to_le_bytes());
                }
            }
            plain.extend_from_slice(&keys);
        }
        _ => return Err(wrong("keys of unknown form")),
    }
    if plain.len() == plain_len { Ok(plain) } else { Err(wrong("not as long as promised")) }
}

fn read_components(
    input: &mut Reader<'_>,
    rows: usize,
    common: usize,
    plain: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let start = plain.len();
    plain.resize(start + rows * common, tag::INT);
    let keys = &mut plain[start..];
    let mut numbers = Vec::new();
    for at in (0..common).step_by(COMPONENT) {
        ints::read(input, rows, &mut numbers)?;
        for (key, number) in keys.chunks_exact_mut(common).zip(&numbers) {
            key[at + 1..at + COMPONENT].copy_from_slice(&(number ^ SIGN).to_be_bytes());
        }
    }
    Ok(())
}

fn read_front_coded(
    input: &mut Reader<'_>,
    rows: usize,
    limit: usize,
) -> Result<(Vec<usize>, Vec<u8>), DecodeError> {
    let (mut shared_lens, mut rest_lens) = (Vec::new(), Vec::new());
    ints::read(input, rows, &mut shared_lens)?;
    ints::read(input, rows, &mut rest_lens)?;
    let too_long = || wrong("keys longer than promised");
    let as_len = |len: &u64| usize::try_from(*len).ok().filter(|&len| len <= limit);
    let mut total = 0usize;
    for len in &rest_lens {
        total += as_len(len).filter(|len| len + total <= limit).ok_or_else(too_long)?;
    }
    let bytes = squeeze::read(input, total)?;
    let (mut lens, mut keys): (Vec<usize>, Vec<u8>) = (Vec::with_capacity(rows), Vec::new());
    let (mut start, mut taken) = (0, 0);
    for (shared, rest) in shared_lens.iter().zip(&rest_lens) {
        let before = keys.len() - start;
        let shared = as_len(shared).filter(|&shared| shared <= before).ok_or_else(too_long)?;
        let rest = as_len(rest).ok_or_else(too_long)?;
        if keys.len() + shared + rest > limit {
            return Err(too_long());
        }
        let end = keys.len();
        keys.extend_from_within(start..start + shared);
        keys.extend_from_slice(&bytes[taken..taken + rest]);
        lens.push(shared + rest);
        (start, taken) = (end, taken + rest);
    }
    Ok((lens, keys))
}
