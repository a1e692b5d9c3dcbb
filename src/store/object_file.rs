//! Object files: the bytes of a sealed file, and reading one from front to back
//! (`docs/format.md`, "Object files").
//!
//! Header of 32 bytes, frames, footer of 64 bytes. A frame has no id: who reads it hashes the plain
//! bytes. So an index can always be made again from the file alone. The nonce in the header makes
//! two files with the same objects differ in name.

use crate::codec::stored::{self, MAX_PLAIN_LEN};
use crate::codec::{Hasher, Kind};
use crate::fsio::{FsError, ReadFile};
use crate::model::ObjectId;

use super::layout::FileId;

pub(super) const HEADER_LEN: usize = 32;
pub(super) const FRAME_HEADER_LEN: usize = 10;
pub(super) const FOOTER_LEN: usize = 64;

const MAGIC: &[u8; 8] = b"ddb-objs";
const SEAL: &[u8; 8] = b"ddb-seal";
const VERSION: u16 = 1;
/// The first byte of a footer; no kind has this number.
const FOOTER_MARK: u8 = 0xff;
/// How much is read at once.
const WINDOW: usize = 1 << 20;

/// The header of a new object file.
pub(super) fn header(nonce: [u8; 16]) -> [u8; HEADER_LEN] {
    let mut header = [0u8; HEADER_LEN];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    header[16..].copy_from_slice(&nonce);
    header
}

fn check_header(header: &[u8; HEADER_LEN]) -> Result<(), String> {
    if &header[..8] != MAGIC {
        return Err("it does not begin like an object file".to_owned());
    }
    let version = u16::from_le_bytes([header[8], header[9]]);
    if version != VERSION || header[10..16] != [0; 6] {
        return Err(format!("object file version {version} is not known"));
    }
    Ok(())
}

/// What stands in front of an object's stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) kind: u8,
    pub(super) codec: u8,
    pub(super) plain_len: u32,
    pub(super) stored_len: u32,
}

impl FrameHeader {
    pub(super) fn to_bytes(self) -> [u8; FRAME_HEADER_LEN] {
        let mut bytes = [0u8; FRAME_HEADER_LEN];
        bytes[0] = self.kind;
        bytes[1] = self.codec;
        bytes[2..6].copy_from_slice(&self.plain_len.to_le_bytes());
        bytes[6..].copy_from_slice(&self.stored_len.to_le_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8; FRAME_HEADER_LEN]) -> Self {
        let [kind, codec, p0, p1, p2, p3, s0, s1, s2, s3] = *bytes;
        FrameHeader {
            kind,
            codec,
            plain_len: u32::from_le_bytes([p0, p1, p2, p3]),
            stored_len: u32::from_le_bytes([s0, s1, s2, s3]),
        }
    }
}

/// A frame with its stored bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) offset: u64,
    pub(super) header: FrameHeader,
    pub(super) bytes: Vec<u8>,
}

impl Frame {
    /// The kind, id and plain bytes of the object, if the frame holds one.
    pub(super) fn open(&self, hasher: &Hasher) -> Result<(Kind, ObjectId, Vec<u8>), String> {
        open_frame(self.header, &self.bytes, hasher)
    }

    /// How many bytes of the file it takes.
    pub(super) fn file_len(&self) -> u64 {
        (FRAME_HEADER_LEN + self.bytes.len()) as u64
    }
}

/// The kind, id and plain bytes of the object in a frame, if it holds one.
pub(super) fn open_frame(
    header: FrameHeader,
    bytes: &[u8],
    hasher: &Hasher,
) -> Result<(Kind, ObjectId, Vec<u8>), String> {
    let kind = Kind::from_stored_number(header.kind)
        .ok_or_else(|| format!("kind {} is not known", header.kind))?;
    let plain =
        stored::decode(header.codec, header.plain_len, bytes).map_err(|error| error.to_string())?;
    let id = hasher.id(kind, &plain);
    Ok((kind, id, plain))
}

/// The end of a sealed object file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    /// How many frames there are.
    pub(super) objects: u64,
    /// How many bytes stand in front of the footer.
    pub(super) body_len: u64,
    /// The BLAKE3 hash of everything up to the hash itself: the file's name.
    pub(super) id: FileId,
}

impl Footer {
    /// The part of a footer that the hash covers.
    pub(super) fn hashed_part(objects: u64, body_len: u64) -> [u8; 24] {
        let mut bytes = [0u8; 24];
        bytes[0] = FOOTER_MARK;
        bytes[8..16].copy_from_slice(&objects.to_le_bytes());
        bytes[16..].copy_from_slice(&body_len.to_le_bytes());
        bytes
    }

    pub(super) fn to_bytes(self) -> [u8; FOOTER_LEN] {
        let mut bytes = [0u8; FOOTER_LEN];
        bytes[..24].copy_from_slice(&Self::hashed_part(self.objects, self.body_len));
        bytes[24..56].copy_from_slice(&self.id.0);
        bytes[56..].copy_from_slice(SEAL);
        bytes
    }

