//! What the codec costs and saves, by column: `cargo bench --bench codec`.
//!
//! Prints nanoseconds and stored bytes a row for chunks of 255 rows: first for each stage and each
//! column of the table of 5 million rows that the targets speak of, then for columns of other
//! kinds, each beside zstd over the plain block. The tables in `docs/decisions/` come from here.

use std::hint::black_box;
use std::time::{Duration, Instant};

use deepdiff_db::codec::block::{self, Column, ColumnBuilder};
use deepdiff_db::codec::row::{LargeValues, RowBatch, RowEncoder, RowLayout};
use deepdiff_db::codec::structure::{BlockRef, Chunk, ChunkColumn};
use deepdiff_db::codec::{Cell, HashAlgorithm, Hasher, Kind, cell, stored, wire};
use deepdiff_db::model::{
    ColumnSpec, Flow, KeyColumn, KeyMatching, ObjectId, ObjectName, RowKey, RowKeySource, RowSink,
    SinkError, TableSpec, Value,
};

const CHUNK_ROWS: usize = 255;
const CHUNKS: usize = 300;
const ROWS: usize = CHUNK_ROWS * CHUNKS;

/// An id in the chunk's list and an entry in the index of the object file.
const INDEX_ENTRY: usize = 44;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }
}

const FIRST: [&str; 24] = [
    "Anna", "Bernd", "Carla", "David", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas",
    "Katarina", "Luca", "Maria", "Nils", "Olga", "Pavel", "Quentin", "Rosa", "Stefan", "Tereza",
    "Ulrich", "Vera", "Wanda", "Yusuf",
];
const LAST: [&str; 24] = [
    "Schmidt",
    "Novak",
    "Rossi",
    "Garcia",
    "Dubois",
    "Jansen",
    "Kowalski",
    "Andersson",
    "Nagy",
    "Popescu",
    "Ivanova",
    "Yilmaz",
    "Papadopoulos",
    "Horvat",
    "Silva",
    "Murphy",
    "Brown",
    "Meyer",
    "Wagner",
    "Becker",
    "Fischer",
    "Weber",
    "Hoffmann",
    "Keller",
];
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
    let (year, day) = (2020 + day / 365, day % 365);
    let (month, day) = (1 + day / 31, 1 + day % 31);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}", second % 60)
}

fn name_of(random: &mut Random) -> String {
    let number = random.below(1_000_000);
    format!("{} {} {number}", random.one_of(&FIRST), random.one_of(&LAST))
}

fn json(random: &mut Random) -> String {
    format!(
        r#"{{"source":"{}","score":{},"tags":["{}","{}"],"v":{}}}"#,
        random.one_of(&["web", "app", "partner", "import"]),
        random.below(1000),
        random.one_of(&WORDS),
        random.one_of(&WORDS),
        random.below(100_000),
    )
}

fn float(number: f64) -> Value {
    Value::Float64(number.to_bits())
}

type Make = Box<dyn FnMut(usize, &mut Random) -> Value>;

fn table() -> Vec<(&'static str, Make)> {
    vec![
        ("active", Box::new(|_, r| Value::Int((r.below(10) != 0).into()))),
        (
            "amount",
            Box::new(|_, r| {
                let cents = r.below(1_000_000);
                // NUMERIC affinity: whole amounts are integers.
                if cents % 100 == 0 {
                    Value::Int((cents / 100) as i64)
                } else {
                    float(cents as f64 / 100.0)
                }
            }),
        ),
        ("code", Box::new(|_, r| Value::Text(format!("SKU-{:08}", r.below(50_000_000))))),
        (
            "created",
            Box::new(|row, r| Value::Text(timestamp(row as u64 * 30 + r.below(86_400 * 300)))),
        ),
        ("customer", Box::new(|_, r| Value::Int(r.below(1_000_000) as i64))),
        ("id", Box::new(|row, _| Value::Int(row as i64 + 1))),
        ("meta", Box::new(|_, r| if r.below(10) < 3 { Value::Null } else { Value::Json(json(r)) })),
        ("name", Box::new(|_, r| Value::Text(name_of(r)))),
    ]
}

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
        ("last name of 24", Box::new(|_, r| Value::Text(r.one_of(&LAST).to_owned()))),
        (
            "time, ascending",
            Box::new(|row, r| Value::Text(timestamp(row as u64 * 30 + r.below(30)))),
        ),
        (
            "time, micros",
            Box::new(|_, r| {
                let micros = r.below(1_000_000);
                Value::Text(format!("{}.{micros:06}", timestamp(r.below(86_400 * 900))))
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
            "letters, 12",
            Box::new(|_, r| {
                Value::Text((0..12).map(|_| char::from(b'a' + r.below(26) as u8)).collect())
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
            "email",
            Box::new(|_, r| {
                let number = r.below(10_000);
                let (first, last) = (r.one_of(&FIRST), r.one_of(&LAST));
                Value::Text(format!("{first}.{last}{number}@example.com").to_lowercase())
            }),
        ),
        (
            "words, about 300",
            Box::new(|_, r| {
                let words: Vec<_> = (0..50).map(|_| r.one_of(&WORDS)).collect();
                Value::Text(words.join(" "))
            }),
        ),
        ("measurement", Box::new(|_, r| float(r.next() as f64 / 1e18 + 20.0))),
        ("price, 3 decimals", Box::new(|_, r| float(r.below(100_000) as f64 / 1000.0))),
        (
            "int, 1 % outliers",
            Box::new(|_, r| {
                let limit = if r.below(100) == 0 { 1 << 40 } else { 1000 };
                Value::Int(r.below(limit) as i64)
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
            Box::new(|row, r| {
                Value::Int(1_700_000_000_000 + row as i64 * 1000 + r.below(1000) as i64)
            }),
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
        name: ObjectName::bare("orders"),
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

/// The shortest of a few runs, per row.
fn nanos_a_row(rows: usize, mut work: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed());
    }
    best.as_nanos() as f64 / rows as f64
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
    let mut random = Random(1);
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
    let hash = |hasher: &Hasher, batches: &mut [RowBatch]| {
        nanos_a_row(ROWS, || {
            for batch in &mut *batches {
                for row in 0..batch.len() {
                    black_box(batch.hash_row(row, hasher));
                }
            }
        })
    };
    let blake3 = hash(&hasher, &mut batches);
    let sha256 = hash(&Hasher::new(HashAlgorithm::Sha256), &mut batches);

    let mut builders = vec![ColumnBuilder::default(); columns.len()];
    let mut blocks = vec![Vec::new(); columns.len()];
    let mut key_blocks = Vec::new();
    let mut plain = Vec::new();
    let split = nanos_a_row(ROWS, || {
        blocks.iter_mut().for_each(Vec::clear);
        key_blocks.clear();
        let all: Vec<_> =
            batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.row(row))).collect();
        for chunk in all.chunks(CHUNK_ROWS) {
            builders.iter_mut().for_each(ColumnBuilder::clear);
            for (row, encoded) in chunk.iter().enumerate() {
                for cell in layout.cells(encoded.preimage()) {
                    let (column, cell) = cell.unwrap();
                    builders[column].fill_nulls(row);
                    builders[column].push(cell);
                }
            }
            for (column, builder) in builders.iter_mut().enumerate() {
                builder.fill_nulls(chunk.len());
                builder.write(&mut plain);
                blocks[column].push(plain.clone());
            }
            block::write_keys(chunk.iter().map(|row| row.key), &mut plain);
            key_blocks.push(plain.clone());
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
