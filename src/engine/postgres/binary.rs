//! The stream of `COPY … (FORMAT binary)`, taken apart
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format").
//!
//! Pieces may end anywhere. A row is sent on only when all of it has come, and the stream must end
//! with its trailer: a stream that is cut at any byte is an error. Nothing is allocated for a
//! length that is merely claimed, and nothing for a cell.

use super::sql::ServerEncoding;
use super::types::{ColumnReading, Reading};
use super::values::{self, Numeric};
use crate::engine::error::EngineError;
use crate::model::value::FiniteDecimal;
use crate::model::{Decimal, Flow, RowSink, ValueRef};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Signature, flags, length of an extension.
const HEADER_LEN: usize = 19;

/// How far the stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Rows,
    Ended,
}

/// What is wrong with the rows.
#[derive(Debug)]
pub(super) enum Wrong {
    /// They are not of the form that a server sends.
    Form(String),
    /// Whoever takes them failed.
    Sink(crate::model::SinkError),
}

impl Wrong {
    fn form(what: impl Into<String>) -> Wrong {
        Wrong::Form(what.into())
    }

    /// The error of reading a table.
    pub(super) fn error(self, database: &str, action: &str) -> EngineError {
        match self {
            Wrong::Sink(error) => EngineError::Sink(error),
            Wrong::Form(what) => EngineError::Malformed {
                database: database.to_owned(),
                action: action.to_owned(),
                what,
            },
        }
    }
}

/// Takes a stream apart and sends its rows on.
pub(super) struct Decoder<'r> {
    columns: &'r [ColumnReading],
    cells: Cells<'r>,
    stage: Stage,
    /// The beginning of a row whose end has not come yet.
    partial: Vec<u8>,
    rows: u64,
}

impl<'r> Decoder<'r> {
    /// A decoder of rows of these columns.
    pub(super) fn new(columns: &'r [ColumnReading], encoding: &'r ServerEncoding) -> Decoder<'r> {
        Decoder {
            columns,
            cells: Cells::new(encoding),
            stage: Stage::Header,
            partial: Vec::new(),
            rows: 0,
        }
    }

    /// How many rows were sent on.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes the next piece of the stream.
    pub(super) fn feed<S: RowSink + ?Sized>(
        &mut self,
        piece: &[u8],
        sink: &mut S,
    ) -> Result<Flow, Wrong> {
        if self.partial.is_empty() {
            let (used, flow) = self.take(piece, sink)?;
            if flow == Flow::Continue {
                self.partial.extend_from_slice(&piece[used..]);
            }
            return Ok(flow);
        }
        let mut whole = std::mem::take(&mut self.partial);
        whole.extend_from_slice(piece);
        let (used, flow) = self.take(&whole, sink)?;
        whole.drain(..used);
        self.partial = whole;
        Ok(flow)
    }

    /// The end of the stream.
    pub(super) fn finish(&self) -> Result<u64, Wrong> {
        if self.stage != Stage::Ended || !self.partial.is_empty() {
            return Err(Wrong::form("the stream of rows ended before its end mark"));
        }
        Ok(self.rows)
    }

    /// Sends every whole row on; gives how many bytes they took.
    fn take<S: RowSink + ?Sized>(
        &mut self,
        input: &[u8],
        sink: &mut S,
    ) -> Result<(usize, Flow), Wrong> {
        let mut at = 0;
        if self.stage == Stage::Header {
            let Some(len) = header_len(input)? else { return Ok((0, Flow::Continue)) };
            at = len;
            self.stage = Stage::Rows;
        }
        while self.stage == Stage::Rows {
            let Some(count) = input.get(at..at + 2) else { return Ok((at, Flow::Continue)) };
            let count = i16::from_be_bytes([count[0], count[1]]);
            if count == -1 {
                at += 2;
                self.stage = Stage::Ended;
                break;
            }
            if usize::try_from(count) != Ok(self.columns.len()) {
                let wanted = self.columns.len();
                return Err(Wrong::form(format!("a row of {count} values instead of {wanted}")));
            }
            let Some(len) = row_len(&input[at + 2..], self.columns.len())? else {
                return Ok((at, Flow::Continue));
            };
            let flow = self.send(&input[at + 2..at + 2 + len], sink)?;
            at += 2 + len;
            if flow == Flow::Stop {
                return Ok((at, Flow::Stop));
            }
        }
        if at < input.len() {
            return Err(Wrong::form("bytes after the end mark of the rows"));
        }
        Ok((at, Flow::Continue))
    }

    /// Sends a row on whose bytes were checked to be whole.
    fn send<S: RowSink + ?Sized>(&mut self, row: &[u8], sink: &mut S) -> Result<Flow, Wrong> {
        let mut rest = row;
        for column in self.columns {
            let (len, after) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
            let len = i32::from_be_bytes(*len);
            let value = match usize::try_from(len) {
                Err(_) => {
                    rest = after;
                    ValueRef::Null
                }
                Ok(len) => {
                    let (bytes, after) = after.split_at_checked(len).ok_or_else(cut)?;
                    rest = after;
                    self.cells.value(column.reading, bytes).ok_or_else(|| {
                        Wrong::form(format!(
                            "a value of column `{}` is not of the form of its type ({:?})",
                            column.name, column.reading
                        ))
                    })?
                }
            };
            sink.cell(value).map_err(Wrong::Sink)?;
        }
        self.rows += 1;
        sink.end_row().map_err(Wrong::Sink)
    }
}

