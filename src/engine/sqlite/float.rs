//! Floats as SQL text that SQLite reads back to the same bits.
//!
//! SQLite's own conversion from decimal is close to, but not always, the nearest float. So the text
//! is read back here by the same steps the library takes, and where the shortest text and the one
//! with 17 digits both miss, the float is written as an exact product or quotient of integers.

/// A text that SQLite evaluates to exactly these bits; `None` for NaN, which it cannot hold.
pub(super) fn literal(bits: u64) -> Option<String> {
    let number = f64::from_bits(bits);
    if number.is_nan() {
        return None;
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let magnitude = number.abs();
    if magnitude.is_infinite() {
        return Some(format!("{sign}9e999"));
    }
    let shortest = format!("{magnitude:?}");
    for text in [shortest, format!("{magnitude:.16e}"), format!("{magnitude:.17e}")] {
        if read_decimal(&text).to_bits() == magnitude.to_bits() {
            return Some(format!("{sign}{text}"));
        }
    }
    Some(format!("{sign}({})", exact(magnitude.to_bits())))
}

/// The float as its odd mantissa times or over powers of two, none of which rounds.
fn exact(bits: u64) -> String {
    const LARGEST: i64 = 62;
    let field = i64::try_from(bits >> 52).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    let (mut mantissa, mut exponent) =
        if field == 0 { (fraction, -1074) } else { (fraction | (1 << 52), field - 1075) };
    while mantissa > 0 && mantissa.is_multiple_of(2) {
        mantissa /= 2;
        exponent += 1;
    }
    let operator = if exponent < 0 { '/' } else { '*' };
    let mut left = exponent.abs();
    let mut text = format!("{mantissa}.0");
    while left > 0 {
        let step = left.min(LARGEST);
        text.push_str(&format!(" {operator} {}.0", 1u64 << step));
        left -= step;
    }
    text
}

/// What SQLite 3.51 reads from an unsigned decimal: `sqlite3AtoF`, step by step. The significand is
/// kept in 64 bits, and scaled by powers of ten in double-double arithmetic.
fn read_decimal(text: &str) -> f64 {
    const LIMIT: u64 = (u64::MAX - 9) / 10;
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut significand: u64 = 0;
    let mut scale: i32 = 0;
    for digit in whole.bytes() {
        if significand >= LIMIT {
            scale += 1;
        } else {
            significand = significand * 10 + u64::from(digit - b'0');
        }
    }
    for digit in fraction.bytes() {
        if significand < LIMIT {
            significand = significand * 10 + u64::from(digit - b'0');
            scale -= 1;
        }
    }
    if significand == 0 {
        return 0.0;
    }
    scale += exponent.parse::<i32>().unwrap_or(0).clamp(-10_000, 10_000);
    while scale > 0 && significand < (u64::MAX - 0x7ff) / 10 {
        significand *= 10;
        scale -= 1;
    }
    while scale < 0 && significand.is_multiple_of(10) {
        significand /= 10;
        scale += 1;
    }
    scaled(significand, scale)
}

fn scaled(significand: u64, scale: i32) -> f64 {
    let mut pair = split(significand);
    let steps: [(i32, f64, f64); 3] = if scale > 0 {
        [(100, 1.0e100, -1.590_289_110_975_991_8e83), (10, 1.0e10, 0.0), (1, 1.0e1, 0.0)]
    } else {
        [
            (100, 1.0e-100, -1.999_189_980_260_288_4e-117),
            (10, 1.0e-10, -3.643_219_731_549_774e-27),
            (1, 1.0e-1, -5.551_115_123_125_783e-18),
        ]
    };
    let mut left = scale.abs();
    for (step, factor, rest) in steps {
        while left >= step {
            left -= step;
            multiply(&mut pair, factor, rest);
        }
    }
    let number = pair.0 + pair.1;
    if number.is_nan() { f64::INFINITY } else { number }
}

/// The significand as a float and what that rounds away.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the rounding of these conversions is what is being computed"
)]
fn split(significand: u64) -> (f64, f64) {
    let near = significand as f64;
    if near > 18_446_744_073_709_549_568.0 {
        return (near, 0.0);
    }
    let back = near as u64;
    let rest = if significand >= back {
        (significand - back) as f64
    } else {
        -((back - significand) as f64)
    };
    (near, rest)
}

