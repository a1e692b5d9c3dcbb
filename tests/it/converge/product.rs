//! The program under test: its commands as a person would give them, each with a time limit.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

use super::outcome::{Ending, Outcome};
use super::reasons;

/// A folder with a store.
pub struct Workspace {
    dir: TempDir,
}

/// How a command ended.
struct Said {
    code: i32,
    json: Json,
    stderr: String,
}

/// What `apply` did.
pub enum Applied {
    Done,
    /// Nothing was written, for these reasons, which are all of triggers.
    Refused(Vec<String>),
    /// It was rolled back, or could not run.
    Failed(Vec<String>),
}

impl Workspace {
    /// An empty one.
    pub fn new() -> Result<Workspace, Ending> {
        let dir = tempfile::tempdir().map_err(|error| {
            Ending::new(Outcome::Broken, format!("no temporary folder: {error}"))
        })?;
        let workspace = Workspace { dir };
        workspace.run(&["init"])?;
        Ok(workspace)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Leaves the folder where it is.
    pub fn keep(self) -> PathBuf {
        self.dir.keep()
    }

    /// Takes a snapshot; gives its state id.
    pub fn snapshot(&self, url: &str, name: &str) -> Result<String, Ending> {
        let said = self.run(&["snapshot", url, "--ref", name, "--json"])?;
        match said.json["state"].as_str() {
            Some(state) if said.code == 0 => Ok(state.to_owned()),
            _ => {
                let why = said.error();
                Err(Ending::new(Outcome::NotCaptured, format!("snapshot: {why}")))
            }
        }
    }

    /// Makes a complete pack.
    pub fn pack(&self, from: &str, to: &str, dir: &str) -> Result<(), Ending> {
        let consent = ["--allow", "all", "--allow", "large-delete", "--json"];
        let said = self.run(&[&["pack", from, to, "-o", dir], &consent[..]].concat())?;
        if said.code != 0 {
            let error = said.error();
            return Err(match said.code {
                4 => Ending { outcome: Outcome::Refused, why: reasons::split(&error) },
                _ => Ending::new(Outcome::PackFailed, format!("pack: {error}")),
            });
        }
        if said.json["complete"] != true {
            let left_out = said.json["left_out"].as_array().into_iter().flatten();
            let why = left_out.map(|step| {
                let word = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
                format!("left out: {}: {}", word("class"), word("reason"))
            });
            return Err(Ending { outcome: Outcome::Refused, why: why.collect() });
        }
        Ok(())
    }

    /// Runs a pack, or its rollback, with all triggers allowed that it says will fire.
    pub fn apply(&self, dir: &str, url: &str, way: &[&str]) -> Result<Applied, Ending> {
        let mut triggers = self.triggers(dir);
        let applied = self.apply_with(dir, url, way, &triggers)?;
        let Applied::Refused(why) = &applied else { return Ok(applied) };
        // A rollback may change rows of other tables: their triggers it names.
        let named =
            why.iter().filter_map(|reason| reason.strip_prefix("apply: ")?.split(": ").next());
        triggers.extend(named.map(str::to_owned));
        self.apply_with(dir, url, way, &triggers)
    }

    /// Runs it with triggers of these tables allowed.
    fn apply_with(
        &self,
        dir: &str,
        url: &str,
        way: &[&str],
        triggers: &[String],
    ) -> Result<Applied, Ending> {
        let mut args = vec!["apply", dir, "--to", url, "--accept-target", "--json"];
        args.extend(way);
        for table in triggers {
            args.extend(["--allow-triggers", table]);
        }
        let said = self.run(&args)?;
        if said.code == 0
            && ["applied", "dry_run", "checked"].iter().any(|done| said.json["outcome"] == *done)
        {
            return Ok(Applied::Done);
        }
        let outcome = said.json["outcome"].as_str().unwrap_or("could not run").to_owned();
        let reasons = said.json["reasons"].as_array().into_iter().flatten();
        let mut why: Vec<String> = reasons
            .map(|reason| {
                format!("apply: {}: {}", plain(&reason["object"]), plain(&reason["reason"]))
            })
            .collect();
        let is_about_triggers = outcome == "refused"
            && !why.is_empty()
            && why.iter().all(|reason| reason.contains("trigger"));
        let drift = said.json["drift"].as_array().into_iter().flatten();
        why.extend(
            drift.take(3).map(|drift| format!("drift: {}: {drift}", plain(&drift["class"]))),
        );
        if why.is_empty() {
            why.push(format!("apply: {outcome}: {}", said.error()));
        }
        Ok(if is_about_triggers { Applied::Refused(why) } else { Applied::Failed(why) })
    }

    /// The tables whose triggers a pack makes fire.
    fn triggers(&self, dir: &str) -> Vec<String> {
        let manifest = std::fs::read_to_string(self.path().join(dir).join("pack.json"));
        let manifest: Json =
            manifest.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let tables = manifest["triggers"].as_array().into_iter().flatten();
        tables.filter_map(|entry| Some(entry["table"].as_str()?.to_owned())).collect()
    }

    /// Runs a command. One that panics, is killed or goes on for two minutes is an ending.
    fn run(&self, args: &[&str]) -> Result<Said, Ending> {
        let output = Command::new("timeout")
            .args(["--kill-after=5", "120", env!("CARGO_BIN_EXE_deepdiff-db")])
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "UTC")
            .env("DEEPDIFF_AUTHOR", "tester")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Ending::new(Outcome::Broken, format!("no command runs: {error}")))?;
        let said = Said {
            code: output.status.code().unwrap_or(-1),
            json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        if matches!(said.code, 0..=5) {
            return Ok(said);
        }
        let why = format!("{} ended with {}: {}", args[0], said.code, said.stderr);
        Err(Ending::new(Outcome::Crashed, why))
    }
}

impl Said {
    /// What is wrong, from the outside in, on one line.
    fn error(&self) -> String {
        let causes = self.json["causes"].as_array().into_iter().flatten().map(plain);
        let parts: Vec<String> = [plain(&self.json["error"])].into_iter().chain(causes).collect();
        let text = if self.json.is_null() { self.stderr.clone() } else { parts.join(": ") };
        text.replace('\n', " ")
    }
}

/// A text without the quotes of JSON.
fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