fn cut() -> Wrong {
    Wrong::form("a row is shorter than its values")
}

/// The length of the header, where all of it is there.
fn header_len(input: &[u8]) -> Result<Option<usize>, Wrong> {
    let Some((header, _)) = input.split_first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let (signature, rest) = header.split_at(SIGNATURE.len());
    let flags = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
    let extension = u32::from_be_bytes([rest[4], rest[5], rest[6], rest[7]]);
    // The upper half of the flags are those that change the format.
    if signature != SIGNATURE || flags >> 16 != 0 || extension > 1 << 16 {
        return Err(Wrong::form("the rows do not begin as binary COPY data does"));
    }
    let len = HEADER_LEN + usize::try_from(extension).unwrap_or(0);
    Ok((input.len() >= len).then_some(len))
}

/// The length of a row's values, where all of them are there.
fn row_len(input: &[u8], columns: usize) -> Result<Option<usize>, Wrong> {
    let mut at: usize = 0;
    for _ in 0..columns {
        let Some(len) = input.get(at..).and_then(|rest| rest.first_chunk::<4>()) else {
            return Ok(None);
        };
        at += 4;
        match i32::from_be_bytes(*len) {
            -1 => {}
            len => {
                let len = usize::try_from(len)
                    .map_err(|_| Wrong::form(format!("a value of {len} bytes")))?;
                at = at.checked_add(len).ok_or_else(cut)?;
            }
        }
    }
    Ok((at <= input.len()).then_some(at))
}

/// Turns cells into values, in memory that is used again.
struct Cells<'r> {
    encoding: &'r ServerEncoding,
    is_utf8: bool,
    /// Always a finite one.
    decimal: Decimal,
}

static NAN: Decimal = Decimal::NaN;
static INFINITY: Decimal = Decimal::Infinity;
static NEGATIVE_INFINITY: Decimal = Decimal::NegativeInfinity;

