//! `verify`, `gc` and `repair`: the store looks after itself.

use std::io::Write;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::json;

use super::against;
use super::args::{GcArgs, RepairArgs, VerifyArgs};
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::git;
use super::revision;
use super::sign;
use super::snapshot::bytes;
use crate::report::stat::plural;
use crate::report::value::visible;
use crate::snapshot::check::TreeCheck;
use crate::snapshot::take::now;
use crate::store::gc::{Action, GcOptions, GcPlan};
use crate::store::repair::RepairPlan;
use crate::store::verify::{Damage, Damaged, Depth, VerifyOptions};
use crate::store::{Moment, Store};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Checks the store.
pub fn verify(context: &Context, args: &VerifyArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    if let Some(source) = &args.against {
        return against::run(context, args, source, out);
    }
    let store = context.store()?;
    // Who is trusted is asked before hours of reading.
    let signed = sign::verify(context, &store, &args.signatures, &args.snapshots)?;
    let depth = match (args.quick, args.full) {
        (true, _) => Depth::Quick,
        (_, true) => Depth::Full,
        _ => Depth::Default,
    };
    let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let check = TreeCheck::new(jobs);
    let options = VerifyOptions {
        depth,
        jobs,
        check: Some(&check),
        budget: args.budget.map(Duration::from_secs),
        start: if args.budget.is_some() { store.verify_cursor() } else { None },
    };
    let outcome = store.verify(&options)?;
    if args.budget.is_some() {
        store.write_verify_cursor(outcome.next)?;
    }
    let is_partial = outcome.next.is_some();
    let is_sound = outcome.is_sound() && signed.iter().all(sign::Signed::is_good);
    let (word, exit) = match (is_sound, is_partial) {
        (false, _) => ("damaged", Exit::Different),
        (true, true) => ("incomplete", Exit::Incomplete),
        (true, false) => ("ok", Exit::Done),
    };
    if context.global.json {
        let damaged: Vec<_> = outcome.damaged.iter().map(damage_json).collect();
        let mut object = json!({"outcome": word, "objects": outcome.objects,
            "bytes": outcome.bytes, "damaged": damaged, "notes": outcome.notes,
            "complete": !is_partial});
        if args.signatures.signatures {
            object["signatures"] = signed.iter().map(sign::Signed::to_json).collect();
        }
        writeln!(out, "{object}")?;
    } else {
        let place = Place::of(&store);
        let looked_at = match depth {
            Depth::Quick => "names, indexes and sizes".to_owned(),
            _ => format!("{}, {}", plural(outcome.objects, "object"), bytes(outcome.bytes)),
        };
        if outcome.is_sound() {
            let word = if is_sound || is_partial { word } else { "ok" };
            writeln!(out, "{word}: {looked_at}")?;
        } else {
            let found = plural(outcome.damaged.len() as u64, "problem");
            writeln!(out, "{word}: {found} found in {looked_at}")?;
        }
        place.print_damage(out, &outcome.damaged)?;
        if !outcome.is_sound() {
            writeln!(out, "{REPAIR_HINT}")?;
        }
        for note in &outcome.notes {
            writeln!(out, "  note: {}", place.shorten(note))?;
        }
        for signed in &signed {
            signed.print(out)?;
        }
        if is_partial {
            writeln!(out, "  the time was up; the next run with --budget goes on from here")?;
        }
    }
    Ok(exit)
}

const REPAIR_HINT: &str = "hint: `deepdiff-db repair` mends what can be mended; a new snapshot of \
    the same data brings lost objects back";

/// Where the store is: what is told to people leaves that out.
struct Place(String);

impl Place {
    fn of(store: &Store) -> Place {
        Place(format!("{}/", store.path().display()))
    }

    fn shorten(&self, text: &str) -> String {
        text.replace(&self.0, "")
    }

    fn print_damage(&self, out: &mut dyn Write, damaged: &[Damage]) -> Result<(), CliError> {
        for damage in damaged {
            let line = format!("  {}: {}", damage.what, damage.why);
            writeln!(out, "{}", self.shorten(&line))?;
        }
        Ok(())
    }
}

fn damage_json(damage: &Damage) -> serde_json::Value {
    json!({"what": damage.what.to_string(), "why": damage.why})
}

/// Collects what nothing names.
pub fn gc(context: &Context, args: &GcArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let store = context.store()?;
    let retention = &context.config.retention;
    let mut options = GcOptions::default();
    let days = |days: u64| DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX));
    if let Some(grace) = args.grace_days.or(retention.grace_days) {
        options.grace = days(grace);
    }
    if let Some(age) = args.log_days.or(retention.log_days) {
        options.log_age = days(age);
    }
    options.keep = args.keep.rules().or_else(|| retention.keep());
    if args.keep.keep_in_git || retention.keep_in_git {
        options.also = git::committed()?;
    }
    let now = Moment(now());
    let plan =
        if args.dry_run { store.plan_gc(&options, now)? } else { store.collect(&options, now)? };
    if context.global.json {
        let count = |meant: fn(Action) -> bool| plan.with(meant).count();
        let object = json!({
            "dry_run": args.dry_run,
            "files": plan.files.len(),
            "condemned": count(|a| matches!(a, Action::Condemn | Action::CopyOut)),
            "waiting": count(|a| matches!(a, Action::Wait { .. })),
            "removed": count(|a| a == Action::Remove),
            "removed_bytes": plan.removed_bytes(),
            "freed_bytes": plan.freed_bytes(),
            "retained": plan.retained.iter().map(|kept| json!({"ref": kept.reference.as_str(),
                "snapshot": kept.snapshot.to_string(), "when": revision::shown(kept.when.0),
                "rules": kept.rules})).collect::<Vec<_>>(),
            "forgotten": plan.forgotten.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "kept_by": plan.kept_by.iter()
                .map(|k| json!({"name": k.name, "entries": k.entries, "objects": k.objects,
                    "bytes": k.bytes}))
                .collect::<Vec<_>>(),
        });
        writeln!(out, "{object}")?;
    } else {
        print_gc(out, &plan, args.dry_run)?;
    }
    Ok(Exit::Done)
}

