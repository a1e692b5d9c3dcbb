//! The measured tables, made the same way every time, and what is changed in them.
//!
//! Databases are made once and kept; a file that is there is complete, because it is made under
//! another name. Changes are made in copies.

use std::fs;
use std::path::{Path, PathBuf};

use super::handle::Database;
use super::items::{ADJECTIVES, COLOURS, DIGITS, NOUNS, Random};

/// Raised whenever the tables change: databases of another edition are not used.
const EDITION: u32 = 2;

/// The table of 112 bytes a row. Nullable JSON stands in every other row.
const ITEMS: &str = "CREATE TABLE items (
    id BIGINT NOT NULL,
    warehouse INT NOT NULL,
    code VARCHAR(12) NOT NULL,
    amount NUMERIC(12, 2) NOT NULL,
    title VARCHAR(40) NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    attributes JSON,
    active BOOLEAN NOT NULL,
    PRIMARY KEY (id)
)";

fn signed_below(random: &mut Random, limit: u32) -> i64 {
    i64::try_from(random.below(u64::from(limit))).expect("below a 32-bit number")
}

fn code(random: &mut Random) -> String {
    let mut bits = random.next();
    (0..12)
        .map(|_| {
            let digit = usize::try_from(bits & 31).expect("five bits");
            bits >>= 5;
            char::from(DIGITS[digit])
        })
        .collect()
}

fn title(random: &mut Random) -> String {
    let words = (random.one_of(&ADJECTIVES), random.one_of(&NOUNS), random.one_of(&COLOURS));
    format!("{} {}, {} #{:04}", words.0, words.1, words.2, random.below(10_000))
}

fn timestamp(random: &mut Random) -> String {
    let (day, second) = (random.below(336), random.below(86_400));
    format!(
        "2026-{:02}-{:02} {:02}:{:02}:{:02}",
        1 + day / 28,
        1 + day % 28,
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

fn attributes(random: &mut Random) -> Option<String> {
    let colour = random.one_of(&COLOURS);
    let (batch, shelf, weight) = (random.below(100_000), random.below(400), random.below(9000));
    (random.below(2) == 0).then(|| {
        format!(
            "{{\"colour\":\"{colour}\",\"batch\":{batch},\"shelf\":\"S{shelf}\",\"grams\":{weight}}}"
        )
    })
}

fn amount(random: &mut Random) -> f64 {
    let cents = u32::try_from(random.below(9_999_999)).expect("below ten million");
    f64::from(cents) / 100.0
}

/// Where the databases are kept.
#[derive(Debug, Clone)]
pub struct Data {
    folder: PathBuf,
}

impl Data {
    /// Keeps databases in a folder.
    pub fn in_folder(folder: PathBuf) -> Data {
        fs::create_dir_all(&folder).expect("the folder of the data can be made");
        Data { folder }
    }

    /// The path of a folder of this name.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// An empty folder of this name.
    pub fn fresh_folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("an old folder can be removed");
        }
        fs::create_dir_all(&folder).expect("a folder can be made");
        folder
    }

    /// The database with the table of this many rows.
    pub fn items(&self, rows: u64) -> PathBuf {
        self.make(&format!("items-{rows}.db"), |path| {
            let database = open_for_filling(path);
            database.execute(ITEMS);
            let insert = database.prepare("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
            let mut random = Random::new(20_260_928);
            let mut id = 0;
            for _ in 0..rows {
                // Most ids follow each other; some are gone, sometimes many at once.
                id += if random.below(8) == 0 { 1 + signed_below(&mut random, 60) } else { 1 };
                insert.bind_int(1, id);
                insert.bind_int(2, signed_below(&mut random, 2000));
                insert.bind_text(3, Some(&code(&mut random)));
                insert.bind_float(4, amount(&mut random));
                insert.bind_text(5, Some(&title(&mut random)));
                insert.bind_text(6, Some(&timestamp(&mut random)));
                insert.bind_text(7, attributes(&mut random).as_deref());
                insert.bind_int(8, signed_below(&mut random, 2));
                insert.run();
            }
            drop(insert);
            database.execute("COMMIT");
        })
    }

    /// A copy of the table in which this was changed.
    pub fn changed(&self, rows: u64, change: Change) -> PathBuf {
        let base = self.items(rows);
        self.make(&format!("items-{rows}-{}.db", change.name()), |path| {
            fs::copy(&base, path).expect("a database can be copied");
            let database = open_for_filling(path);
            change.make(&database, rows);
            database.execute("COMMIT");
        })
    }

    /// A table of 2,000 columns, and a copy in which the last cell differs.
    pub fn wide(&self, rows: u64) -> [PathBuf; 2] {
        let base = self.make(&format!("wide-{rows}.db"), |path| {
            let database = open_for_filling(path);
            let columns: Vec<String> = (1..2000)
                .map(|n| format!("c{n} {}", if n % 2 == 0 { "INT" } else { "TEXT" }))
                .collect();
            let columns = columns.join(", ");
            database.execute(&format!("CREATE TABLE wide (id INTEGER PRIMARY KEY, {columns})"));
            let holes = vec!["?"; 2000].join(", ");
            let insert = database.prepare(&format!("INSERT INTO wide VALUES ({holes})"));
            let mut random = Random::new(2000);
            for id in 0..i64::try_from(rows).expect("few rows") {
                insert.bind_int(1, id);
                for column in 2..=2000 {
                    if column % 2 == 1 {
                        insert.bind_int(column, signed_below(&mut random, 1_000_000));
                    } else {
                        insert.bind_text(column, Some(random.one_of(&NOUNS)));
                    }
                }
                insert.run();
            }
            drop(insert);
            database.execute("COMMIT");
        });
        let other = self.make(&format!("wide-{rows}-changed.db"), |path| {
            fs::copy(&base, path).expect("a database can be copied");
            let last = "UPDATE wide SET c1999 = c1999 || '!' WHERE id = (SELECT max(id) FROM wide)";
            Database::open(path).execute(last);
        });
        [base, other]
    }

    /// A table with one value of this many bytes, and a copy in which its last byte differs.
    pub fn large(&self, bytes: usize) -> [PathBuf; 2] {
        [0u8, 1].map(|last| {
            self.make(&format!("large-{bytes}-{last}.db"), |path| {
                let mut random = Random::new(200);
                let mut value = Vec::with_capacity(bytes + 8);
                while value.len() < bytes {
                    value.extend_from_slice(&random.next().to_le_bytes());
                }
                value.truncate(bytes);
                value[bytes - 1] = last;
                fill_large(path, &[(1, b"small"), (2, &value), (3, b"small")]);
            })
        })
    }

    /// The same database without the row of the large value.
    pub fn without_large(&self) -> PathBuf {
        let rows: [(i64, &[u8]); 2] = [(1, b"small"), (3, b"small")];
        self.make("large-none.db", |path| fill_large(path, &rows))
    }

    fn make(&self, name: &str, fill: impl FnOnce(&Path)) -> PathBuf {
        let name = format!("v{EDITION}-{name}");
        let path = self.folder.join(&name);
        if !path.exists() {
            eprintln!("making {name}");
            let unfinished = self.folder.join(format!("{name}.unfinished"));
            let _ = fs::remove_file(&unfinished);
            fill(&unfinished);
            fs::rename(&unfinished, &path).expect("a database can be renamed");
        }
        path
    }
}

fn fill_large(path: &Path, rows: &[(i64, &[u8])]) {
    let database = open_for_filling(path);
    database.execute("CREATE TABLE large (id INTEGER PRIMARY KEY, value BLOB)");
    let insert = database.prepare("INSERT INTO large VALUES (?, ?)");
    for (id, value) in rows {
        insert.bind_int(1, *id);
        insert.bind_blob(2, value);
        insert.run();
    }
    drop(insert);
    database.execute("COMMIT");
}

fn open_for_filling(path: &Path) -> Database {
    let database = Database::open(path);
    database.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN");
    database
}

/// What is changed in a copy of the table.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// The amounts of this many rows, chosen at random.
    Amounts(u64),
    /// The titles and amounts of this many rows, chosen at random.
    Rows(u64),
    /// This many rows: of ten, eight are updated, one deleted and one inserted.
    Mixed(u64),
    /// The amount of every row.
    EveryAmount,
    /// A new column, NULL in every row.
    EmptyColumn,
    /// A new column with a default.
    DefaultColumn,
}

