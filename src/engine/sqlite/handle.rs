//! The raw SQLite C API behind a small safe wrapper: the only unsafe code of the engine.
//!
//! A [`Database`] is exclusive access to one connection: either the handle that sqlx lends (its
//! worker thread stays off it while the lock is held), or a private one in memory. A [`Statement`]
//! borrows its database, so every statement is finalized before the connection can be closed, and
//! what a [`Cell`] points to lives until the statement is stepped, reset or dropped, which the
//! borrow checker sees. Neither type is `Send` or `Sync`. Nothing here knows tables, rows or the
//! model's values.

#![expect(unsafe_code, reason = "this module is the safe wrapper around the C API")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

pub(crate) use super::cells::{Bind, Cell};

/// What SQLite answered instead of success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The extended result code.
    pub(crate) code: i32,
    /// SQLite's message.
    pub(crate) message: String,
}

impl Failure {
    /// The primary result code.
    pub(crate) fn primary(&self) -> i32 {
        self.code & 0xff
    }

    fn misuse(message: &str) -> Failure {
        Failure { code: ffi::SQLITE_MISUSE, message: message.to_owned() }
    }
}

/// Who closes the connection.
enum Owner<'a> {
    /// sqlx does; the lock keeps its worker thread off the handle.
    Locked(LockedSqliteHandle<'a>),
    /// We do.
    Private,
}

/// Exclusive access to one connection.
pub(crate) struct Database<'a> {
    raw: NonNull<ffi::sqlite3>,
    owner: Owner<'a>,
}

/// A prepared statement of one connection.
pub(crate) struct Statement<'d> {
    raw: NonNull<ffi::sqlite3_stmt>,
    database: NonNull<ffi::sqlite3>,
    borrowed: PhantomData<&'d ()>,
}

/// What SQLite says of a column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnMetadata {
    /// The collation its values compare by.
    pub(crate) collation: String,
    /// Whether the table is AUTOINCREMENT on this column.
    pub(crate) is_autoincrement: bool,
}

/// A switch of `sqlite3_db_config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    /// No checkpoint, and no deletion of the write-ahead log, when the last connection closes.
    NoCheckpointOnClose,
    /// Double-quoted strings in queries.
    DoubleQuotedStrings,
    /// Functions and virtual tables with side effects inside the schema.
    TrustedSchema,
}

