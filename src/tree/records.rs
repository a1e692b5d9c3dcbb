//! Rows in scratch files: `u32 key length, u32 preimage length, u64 count, key, preimage`.
//!
//! Written once, read once from front to back. The key stands first, so that a merge compares
//! keys without holding rows: a row of any width takes its own size, never a multiple.

use super::error::TreeError;
use super::plan::CountedRows;
use super::scratch::ScratchFile;

const HEAD: usize = 16;

fn scratch(verb: &'static str) -> impl Fn(std::io::Error) -> TreeError {
    move |source| TreeError::Scratch { verb, source }
}

/// Appends rows to a scratch file through a buffer.
pub(super) struct RecordWriter {
    file: Box<dyn ScratchFile>,
    buffer: Vec<u8>,
    written: u64,
}

impl RecordWriter {
    const BUFFER: usize = 64 << 10;

    pub(super) fn new(file: Box<dyn ScratchFile>) -> Self {
        RecordWriter { file, buffer: Vec::with_capacity(Self::BUFFER), written: 0 }
    }

    /// Where the next row will begin.
    pub(super) fn len(&self) -> u64 {
        self.written + u64::try_from(self.buffer.len()).expect("buffers are small")
    }

    pub(super) fn push(
        &mut self,
        key: &[u8],
        preimage: &[u8],
        count: u64,
    ) -> Result<(), TreeError> {
        let too_long = |_| TreeError::Scratch {
            verb: "write to",
            source: std::io::Error::other("a row of 4 GiB or more"),
        };
        let key_len = u32::try_from(key.len()).map_err(too_long)?;
        let preimage_len = u32::try_from(preimage.len()).map_err(too_long)?;
        self.write(&key_len.to_le_bytes())?;
        self.write(&preimage_len.to_le_bytes())?;
        self.write(&count.to_le_bytes())?;
        self.write(key)?;
        self.write(preimage)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TreeError> {
        if self.buffer.len() + bytes.len() > Self::BUFFER {
            self.flush()?;
        }
        if bytes.len() > Self::BUFFER {
            self.file.append(bytes).map_err(scratch("write to"))?;
            self.written += u64::try_from(bytes.len()).expect("a row is below 4 GiB");
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TreeError> {
        if !self.buffer.is_empty() {
            self.file.append(&self.buffer).map_err(scratch("write to"))?;
            self.written = self.len();
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes what is buffered and gives the file, to read rows from it while more may follow.
    pub(super) fn flushed(&mut self) -> Result<&mut dyn ScratchFile, TreeError> {
        self.flush()?;
        Ok(self.file.as_mut())
    }

    /// Ends the writing; the rows are read from the front.
    pub(super) fn into_reader(mut self, buffer: usize) -> Result<RecordReader, TreeError> {
        self.flush()?;
        Ok(RecordReader {
            file: self.file,
            input: Input { at: 0, end: self.written, buffer: Vec::new(), used: 0, size: buffer },
            head: None,
            key: Vec::new(),
        })
    }
}

/// The head of a row that was read up to its preimage.
#[derive(Clone, Copy)]
struct Head {
    preimage_len: usize,
    count: u64,
}

/// Reads rows in the order they were written. A row is at first only its key.
pub(super) struct RecordReader {
    file: Box<dyn ScratchFile>,
    input: Input,
    head: Option<Head>,
    key: Vec<u8>,
}

impl RecordReader {
    /// Goes to the next row, skipping what was not read of this one. `false` at the end.
    pub(super) fn advance(&mut self) -> Result<bool, TreeError> {
        if let Some(head) = self.head.take() {
            self.input.skip(head.preimage_len);
        }
        self.head = self.input.head(self.file.as_mut(), &mut self.key)?;
        Ok(self.head.is_some())
    }

    /// The key of the row.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// How often the row occurs.
    pub(super) fn count(&self) -> u64 {
        self.head.map_or(0, |head| head.count)
    }

    /// Reads the preimage of the row; once.
    pub(super) fn preimage(&mut self, out: &mut Vec<u8>) -> Result<(), TreeError> {
        let head = self.head.take().expect("a row's preimage is read once, after advance");
        out.resize(head.preimage_len, 0);
        self.input.read(self.file.as_mut(), out)
    }
}

/// Reads `rows` rows that begin at `from` in a file that is still being written.
pub(super) fn read_rows(
    file: &mut dyn ScratchFile,
    from: u64,
    end: u64,
    has_counts: bool,
) -> Result<CountedRows, TreeError> {
    let mut input = Input { at: from, end, buffer: Vec::new(), used: 0, size: 64 << 10 };
    let (mut key, mut preimage) = (Vec::new(), Vec::new());
    let mut rows = CountedRows::default();
    while let Some(head) = input.head(file, &mut key)? {
        preimage.resize(head.preimage_len, 0);
        input.read(file, &mut preimage)?;
        rows.rows.push_row(&preimage, &key);
        if has_counts {
            rows.counts.push(head.count);
        }
    }
    Ok(rows)
}

/// A part of a file, read through a buffer.
struct Input {
    /// Where the bytes after the buffered ones begin.
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    used: usize,
    size: usize,
}

impl Input {
    fn head(
        &mut self,
        file: &mut dyn ScratchFile,
        key: &mut Vec<u8>,
    ) -> Result<Option<Head>, TreeError> {
        if self.at == self.end && self.used == self.buffer.len() {
            return Ok(None);
        }
        let mut head = [0u8; HEAD];
        self.read(file, &mut head)?;
        let [a, b, c, d, e, f, g, h, count @ ..] = head;
        let len = |bytes: [u8; 4]| {
            usize::try_from(u32::from_le_bytes(bytes)).expect("usize has at least 32 bits")
        };
        key.resize(len([a, b, c, d]), 0);
        self.read(file, key)?;
        let preimage_len = len([e, f, g, h]);
        Ok(Some(Head { preimage_len, count: u64::from_le_bytes(count) }))
    }

    fn read(&mut self, file: &mut dyn ScratchFile, out: &mut [u8]) -> Result<(), TreeError> {
        let mut filled = 0;
        while filled < out.len() {
            let buffered = &self.buffer[self.used..];
            if !buffered.is_empty() {
                let len = buffered.len().min(out.len() - filled);
                out[filled..filled + len].copy_from_slice(&buffered[..len]);
                (self.used, filled) = (self.used + len, filled + len);
            } else if out.len() - filled >= self.size {
                // Wide rows go straight to where they are wanted.
                let rest = &mut out[filled..];
                file.read_at(self.at, rest).map_err(scratch("read"))?;
                self.at += u64::try_from(rest.len()).expect("a row is below 4 GiB");
                return Ok(());
            } else {
                self.fill(file)?;
            }
        }
        Ok(())
    }

    fn fill(&mut self, file: &mut dyn ScratchFile) -> Result<(), TreeError> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let len = left.min(self.size);
        if len == 0 {
            return Err(scratch("read")(std::io::ErrorKind::UnexpectedEof.into()));
        }
        self.buffer.resize(len, 0);
        self.used = 0;
        file.read_at(self.at, &mut self.buffer).map_err(scratch("read"))?;
        self.at += u64::try_from(len).expect("buffers are small");
        Ok(())
    }

    fn skip(&mut self, len: usize) {
        let buffered = len.min(self.buffer.len() - self.used);
        self.used += buffered;
        self.at += u64::try_from(len - buffered).expect("a row is below 4 GiB");
    }
}
