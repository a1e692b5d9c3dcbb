//! Runs of 64-bit integers, packed to the width that they need.
//!
//! A run is stored as residuals over a base: of the values themselves (*frame of reference*) or of
//! the differences between neighbours (*delta*), whichever takes fewer bits. Where a few outliers
//! would widen all the others, these are cut and their upper bits follow (*patched*). Arithmetic
//! wraps, so any 64 bits come back, whether they mean a signed number or not.

use super::bits::{Reader, pack, width_of, write_len, write_signed, wrong};
use crate::codec::DecodeError;

const DELTA: u8 = 1;
const PATCHED: u8 = 2;

/// Up to this width outliers are not worth looking for.
const NARROW: u32 = 2;

/// How a run is to be written.
struct Plan {
    base: i64,
    width: u32,
    /// Whether some residuals need more than `width` bits.
    is_patched: bool,
    /// How many bits the run will take, about.
    cost: u64,
}

impl Plan {
    /// The plan for these values without cutting any.
    fn whole(values: impl Iterator<Item = u64>) -> Plan {
        let (mut low, mut high, mut count) = (i64::MAX, i64::MIN, 0u64);
        for value in values {
            low = low.min(value.cast_signed());
            high = high.max(value.cast_signed());
            count += 1;
        }
        if count == 0 {
            return Plan { base: 0, width: 0, is_patched: false, cost: 0 };
        }
        let width = width_of(high.wrapping_sub(low).cast_unsigned());
        Plan { base: low, width, is_patched: false, cost: count * u64::from(width) }
    }

    /// Cuts the residuals of the values to a smaller width where that is cheaper.
    fn patch(&mut self, values: impl Iterator<Item = u64>) {
        let widest = self.width;
        if widest <= NARROW {
            return;
        }
        let mut with_width = [0u64; 65];
        let mut count = 0u64;
        for value in values {
            let width = width_of(value.wrapping_sub(self.base.cast_unsigned()));
            with_width[usize::try_from(width).expect("at most 64")] += 1;
            count += 1;
        }
        let mut above = 0u64;
        for width in (0..widest).rev() {
            above += with_width[usize::try_from(width + 1).expect("at most 64")];
            // An outlier takes its upper bits and its distance from the one before it, of which
            // the largest is some times the mean.
            let distance = count.checked_div(above).map_or(0, |mean| width_of(mean) + 2);
            let outlier = u64::from(widest - width + distance);
            let cost = count * u64::from(width) + above * outlier + 24;
            if cost < self.cost {
                (self.width, self.is_patched, self.cost) = (width, true, cost);
            }
        }
    }

    fn write(&self, values: impl Iterator<Item = u64> + Clone, out: &mut Vec<u8>) {
        let residuals = values.map(|value| value.wrapping_sub(self.base.cast_unsigned()));
        write_signed(self.base, out);
        pack(residuals.clone(), self.width, out);
        if !self.is_patched {
            return;
        }
        let (mut distances, mut uppers, mut next) = (Vec::new(), Vec::new(), 0u64);
        for (row, residual) in (0u64..).zip(residuals) {
            if width_of(residual) > self.width {
                distances.push(row - next);
                uppers.push(residual >> self.width);
                next = row + 1;
            }
        }
        write_len(uppers.len(), out);
        for run in [distances, uppers] {
            let width = width_of(run.iter().copied().max().unwrap_or(0));
            out.push(u8::try_from(width).expect("at most 64"));
            pack(run.iter().copied(), width, out);
        }
    }
}

fn differences(values: &[u64]) -> impl Iterator<Item = u64> + Clone + '_ {
    values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]))
}