    /// The footer of a file, if it has one that fits its length. The hash is not checked.
    pub(super) fn read(file: &dyn ReadFile) -> Result<Result<Footer, String>, FsError> {
        let smallest = (HEADER_LEN + FOOTER_LEN) as u64;
        if file.len() < smallest {
            return Ok(Err("it is too short for an object file".to_owned()));
        }
        let mut bytes = [0u8; FOOTER_LEN];
        let at = file.len() - FOOTER_LEN as u64;
        file.read_exact_at(&mut bytes, at)?;
        let word = |at: usize| {
            let mut word = [0u8; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let mut id = [0u8; 32];
        id.copy_from_slice(&bytes[24..56]);
        let footer = Footer { objects: word(8), body_len: word(16), id: FileId(id) };
        if footer.to_bytes() != bytes || footer.body_len != at {
            return Ok(Err("it does not end in the footer of a sealed file".to_owned()));
        }
        Ok(Ok(footer))
    }
}

/// Why reading a file from front to back stopped.
#[derive(Debug)]
pub(super) enum ScanError {
    Fs(FsError),
    /// At this offset there is no frame.
    NotAFrame {
        offset: u64,
        why: String,
    },
}

impl From<FsError> for ScanError {
    fn from(error: FsError) -> Self {
        ScanError::Fs(error)
    }
}

/// Reads the frames of a sealed file in order, hashing every byte on the way.
pub(super) struct Frames<'a> {
    file: &'a dyn ReadFile,
    hash: blake3::Hasher,
    window: Vec<u8>,
    window_at: u64,
    position: u64,
    body_len: u64,
    count: u64,
    /// Whether every byte so far was read in order.
    is_whole: bool,
}

impl<'a> Frames<'a> {
    /// The frames in the first `body_len` bytes of a file. Call [`Frames::check_header`] first, or
    /// [`Frames::seek`].
    pub(super) fn new(file: &'a dyn ReadFile, body_len: u64) -> Self {
        Frames {
            file,
            hash: blake3::Hasher::new(),
            window: Vec::new(),
            window_at: 0,
            position: 0,
            body_len,
            count: 0,
            is_whole: true,
        }
    }

    /// Reads the header, behind which the first frame is.
    pub(super) fn check_header(&mut self) -> Result<Result<(), String>, FsError> {
        let mut header = [0u8; HEADER_LEN];
        self.take(&mut header)?;
        Ok(check_header(&header))
    }

    /// Goes on at `offset`, where a frame begins. With that the file as a whole is not checked.
    pub(super) fn seek(&mut self, offset: u64) {
        self.position = offset.max(HEADER_LEN as u64);
        self.is_whole = false;
        let window_end = self.window_at + self.window.len() as u64;
        if !(self.window_at..=window_end).contains(&self.position) {
            self.window.clear();
            self.window_at = self.position;
        }
    }

    /// The next frame; `None` at the footer.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, ScanError> {
        let offset = self.position;
        if offset >= self.body_len {
            return Ok(None);
        }
        let not_a_frame = |why: &str| ScanError::NotAFrame { offset, why: why.to_owned() };
        if self.body_len - offset < FRAME_HEADER_LEN as u64 {
            return Err(not_a_frame("bytes are left over before the footer"));
        }
        let mut header = [0u8; FRAME_HEADER_LEN];
        self.take(&mut header)?;
        let header = FrameHeader::parse(&header);
        let plain_len = usize::try_from(header.plain_len).unwrap_or(usize::MAX);
        if Kind::from_stored_number(header.kind).is_none() || plain_len > MAX_PLAIN_LEN {
            return Err(not_a_frame("this is not the beginning of an object"));
        }
        if u64::from(header.stored_len) > self.body_len - self.position {
            return Err(not_a_frame("the object is longer than the file"));
        }
        let stored_len = usize::try_from(header.stored_len)
            .map_err(|_| not_a_frame("the object is longer than memory"))?;
        let mut bytes = vec![0u8; stored_len];
        self.take(&mut bytes)?;
        self.count += 1;
        Ok(Some(Frame { offset, header, bytes }))
    }

    /// Where the next frame begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the file is what its footer says, where all of it was read in order.
    pub(super) fn finish(mut self, footer: &Footer) -> Result<(), String> {
        if !self.is_whole {
            return Ok(());
        }
        self.hash.update(&Footer::hashed_part(footer.objects, footer.body_len));
        if self.count != footer.objects {
            return Err(format!("{} objects where {} were sealed", self.count, footer.objects));
        }
        if *self.hash.finalize().as_bytes() != footer.id.0 {
            return Err("its content does not fit the hash in its footer".to_owned());
        }
        Ok(())
    }

    fn take(&mut self, out: &mut [u8]) -> Result<(), FsError> {
        let mut filled = 0;
        while filled < out.len() {
            let skip = usize::try_from(self.position - self.window_at)
                .expect("the position is inside or just behind the window");
            let ready = &self.window[skip.min(self.window.len())..];
            if ready.is_empty() {
                self.fill_window()?;
                continue;
            }
            let n = ready.len().min(out.len() - filled);
            out[filled..filled + n].copy_from_slice(&ready[..n]);
            filled += n;
            self.position += n as u64;
        }
        Ok(())
    }

    fn fill_window(&mut self) -> Result<(), FsError> {
        let left = self.body_len.saturating_sub(self.position);
        let len = usize::try_from(left).unwrap_or(WINDOW).clamp(1, WINDOW);
        self.window.resize(len, 0);
        self.window_at = self.position;
        self.file.read_exact_at(&mut self.window, self.position)?;
        self.hash.update(&self.window);
        Ok(())
    }
}