impl<'a> Database<'a> {
    /// The connection behind sqlx's lock.
    pub(crate) fn locked(mut handle: LockedSqliteHandle<'a>) -> Database<'a> {
        Database { raw: handle.as_raw_handle(), owner: Owner::Locked(handle) }
    }

    /// A private, empty database in memory.
    pub(crate) fn in_memory() -> Result<Database<'static>, Failure> {
        let mut raw = ptr::null_mut();
        let flags = ffi::SQLITE_OPEN_READWRITE
            | ffi::SQLITE_OPEN_CREATE
            | ffi::SQLITE_OPEN_MEMORY
            | ffi::SQLITE_OPEN_NOMUTEX;
        // SAFETY: the name is a NUL-terminated literal, `raw` a valid out-pointer; no VFS is named.
        let code =
            unsafe { ffi::sqlite3_open_v2(c":memory:".as_ptr(), &raw mut raw, flags, ptr::null()) };
        let Some(raw) = NonNull::new(raw) else {
            return Err(Failure { code: ffi::SQLITE_NOMEM, message: "out of memory".to_owned() });
        };
        let database = Database { raw, owner: Owner::Private };
        if code != ffi::SQLITE_OK {
            return Err(database.failure());
        }
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_extended_result_codes(raw.as_ptr(), 1) };
        Ok(database)
    }

    /// The lock sqlx gave, for the hooks that sqlx owns; `None` for a private database.
    pub(crate) fn lent(&mut self) -> Option<&mut LockedSqliteHandle<'a>> {
        match &mut self.owner {
            Owner::Locked(handle) => Some(handle),
            Owner::Private => None,
        }
    }

    /// Prepares the one statement of `sql`. More than one, none, or a NUL byte is an error.
    pub(crate) fn prepare(&self, sql: &str) -> Result<Statement<'_>, Failure> {
        let (statement, rest) = self.prepare_first(sql)?;
        let statement = statement.ok_or_else(|| Failure::misuse("the text holds no statement"))?;
        let mut rest = rest;
        // What follows may only be spaces and comments: those prepare to nothing.
        while !rest.is_empty() {
            let (another, after) = self.prepare_first(rest)?;
            if another.is_some() {
                return Err(Failure::misuse("the text holds more than one statement"));
            }
            rest = after;
        }
        Ok(statement)
    }

    /// Prepares the first statement of `sql`, and gives the text after it. `None` where only
    /// spaces and comments were left.
    pub(crate) fn prepare_first<'s>(
        &self,
        sql: &'s str,
    ) -> Result<(Option<Statement<'_>>, &'s str), Failure> {
        if sql.as_bytes().contains(&0) {
            return Err(Failure::misuse("the statement holds a NUL byte"));
        }
        let length = c_int::try_from(sql.len()).map_err(|_| Failure {
            code: ffi::SQLITE_TOOBIG,
            message: "the statement is longer than 2 GiB".to_owned(),
        })?;
        let mut raw = ptr::null_mut();
        let mut tail: *const c_char = ptr::null();
        // SAFETY: the connection is open; `sql` is valid for `length` bytes, and SQLite reads no
        // further; both out-pointers are valid.
        let code = unsafe {
            ffi::sqlite3_prepare_v2(
                self.raw.as_ptr(),
                sql.as_ptr().cast::<c_char>(),
                length,
                &raw mut raw,
                &raw mut tail,
            )
        };
        if code != ffi::SQLITE_OK {
            return Err(self.failure());
        }
        let read = tail.addr().saturating_sub(sql.as_ptr().addr());
        let rest = sql.get(read..).unwrap_or("");
        let statement = NonNull::new(raw).map(|raw| Statement {
            raw,
            database: self.raw,
            borrowed: PhantomData,
        });
        Ok((statement, rest))
    }

    /// Runs a statement to its end, whatever rows it gives.
    pub(crate) fn execute(&self, sql: &str) -> Result<(), Failure> {
        let mut statement = self.prepare(sql)?;
        while statement.step()? {}
        Ok(())
    }

    /// How many rows the last INSERT, UPDATE or DELETE changed directly.
    pub(crate) fn changes(&self) -> u64 {
        // SAFETY: the connection is open.
        let changes = unsafe { ffi::sqlite3_changes64(self.raw.as_ptr()) };
        u64::try_from(changes).unwrap_or(0)
    }

    /// How many rows were changed since the connection was opened, triggers and foreign key
    /// actions included.
    pub(crate) fn total_changes(&self) -> u64 {
        // SAFETY: the connection is open.
        let changes = unsafe { ffi::sqlite3_total_changes64(self.raw.as_ptr()) };
        u64::try_from(changes).unwrap_or(0)
    }

    /// Whether a transaction is open.
    pub(crate) fn is_in_transaction(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_get_autocommit(self.raw.as_ptr()) == 0 }
    }

    /// Whether the main database cannot be written.
    pub(crate) fn is_read_only(&self) -> bool {
        // SAFETY: the connection is open and the name NUL-terminated.
        unsafe { ffi::sqlite3_db_readonly(self.raw.as_ptr(), c"main".as_ptr()) == 1 }
    }

    /// Sets a switch of the connection.
    pub(crate) fn switch(&self, switch: Switch, is_on: bool) -> Result<(), Failure> {
        let wanted = c_int::from(is_on);
        let no_answer = ptr::null_mut::<c_int>();
        let set = |option: c_int| {
            // SAFETY: every option used here takes an int and a pointer to int that may be null.
            unsafe { ffi::sqlite3_db_config(self.raw.as_ptr(), option, wanted, no_answer) }
        };
        let code = match switch {
            Switch::NoCheckpointOnClose => set(ffi::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE),
            Switch::DoubleQuotedStrings => set(ffi::SQLITE_DBCONFIG_DQS_DML),
            Switch::TrustedSchema => set(ffi::SQLITE_DBCONFIG_TRUSTED_SCHEMA),
        };
        self.checked(code)
    }

    /// The first 100 bytes of the main database's file, read through SQLite's own descriptor:
    /// opening the file a second time and closing it would drop this process's locks on it.
    /// `None` where there is no file or it is shorter.
    pub(crate) fn file_header(&self) -> Option<[u8; 100]> {
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        // SAFETY: the connection is open, the name NUL-terminated, and this opcode writes one
        // pointer to the given place.
        let code = unsafe {
            ffi::sqlite3_file_control(
                self.raw.as_ptr(),
                c"main".as_ptr(),
                ffi::SQLITE_FCNTL_FILE_POINTER,
                (&raw mut file).cast::<c_void>(),
            )
        };
        let file = NonNull::new(file).filter(|_| code == ffi::SQLITE_OK)?;
        let mut header = [0u8; 100];
        // SAFETY: the file belongs to the open connection, which nobody else uses now; a closed
        // or memory file has null methods, which is checked; xRead writes at most 100 bytes.
        let code = unsafe {
            let methods = NonNull::new(file.as_ref().pMethods.cast_mut())?;
            let read = methods.as_ref().xRead?;
            read(file.as_ptr(), header.as_mut_ptr().cast::<c_void>(), 100, 0)
        };
        (code == ffi::SQLITE_OK).then_some(header)
    }

    /// What SQLite says of a column of a table of the main database.
    pub(crate) fn column_metadata(
        &self,
        table: &str,
        column: &str,
    ) -> Result<ColumnMetadata, Failure> {
        let nul = |_| Failure::misuse("a name holds a NUL byte");
        let table = CString::new(table).map_err(nul)?;
        let column = CString::new(column).map_err(nul)?;
        let mut collation: *const c_char = ptr::null();
        let mut is_autoincrement: c_int = 0;
        // SAFETY: the connection is open, all names are NUL-terminated and outlive the call, and
        // the out-pointers are valid or null, which the function allows.
        let code = unsafe {
            ffi::sqlite3_table_column_metadata(
                self.raw.as_ptr(),
                c"main".as_ptr(),
                table.as_ptr(),
                column.as_ptr(),
                ptr::null_mut(),
                &raw mut collation,
                ptr::null_mut(),
                ptr::null_mut(),
                &raw mut is_autoincrement,
            )
        };
        self.checked(code)?;
        let collation = if collation.is_null() {
            "BINARY".to_owned()
        } else {
            // SAFETY: not null, NUL-terminated, and valid until the schema changes.
            unsafe { CStr::from_ptr(collation) }.to_string_lossy().into_owned()
        };
        Ok(ColumnMetadata { collation, is_autoincrement: is_autoincrement != 0 })
    }

    fn checked(&self, code: c_int) -> Result<(), Failure> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(self.failure()) }
    }

    fn failure(&self) -> Failure {
        failure_of(self.raw)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        if matches!(self.owner, Owner::Private) {
            // SAFETY: the handle was opened here, every statement that borrowed it is gone, and
            // it is not used again.
            unsafe { ffi::sqlite3_close(self.raw.as_ptr()) };
        }
    }
}