impl<'r> Cells<'r> {
    fn new(encoding: &'r ServerEncoding) -> Cells<'r> {
        let decimal = Decimal::Finite(FiniteDecimal::default());
        Cells { encoding, is_utf8: encoding.is_utf8(), decimal }
    }

    /// The value of a cell; `None` where its bytes are not of the reading's form.
    // Called for every cell of every row: what is handed over in memory costs more than the work.
    #[inline(always)]
    fn value<'c>(&'c mut self, reading: Reading, bytes: &'c [u8]) -> Option<ValueRef<'c>> {
        Some(match reading {
            Reading::Bool => match bytes {
                [0] => ValueRef::Bool(false),
                [1] => ValueRef::Bool(true),
                _ => return None,
            },
            Reading::Int2 => ValueRef::Int(i64::from(i16::from_be_bytes(bytes.try_into().ok()?))),
            Reading::Int4 => ValueRef::Int(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
            Reading::Int8 => ValueRef::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
            Reading::Oid => ValueRef::Int(i64::from(u32::from_be_bytes(bytes.try_into().ok()?))),
            Reading::Float4 => ValueRef::Float32(u32::from_be_bytes(bytes.try_into().ok()?)),
            Reading::Float8 => ValueRef::Float64(u64::from_be_bytes(bytes.try_into().ok()?)),
            Reading::Numeric => ValueRef::Decimal(self.numeric(bytes)?),
            Reading::Text | Reading::Padded => self.text(bytes, ValueRef::Text),
            Reading::Char => match bytes {
                // The byte 0 is what the empty text is kept as.
                [0] => ValueRef::Text(""),
                [byte] if byte.is_ascii() => ValueRef::Text(std::str::from_utf8(bytes).ok()?),
                [_] => ValueRef::RawText { charset: &self.encoding.name, bytes },
                _ => return None,
            },
            Reading::Bytes => ValueRef::Bytes(bytes),
            Reading::Date => {
                ValueRef::Date(values::date(i32::from_be_bytes(bytes.try_into().ok()?)))
            }
            Reading::Time => ValueRef::Time(i64::from_be_bytes(bytes.try_into().ok()?)),
            Reading::TimeTz => ValueRef::TimeTz(values::time_tz(bytes.try_into().ok()?)?),
            Reading::DateTime => {
                ValueRef::DateTime(values::date_time(i64::from_be_bytes(bytes.try_into().ok()?)))
            }
            Reading::Timestamp => {
                ValueRef::Timestamp(values::date_time(i64::from_be_bytes(bytes.try_into().ok()?)))
            }
            Reading::Interval => ValueRef::Interval(values::interval(bytes.try_into().ok()?)),
            Reading::Uuid => ValueRef::Uuid(bytes.try_into().ok()?),
            Reading::Json => self.text(bytes, ValueRef::Json),
            Reading::Jsonb => match bytes {
                [1, text @ ..] => self.text(text, ValueRef::Json),
                _ => return None,
            },
            Reading::Other | Reading::Output => self.text(bytes, ValueRef::Other),
        })
    }

    /// Text of the server's encoding. Only UTF-8 is known to be UTF-8: elsewhere whatever is not
    /// ASCII keeps its bytes, under the encoding's name.
    #[inline]
    fn text<'c>(&'c self, bytes: &'c [u8], kind: fn(&'c str) -> ValueRef<'c>) -> ValueRef<'c> {
        let text = match self.is_utf8 || bytes.is_ascii() {
            true => std::str::from_utf8(bytes).ok(),
            false => None,
        };
        match text {
            Some(text) => kind(text),
            None => ValueRef::RawText { charset: &self.encoding.name, bytes },
        }
    }

    /// A numeric, in the memory of the one before.
    fn numeric(&mut self, bytes: &[u8]) -> Option<&Decimal> {
        let Decimal::Finite(number) = &mut self.decimal else { return None };
        let mut read = None;
        let is_valid = number.refill(|digits| {
            read = values::numeric(bytes, digits);
            match read {
                Some(Numeric::Finite { is_negative, scale }) => (is_negative, scale),
                _ => (false, 0),
            }
        });
        match read? {
            Numeric::Finite { .. } => is_valid.then_some(&self.decimal),
            Numeric::NaN => Some(&NAN),
            Numeric::Infinity => Some(&INFINITY),
            Numeric::NegativeInfinity => Some(&NEGATIVE_INFINITY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SinkError, Value};

    struct Kept(Vec<Value>, u64);

    impl RowSink for Kept {
        fn cell(&mut self, value: ValueRef<'_>) -> Result<(), SinkError> {
            self.0.push(value.to_value());
            Ok(())
        }

        fn end_row(&mut self) -> Result<Flow, SinkError> {
            self.1 += 1;
            Ok(Flow::Continue)
        }
    }

    fn columns() -> Vec<ColumnReading> {
        [Reading::Int4, Reading::Text, Reading::Numeric]
            .into_iter()
            .map(|reading| ColumnReading {
                name: format!("{reading:?}"),
                reading,
                compared_as: None,
                declared_type: String::new(),
            })
            .collect()
    }

    /// A header, three rows, the trailer.
    fn stream() -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0; 8]);
        for (number, text) in [(1, Some("a")), (2, None), (-3, Some("zwölf"))] {
            bytes.extend_from_slice(&[0, 3, 0, 0, 0, 4]);
            bytes.extend_from_slice(&i32::to_be_bytes(number));
            match text {
                None => bytes.extend_from_slice(&[0xFF; 4]),
                Some(text) => {
                    let len = u32::try_from(text.len()).unwrap();
                    bytes.extend_from_slice(&len.to_be_bytes());
                    bytes.extend_from_slice(text.as_bytes());
                }
            }
            // 1.50
            bytes.extend_from_slice(&[0, 0, 0, 12, 0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 0x13, 0x88]);
        }
        bytes.extend_from_slice(&[0xFF, 0xFF]);
        bytes
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<Value>, Wrong> {
        let (columns, encoding) = (columns(), ServerEncoding { name: "UTF8".to_owned() });
        let mut decoder = Decoder::new(&columns, &encoding);
        let mut kept = Kept(Vec::new(), 0);
        for piece in pieces {
            decoder.feed(piece, &mut kept)?;
        }
        assert_eq!(decoder.finish()?, kept.1);
        Ok(kept.0)
    }

    #[test]
    fn pieces_may_end_anywhere_and_the_whole_must_come() {
        let stream = stream();
        let whole = read(&[&stream]).unwrap();
        assert_eq!(whole.len(), 9);
        assert_eq!(whole[7], Value::Text("zwölf".to_owned()));
        let number = FiniteDecimal::new(false, &[1, 5, 0], 2).unwrap();
        assert_eq!(whole[8], Value::Decimal(Decimal::Finite(number)));
        for cut in 0..stream.len() {
            assert_eq!(read(&[&stream[..cut], &stream[cut..]]).unwrap(), whole, "cut at {cut}");
            assert!(read(&[&stream[..cut]]).is_err(), "ended at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(read(&bytes).unwrap(), whole);
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        let mut longer = stream();
        longer.push(0);
        let mut negative = stream();
        negative[HEADER_LEN + 2..HEADER_LEN + 6].copy_from_slice(&(-2i32).to_be_bytes());
        let mut wide = stream();
        wide[HEADER_LEN + 1] = 4;
        let mut claimed = stream();
        claimed[HEADER_LEN + 2..HEADER_LEN + 6].copy_from_slice(&i32::MAX.to_be_bytes());
        let mut with_oids = stream();
        with_oids[12] = 1;
        for stream in [longer, negative, wide, claimed, with_oids] {
            assert!(read(&[&stream]).is_err());
        }
    }
}
