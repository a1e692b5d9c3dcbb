//! Bit packing and variable-length integers: what every packed form is made of.
//!
//! Values of `width` bits follow each other from the lowest bit of the first byte on; the last byte
//! is filled with zero bits. A varint holds seven bits a byte, lowest first. [`Reader`] is total:
//! it ends in an error wherever its input does.

use crate::codec::DecodeError;

/// How many bits a value needs: 0 for 0, 64 at most.
pub(super) fn width_of(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

fn mask(width: u32) -> u64 {
    u64::MAX.checked_shr(u64::BITS - width).unwrap_or(0)
}

/// Appends the low `width` bits of each value.
pub(super) fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let mask = mask(width);
    let (mut word, mut filled) = (0u64, 0u32);
    for value in values {
        let value = value & mask;
        word |= value << filled;
        filled += width;
        if filled >= u64::BITS {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= u64::BITS;
            word = value.checked_shr(width - filled).unwrap_or(0);
        }
    }
    let rest = usize::try_from(filled.div_ceil(8)).expect("at most 8 bytes");
    out.extend_from_slice(&word.to_le_bytes()[..rest]);
}

pub(super) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7F;
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

pub(super) fn write_len(len: usize, out: &mut Vec<u8>) {
    write_varint(u64::try_from(len).expect("lengths have at most 64 bits"), out);
}

/// Small numbers of either sign take few bytes: 0, −1, 1, −2, … are 0, 1, 2, 3, …
pub(super) fn write_signed(value: i64, out: &mut Vec<u8>) {
    write_varint(((value << 1) ^ (value >> 63)).cast_unsigned(), out);
}

/// Takes packed data apart from the front.
pub(super) struct Reader<'a>(&'a [u8]);

pub(super) fn wrong(why: &str) -> DecodeError {
    DecodeError::new("stored object", why)
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    /// Ends the reading; all bytes must have been taken.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(wrong("bytes after its end")) }
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or_else(|| wrong("cut short"))?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.bytes(1)?[0])
    }

    pub(super) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(wrong("a number above 64 bits"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, DecodeError> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// A length or a count of at most `limit`.
    pub(super) fn len(&mut self, limit: usize) -> Result<usize, DecodeError> {
        usize::try_from(self.varint()?)
            .ok()
            .filter(|&len| len <= limit)
            .ok_or_else(|| wrong("more than it has room for"))
    }

    /// Calls `each` with `count` values of `width` bits.
    pub(super) fn unpack(
        &mut self,
        count: usize,
        width: u32,
        mut each: impl FnMut(u64),
    ) -> Result<(), DecodeError> {
        if width == 0 {
            (0..count).for_each(|_| each(0));
            return Ok(());
        }
        let bits = usize::try_from(width).ok().filter(|_| width <= u64::BITS);
        let len = bits
            .and_then(|bits| bits.checked_mul(count))
            .ok_or_else(|| wrong("values of impossible width"))?
            .div_ceil(8);
        let words = self.bytes(len)?.chunks_exact(8);
        let mut last = [0u8; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        let mut words = words
            .map(|word| u64::from_le_bytes(word.try_into().expect("chunks of 8 bytes")))
            .chain(std::iter::once(u64::from_le_bytes(last)));
        let mask = mask(width);
        let (mut word, mut left) = (0u64, 0u32);
        for _ in 0..count {
            let mut value = word;
            if left < width {
                let next = words.next().unwrap_or(0);
                value |= next.checked_shl(left).unwrap_or(0);
                word = next.checked_shr(width - left).unwrap_or(0);
                left += u64::BITS - width;
            } else {
                word = word.checked_shr(width).unwrap_or(0);
                left -= width;
            }
            each(value & mask);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_width_come_back() {
        for width in 0..=64 {
            for count in [0usize, 1, 7, 8, 9, 63, 64, 65, 130] {
                let values: Vec<u64> = (0..count as u64)
                    .map(|i| (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) & mask(width))
                    .collect();
                let mut packed = Vec::new();
                pack(values.iter().copied(), width, &mut packed);
                assert_eq!(packed.len(), (count * width as usize).div_ceil(8));
                let mut input = Reader::new(&packed);
                let mut again = Vec::new();
                input.unpack(count, width, |value| again.push(value)).unwrap();
                input.finish().unwrap();
                assert_eq!(again, values, "width {width}");
            }
        }
    }

    #[test]
    fn varints_of_every_size_come_back() {
        for value in (0..64).flat_map(|bit| [1u64 << bit, (1 << bit) - 1, u64::MAX >> bit]) {
            let mut out = Vec::new();
            write_varint(value, &mut out);
            write_signed(value.cast_signed(), &mut out);
            let mut input = Reader::new(&out);
            assert_eq!(input.varint().unwrap(), value);
            assert_eq!(input.signed().unwrap(), value.cast_signed());
            input.finish().unwrap();
        }
        assert!(Reader::new(&[0xFF; 10]).varint().is_err());
        assert!(Reader::new(&[0x80]).varint().is_err());
    }
}
