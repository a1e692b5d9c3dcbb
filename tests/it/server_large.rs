//! Case Q13 on MySQL and MariaDB: values of hundreds of megabytes, in as much memory as promised.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use crate::lab::Lab;
use crate::servers;

const MIB: u64 = 1 << 20;

/// The bytes of a value.
const VALUE: u64 = 200 * MIB;

/// What a command may take: 256 MiB, and twice the largest row.
const MEMORY: u64 = 256 * MIB + 2 * VALUE;

/// Runs a command; gives how many bytes it had in memory at most, and what it printed.
#[track_caller]
fn peak(lab: &Lab, args: &[&str], code: i32) -> (u64, String) {
    let printed = lab.path("printed");
    let mut command = lab.command(args);
    command.stdout(File::create(&printed).unwrap()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        let told = std::fs::read_to_string(&status).unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: Option<u64> = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert_eq!(ended.code(), Some(code), "{args:?}");
    (peak, std::fs::read_to_string(&printed).unwrap())
}

#[test]
fn q13_values_of_200_megabytes_that_differ_in_their_last_byte() {
    // One of each family is enough: it takes its time.
    for server in servers::mysql_servers().into_iter().take(2) {
        let databases = ["0", "1"].map(|last| {
            let database = server.database("");
            // InnoDB of MySQL 5.7 takes a tenth of its log at once.
            database.sql(&format!(
                "CREATE TABLE t(id int PRIMARY KEY, v longblob) ENGINE=MyISAM;
                 INSERT INTO t VALUES (1, CONCAT(REPEAT('x', {}), '{last}')), (2, 'short');",
                VALUE - 1
            ));
            database
        });
        let lab = Lab::new();
        for (database, name) in databases.iter().zip(["a", "b"]) {
            let (peak, _) = peak(&lab, &["snapshot", &database.url(), "--ref", name], 0);
            assert!(peak <= MEMORY, "{}: {} MiB", server.name, peak / MIB);
        }
        let (peak, printed) = peak(&lab, &["diff", "a", "b", "--json"], 1);
        assert!(peak <= MEMORY, "{}: diff: {} MiB", server.name, peak / MIB);
        let diff = serde_json::from_str(&printed).unwrap();
        assert_eq!(Lab::counts(&diff, "t"), (0, 0, 1), "{}", server.name);
    }
}
