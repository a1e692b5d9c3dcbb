//! SQLite by its C interface, as thin as it gets: what fills the tables quickly, and the bare loop
//! over `sqlite3_step` that a snapshot is measured against.
//!
//! It shares no code with the engine that is measured. Errors end the benchmark.
#![allow(unsafe_code, reason = "a peer by the C interface; nothing of it is in the library")]

use std::ffi::{CStr, CString, c_int};
use std::hint::black_box;
use std::path::Path;
use std::ptr;

use libsqlite3_sys as ffi;

/// An open database.
pub struct Database {
    raw: *mut ffi::sqlite3,
}

/// What a scan saw.
#[derive(Debug, Clone, Copy)]
pub struct Scan {
    /// Rows.
    pub rows: u64,
    /// Bytes of texts and blobs, and eight for each number.
    pub bytes: u64,
}

impl Database {
    /// Opens or creates a file.
    pub fn open(path: &Path) -> Database {
        let name = CString::new(path.to_str().expect("a path of ours")).expect("no NUL in a path");
        let mut raw = ptr::null_mut();
        // SAFETY: `name` ends with a NUL and lives through the call; `raw` is written by it.
        let code = unsafe { ffi::sqlite3_open(name.as_ptr(), &mut raw) };
        let database = Database { raw };
        database.check(code, "open");
        database
    }

    /// Runs statements that give no rows that matter.
    pub fn execute(&self, sql: &str) {
        let text = CString::new(sql).expect("no NUL in SQL");
        // SAFETY: the handle is open; `text` ends with a NUL; no callback is given.
        let code = unsafe {
            ffi::sqlite3_exec(self.raw, text.as_ptr(), None, ptr::null_mut(), ptr::null_mut())
        };
        self.check(code, sql);
    }

    /// Prepares one statement.
    pub fn prepare(&self, sql: &str) -> Statement<'_> {
        let text = CString::new(sql).expect("no NUL in SQL");
        let mut raw = ptr::null_mut();
        // SAFETY: the handle is open; −1 says that `text` ends with a NUL; `raw` is written.
        let code = unsafe {
            ffi::sqlite3_prepare_v2(self.raw, text.as_ptr(), -1, &mut raw, ptr::null_mut())
        };
        self.check(code, sql);
        Statement { raw, database: self }
    }

    /// The peer: steps through all rows and looks at the type and the bytes of every value.
    pub fn scan(&self, sql: &str) -> Scan {
        let statement = self.prepare(sql);
        // SAFETY: the statement is prepared and lives until the end of this function.
        let columns = unsafe { ffi::sqlite3_column_count(statement.raw) };
        let mut scan = Scan { rows: 0, bytes: 0 };
        while statement.step() {
            scan.rows += 1;
            for column in 0..columns {
                scan.bytes += statement.look_at(column);
            }
        }
        scan
    }

    fn check(&self, code: c_int, what: &str) {
        if code == ffi::SQLITE_OK {
            return;
        }
        // SAFETY: SQLite gives a text that lives until the next call on the handle.
        let message = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(self.raw)) };
        panic!("sqlite: {} in {what}", message.to_string_lossy());
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: every statement borrows the database, so none is left.
        unsafe { ffi::sqlite3_close(self.raw) };
    }
}

/// A prepared statement.
pub struct Statement<'a> {
    raw: *mut ffi::sqlite3_stmt,
    database: &'a Database,
}

impl Statement<'_> {
    /// Binds an integer to a parameter, counted from 1.
    pub fn bind_int(&self, at: c_int, value: i64) {
        // SAFETY: the statement is prepared and was reset since its last step.
        let code = unsafe { ffi::sqlite3_bind_int64(self.raw, at, value) };
        self.database.check(code, "bind");
    }

    /// Binds a float.
    pub fn bind_float(&self, at: c_int, value: f64) {
        // SAFETY: as for an integer.
        let code = unsafe { ffi::sqlite3_bind_double(self.raw, at, value) };
        self.database.check(code, "bind");
    }

    /// Binds a text, or NULL.
    pub fn bind_text(&self, at: c_int, value: Option<&str>) {
        let code = match value {
            // SAFETY: as for an integer.
            None => unsafe { ffi::sqlite3_bind_null(self.raw, at) },
            Some(text) => {
                let len = c_int::try_from(text.len()).expect("a short text");
                let copied = ffi::SQLITE_TRANSIENT();
                // SAFETY: `len` bytes are readable, and SQLite copies them before it returns.
                unsafe { ffi::sqlite3_bind_text(self.raw, at, text.as_ptr().cast(), len, copied) }
            }
        };
        self.database.check(code, "bind");
    }

    /// Binds bytes.
    pub fn bind_blob(&self, at: c_int, value: &[u8]) {
        let len = c_int::try_from(value.len()).expect("less than 2 GiB");
        let copied = ffi::SQLITE_TRANSIENT();
        // SAFETY: `len` bytes are readable, and SQLite copies them before it returns.
        let code =
            unsafe { ffi::sqlite3_bind_blob(self.raw, at, value.as_ptr().cast(), len, copied) };
        self.database.check(code, "bind");
    }

    /// Steps once: whether there is a row.
    pub fn step(&self) -> bool {
        // SAFETY: the statement is prepared.
        match unsafe { ffi::sqlite3_step(self.raw) } {
            ffi::SQLITE_ROW => true,
            ffi::SQLITE_DONE => false,
            code => {
                self.database.check(code, "step");
                false
            }
        }
    }

    /// Runs a statement that gives no rows, and makes it ready for the next.
    pub fn run(&self) {
        self.step();
        // SAFETY: the statement is prepared; a failed step has ended the benchmark already.
        unsafe { ffi::sqlite3_reset(self.raw) };
    }

    /// Looks at one value of the row as a reader has to, and gives its size.
    fn look_at(&self, column: c_int) -> u64 {
        // SAFETY: the last step gave a row, and `column` is below the column count. The bytes live
        // until the next call on this column or the next step; both come after the last use.
        unsafe {
            match ffi::sqlite3_column_type(self.raw, column) {
                ffi::SQLITE_INTEGER => {
                    black_box(ffi::sqlite3_column_int64(self.raw, column));
                    8
                }
                ffi::SQLITE_FLOAT => {
                    black_box(ffi::sqlite3_column_double(self.raw, column));
                    8
                }
                ffi::SQLITE_NULL => 0,
                _ => {
                    let data = ffi::sqlite3_column_blob(self.raw, column);
                    let len = ffi::sqlite3_column_bytes(self.raw, column);
                    black_box(data);
                    u64::try_from(len).expect("lengths are not negative")
                }
            }
        }
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: finalized once, here.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}
