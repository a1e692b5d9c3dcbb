//! Known traps of applying (`r…`): drift, atomicity, recovery.

use deepdiff_db::apply::{DriftClass, Ending};
use deepdiff_db::fsio::RealFs;
use deepdiff_db::pack::{Consent, Pack, Run};

use crate::lab::{dump, sqlite3};
use crate::pack_lab::PackLab;

const ROWS: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, b BLOB);
    INSERT INTO t VALUES (1,'a',zeroblob(5000)),(2,'b',NULL),(3,'c',x'01'),(4,'d',1.5)";

fn lab() -> PackLab {
    PackLab::changed(
        ROWS,
        "UPDATE t SET v='A' WHERE id=1; UPDATE t SET b=2.5 WHERE id=4; DELETE FROM t WHERE id=2;
         INSERT INTO t VALUES (9,'n',NULL);",
    )
}

#[test]
fn r01_drift_update() {
    let lab = lab();
    let outcome = lab.refused_after("UPDATE t SET v='mine' WHERE id=1;");
    assert_eq!(outcome.outcome, Ending::Refused);
    assert_eq!((outcome.drift[0].class, outcome.drifted), (DriftClass::Changed, 1));
    assert!(outcome.drift[0].found.contains("v = 'mine'"), "{outcome:#?}");
}

#[test]
fn r02_drift_of_another_column() {
    let outcome = lab().refused_after("UPDATE t SET b=x'09' WHERE id=1;");
    assert_eq!(outcome.drift[0].class, DriftClass::Changed);
}

#[test]
fn r03_drift_delete_and_insert() {
    let lab = lab();
    let gone = lab.refused_after("DELETE FROM t WHERE id=4;");
    assert_eq!(gone.drift[0].class, DriftClass::Missing);
    let extra = lab.refused_after("INSERT INTO t VALUES (9,'other',NULL);");
    assert_eq!(extra.drift[0].class, DriftClass::Extra);
    let done = lab.refused_after(
        "DELETE FROM t WHERE id=2; INSERT INTO t VALUES (9,'n',NULL); UPDATE t SET v='A' WHERE id=1;",
    );
    assert_eq!(done.drifted, 3);
    assert!(done.drift.iter().all(|d| d.class == DriftClass::AlreadyApplied), "{done:#?}");
}

#[test]
fn r04_r05_drift_in_what_sql_takes_for_equal() {
    let schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT COLLATE NOCASE, n);
        INSERT INTO t VALUES (1,'x',1),(2,'y',zeroblob(5000000))";
    let lab = PackLab::changed(schema, "UPDATE t SET v = v || '!';");
    for drift in [
        "UPDATE t SET v='X' WHERE id=1;",
        "UPDATE t SET n=1.0 WHERE id=1;",
        "UPDATE t SET n=CAST(substr(n,1,4999999)||x'01' AS BLOB) WHERE id=2;",
    ] {
        let outcome = lab.refused_after(drift);
        assert_eq!(outcome.drift[0].class, DriftClass::Changed, "{drift}");
    }
    lab.copy_prod();
    assert_eq!(lab.apply("change", "copy.db", |_| {}).outcome, Ending::Applied);
}

#[test]
fn r06_apply_twice_writes_nothing() {
    let lab = lab();
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    assert_eq!(lab.apply("change", "copy.db", |_| {}).outcome, Ending::Applied);
    let bytes = std::fs::read(lab.path("copy.db")).unwrap();
    let again = lab.apply("change", "copy.db", |_| {});
    assert_eq!((again.outcome, again.statements), (Ending::AlreadyApplied, 0));
    assert!(bytes == std::fs::read(lab.path("copy.db")).unwrap());
}

#[test]
fn r11_inverse_with_later_drift() {
    let lab = lab();
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    lab.apply("change", "copy.db", |_| {});
    sqlite3(&lab.path("copy.db"), "UPDATE t SET v='later' WHERE id=9;");
    let before = dump(&lab.path("copy.db"));
    let back = lab.apply("change", "copy.db", |o| o.run = Run::Back);
    assert_eq!((back.outcome, back.drift[0].class), (Ending::Refused, DriftClass::Changed));
    assert_eq!(dump(&lab.path("copy.db")), before);
    sqlite3(&lab.path("copy.db"), "UPDATE t SET v='n' WHERE id=9;");
    assert_eq!(lab.apply("change", "copy.db", |o| o.run = Run::Back).outcome, Ending::Applied);
}