impl Change {
    fn name(self) -> String {
        match self {
            Change::Amounts(count) => format!("amounts-{count}"),
            Change::Rows(count) => format!("rows-{count}"),
            Change::Mixed(count) => format!("mixed-{count}"),
            Change::EveryAmount => "every-amount".to_owned(),
            Change::EmptyColumn => "empty-column".to_owned(),
            Change::DefaultColumn => "default-column".to_owned(),
        }
    }

    fn make(self, database: &Database, rows: u64) {
        match self {
            Change::Amounts(count) => {
                update(database, "amount = amount + 0.01", count, rows);
            }
            Change::Rows(count) => {
                update(database, "amount = amount + 0.01, title = title || '!'", count, rows);
            }
            Change::Mixed(count) => {
                let tenth = count / 10;
                database.execute(&format!(
                    "DELETE FROM items WHERE id IN (SELECT id FROM items ORDER BY code LIMIT {tenth})"
                ));
                let set = "amount = amount + 0.01, active = 1 - active";
                update(database, set, count - 2 * tenth, rows);
                database.execute(&format!(
                    "INSERT INTO items SELECT id + 1000000000, warehouse, code, amount, title, \
                     updated_at, attributes, active FROM items ORDER BY code LIMIT {tenth}"
                ));
            }
            Change::EveryAmount => database.execute("UPDATE items SET amount = amount + 0.01"),
            Change::EmptyColumn => database.execute("ALTER TABLE items ADD COLUMN note TEXT"),
            Change::DefaultColumn => {
                database.execute("ALTER TABLE items ADD COLUMN note TEXT NOT NULL DEFAULT 'none'");
            }
        }
    }
}

/// Updates `count` different rows, chosen at random.
fn update(database: &Database, set: &str, count: u64, rows: u64) {
    let mut random = Random::new(count ^ rows);
    database.execute("CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY)");
    let choose = database.prepare(
        "INSERT OR IGNORE INTO chosen SELECT id FROM items WHERE id >= ? * (SELECT max(id) FROM items) / ? \
         ORDER BY id LIMIT 1",
    );
    loop {
        let chosen = database.scan("SELECT id FROM chosen").rows;
        if chosen >= count {
            break;
        }
        for _ in chosen..count {
            choose.bind_int(1, i64::try_from(random.below(rows)).expect("a row number"));
            choose.bind_int(2, i64::try_from(rows).expect("a row count"));
            choose.run();
        }
    }
    drop(choose);
    database.execute(&format!("UPDATE items SET {set} WHERE id IN (SELECT id FROM chosen)"));
    database.execute("DROP TABLE chosen");
}