impl Statement<'_> {
    /// Goes to the next row; false at the end.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<bool, Failure> {
        // SAFETY: the statement is alive and its connection open and not used by anyone else.
        match unsafe { ffi::sqlite3_step(self.raw.as_ptr()) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            _ => Err(failure_of(self.database)),
        }
    }

    /// Makes the statement ready to run again; bindings stay.
    pub(crate) fn reset(&mut self) {
        // SAFETY: the statement is alive. The code repeats the last step's, already reported.
        unsafe { ffi::sqlite3_reset(self.raw.as_ptr()) };
    }

    /// Whether the statement writes nothing to the database.
    pub(crate) fn is_read_only(&self) -> bool {
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_stmt_readonly(self.raw.as_ptr()) != 0 }
    }

    /// How many columns a row has.
    pub(crate) fn column_count(&self) -> i32 {
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_column_count(self.raw.as_ptr()) }
    }

    /// A cell of the current row. An index that is no column, or no current row, gives NULL, as
    /// SQLite defines.
    // For every cell of a table: what is handed over in memory costs more than the work.
    #[inline(always)]
    pub(crate) fn cell(&self, index: i32) -> Result<Cell<'_>, Failure> {
        // SAFETY: the statement is alive; SQLite checks the index, and gives the value NULL where
        // it is no column. The accessor is the one of the value's own type, so nothing is
        // converted, and the bytes stay valid until the statement is stepped, reset or finalized,
        // all of which need `&mut self`. A value that no mutex protects may be looked at because
        // nobody else uses the connection meanwhile; it spares a mutex and a check a look.
        unsafe {
            let value = ffi::sqlite3_column_value(self.raw.as_ptr(), index);
            match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_NULL => Ok(Cell::Null),
                ffi::SQLITE_INTEGER => Ok(Cell::Int(ffi::sqlite3_value_int64(value))),
                ffi::SQLITE_FLOAT => Ok(Cell::Float(ffi::sqlite3_value_double(value).to_bits())),
                ffi::SQLITE_TEXT => self.bytes(value).map(Cell::Text),
                _ => self.bytes(value).map(Cell::Blob),
            }
        }
    }

    /// The stored bytes of a text or blob. Asking text for its blob gives the bytes in the
    /// encoding of the database, without conversion.
    ///
    /// # Safety
    ///
    /// The value is one of this statement's current row.
    #[inline(always)]
    unsafe fn bytes(&self, value: *mut ffi::sqlite3_value) -> Result<&[u8], Failure> {
        // SAFETY: as in `cell`. The pointer is asked for before the length, as the manual wants.
        let (pointer, length) = unsafe {
            let pointer = ffi::sqlite3_value_blob(value).cast::<u8>();
            (pointer, ffi::sqlite3_value_bytes(value))
        };
        let length = usize::try_from(length).unwrap_or(0);
        if length == 0 {
            return Ok(&[]);
        }
        if pointer.is_null() {
            return Err(Failure { code: ffi::SQLITE_NOMEM, message: "out of memory".to_owned() });
        }
        // SAFETY: SQLite gave `length` readable bytes at a non-null pointer, valid as said above.
        Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
    }

    /// The cell as UTF-8 text, converted where it has another type or encoding; `None` for NULL.
    /// For names and other catalog texts, not for data.
    pub(crate) fn text(&mut self, index: i32) -> Result<Option<&str>, Failure> {
        let raw = self.raw.as_ptr();
        // SAFETY: as in `cell`; `&mut self` keeps earlier borrowed cells from being invalidated by
        // the conversion.
        let bytes = unsafe {
            let pointer = ffi::sqlite3_column_text(raw, index);
            if pointer.is_null() {
                return Ok(None);
            }
            let length = usize::try_from(ffi::sqlite3_column_bytes(raw, index)).unwrap_or(0);
            std::slice::from_raw_parts(pointer, length)
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Failure {
                code: ffi::SQLITE_CORRUPT,
                message: format!("`{}` is not valid UTF-8", String::from_utf8_lossy(bytes)),
            }),
        }
    }

    /// The cell as an integer; 0 where it is none.
    pub(crate) fn int(&self, index: i32) -> i64 {
        match self.cell(index) {
            Ok(Cell::Int(number)) => number,
            _ => 0,
        }
    }

    /// Binds a parameter, counted from 1. The bytes are copied.
    pub(crate) fn bind(&mut self, index: i32, value: Bind<'_>) -> Result<(), Failure> {
        // SAFETY: SQLite copies the bytes before the call returns.
        unsafe { self.bind_as(index, value, ffi::SQLITE_TRANSIENT()) }
    }

    /// Runs the statement to its end with these parameters and no others; nothing is copied.
    pub(crate) fn run_with(&mut self, values: &[Bind<'_>]) -> Result<(), Failure> {
        self.reset();
        let lent = Lent { statement: self };
        for (index, value) in (1..).zip(values) {
            // SAFETY: `lent` takes them back before this function ends, and `values` outlives it.
            unsafe { lent.statement.bind_as(index, *value, ffi::SQLITE_STATIC()) }?;
        }
        while lent.statement.step()? {}
        Ok(())
    }

    /// Binds a parameter.
    ///
    /// # Safety
    ///
    /// Where `ownership` is `SQLITE_STATIC`, the bytes must live until the statement was reset and
    /// the parameter bound to something else.
    unsafe fn bind_as(
        &mut self,
        index: i32,
        value: Bind<'_>,
        ownership: ffi::sqlite3_destructor_type,
    ) -> Result<(), Failure> {
        let raw = self.raw.as_ptr();
        let text = |bytes: &[u8], encoding: c_int| {
            let encoding = u8::try_from(encoding).unwrap_or(1);
            // SAFETY: the bytes are valid for their length, and as long as the caller promises.
            unsafe {
                ffi::sqlite3_bind_text64(
                    raw,
                    index,
                    bytes.as_ptr().cast::<c_char>(),
                    bytes.len() as u64,
                    ownership,
                    encoding,
                )
            }
        };
        // SAFETY: the statement is alive; SQLite checks the index; for the bytes see above.
        let code = unsafe {
            match value {
                Bind::Null => ffi::sqlite3_bind_null(raw, index),
                Bind::Int(number) => ffi::sqlite3_bind_int64(raw, index, number),
                Bind::Float(number) => ffi::sqlite3_bind_double(raw, index, number),
                Bind::Text(bytes) => text(bytes, ffi::SQLITE_UTF8),
                Bind::TextUtf16le(bytes) => text(bytes, ffi::SQLITE_UTF16LE),
                Bind::TextUtf16be(bytes) => text(bytes, ffi::SQLITE_UTF16BE),
                Bind::Blob(bytes) => ffi::sqlite3_bind_blob64(
                    raw,
                    index,
                    bytes.as_ptr().cast::<c_void>(),
                    bytes.len() as u64,
                    ownership,
                ),
            }
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(failure_of(self.database)) }
    }
}

