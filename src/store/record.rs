//! Small files that end in a checksum, so that no flipped bit in them is believed.
//!
//! A record is a body and a last line `sum` with the BLAKE3 hash of the body in hexadecimal.

use crate::model::ObjectId;

/// No record is longer than this: checkpoints are the largest.
pub(super) const MAX_RECORD_LEN: u64 = 256 << 20;

const SUM_LEN: usize = "sum ".len() + 64 + 1;

/// The bytes of a record with this body, which ends in a newline if it is text.
pub(super) fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let sum = ObjectId(*blake3::hash(&body).as_bytes());
    body.extend_from_slice(format!("sum {sum}\n").as_bytes());
    body
}

/// The body of a record, if its sum is right; else what is wrong.
pub(super) fn open(bytes: &[u8]) -> Result<&[u8], String> {
    let at = bytes.len().checked_sub(SUM_LEN).ok_or("it is too short to end in a checksum")?;
    let (body, sum_line) = bytes.split_at(at);
    let sum = ObjectId(*blake3::hash(body).as_bytes());
    if sum_line == format!("sum {sum}\n").as_bytes() {
        Ok(body)
    } else {
        Err("its checksum does not fit".to_owned())
    }
}

/// The body of a record of text.
pub(super) fn open_text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(open(bytes)?).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_is_noticed() {
        let sealed = seal(b"when 17\n".to_vec());
        assert_eq!(open_text(&sealed).unwrap(), "when 17\n");
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 0x20;
            open(&flipped).unwrap_err();
        }
    }
}
