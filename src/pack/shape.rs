//! The columns a table has while its rows change: those it had, and those that are added first.
//!
//! A change of a row names values by the columns of its own side; here they are put side by side.
//! A column that is not there yet holds its default; one that is about to go keeps what it holds.

use super::rules::{TableRules, UniqueKey};
use super::spool::Change;
use super::token::{self, Folding, Nulls, Token};
use crate::diff::CellValue;
use crate::model::{ColumnSpec, KeyMatching, ObjectName, RowKey, TableSpec, Value};

/// A column while rows change.
#[derive(Debug, Clone)]
struct Column {
    /// As it is afterwards, where it is there then.
    spec: ColumnSpec,
    /// As it was, where it was there.
    earlier: Option<ColumnSpec>,
    default: CellValue,
    before: Option<usize>,
    after: Option<usize>,
    /// Whether it is of another type on the other side.
    is_retyped: bool,
}

/// The columns of a table while its rows change.
#[derive(Debug, Clone)]
pub struct Shape {
    label: String,
    columns: Vec<Column>,
    /// The table with these columns and the key rows are found by.
    pub spec: TableSpec,
    key: Vec<usize>,
    may_be_null: bool,
}

static NULL: CellValue = CellValue::Here(Value::Null);

impl Shape {
    /// The shape of a table between two specifications, one of which may be missing.
    pub fn new(before: Option<&TableSpec>, after: Option<&TableSpec>) -> Option<Shape> {
        let main = before.or(after)?;
        // Where the key itself changes, neither identifies the rows of both sides.
        let row_key = match (before, after) {
            (Some(before), Some(after)) if before.key != after.key => RowKey::RowHash,
            _ => main.key.clone(),
        };
        let mut names: Vec<&str> = Vec::new();
        for side in [before, after].into_iter().flatten() {
            names.extend(side.columns.iter().map(|column| column.name.as_str()));
        }
        names.sort_unstable();
        names.dedup();
        let place = |side: Option<&TableSpec>, name: &str| {
            side.and_then(|side| side.columns.iter().position(|column| column.name == name))
        };
        let find = |side: Option<&TableSpec>, name: &str| {
            place(side, name).and_then(|place| side.map(|side| side.columns[place].clone()))
        };
        let columns: Vec<Column> = names
            .iter()
            .filter_map(|name| {
                let (earlier, later) = (find(before, name), find(after, name));
                let is_retyped = earlier
                    .as_ref()
                    .zip(later.as_ref())
                    .is_some_and(|(earlier, later)| earlier.declared_type != later.declared_type);
                let spec = later.or_else(|| earlier.clone())?;
                Some(Column {
                    is_retyped,
                    default: CellValue::Here(spec.default.clone()),
                    spec,
                    earlier,
                    before: place(before, name),
                    after: place(after, name),
                })
            })
            .collect();
        let key = row_key
            .column_names()
            .iter()
            .filter_map(|name| columns.iter().position(|column| column.spec.name == *name))
            .collect();
        let may_be_null = matches!(row_key, RowKey::Columns { may_be_null: true, .. });
        let column_order = match after.or(before) {
            Some(side) if !side.column_order.is_empty() => side.column_order.clone(),
            _ => names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let spec = TableSpec {
            name: main.name.clone(),
            columns: columns.iter().map(|column| column.spec.clone()).collect(),
            key: row_key,
            reads_in_key_order: false,
            column_order,
        };
        let label = spec.name.to_string();
        Some(Shape { label, columns, spec, key, may_be_null })
    }

    /// The table.
    pub fn table(&self) -> &ObjectName {
        &self.spec.name
    }

    /// The table's name as text, by which rules and steps know it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is no column.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// A column as it was, where it was there; as it will be otherwise.
    pub fn earlier(&self, column: usize) -> &ColumnSpec {
        self.columns[column].earlier.as_ref().unwrap_or(&self.columns[column].spec)
    }

    /// The name of a column.
    pub fn name(&self, column: usize) -> &str {
        &self.columns[column].spec.name
    }

    /// The place of a column.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.spec.name == name)
    }

    /// The places of the key's columns, in key order; none where rows have no key.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// Whether a column is of another type on the other side: what it holds is not comparable.
    pub fn is_retyped(&self, column: usize) -> bool {
        self.columns[column].is_retyped
    }

    /// Whether the table has a column before anything runs.
    pub fn had(&self, column: usize) -> bool {
        self.columns[column].before.is_some()
    }

    /// Whether the table has a column when all has run.
    pub fn will_have(&self, column: usize) -> bool {
        self.columns[column].after.is_some()
    }

