//! Values for rows that only the target has, in columns that take no NULL (`pack --fill`): there and
//! back on SQLite, PostgreSQL, MySQL and MariaDB.

use crate::lab::{Lab, Output, lab};
use crate::servers::{self, Database};

/// A target and what it shall become, snapshots `prod` and `dev`.
struct Scene<'l> {
    lab: &'l Lab,
    url: String,
    ask: &'l dyn Fn(&str) -> String,
}

impl Scene<'_> {
    fn pack(&self, more: &[&str]) -> Output {
        let pack = ["pack", "prod", "dev", "-o", "change", "--json"];
        self.lab.run(&[&pack[..], more].concat())
    }

    /// Packs, applies, compares all rows, and goes back.
    #[track_caller]
    fn leaves(&self, more: &[&str], rows: &str) -> serde_json::Value {
        let said = self.pack(more).ok().json();
        let before = self.lab.snapshot(&self.url, "again");
        let apply = ["apply", "change", "--to", &self.url, "--verify-full"];
        self.lab.run(&apply).ok();
        let found = (self.ask)("id, ' ', x, ' ', c, ' ', d, ' ', y, ' ', p");
        assert_eq!(found.lines().collect::<Vec<_>>().join("; "), rows);
        self.lab.run(&[&apply[..], &["--rollback"]].concat()).ok();
        assert_eq!(self.lab.snapshot(&self.url, "back"), before);
        std::fs::remove_dir_all(self.lab.path("change")).unwrap();
        said
    }

    /// What every engine does.
    fn check(&self, table: &str) {
        let column = |name: &str, value: &str| format!("{table}.{name}={value}");
        let words = [
            column("x", "un'known"),
            column("c", "7"),
            column("y", "@x"),
            column("d", "DEFAULT"),
            column("p", "2.50"),
        ];
        let all: Vec<&str> = words.iter().flat_map(|words| ["--fill", words]).collect();
        // Nothing is guessed: every row and column is named, and what would help.
        let output = self.pack(&[]).fails(4, "no pack was made");
        for words in ["t.c (2)", "t.x (2)", "t.d (3)", "--fill"] {
            assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
        }
        let taken = "1 a 5 9 a 1.50";
        // Rows whose deletion is not allowed.
        let said = self.leaves(
            &[&all[..], &["--fill", &column("y", "'none'")]].concat(),
            &format!("{taken}; 2 un'known 7 8 none 2.50; 3 c 7 8 none 2.50"),
        );
        let kept = &said["kept"][0];
        assert_eq!((&kept["step"], &kept["rows"]), (&"delete".into(), &2.into()), "{said}");
        assert!(kept["reason"].as_str().unwrap().contains("--allow delete-rows:"), "{said}");
        // What another column holds is no value where that is NULL.
        self.pack(&all).fails(4, ".y (2)");
        // Rows that a strategy keeps, and all of them.
        let y = column("y", "z");
        let ours = [&all[..], &["--strategy", "ours", "--fill", &y]].concat();
        self.leaves(&ours, "1 a 7 9 z 2.50; 2 un'known 7 8 z 2.50; 3 c 7 8 z 2.50");
        // Rows that go need nothing.
        let said = self.leaves(&[&all[..], &["--allow", "all"]].concat(), taken);
        assert_eq!(said["kept"].as_array().unwrap().len(), 0);
        for (words, why) in [
            (column("id", "5"), "part of the key"),
            (column("x", "DEFAULT"), "no default"),
            (column("c", "@x"), "x is"),
            (column("c", "@nothing"), "no column nothing"),
            (column("c", "five"), "no value of the type"),
            (column("nothing", "5"), "no such column"),
            ("t".to_owned(), "TABLE.COLUMN=VALUE"),
        ] {
            self.pack(&["--fill", &words]).fails(2, why);
        }
    }
}

const PROD: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, x VARCHAR(20), d INTEGER);
    INSERT INTO t VALUES (1, 'a', 9), (2, NULL, NULL), (3, 'c', NULL)";
