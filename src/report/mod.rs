//! What a person or a script reads: text, JSON, JSON lines, markdown, a page for browsers, all from
//! the same values.
//!
//! Nothing is computed here; a report only says what `diff` and `pack` found.

pub mod html;
pub mod json;
pub mod rows;
pub mod schema;
pub mod stat;
pub mod value;

pub use json::DiffReport;
pub use rows::RowPrinter;