    /// Whether the key's columns are of other types on the other side, so that the key of one side
    /// may be no value of the other's.
    pub fn has_retyped_key(&self) -> bool {
        self.key.iter().any(|&column| self.is_retyped(column))
    }

    /// What a column holds before the change.
    pub fn before<'c>(&'c self, change: &'c Change, column: usize) -> &'c CellValue {
        let column = &self.columns[column];
        match column.before {
            Some(place) => change.before.get(place).unwrap_or(&NULL),
            None => &column.default,
        }
    }

    /// What a column holds after the change.
    pub fn after<'c>(&'c self, change: &'c Change, column: usize) -> &'c CellValue {
        match self.columns[column].after {
            Some(place) => change.after.get(place).unwrap_or(&NULL),
            None if change.before.is_empty() => &self.columns[column].default,
            None => self.before(change, column),
        }
    }

    /// The row before the change, all columns.
    pub fn row_before(&self, change: &Change) -> Vec<CellValue> {
        (0..self.len()).map(|column| self.before(change, column).clone()).collect()
    }

    /// The row after the change, all columns.
    pub fn row_after(&self, change: &Change) -> Vec<CellValue> {
        (0..self.len()).map(|column| self.after(change, column).clone()).collect()
    }

    /// The columns whose value changes.
    pub fn changed(&self, change: &Change) -> Vec<usize> {
        (0..self.len())
            .filter(|&column| self.before(change, column) != self.after(change, column))
            .collect()
    }

    /// The key in a row; `None` where the row is known only by all it holds, with a multiplicity.
    /// Values of a key are never large ones.
    pub fn key_of(&self, row: &[CellValue]) -> Option<Vec<Value>> {
        let has_null = || self.key.iter().any(|&place| row[place].is_null());
        if self.key.is_empty() || (self.may_be_null && has_null()) {
            return None;
        }
        self.key.iter().map(|&place| row[place].here().cloned()).collect()
    }

    /// A key's columns as places; `None` where a column holds no data of its own.
    pub fn folded_key(&self, columns: &[(String, Folding)]) -> Option<FoldedKey> {
        let parts = columns
            .iter()
            .map(|(name, folding)| Some((self.place(name)?, *folding)))
            .collect::<Option<Vec<_>>>()?;
        Some(FoldedKey { parts, nulls: Nulls::Distinct })
    }

    /// A unique key's columns as places, likewise.
    pub fn unique_key(&self, key: &UniqueKey) -> Option<FoldedKey> {
        let nulls = if key.takes_null_once { Nulls::Collide } else { Nulls::Distinct };
        Some(FoldedKey { nulls, ..self.folded_key(&key.columns)? })
    }
}

/// A key by the places of its columns.
#[derive(Debug, Clone)]
pub struct FoldedKey {
    parts: Vec<(usize, Folding)>,
    nulls: Nulls,
}

impl FoldedKey {
    /// The places of the columns.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.parts.iter().map(|(place, _)| *place)
    }

    /// What a change gives up and takes under this key: both `None` where it stays the same.
    pub fn tokens(
        &self,
        salt: u64,
        shape: &Shape,
        change: &Change,
    ) -> (Option<Token>, Option<Token>) {
        let (before, after) = self.sides(salt, shape, change);
        if before == after { (None, None) } else { (before, after) }
    }

    /// The value under this key before and after a change, equal or not.
    pub fn sides(
        &self,
        salt: u64,
        shape: &Shape,
        change: &Change,
    ) -> (Option<Token>, Option<Token>) {
        let before = match change.before.is_empty() {
            true => None,
            false => {
                let values = self.parts.iter().map(|&(at, f)| (shape.before(change, at), f));
                token::token(salt, self.nulls, values)
            }
        };
        let after = match change.after.is_empty() {
            true => None,
            false => {
                let values = self.parts.iter().map(|&(at, f)| (shape.after(change, at), f));
                token::token(salt, self.nulls, values)
            }
        };
        (before, after)
    }
}

/// Whether the key rows are matched by is this unique key: it never collides within a diff. Where
/// it is not known here what the key takes for the same, it may: rows were matched by bytes.
pub fn is_row_key(shape: &Shape, key: &FoldedKey) -> bool {
    if key.parts.iter().any(|(_, folding)| folding.matching == KeyMatching::Unknown) {
        return false;
    }
    let mut own: Vec<usize> = shape.key().to_vec();
    let mut other: Vec<usize> = key.places().collect();
    own.sort_unstable();
    other.sort_unstable();
    !shape.may_be_null && own == other
}

/// Whether a column of this table can be left NULL for a while.
pub fn may_be_null(rules: &TableRules, column: &str) -> bool {
    !rules.not_null.contains(column) && !rules.primary.iter().any(|name| name == column)
}