/// Appends a run. Its length is not written.
pub(super) fn write(values: &[u64], out: &mut Vec<u8>) {
    let Some(&first) = values.first() else { return };
    let mut plain = Plan::whole(values.iter().copied());
    let mut delta = Plan::whole(differences(values));
    let plain_width = plain.width;
    plain.patch(values.iter().copied());
    // Differences that go far both up and down have their base far from all of them.
    if delta.width <= plain_width {
        delta.patch(differences(values));
    }
    let is_delta = delta.cost + 32 < plain.cost;
    let plan = if is_delta { &delta } else { &plain };
    let mut mode = 0;
    mode |= if is_delta { DELTA } else { 0 };
    mode |= if plan.is_patched { PATCHED } else { 0 };
    out.push(mode);
    out.push(u8::try_from(plan.width).expect("at most 64"));
    if is_delta {
        write_signed(first.cast_signed(), out);
        plan.write(differences(values), out);
    } else {
        plan.write(values.iter().copied(), out);
    }
}

/// Reads a run of `count` values into `values`, which is cleared first.
pub(super) fn read(
    input: &mut Reader<'_>,
    count: usize,
    values: &mut Vec<u64>,
) -> Result<(), DecodeError> {
    values.clear();
    if count == 0 {
        return Ok(());
    }
    let mode = input.byte()?;
    let width = u32::from(input.byte()?);
    if mode > (DELTA | PATCHED) || width > u64::BITS {
        return Err(wrong("an integer run of unknown form"));
    }
    values.reserve(count);
    if mode & DELTA != 0 {
        values.push(input.signed()?.cast_unsigned());
    }
    let start = values.len();
    let base = input.signed()?.cast_unsigned();
    input.unpack(count - start, width, |residual| values.push(residual.wrapping_add(base)))?;
    if mode & PATCHED != 0 {
        patch(input, width, &mut values[start..])?;
    }
    if mode & DELTA != 0 {
        for row in 1..values.len() {
            values[row] = values[row].wrapping_add(values[row - 1]);
        }
    }
    Ok(())
}

/// Reads the outliers and puts their upper bits in place.
fn patch(input: &mut Reader<'_>, width: u32, values: &mut [u64]) -> Result<(), DecodeError> {
    let count = input.len(values.len())?;
    let mut run = || {
        let mut run = Vec::with_capacity(count);
        let width = u32::from(input.byte()?);
        input.unpack(count, width, |value| run.push(value))?;
        Ok::<_, DecodeError>(run)
    };
    let (distances, uppers) = (run()?, run()?);
    let mut next = 0usize;
    for (distance, upper) in distances.iter().zip(uppers) {
        let row = usize::try_from(*distance).ok().and_then(|distance| next.checked_add(distance));
        let value = row.and_then(|row| values.get_mut(row));
        let value = value.ok_or_else(|| wrong("an outlier beyond the last row"))?;
        *value = value.wrapping_add(upper.checked_shl(width).unwrap_or(0));
        next = row.map_or(next, |row| row + 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(values: &[u64]) -> usize {
        let mut out = Vec::new();
        write(values, &mut out);
        let mut input = Reader::new(&out);
        let mut again = vec![1, 2, 3];
        read(&mut input, values.len(), &mut again).unwrap();
        input.finish().unwrap();
        assert_eq!(again, values);
        out.len()
    }

    #[test]
    fn runs_take_the_bits_that_they_need() {
        let ids: Vec<u64> = (5_000_000..5_000_255).collect();
        assert!(round_trip(&ids) < 12);
        let flags: Vec<u64> = (0..255).map(|i| i % 2).collect();
        assert!(round_trip(&flags) < 40);
        let mut outlier: Vec<u64> = (0..255).map(|i| i * 7 % 13).collect();
        outlier[100] = u64::MAX / 3;
        assert!(round_trip(&outlier) < 160);
        let mut gap = ids;
        gap[128..].iter_mut().for_each(|id| *id += 1 << 40);
        assert!(round_trip(&gap) < 24);
    }

    #[test]
    fn extremes_come_back() {
        for values in [
            &[][..],
            &[0],
            &[u64::MAX],
            &[0, u64::MAX],
            &[1 << 63, (1 << 63) - 1, 0, u64::MAX],
            &[1 << 63, (1 << 63) - 1, 1 << 63, (1 << 63) - 1, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5],
        ] {
            round_trip(values);
        }
    }
}