#[test]
fn r12_every_flipped_byte_of_a_pack_is_refused() {
    let lab = lab();
    lab.pack("change", &Consent::everything()).unwrap();
    let dir = lab.path("change");
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(Pack::open(&RealFs, &dir).is_err(), "{path:?} byte {at}");
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(Pack::open(&RealFs, &dir).is_err(), "{path:?} cut short");
        std::fs::write(&path, &good).unwrap();
    }
    Pack::open(&RealFs, &dir).unwrap();
}

#[test]
fn r13_wrong_target() {
    let lab = lab();
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    let refused = lab.apply("change", "copy.db", |o| o.accepts_target = false);
    assert_eq!(refused.outcome, Ending::Refused);
    assert!(refused.reasons[0].reason.contains("prod.db"), "{refused:#?}");
    let own = lab.apply("change", "prod.db", |o| o.accepts_target = false);
    assert_eq!(own.outcome, Ending::Applied);
}

#[test]
fn the_rows_of_a_dropped_table_are_guarded() {
    let lab = PackLab::changed(
        &format!("{ROWS}; CREATE TABLE old(a); INSERT INTO old VALUES (1)"),
        "DROP TABLE old;",
    );
    for drift in ["INSERT INTO old VALUES (2);", "UPDATE old SET a='1';"] {
        let outcome = lab.refused_after(drift);
        assert_eq!((outcome.outcome, outcome.drift[0].table.as_str()), (Ending::Refused, "old"));
    }
}

#[test]
fn drift_in_a_table_without_a_key() {
    let lab = PackLab::changed(
        "CREATE TABLE t(a, b); INSERT INTO t VALUES (1,1),(1,1),(2,2)",
        "DELETE FROM t WHERE a=1;",
    );
    let outcome = lab.refused_after("DELETE FROM t WHERE rowid=1;");
    assert_eq!(outcome.drift[0].class, DriftClass::Missing);
}

#[test]
fn a_locked_target_changes_nothing() {
    let lab = lab();
    lab.pack("change", &Consent::everything()).unwrap();
    lab.copy_prod();
    let mut child = std::process::Command::new("sqlite3")
        .arg(lab.path("copy.db"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::{BufRead as _, Write as _};
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"BEGIN IMMEDIATE; SELECT 'locked';\n").unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let error = lab.try_apply("change", "copy.db", |_| {}).unwrap_err();
    assert!(error.to_string().contains("lock"), "{error}");
    drop(stdin);
    child.wait().unwrap();
    assert_eq!(lab.apply("change", "copy.db", |_| {}).outcome, Ending::Applied);
}

#[test]
fn r07_killed_at_any_moment_the_target_is_before_or_after() {
    let rows = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT UNIQUE, w);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000)
        INSERT INTO t SELECT i, 'v'||i, 0 FROM n";
    let lab = PackLab::changed(rows, "UPDATE t SET w=1 WHERE id%3=0; DELETE FROM t WHERE id%7=1;");
    lab.pack("change", &Consent::everything()).unwrap();
    let (before, after) = (dump(&lab.path("prod.db")), dump(&lab.path("dev.db")));
    let mut seen = [0, 0];
    for round in 0..12u64 {
        lab.copy_prod();
        let args = ["apply", "change", "--to", "copy.db", "--accept-target"];
        let mut child = lab.lab.command(&args).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(round * 40));
        child.kill().unwrap();
        child.wait().unwrap();
        // The next to open the file finds the journal and rolls back.
        let found = dump(&lab.path("copy.db"));
        let is_after = found == after;
        assert!(is_after || found == before, "round {round}");
        seen[usize::from(is_after)] += 1;
        let next = lab.apply("change", "copy.db", |_| {});
        let expected = if is_after { Ending::AlreadyApplied } else { Ending::Applied };
        assert_eq!(next.outcome, expected, "round {round}");
        assert_eq!(dump(&lab.path("copy.db")), after);
    }
    assert!(seen[0] > 0, "no round was cut short: {seen:?}");
}