/// A statement with parameters that SQLite does not own.
struct Lent<'l, 'd> {
    statement: &'l mut Statement<'d>,
}

impl Drop for Lent<'_, '_> {
    fn drop(&mut self) {
        self.statement.reset();
        // SAFETY: the statement is alive.
        unsafe { ffi::sqlite3_clear_bindings(self.statement.raw.as_ptr()) };
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: prepared here, finalized once, and its connection is still open because it is
        // borrowed.
        unsafe { ffi::sqlite3_finalize(self.raw.as_ptr()) };
    }
}

/// The version of the SQLite library.
pub(crate) fn library_version() -> String {
    // SAFETY: gives a static NUL-terminated text.
    unsafe { CStr::from_ptr(ffi::sqlite3_libversion()) }.to_string_lossy().into_owned()
}

/// The last error of an open connection.
fn failure_of(database: NonNull<ffi::sqlite3>) -> Failure {
    // SAFETY: the connection is open; the message is valid until the next call on it, and copied.
    unsafe {
        let code = ffi::sqlite3_extended_errcode(database.as_ptr());
        let message = ffi::sqlite3_errmsg(database.as_ptr());
        let message = if message.is_null() {
            String::new()
        } else {
            CStr::from_ptr(message).to_string_lossy().into_owned()
        };
        Failure { code, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_reads_each_storage_class_as_it_is() {
        let database = Database::in_memory().unwrap();
        let mut row =
            database.prepare("SELECT NULL, -1, -0.0, 'a' || char(0) || 'b', x'00ff', ''").unwrap();
        assert!(row.step().unwrap());
        assert_eq!(row.cell(0).unwrap(), Cell::Null);
        assert_eq!(row.cell(1).unwrap(), Cell::Int(-1));
        assert_eq!(row.cell(2).unwrap(), Cell::Float((-0.0f64).to_bits()));
        assert_eq!(row.cell(3).unwrap(), Cell::Text(b"a\0b"));
        assert_eq!(row.cell(4).unwrap(), Cell::Blob(b"\0\xff"));
        assert_eq!(row.cell(5).unwrap(), Cell::Text(b""));
        assert_eq!(row.cell(99).unwrap(), Cell::Null);
        assert!(!row.step().unwrap());
    }

    #[test]
    fn one_text_is_one_statement() {
        let database = Database::in_memory().unwrap();
        assert!(database.prepare("SELECT 1; -- and no more\n /* none */ ;").is_ok());
        assert!(database.prepare("SELECT 1; SELECT 2").is_err());
        assert!(database.prepare(" -- nothing").is_err());
        assert!(database.prepare("SELECT '\0'").is_err());
    }

    #[test]
    fn bound_bytes_come_back() {
        let database = Database::in_memory().unwrap();
        let mut row = database.prepare("SELECT ?1, ?2, ?3, ?4").unwrap();
        row.bind(1, Bind::Text(b"\xff\0x")).unwrap();
        row.bind(2, Bind::Blob(b"")).unwrap();
        row.bind(3, Bind::Float(f64::NEG_INFINITY)).unwrap();
        row.bind(4, Bind::TextUtf16le(b"a\0\0\0")).unwrap();
        assert!(row.step().unwrap());
        assert_eq!(row.cell(0).unwrap(), Cell::Text(b"\xff\0x"));
        assert_eq!(row.cell(1).unwrap(), Cell::Blob(b""));
        assert_eq!(row.cell(2).unwrap(), Cell::Float(f64::NEG_INFINITY.to_bits()));
        assert_eq!(row.text(3).unwrap(), Some("a\0"));
        // What is lent is taken back: a second run binds nothing of the first.
        let mut check = database.prepare("SELECT 1 WHERE ?1 IS NOT NULL").unwrap();
        check.run_with(&[Bind::Blob(&[7; 5000])]).unwrap();
        assert!(!check.step().unwrap());
    }
}
