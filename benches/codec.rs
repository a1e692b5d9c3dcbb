//! What the codec costs and saves, by column: `cargo bench --bench codec`.
//!
//! Prints nanoseconds and stored bytes a row for chunks of 255 rows: first for each stage and each
//! column of the table of 5 million rows that the targets speak of, then for columns of other
//! kinds, each beside zstd over the plain block. The tables in `docs/decisions/` come from here.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "a benchmark makes small numbers, lists columns, prints, and ends where it cannot go on"
)]

mod items;

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::Instant;

use deepdiff_db::codec::block::{self, Column, ColumnBuilder};
use deepdiff_db::codec::row::{LargeValues, RowBatch, RowEncoder, RowLayout};
use deepdiff_db::codec::structure::{BlockRef, Chunk, ChunkColumn};
use deepdiff_db::codec::{Cell, HashAlgorithm, Hasher, Kind, cell, row_hash, stored, wire};
use deepdiff_db::model::{
    ColumnSpec, Flow, KeyColumn, KeyMatching, ObjectId, ObjectName, RowKey, RowKeySource, RowSink,
    SinkError, TableSpec, Value,
};

use items::{ADJECTIVES, COLOURS, DIGITS, NOUNS, Random};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

const CHUNK_ROWS: usize = 255;
const CHUNKS: usize = 300;
const ROWS: usize = CHUNK_ROWS * CHUNKS;

/// An id in the chunk's list and an entry in the index of the object file.
const INDEX_ENTRY: usize = 44;

const WORDS: [&str; 32] = [
    "the",
    "order",
    "was",
    "shipped",
    "late",
    "customer",
    "called",
    "about",
    "refund",
    "pending",
    "address",
    "changed",
    "to",
    "new",
    "warehouse",
    "package",
    "returned",
    "by",
    "carrier",
    "invoice",
    "sent",
    "again",
    "please",
    "check",
    "stock",
    "before",
    "friday",
    "discount",
    "applied",
    "and",
    "priority",
    "handling",
];
const STATUS: [&str; 6] = ["new", "paid", "shipped", "delivered", "returned", "cancelled"];

fn timestamp(seconds: u64) -> String {
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let (month, day) = (1 + day / 28 % 12, 1 + day % 28);
    format!("2026-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}", second % 60)
}

fn title(r: &mut Random) -> String {
    let words = (r.one_of(&ADJECTIVES), r.one_of(&NOUNS), r.one_of(&COLOURS));
    format!("{} {}, {} {:03}", words.0, words.1, words.2, r.below(1000))
}

fn attributes(r: &mut Random) -> Value {
    let colour = r.one_of(&COLOURS);
    let (batch, shelf, grams) = (r.below(100_000), r.below(400), r.below(9000));
    if r.below(2) == 0 {
        return Value::Null;
    }
    Value::Text(format!(
        "{{\"colour\":\"{colour}\",\"batch\":{batch},\"shelf\":\"S{shelf}\",\"g\":{grams}}}"
    ))
}

fn float(number: f64) -> Value {
    Value::Float64(number.to_bits())
}

fn int(number: u64) -> Value {
    Value::Int(number.cast_signed())
}

/// Whole amounts come as integers where the column's affinity is NUMERIC.
fn amount(cents: u64) -> Value {
    if cents.is_multiple_of(100) { int(cents / 100) } else { float(cents as f64 / 100.0) }
}

type Make = Box<dyn FnMut(usize, &mut Random) -> Value>;

/// The columns of the table of 5 million rows.
fn table() -> Vec<(&'static str, Make)> {
    let mut id = 0;
    vec![
        ("active", Box::new(|_, r| int(r.below(2)))),
        ("amount", Box::new(|_, r| amount(r.below(9_999_999)))),
        ("attributes", Box::new(|_, r| attributes(r))),
        (
            "code",
            Box::new(|_, r| {
                Value::Text((0..12).map(|_| char::from(DIGITS[r.below(32) as usize])).collect())
            }),
        ),
        (
            "id",
            Box::new(move |_, r| {
                id += if r.below(8) == 0 { 1 + r.below(60) } else { 1 };
                int(id)
            }),
        ),
        ("title", Box::new(|_, r| Value::Text(title(r)))),
        ("updated_at", Box::new(|_, r| Value::Text(timestamp(r.below(86_400 * 336))))),
        ("warehouse", Box::new(|_, r| int(r.below(2000)))),
    ]
}

