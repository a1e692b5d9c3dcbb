//! Rules for older snapshots, through the binary: what goes, what stays, what is told before.

use deepdiff_db::store::Moment;
use serde_json::Value as Json;

use crate::lab::Lab;

/// When the snapshots of the scene were taken, oldest first.
const MOMENTS: [&str; 6] = [
    "2026-01-31T23:59:59Z",
    "2026-02-01T00:00:00Z",
    "2026-02-01T23:59:59Z",
    "2026-02-02T00:00:00Z",
    "2026-02-09T08:00:00Z",
    "2026-02-09T09:00:00Z",
];

/// A ref `prod` that was moved at these moments, each time to another state.
fn scene() -> (Lab, Vec<String>) {
    let lab = Lab::new();
    let mut ids = Vec::new();
    for number in 0..MOMENTS.len() {
        let blob = format!("hex(randomblob(20000)) || '{number}'");
        lab.sql("prod.db", &format!("DROP TABLE IF EXISTS t; CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, {blob});"));
        let taken = lab.run(&["snapshot", "prod.db", "--ref", "prod", "--json"]).ok().json();
        ids.push(taken["snapshot"].as_str().unwrap().to_owned());
    }
    redate(&lab);
    (lab, ids)
}

/// Lets the log say that the ref moved at other moments.
fn redate(lab: &Lab) {
    let path = lab.path(".deepdiff/log/prod");
    let log = std::fs::read_to_string(&path).unwrap();
    let mut changed = String::new();
    for (line, moment) in log.lines().zip(MOMENTS) {
        let mut entry: Json = serde_json::from_str(line).unwrap();
        let when = Moment(moment.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        entry["when"] = when.0.into();
        entry["sum"] = "".into();
        let sum = blake3::hash(entry.to_string().as_bytes()).to_hex().to_string();
        entry["sum"] = sum[..16].into();
        changed += &format!("{entry}\n");
    }
    std::fs::write(path, changed).unwrap();
}

/// The numbers of the snapshots that rules keep.
fn kept(lab: &Lab, ids: &[String], rules: &[&str]) -> Vec<usize> {
    let plan = lab.run(&[&["gc", "--dry-run", "--json"], rules].concat()).ok().json();
    let retained = plan["retained"].as_array().unwrap();
    assert_eq!(retained.len(), ids.len(), "{plan}");
    let number = |id: &Json| ids.iter().position(|other| id == other).unwrap();
    let mut kept: Vec<usize> = retained
        .iter()
        .filter(|kept| !kept["rules"].as_array().unwrap().is_empty())
        .map(|kept| number(&kept["snapshot"]))
        .collect();
    kept.sort_unstable();
    kept
}

fn is_there(lab: &Lab, id: &str) -> bool {
    lab.run(&["show", id]).code == 0
}

#[test]
fn rules_keep_the_newest_of_each_bucket() {
    let (lab, ids) = scene();
    for (rules, expected) in [
        (&["--keep-last", "2"][..], vec![4, 5]),
        (&["--keep-daily", "2"], vec![3, 5]),
        (&["--keep-daily", "99"], vec![0, 2, 3, 5]),
        (&["--keep-weekly", "9"], vec![2, 3, 5]),
        (&["--keep-monthly", "9"], vec![0, 5]),
        (&["--keep-yearly", "9"], vec![5]),
        (&["--keep-last", "1", "--keep-monthly", "2", "--keep-daily", "2"], vec![0, 3, 5]),
    ] {
        assert_eq!(kept(&lab, &ids, rules), expected, "{rules:?}");
    }
    lab.run(&["gc", "--keep-last", "0"]).fails(2, "keep-last");
    lab.run(&["gc", "--keep-last", "-1"]).fails(2, "-1");
}

#[test]
fn a_dry_run_tells_and_a_run_does_just_that() {
    let (lab, ids) = scene();
    let rules = ["--keep-daily", "2", "--grace-days", "0"];
    let told = lab.run(&[&["gc", "--dry-run"], &rules[..]].concat()).ok().stdout;
    assert!(told.contains("is kept: head, daily") && told.contains("kept by no rule"), "{told}");
    assert!(told.contains("would be removed"), "{told}");
    assert!(ids.iter().all(|id| is_there(&lab, id)), "a dry run removes nothing");
    let dry = lab.run(&[&["gc", "--dry-run", "--json"], &rules[..]].concat()).ok().json();
    assert!(dry["freed_bytes"].as_u64().unwrap() > 20_000, "{dry}");
    let done = lab.run(&[&["gc", "--json"], &rules[..]].concat()).ok().json();
    assert_eq!(
        (&dry["forgotten"], &dry["removed_bytes"]),
        (&done["forgotten"], &done["removed_bytes"])
    );
    // A file of which a part is alive was emptied and condemned, and goes with the next run.
    lab.run(&[&["gc"], &rules[..]].concat()).ok();
    let there: Vec<bool> = ids.iter().map(|id| is_there(&lab, id)).collect();
    assert_eq!(there, [false, false, false, true, false, true]);
    lab.run(&["verify", "--full"]).ok();
    // What is gone is shown as gone, and is no damage.
    lab.run(&["log"]).ok();
    lab.run(&["show", "prod~1"]).fails(2, "removed");
    lab.run(&["show", "prod@2026-02-01"]).fails(2, "removed");
    assert!(lab.run(&["show", "prod@2026-02-02"]).ok().stdout.contains(&ids[3][..12]));
    // What is gone takes nobody's place.
    let again = lab.run(&["gc", "--dry-run", "--json", "--keep-last", "2"]).ok().json();
    let rules: Vec<&Json> =
        again["retained"].as_array().unwrap().iter().map(|r| &r["rules"]).collect();
    assert_eq!(rules, [&serde_json::json!(["head", "last"]), &serde_json::json!(["last"])]);
}

#[test]
fn names_and_other_logs_keep_theirs() {
    let (lab, ids) = scene();
    lab.run(&["tag", "audit", &ids[1]]).ok();
    lab.run(&["ref", "old", &ids[2]]).ok();
    lab.run(&["ref", "gone", &ids[0]]).ok();
    lab.run(&["ref", "--delete", "gone"]).ok();
    let collect = ["gc", "--keep-last", "1", "--grace-days", "0"];
    lab.run(&collect).ok();
    let there: Vec<bool> = ids.iter().map(|id| is_there(&lab, id)).collect();
    // The log of a ref that was deleted keeps its snapshot for 90 days, as ever.
    assert_eq!(there, [true, true, true, false, false, true]);
    for _ in 0..2 {
        lab.run(&[&collect[..], &["--log-days", "0"]].concat()).ok();
    }
    assert!(!is_there(&lab, &ids[0]));
    lab.run(&["verify", "--full"]).ok();
}

#[test]
fn rules_of_the_configuration_and_none_at_all() {
    let (lab, ids) = scene();
    // Without rules, the log of the last 90 days keeps.
    let plain = lab.run(&["gc", "--dry-run", "--json"]).ok().json();
    assert_eq!(plain["retained"].as_array().unwrap().len(), 0);
    let config = |text: &str| std::fs::write(lab.path("deepdiff.toml"), text).unwrap();
    config("[retention]\nkeep_monthly = 9\n");
    assert_eq!(kept(&lab, &ids, &[]), [0, 5]);
    assert_eq!(kept(&lab, &ids, &["--keep-last", "1"]), [5], "the command line says it all");
    config("[retention]\nkeep_monthly = 0\n");
    lab.run(&["gc", "--dry-run"]).fails(2, "line 2");
    config("");
    assert!(ids.iter().all(|id| is_there(&lab, id)));
}