fn print_gc(out: &mut dyn Write, plan: &GcPlan, is_dry: bool) -> Result<(), CliError> {
    for kept in &plan.retained {
        let (name, id) = (visible(kept.reference.as_str()), kept.snapshot.short());
        let when = revision::shown(kept.when.0);
        match kept.rules.as_slice() {
            [] => writeln!(out, "{name} {id} {when} is kept by no rule")?,
            rules => writeln!(out, "{name} {id} {when} is kept: {}", rules.join(", "))?,
        }
    }
    for keeper in &plan.kept_by {
        let kept = match keeper.objects {
            0 => "nothing more".to_owned(),
            objects => format!("{}, {}", plural(objects, "object"), bytes(keeper.bytes)),
        };
        match keeper.entries {
            1 => writeln!(out, "kept by {}: {kept}", keeper.name)?,
            entries => writeln!(out, "kept by {} ({entries} entries): {kept}", keeper.name)?,
        }
    }
    for snapshot in &plan.forgotten {
        writeln!(out, "snapshot {} is kept by nothing", snapshot.short())?;
    }
    if plan.is_empty() {
        writeln!(out, "nothing to do")?;
        return Ok(());
    }
    let would = if is_dry { "would be " } else { "" };
    for file in &plan.files {
        let what = match file.action {
            Action::Keep | Action::InUse | Action::Wait { .. } => continue,
            Action::CopyOut => "emptied and condemned",
            Action::Condemn => "condemned",
            Action::Pardon => "kept after all",
            Action::Remove => "removed",
        };
        writeln!(out, "file {} {would}{what} ({})", file.file, bytes(file.bytes))?;
    }
    let (freed, now) = (bytes(plan.freed_bytes()), bytes(plan.removed_bytes()));
    writeln!(out, "{freed} kept by nothing, of which {now} {would}removed now")?;
    Ok(())
}

/// Mends what can be mended.
pub fn repair(context: &Context, args: &RepairArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let store = context.store()?;
    let (plan, saved, remaining) = if args.dry_run {
        let plan = store.plan_repair()?;
        let damaged = plan.found.clone();
        (plan, 0, damaged)
    } else {
        let repaired = store.repair(Moment(now()))?;
        (repaired.plan, repaired.saved, repaired.remaining)
    };
    if context.global.json {
        let object = json!({
            "dry_run": args.dry_run,
            "indexes": plan.indexes.len(),
            "emptied": plan.emptied.len(),
            "mended": plan.small.len(),
            "bad_objects": plan.bad_objects.keys().map(ToString::to_string).collect::<Vec<_>>(),
            "saved": saved,
            "remaining": remaining.iter().map(damage_json).collect::<Vec<_>>(),
        });
        writeln!(out, "{object}")?;
    } else {
        print_repair(out, &Place::of(&store), &plan, args.dry_run, saved, &remaining)?;
    }
    Ok(if remaining.is_empty() { Exit::Done } else { Exit::Different })
}

fn print_repair(
    out: &mut dyn Write,
    place: &Place,
    plan: &RepairPlan,
    is_dry: bool,
    saved: u64,
    remaining: &[Damage],
) -> Result<(), CliError> {
    if plan.is_empty() && remaining.is_empty() {
        writeln!(out, "nothing to mend")?;
        return Ok(());
    }
    if is_dry {
        let found = plural(remaining.len() as u64, "problem");
        writeln!(out, "{found} found")?;
        place.print_damage(out, remaining)?;
    }
    let would = if is_dry { "would be " } else { "" };
    for index in &plan.indexes {
        writeln!(out, "{would}made again: objects/{index}.idx")?;
    }
    for file in &plan.emptied {
        writeln!(out, "{would}emptied and condemned: objects/{file}.objs")?;
    }
    for fix in &plan.small {
        writeln!(out, "{would}mended: {}", place.shorten(&fix.to_string()))?;
    }
    if saved > 0 {
        writeln!(out, "saved from damaged files: {}", plural(saved, "object"))?;
    }
    // What is needed and lost is told below.
    let is_told = |id| {
        !is_dry
            && remaining
                .iter()
                .any(|d| matches!(d.what, Damaged::Object { id: lost, .. } if lost == id))
    };
    for id in plan.bad_objects.keys().filter(|id| !is_told(**id)) {
        writeln!(out, "object {} is bad: the next snapshot of the same data heals it", id.short())?;
    }
    if !is_dry && !remaining.is_empty() {
        writeln!(out, "{} left", plural(remaining.len() as u64, "problem"))?;
        place.print_damage(out, remaining)?;
        writeln!(out, "hint: a new snapshot of the same data brings lost objects back")?;
    }
    Ok(())
}