/// Columns of other kinds.
fn others() -> Vec<(&'static str, Make)> {
    vec![
        ("status of 6", Box::new(|_, r| Value::Text(r.one_of(&STATUS).to_owned()))),
        (
            "status or null",
            Box::new(|_, r| match r.below(4) {
                0 => Value::Null,
                _ => Value::Text(r.one_of(&STATUS).to_owned()),
            }),
        ),
        ("name of 24", Box::new(|_, r| Value::Text(r.one_of(&NOUNS).to_owned()))),
        (
            "country of 30",
            Box::new(|_, r| {
                let n = r.below(30) as u8;
                Value::Text(
                    [b'A' + n * 7 % 26, b'A' + n * 11 % 23].map(char::from).iter().collect(),
                )
            }),
        ),
        ("serial number", Box::new(|_, r| Value::Text(format!("SKU-{:08}", r.below(50_000_000))))),
        (
            "time, ascending",
            Box::new(|row, r| Value::Text(timestamp(row as u64 * 30 + r.below(30)))),
        ),
        (
            "time, micros",
            Box::new(|_, r| {
                let micros = r.below(1_000_000);
                Value::Text(format!("{}.{micros:06}", timestamp(r.below(86_400 * 336))))
            }),
        ),
        (
            "uuid text",
            Box::new(|_, r| {
                let (a, b) = (r.next(), r.next());
                let (c, d, e) = (a >> 16 & 0xFFFF, a & 0xFFFF, b >> 48);
                let f = b & 0xFFFF_FFFF_FFFF;
                Value::Text(format!("{:08x}-{c:04x}-{d:04x}-{e:04x}-{f:012x}", a >> 32))
            }),
        ),
        (
            "uuid",
            Box::new(|_, r| {
                let mut uuid = [0u8; 16];
                uuid[..8].copy_from_slice(&r.next().to_le_bytes());
                uuid[8..].copy_from_slice(&r.next().to_le_bytes());
                Value::Uuid(uuid)
            }),
        ),
        (
            "words, about 30",
            Box::new(|_, r| {
                let words: Vec<_> = (0..5).map(|_| r.one_of(&WORDS)).collect();
                Value::Text(words.join(" "))
            }),
        ),
        (
            "words, about 300",
            Box::new(|_, r| {
                let words: Vec<_> = (0..50).map(|_| r.one_of(&WORDS)).collect();
                Value::Text(words.join(" "))
            }),
        ),
        (
            "email",
            Box::new(|_, r| {
                let number = r.below(10_000);
                let (first, last) = (r.one_of(&ADJECTIVES), r.one_of(&NOUNS));
                Value::Text(format!("{first}.{last}{number}@example.com").to_lowercase())
            }),
        ),
        ("measurement", Box::new(|_, r| float(r.next() as f64 / 1e18 + 20.0))),
        ("price, 3 decimals", Box::new(|_, r| float(r.below(100_000) as f64 / 1000.0))),
        (
            "int, 1 % outliers",
            Box::new(|_, r| {
                let limit = if r.below(100) == 0 { 1 << 40 } else { 1000 };
                int(r.below(limit))
            }),
        ),
        (
            "int of 8",
            Box::new(|_, r| {
                Value::Int([1, 50, 999, 7, 123_456, 0, -5, 80_000][r.below(8) as usize])
            }),
        ),
        (
            "epoch millis",
            Box::new(|row, r| int(1_700_000_000_000 + row as u64 * 1000 + r.below(1000))),
        ),
        (
            "random 32 bytes",
            Box::new(|_, r| Value::Bytes((0..4).flat_map(|_| r.next().to_le_bytes()).collect())),
        ),
    ]
}

struct NoLargeValues;

impl LargeValues for NoLargeValues {
    fn put(&mut self, _: &[u8]) -> Result<ObjectId, SinkError> {
        Err("no value of the benchmark is large".into())
    }
}

