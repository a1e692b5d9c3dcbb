//! The digest of a table's content, whatever the order its rows are read in.
//!
//! The row hashes are sorted and hashed in that order. Where there are many, they are taken in
//! several passes over the rows, each of the hashes that begin with certain bytes, so memory stays
//! within 64 MiB.

use crate::codec::{Hasher, Kind};
use crate::model::ObjectId;

/// How many hashes are sorted at once.
const AT_ONCE: u64 = 2 << 20;

/// The digest of `rows` row hashes; `each` goes over all of them, every time it is called.
pub fn digest<E>(
    rows: u64,
    hasher: &Hasher,
    mut each: impl FnMut(&mut dyn FnMut(ObjectId)) -> Result<(), E>,
) -> Result<String, E> {
    let passes = rows.div_ceil(AT_ONCE).clamp(1, 1 << 16);
    let mut running = hasher.start(Kind::Pack, rows.saturating_mul(32));
    for pass in 0..passes {
        let mut hashes: Vec<[u8; 32]> = Vec::new();
        each(&mut |hash| {
            let lead = u64::from(u32::from_be_bytes([hash.0[0], hash.0[1], hash.0[2], hash.0[3]]));
            if (lead * passes) >> 32 == pass {
                hashes.push(hash.0);
            }
        })?;
        hashes.sort_unstable();
        for hash in &hashes {
            running.update(hash);
        }
    }
    Ok(running.finish().to_string())
}