/// Dekker's product of two double-double numbers, as `dekkerMul2` computes it.
fn multiply(pair: &mut (f64, f64), factor: f64, rest: f64) {
    let head = |number: f64| f64::from_bits(number.to_bits() & 0xffff_ffff_fc00_0000);
    let high = head(pair.0);
    let low = pair.0 - high;
    let factor_high = head(factor);
    let factor_low = factor - factor_high;
    let product = high * factor_high;
    let cross = high * factor_low + low * factor_high;
    let sum = product + cross;
    let mut error = product - sum + cross + low * factor_low;
    error += pair.0 * rest + pair.1 * factor;
    let result = sum + error;
    *pair = (result, sum - result + error);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sqlite::handle::{Cell, Database};

    fn evaluated(database: &Database<'_>, literals: &[String]) -> Vec<Cell<'static>> {
        let mut row = database.prepare(&format!("SELECT {}", literals.join(","))).unwrap();
        assert!(row.step().unwrap());
        (0..row.column_count())
            .map(|index| match row.cell(index).unwrap() {
                Cell::Float(bits) => Cell::Float(bits),
                other => panic!("{other:?} is no float"),
            })
            .collect()
    }

    /// A small generator, so that the corpus is the same everywhere.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn corpus() -> Vec<f64> {
        let mut numbers = vec![
            0.0,
            -0.0,
            0.1 + 0.2,
            5e-324,
            1.797_693_134_862_315_7e308,
            f64::MIN_POSITIVE,
            f64::INFINITY,
            f64::NEG_INFINITY,
            9_007_199_254_740_991.0,
            9_007_199_254_740_992.0,
            9_007_199_254_740_994.0,
            1e22,
            1e23,
            8.41e21,
            2.225_073_858_507_201e-308,
            1e-320,
            std::f64::consts::PI,
            4_611_686_018_427_387_904.0,
            1.0e100,
            1.0e-100,
            123_456.789,
        ];
        let mut state = 1;
        for _ in 0..60_000 {
            numbers.push(f64::from_bits(random(&mut state)));
            let digits = random(&mut state) % 100_000_000_000_000_000;
            let scale = i32::try_from(random(&mut state) % 40).unwrap() - 20;
            numbers.push(format!("{digits}e{scale}").parse().unwrap());
        }
        for power in -1074..1024 {
            numbers.push(2f64.powi(power));
        }
        numbers.retain(|number| !number.is_nan());
        numbers
    }

    #[test]
    fn every_float_of_the_corpus_comes_back_from_sqlite_bit_by_bit() {
        let database = Database::in_memory().unwrap();
        let numbers = corpus();
        assert!(numbers.len() > 100_000);
        for batch in numbers.chunks(1_000) {
            let literals: Vec<String> =
                batch.iter().map(|number| literal(number.to_bits()).unwrap()).collect();
            for ((number, text), cell) in
                batch.iter().zip(&literals).zip(evaluated(&database, &literals))
            {
                assert_eq!(cell, Cell::Float(number.to_bits()), "{number:?} as {text}");
            }
        }
    }

    #[test]
    fn the_exact_form_is_exact_for_every_kind_of_float() {
        let database = Database::in_memory().unwrap();
        for batch in corpus().chunks(500) {
            let finite: Vec<f64> =
                batch.iter().map(|number| number.abs()).filter(|n| n.is_finite()).collect();
            let texts: Vec<String> = finite.iter().map(|number| exact(number.to_bits())).collect();
            for (number, cell) in finite.iter().zip(evaluated(&database, &texts)) {
                assert_eq!(cell, Cell::Float(number.to_bits()), "{number:?}");
            }
        }
    }

    #[test]
    fn decimals_are_read_as_sqlite_reads_them() {
        let database = Database::in_memory().unwrap();
        let texts: Vec<String> = corpus()
            .iter()
            .filter(|number| number.is_finite())
            .map(|number| format!("{:.16e}", number.abs()))
            .collect();
        for batch in texts.chunks(1_000) {
            for (text, cell) in batch.iter().zip(evaluated(&database, batch)) {
                assert_eq!(cell, Cell::Float(read_decimal(text).to_bits()), "{text}");
            }
        }
    }

    #[test]
    fn what_cannot_be_held_has_no_literal() {
        assert_eq!(literal(f64::NAN.to_bits()), None);
        assert_eq!(literal(f64::NEG_INFINITY.to_bits()).as_deref(), Some("-9e999"));
        assert_eq!(literal((-0.0f64).to_bits()).as_deref(), Some("-0.0"));
        assert_eq!(literal(1.5f64.to_bits()).as_deref(), Some("1.5"));
        assert_eq!(literal(1e300f64.to_bits()).as_deref(), Some("1e300"));
    }
}
