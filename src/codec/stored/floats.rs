//! Runs of 64-bit floats that are decimal numbers, stored as integers.
//!
//! Most floats in databases were written with a few decimals. Such a float is `n / 10^e` for a
//! small integer `n`: the division of two integers that a float holds exactly gives the float
//! nearest to the quotient, which is how the decimal became a float. Each one is verified bit by
//! bit when it is encoded; those that are something else (more digits, −0, NaN, infinities) follow
//! as exceptions. Runs of such others are stored as bytes, one significance after the other.

use super::bits::{Reader, write_len, wrong};
use super::{ints, squeeze};
use crate::codec::DecodeError;

const BYTES: u8 = 0xFF;

/// 1.5 × 2^52: adding it to a float below 2^51 in size leaves the nearest integer in the low bits.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// Integers of `n / 10^e` stay below this, so that [`MAGIC`] works both ways.
const LIMIT: i64 = 1 << 50;

const POWERS: [f64; 11] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

fn nearest_integer(scaled: f64) -> i64 {
    (scaled + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()).cast_signed()
}

fn float_of(integer: i64, power: f64) -> f64 {
    let number = f64::from_bits(MAGIC.to_bits().wrapping_add(integer.cast_unsigned())) - MAGIC;
    number / power
}

/// The integer that stands for a float, if one does.
fn integer_of(bits: u64, power: f64) -> Option<i64> {
    let integer = nearest_integer(f64::from_bits(bits) * power);
    let is_exact =
        integer.unsigned_abs() < LIMIT.unsigned_abs() && float_of(integer, power).to_bits() == bits;
    is_exact.then_some(integer)
}

/// Fills `integers` and the rows of exceptions; stops where there are more than `most`.
fn try_power(
    floats: &[u64],
    power: f64,
    most: usize,
    integers: &mut Vec<u64>,
    exceptions: &mut Vec<usize>,
) -> bool {
    integers.clear();
    exceptions.clear();
    let mut last = 0i64;
    for (row, &bits) in floats.iter().enumerate() {
        match integer_of(bits, power) {
            Some(integer) => last = integer,
            None if exceptions.len() == most => return false,
            None => exceptions.push(row),
        }
        integers.push(last.cast_unsigned());
    }
    true
}

/// Appends a run, given by the bits of the floats. Its length is not written.
pub(super) fn write(floats: &[u64], out: &mut Vec<u8>) {
    let most = floats.len() / 16;
    let (mut integers, mut exceptions) = (Vec::with_capacity(floats.len()), Vec::new());
    for (exponent, &power) in (0u8..).zip(&POWERS) {
        if try_power(floats, power, most, &mut integers, &mut exceptions) {
            out.push(exponent);
            ints::write(&integers, out);
            write_len(exceptions.len(), out);
            let mut next = 0;
            for row in exceptions {
                write_len(row - next, out);
                out.extend_from_slice(&floats[row].to_le_bytes());
                next = row + 1;
            }
            return;
        }
    }
    out.push(BYTES);
    let mut split = Vec::with_capacity(floats.len() * 8);
    for byte in 0..8 {
        split.extend(floats.iter().map(|bits| bits.to_le_bytes()[byte]));
    }
    squeeze::write(&split, out);
}

/// Reads a run of `count` floats as bits into `floats`, which is cleared first.
pub(super) fn read(
    input: &mut Reader<'_>,
    count: usize,
    floats: &mut Vec<u64>,
) -> Result<(), DecodeError> {
    let exponent = input.byte()?;
    if exponent == BYTES {
        let split = squeeze::read(input, count.checked_mul(8).ok_or_else(|| wrong("too long"))?)?;
        let float = |row| std::array::from_fn(|byte| split[byte * count + row]);
        floats.clear();
        floats.extend((0..count).map(|row| u64::from_le_bytes(float(row))));
        return Ok(());
    }
    let power = *POWERS
        .get(usize::from(exponent))
        .ok_or_else(|| wrong("floats with an unknown exponent"))?;
    ints::read(input, count, floats)?;
    for float in floats.iter_mut() {
        *float = float_of(float.cast_signed(), power).to_bits();
    }
    let mut next = 0usize;
    for _ in 0..input.len(count)? {
        let row = next + input.len(count)?;
        let bits = input.bytes(8)?.try_into().expect("8 bytes were asked for");
        let float = floats.get_mut(row).ok_or_else(|| wrong("an exception beyond the last row"))?;
        *float = u64::from_le_bytes(bits);
        next = row + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(floats: &[f64]) -> usize {
        let bits: Vec<u64> = floats.iter().map(|float| float.to_bits()).collect();
        let mut out = Vec::new();
        write(&bits, &mut out);
        let mut input = Reader::new(&out);
        let mut again = Vec::new();
        read(&mut input, bits.len(), &mut again).unwrap();
        input.finish().unwrap();
        assert_eq!(again, bits);
        out.len()
    }

    #[test]
    fn amounts_are_stored_as_cents() {
        let amounts: Vec<f64> =
            (0..255i32).map(|i| f64::from(i * 7919 % 100_000) / 100.0).collect();
        assert!(round_trip(&amounts) < 255 * 17 / 8 + 10);
        let mut odd = amounts;
        (odd[3], odd[7], odd[250]) = (0.1 + 0.2, -0.0, f64::NAN);
        assert!(round_trip(&odd) < 255 * 17 / 8 + 50);
    }

    #[test]
    fn every_float_comes_back() {
        let special = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX, 5e-324];
        round_trip(&special);
        round_trip(&[f64::from_bits(0xFFF8_0000_0000_0001), f64::from_bits(0x7FF0_0000_0000_0001)]);
        round_trip(&[1e15, -1e15, 1.5, 2f64.powi(50), 2f64.powi(51), -2f64.powi(52)]);
        round_trip(&(1..100).map(|i| 1.0 / f64::from(i)).collect::<Vec<_>>());
    }
}