const DEV: &str =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x VARCHAR(20) NOT NULL, d INTEGER DEFAULT 8 NOT NULL,
        c INTEGER NOT NULL, y VARCHAR(20) NOT NULL, p NUMERIC(10,2) NOT NULL);
    INSERT INTO t VALUES (1, 'a', 9, 5, 'a', 1.5)";

#[test]
fn rows_that_stay_on_sqlite() {
    let text = |script: &str| script.replace("NUMERIC(10,2)", "TEXT").replace("1.5)", "'1.50')");
    let lab = lab(&text(PROD), &text(DEV));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    let ask = |columns: &str| {
        let columns = columns.replace(',', "||");
        lab.sql("prod.db", &format!("SELECT {columns} FROM t ORDER BY id"))
    };
    Scene { lab: &lab, url: "prod.db".to_owned(), ask: &ask }.check("t");
}

fn on_server(lab: &Lab, prod: &Database, dev: &Database, table: &str) {
    prod.sql(PROD);
    dev.sql(DEV);
    lab.snapshot(&prod.url(), "prod");
    lab.snapshot(&dev.url(), "dev");
    let ask = |columns: &str| prod.sql(&format!("SELECT concat({columns}) FROM t ORDER BY id"));
    Scene { lab, url: prod.url(), ask: &ask }.check(table);
}

#[test]
fn rows_that_stay_on_postgres() {
    let server = servers::postgres();
    on_server(&Lab::new(), &server.database(""), &server.database(""), "public.t");
}

#[test]
fn rows_that_stay_on_mysql_and_mariadb() {
    for server in servers::mysql_servers() {
        let make = || server.database("CHARACTER SET utf8mb4");
        on_server(&Lab::new(), &make(), &make(), "t");
    }
}

/// Rules go by the names that the target gets.
#[test]
fn rules_for_what_gets_another_name() {
    let prod = "CREATE TABLE t(id INTEGER PRIMARY KEY, old VARCHAR(20));
        INSERT INTO t VALUES (1, 'a'), (2, 'b')";
    let dev = "CREATE TABLE u(id INTEGER PRIMARY KEY, new VARCHAR(20), c VARCHAR(20) NOT NULL);
        INSERT INTO u VALUES (1, 'a', 'x')";
    let check = |lab: &Lab, url: &str, schema: &str, ask: &dyn Fn(&str) -> String| {
        let of = |name: &str| format!("{schema}{name}");
        let before = lab.snapshot(url, "before");
        for (rule, filled) in [("@new", "b"), ("none", "none")] {
            let rule = of(&format!("u.c={rule}"));
            let (table, column) = (of("t=u"), of("t.old=new"));
            let names = ["--rename", &table, "--rename", &column, "--fill", &rule];
            lab.run(&[&["pack", "prod", "dev", "-o", "change"], &names[..]].concat()).ok();
            let apply = ["apply", "change", "--to", url, "--verify-full"];
            lab.run(&apply).ok();
            assert_eq!(ask("SELECT c FROM u WHERE id = 2;").trim(), filled);
            lab.run(&[&apply[..], &["--rollback"]].concat()).ok();
            assert_eq!(lab.snapshot(url, "back"), before);
            std::fs::remove_dir_all(lab.path("change")).unwrap();
        }
    };
    let lab = lab(prod, dev);
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    check(&lab, "prod.db", "", &|sql| lab.sql("prod.db", sql));
    for server in servers::mysql_servers().into_iter().chain([servers::postgres()]) {
        let is_postgres = server.name.starts_with("postgres");
        let schema = if is_postgres { "public." } else { "" };
        let (a, b) = (server.database(""), server.database(""));
        a.sql(prod);
        b.sql(dev);
        let lab = Lab::new();
        lab.snapshot(&a.url(), "prod");
        lab.snapshot(&b.url(), "dev");
        check(&lab, &a.url(), schema, &|sql| a.sql(sql));
    }
}
