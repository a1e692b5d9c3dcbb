//! Values in the form SQLite has them: what a row holds, and what is bound to a statement.
//!
//! Nothing is converted here: text is bytes in the encoding of the database, floats are bits. What
//! they mean to the model is the business of `types`.

/// One cell of the current row, borrowed from SQLite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'s> {
    /// NULL.
    Null,
    /// An integer.
    Int(i64),
    /// A float by its bits.
    Float(u64),
    /// Text in the encoding of the database, as stored.
    Text(&'s [u8]),
    /// A blob.
    Blob(&'s [u8]),
}

/// A value to bind, in the form SQLite stores it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bind<'v> {
    /// NULL.
    Null,
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// UTF-8 text.
    Text(&'v [u8]),
    /// UTF-16 text, little endian.
    TextUtf16le(&'v [u8]),
    /// UTF-16 text, big endian.
    TextUtf16be(&'v [u8]),
    /// A blob.
    Blob(&'v [u8]),
}
