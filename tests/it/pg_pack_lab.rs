//! A place for one test of packs on PostgreSQL: two databases of one schema, packs made and applied
//! by the binary under test, and psql as the oracle.

use serde_json::Value as Json;

use crate::lab::Output;
use crate::pg_lab::Pair;
use crate::servers::Database;

/// What makes a pack of everything.
const PACK: [&str; 9] =
    ["pack", "prod", "dev", "-o", "change", "--allow", "all", "--allow", "large-delete"];

/// How many receipts there are.
const RECEIPTS: &str = "SELECT coalesce(sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass),
    false, true, '')))[1]::text::int), -1) FROM pg_class c WHERE relname = '_deepdiff_receipts'";

/// The oracle's look at a database: every row of every table, as the server's text.
pub fn dump(database: &Database) -> String {
    let tables = database.sql(
        "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
         AND c.relname <> '_deepdiff_receipts' ORDER BY c.oid::regclass::text",
    );
    let selects: Vec<String> = tables
        .lines()
        .map(|table| {
            let name = table.replace('\'', "''");
            format!("SELECT '{name}', r::text FROM ONLY {table} r ORDER BY r::text COLLATE \"C\";")
        })
        .collect();
    database.sql(&selects.join("\n"))
}

impl Pair {
    /// Snapshots of both, and a pack between them, with whatever comes of it.
    #[track_caller]
    pub fn try_pack(&self, flags: &[&str]) -> Output {
        self.state(&self.prod, "prod");
        self.state(&self.dev, "dev");
        self.lab.run(&[&PACK[..], flags].concat())
    }

    /// The same, which must work; gives the migration.
    #[track_caller]
    pub fn pack(&self, flags: &[&str]) -> String {
        self.try_pack(flags).ok();
        std::fs::read_to_string(self.lab.path("change").join("migration.sql")).unwrap()
    }

    /// Applies the pack.
    pub fn apply(&self, database: &Database, flags: &[&str]) -> Output {
        let url = database.url();
        self.lab.run(&[&["apply", "change", "--to", &url, "--json"], flags].concat())
    }

    /// Another database that is as prod is now.
    pub fn copy(&self) -> Database {
        self.prod.server.database(&format!("TEMPLATE {}", self.prod.name))
    }

    /// Pack, dry run, apply, again, and back; gives the migration.
    #[track_caller]
    pub fn converges(&self, flags: &[&str]) -> String {
        let sql = self.pack(flags);
        let (before, after) = (dump(&self.prod), dump(&self.dev));
        let state = |name: &str| self.state(&self.prod, name);
        let (prod, dev) = (state("again"), self.state(&self.dev, "dev-again"));
        assert_eq!(self.apply(&self.prod, &["--dry-run"]).ok().json()["outcome"], "dry_run");
        assert_eq!(dump(&self.prod), before, "a dry run wrote");
        let applied = self.apply(&self.prod, &["--verify-full"]).ok().json();
        assert_eq!(
            (&applied["outcome"], &applied["state"]),
            (&"applied".into(), &dev.clone().into())
        );
        assert_eq!(state("applied"), dev, "the state after apply is not dev's");
        assert_eq!(dump(&self.prod), after, "the oracle after apply");
        let again = self.apply(&self.prod, &[]).ok().json();
        assert_eq!(
            (&again["outcome"], &again["statements"]),
            (&"already_applied".into(), &0.into())
        );
        let back = self.apply(&self.prod, &["--rollback", "--verify-full"]).ok().json();
        assert_eq!((&back["outcome"], &back["state"]), (&"applied".into(), &prod.clone().into()));
        assert_eq!(state("back"), prod, "the state after the rollback is not prod's");
        assert_eq!(dump(&self.prod), before, "the oracle after the rollback");
        sql
    }

    /// The pack, applied to a copy of prod that somebody has changed, is refused, and changes
    /// nothing; gives what it says.
    #[track_caller]
    pub fn refused_after(&self, drift: &str, flags: &[&str]) -> Json {
        let copy = self.copy();
        copy.sql(drift);
        let (before, receipts) = (dump(&copy), copy.sql(RECEIPTS));
        let output = self.apply(&copy, &[&["--accept-target"], flags].concat());
        assert_eq!(output.code, 4, "{drift}: {}\n{}", output.stdout, output.stderr);
        assert_eq!(dump(&copy), before, "{drift}");
        assert_eq!(copy.sql(RECEIPTS), receipts, "{drift}");
        output.json()
    }
}
