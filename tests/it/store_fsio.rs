//! The real file system does what the simulated one promises: modes, locks, names that are not
//! replaced, files that vanish.

use std::io::ErrorKind;
use std::path::Path;

use deepdiff_db::fsio::{
    FileSystem, OnExisting, RealFs, SimulatedFs, create_unique, write_atomically, write_new,
};

/// Runs a check on both file systems, each in an empty directory.
fn on_both(check: impl Fn(&dyn FileSystem, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    check(&RealFs, dir.path());
    let fs = SimulatedFs::new();
    fs.create_dir(Path::new("/dir")).unwrap();
    check(&fs, Path::new("/dir"));
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    on_both(|fs, dir| {
        let path = dir.join("a");
        write_atomically(fs, dir, &path, b"first", OnExisting::Refuse).unwrap();
        let taken = write_atomically(fs, dir, &path, b"second", OnExisting::Refuse).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs.read(&path, 100).unwrap(), b"first");
        write_atomically(fs, dir, &path, b"second", OnExisting::Replace).unwrap();
        assert_eq!(fs.read(&path, 100).unwrap(), b"second");
        assert_eq!(fs.list(dir).unwrap().len(), 1, "nothing temporary is left");
        assert_eq!(fs.info(&path).unwrap().unwrap().mode, 0o600);
        assert_eq!(fs.read(&path, 3).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert!(write_new(fs, &path, b"third").is_err());
    });
}

#[test]
fn errors_say_what_was_attempted_and_where() {
    on_both(|fs, dir| {
        let missing = dir.join("missing");
        let error = fs.open(&missing).unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.to_string(), format!("could not open {}", missing.display()));
        assert!(fs.list_if_there(&missing).unwrap().is_empty());
        assert!(fs.info(&missing).unwrap().is_none());
        assert!(fs.create(&missing.join("below")).is_err());
    });
}

#[test]
fn a_file_that_is_being_written_is_locked() {
    on_both(|fs, dir| {
        let (path, mut file) = create_unique(fs, dir, "tmp").unwrap();
        assert!(fs.try_lock(&path).unwrap().is_none());
        file.append(b"content").unwrap();
        file.make_read_only().unwrap();
        assert_eq!(fs.info(&path).unwrap().unwrap().mode, 0o444);
        // The lock follows the file to its new name, and ends with the handle.
        let sealed = dir.join("sealed");
        fs.rename(&path, &sealed, OnExisting::Refuse).unwrap();
        assert!(fs.try_lock(&sealed).unwrap().is_none());
        drop(file);
        let lock = fs.try_lock(&sealed).unwrap();
        assert!(lock.is_some() && fs.try_lock(&sealed).unwrap().is_none());
        assert_eq!(&*fs.open(&sealed).unwrap().map().unwrap(), b"content");
    });
}

#[test]
fn scratch_files_have_no_name() {
    on_both(|fs, dir| {
        let mut scratch = fs.scratch(dir).unwrap();
        scratch.append(b"spilled ").unwrap();
        scratch.append(b"rows").unwrap();
        let mut read = [0u8; 4];
        scratch.read_exact_at(&mut read, 8).unwrap();
        assert_eq!((&read, scratch.len()), (b"rows", 12));
        assert!(scratch.read_exact_at(&mut read, 9).is_err());
        assert!(fs.list(dir).unwrap().is_empty());
    });
}

#[test]
fn nonces_differ() {
    on_both(|fs, _| {
        let nonces: std::collections::HashSet<_> = (0..1000).map(|_| fs.nonce()).collect();
        assert_eq!(nonces.len(), 1000);
    });
}
