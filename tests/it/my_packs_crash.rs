//! The server dies in the middle of a pack that changes the schema (`kill -9` of its process), and comes
//! back: the run is gone on with, or undone.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use crate::my_packs::Pair;
use crate::my_packs_anew::{BASE, CHANGE};
use crate::my_packs_schema::waiting_at;
use crate::server_lab::wait_until;
use crate::servers::{PrivateServer, Server};

/// A server that can be killed.
struct Mortal {
    own: PrivateServer,
    process: Option<Child>,
}

impl Mortal {
    fn start() -> Mortal {
        let mut mortal = Mortal { own: PrivateServer::start(), process: None };
        // As it was started, the end of its process would lose what was committed just before.
        mortal.die_and_rise();
        mortal
    }

    fn server(&self) -> &Server {
        &self.own.server
    }

    fn ask(&self, sql: &str) -> String {
        String::from_utf8(self.server().try_run("mysql", sql).stdout).unwrap().trim().to_owned()
    }

    /// Kills the process, and starts another one over the same files.
    fn die_and_rise(&mut self) {
        let pid = std::fs::read_to_string(self.ask("SELECT @@pid_file")).unwrap();
        let process = format!("/proc/{}", pid.trim());
        let told = std::fs::read(format!("{process}/cmdline")).unwrap();
        let owner = std::fs::metadata(&process).unwrap();
        let words: Vec<&str> = std::str::from_utf8(&told).unwrap().split_terminator('\0').collect();
        assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
        if let Some(mut old) = self.process.take() {
            old.wait().unwrap();
        }
        // Where nobody waits for it, it stays in the list, without a command.
        let is_over = || std::fs::read(format!("{process}/cmdline")).map_or(true, |c| c.is_empty());
        wait_until("the end of the server", is_over);
        let mut start = Command::new(words[0]);
        start.args(&words[1..]).arg("--innodb-flush-log-at-trx-commit=1");
        start.uid(owner.uid()).gid(owner.gid());
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(start.spawn().unwrap());
        wait_until("the server", || self.ask("SELECT 1") == "1");
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Runs the pack until it comes to a place; there the server dies.
fn dies_at(mortal: &mut Mortal, pair: &Pair, place: usize) {
    let (running, file) = waiting_at(pair, place);
    let journal = "SELECT CONCAT(position, is_running) FROM _deepdiff_journal WHERE part = 0";
    let said = |pair: &Pair| pair.a.server.try_run(&pair.a.name, journal).stdout;
    wait_until("the journal", || !said(pair).is_empty());
    // It says the same for a while where the run waits.
    let mut before = Vec::new();
    wait_until("the place", || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        let now = said(pair);
        std::mem::replace(&mut before, now.clone()) == now
    });
    mortal.die_and_rise();
    std::fs::remove_file(&file).unwrap();
    let output = running.end();
    assert_ne!(output.code, 0, "at {place}: {}", output.stdout);
}

#[test]
fn m19_the_server_dies_and_comes_back() {
    let mut mortal = Mortal::start();
    let pair = Pair::on(mortal.server(), BASE, CHANGE);
    pair.pack(&["--allow", "large-delete"]).ok();
    let (before, after) = (pair.of("a"), pair.of("b"));
    for (place, undone) in [(9, true), (17, false), (26, true), (34, true), (43, false)] {
        dies_at(&mut mortal, &pair, place);
        match undone {
            true => pair.apply(&["--rollback"]).ok(),
            false => {
                pair.apply(&[]).ok();
                assert_eq!(pair.now(), after, "at {place}");
                pair.apply(&["--rollback"]).ok()
            }
        };
        assert_eq!(pair.now(), before, "at {place}");
        pair.prod("DELETE FROM _deepdiff_receipts;");
    }
}