fn spec(columns: &[(&'static str, Make)]) -> TableSpec {
    TableSpec {
        name: ObjectName::bare("items"),
        columns: columns
            .iter()
            .map(|(name, _)| ColumnSpec {
                name: (*name).to_owned(),
                declared_type: String::new(),
                default: Value::Null,
            })
            .collect(),
        key: RowKey::Columns {
            columns: vec![KeyColumn { name: "id".to_owned(), matching: KeyMatching::Binary }],
            source: RowKeySource::PrimaryKey,
            may_be_null: false,
        },
        reads_in_key_order: true,
        column_order: Vec::new(),
    }
}

/// Nanoseconds that this thread has worked, which other processes do not disturb much.
fn cpu_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match stat.split(' ').next().and_then(|nanos| nanos.parse().ok()) {
        Some(nanos) => nanos,
        None => u64::try_from(START.elapsed().as_nanos()).expect("less than 500 years"),
    }
}

/// The mean of as many runs as the clock, which ticks every few milliseconds, needs.
fn nanos_a_row(rows: usize, mut work: impl FnMut()) -> f64 {
    work();
    let start = cpu_nanos();
    let mut runs = 0;
    while cpu_nanos() - start < 150_000_000 {
        work();
        runs += 1;
    }
    (cpu_nanos() - start) as f64 / (rows * runs) as f64
}

fn print_block(name: &str, kind: Kind, blocks: &[Vec<u8>]) -> (f64, f64) {
    let plain: usize = blocks.iter().map(Vec::len).sum();
    let encoded: Vec<_> = blocks.iter().map(|plain| stored::encode(kind, plain)).collect();
    let bytes: usize = encoded.iter().map(|stored| stored.bytes.len()).sum();
    let encode = nanos_a_row(ROWS, || {
        for plain in blocks {
            black_box(stored::encode(kind, plain));
        }
    });
    let decode = nanos_a_row(ROWS, || {
        for stored in &encoded {
            black_box(stored::decode(stored.codec, stored.plain_len, &stored.bytes).unwrap());
        }
    });
    let zstd = |level: i32| {
        let mut context = zstd::bulk::Compressor::new(level).unwrap();
        let mut out = Vec::with_capacity(1 << 20);
        let mut bytes = 0;
        let nanos = nanos_a_row(ROWS, || {
            bytes = 0;
            for plain in blocks {
                out.clear();
                bytes += context.compress_to_buffer(plain, &mut out).unwrap();
            }
        });
        format!("{:7.2} {nanos:6.0}", bytes as f64 / ROWS as f64)
    };
    let stored_bytes = bytes as f64 / ROWS as f64;
    println!(
        "{name:20} {:7.1} | {stored_bytes:7.2} {encode:6.0} {decode:6.0} | {} | {} | {}",
        plain as f64 / ROWS as f64,
        zstd(-1),
        zstd(1),
        zstd(3),
    );
    (stored_bytes, encode)
}

fn blocks_of(make: &mut Make, random: &mut Random) -> (Kind, Vec<Vec<u8>>) {
    let mut builder = ColumnBuilder::default();
    let mut blocks = Vec::new();
    for chunk in 0..CHUNKS {
        builder.clear();
        for row in 0..CHUNK_ROWS {
            let value = make(chunk * CHUNK_ROWS + row, random);
            let mut payload = Vec::new();
            cell::write_payload(value.as_ref(), &mut payload);
            builder.push(Cell { tag: cell::tag_of(value.as_ref()), payload: &payload });
        }
        let mut plain = Vec::new();
        builder.write(&mut plain);
        blocks.push(plain);
    }
    (Kind::Column, blocks)
}

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let mut columns = table();
    let spec = spec(&columns);
    let layout = RowLayout::new(&spec).unwrap();
    let hasher = Hasher::new(HashAlgorithm::Blake3);
    let mut random = Random::new(1);
    let rows: Vec<Vec<Value>> = (0..ROWS)
        .map(|row| columns.iter_mut().map(|(_, make)| make(row, &mut random)).collect())
        .collect();

    let mut batches: Vec<RowBatch> = Vec::new();
    let encode = nanos_a_row(ROWS, || {
        let mut done = std::mem::take(&mut batches);
        done.iter_mut().for_each(RowBatch::clear);
        let mut sink = RowEncoder::new(&layout, &hasher, NoLargeValues, 1 << 20, |batch| {
            batches.push(batch);
            Ok((done.pop().unwrap_or_default(), Flow::Continue))
        });
        for row in &rows {
            for value in row {
                sink.cell(value.as_ref()).unwrap();
            }
            sink.end_row().unwrap();
        }
        sink.finish().unwrap();
    });
    let hash = |hasher: &Hasher, batches: &[RowBatch]| {
        let mut hashes = Vec::new();
        nanos_a_row(ROWS, || {
            for batch in batches {
                let frames = (0..batch.len()).map(|row| batch.row(row).framed);
                hashes.clear();
                row_hash::hash_rows(hasher, frames, &mut hashes);
                black_box(&hashes);
            }
        })
    };
    let blake3 = hash(&hasher, &batches);
    let sha256 = hash(&Hasher::new(HashAlgorithm::Sha256), &batches);

    let mut builders = vec![ColumnBuilder::default(); columns.len()];
    let mut blocks = vec![Vec::new(); columns.len()];
    let mut key_blocks = Vec::new();
    let mut plain = Vec::new();
    let keep = |plain: &Vec<u8>, blocks: &mut Vec<Vec<u8>>| {
        if blocks.len() < CHUNKS {
            blocks.push(plain.clone());
        }
    };
    let split = nanos_a_row(ROWS, || {
        let all: Vec<_> =
            batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.row(row))).collect();
        for chunk in all.chunks(CHUNK_ROWS) {
            builders.iter_mut().for_each(ColumnBuilder::clear);
            for (row, encoded) in chunk.iter().enumerate() {
                for cell in layout.cells(encoded.preimage) {
                    let (column, cell) = cell.unwrap();
                    builders[column].fill_nulls(row);
                    builders[column].push(cell);
                }
            }
            for (column, builder) in builders.iter_mut().enumerate() {
                builder.fill_nulls(chunk.len());
                builder.write(&mut plain);
                keep(&plain, &mut blocks[column]);
            }
            block::write_keys(chunk.iter().map(|row| row.key), &mut plain);
            keep(&plain, &mut key_blocks);
        }
    });
    let block_ids = nanos_a_row(ROWS, || {
        for plain in blocks.iter().flatten().chain(&key_blocks) {
            black_box(hasher.id(Kind::Column, plain));
        }
    });
    let preimages: usize = batches.iter().map(RowBatch::byte_len).sum();
    println!("{} bytes a row encoded, frame and key included", preimages / ROWS);
    println!("ns a row: encode {encode:.0}, row hash {blake3:.0} (sha256 {sha256:.0}), ");
    println!("          columns {split:.0}, ids of blocks {block_ids:.0}");
    let decode_columns = nanos_a_row(ROWS, || {
        for plain in blocks.iter().flatten() {
            black_box(Column::decode(plain.clone(), CHUNK_ROWS).unwrap());
        }
    });
    println!("          decode columns {decode_columns:.0}");

    println!(
        "\n{:20} {:>7} | {:>7} {:>6} {:>6} | zstd -1 (B, ns) | zstd 1 | zstd 3",
        "", "plain", "stored", "ns", "decode"
    );
    let (mut bytes, mut nanos) = print_block("keys", Kind::Keys, &key_blocks);
    let mut objects = 1;
    for (column, (name, _)) in columns.iter().enumerate().filter(|(_, (name, _))| *name != "id") {
        let (b, n) = print_block(name, Kind::Column, &blocks[column]);
        (bytes, nanos) = (bytes + b, nanos + n);
        objects += 1;
    }
    let chunks: Vec<Vec<u8>> = (0..CHUNKS)
        .map(|chunk| chunk_list(&hasher, &columns, &key_blocks[chunk], chunk, &blocks))
        .collect();
    let (b, n) = print_block("chunk list", Kind::Chunk, &chunks);
    (bytes, nanos) = (bytes + b, nanos + n);
    objects += 1;
    let index = (objects * INDEX_ENTRY) as f64 / CHUNK_ROWS as f64;
    println!(
        "total: {:.2} bytes a row with {index:.2} of index entries, {nanos:.0} ns a row\n",
        bytes + index
    );
    for (name, mut make) in others() {
        let (kind, blocks) = blocks_of(&mut make, &mut random);
        print_block(name, kind, &blocks);
    }
}

fn chunk_list(
    hasher: &Hasher,
    columns: &[(&'static str, Make)],
    keys: &[u8],
    chunk: usize,
    blocks: &[Vec<Vec<u8>>],
) -> Vec<u8> {
    wire::to_bytes(&Chunk {
        rows: CHUNK_ROWS as u32,
        keys: BlockRef::Object(hasher.id(Kind::Keys, keys)),
        row_hashes: hasher.id(Kind::RowHashes, keys),
        counts: None,
        columns: columns
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| *name != "id")
            .map(|(column, (name, _))| ChunkColumn {
                name: (*name).to_owned(),
                block: BlockRef::Object(hasher.id(Kind::Column, &blocks[column][chunk])),
            })
            .collect(),
    })
}
