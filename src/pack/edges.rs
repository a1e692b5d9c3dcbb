//! From row changes to the orders between them: who gives up a value that another takes, which
//! parent a child needs, which child must have left before its parent goes.
//!
//! Values are compared by their tokens, sorted and joined, so the memory is that of a few numbers
//! for each change of a table whose constraints connect changes; other tables never come here.

use super::condition::Condition;
use super::graph::{Edge, Why};
use super::rules::{Action, ForeignKey, Rules};
use super::shape::{FoldedKey, Shape, is_row_key};
use super::spool::{Change, Verb};
use super::token::Token;

/// Where more pairs than this share a token, the key is no real key (a partial index counts as
/// total here) and gives no order; the scratch copy shows whether that was right.
const MOST_PAIRS: usize = 1 << 12;

/// A unique key of a table in a form that finds its values fast.
struct UniqueTokens {
    table: usize,
    salt: u64,
    key: FoldedKey,
    condition: Option<Condition>,
    may_wait: bool,
}

impl UniqueTokens {
    /// What a change gives up and takes. A row that a partial index does not speak of holds
    /// nothing there; where that is not known, it counts as held and as taken anew.
    fn tokens(&self, shape: &Shape, change: &Change) -> (Option<Token>, Option<Token>) {
        let Some(condition) = &self.condition else {
            return self.key.tokens(self.salt, shape, change);
        };
        let (before, after) = self.key.sides(self.salt, shape, change);
        let (was_in, is_in) = condition.holds(shape, change);
        let before = before.filter(|_| was_in != Some(false));
        let after = after.filter(|_| is_in != Some(false));
        let stays = was_in == Some(true) && is_in == Some(true);
        let is_untouched = was_in.is_none() && !condition.is_touched(shape, change);
        if before == after && (stays || is_untouched) { (None, None) } else { (before, after) }
    }
}

/// A foreign key to a table that changes.
struct ForeignTokens {
    parent: usize,
    /// The table that refers, where it changes too.
    child: Option<(usize, FoldedKey)>,
    parent_key: FoldedKey,
    salt: u64,
    on_delete: Action,
    on_update: Action,
    may_wait: bool,
    /// Whether a row may refer to nothing for a while.
    may_let_go: bool,
}

#[derive(Default)]
struct Join {
    first: Vec<(Token, u32)>,
    then: Vec<(Token, u32)>,
}

/// Collects the tokens of changes, one after the other.
pub struct EdgeFinder<'s> {
    shapes: Vec<&'s Shape>,
    unique: Vec<UniqueTokens>,
    foreign: Vec<ForeignTokens>,
    /// Gives up a unique value, takes it.
    uniques: Join,
    /// The same, where the key may be checked later.
    later_uniques: Join,
    /// Makes a parent, refers to it.
    parents: Join,
    /// The same, where that is checked at once.
    strict_parents: Join,
    /// The same, where who refers may refer to nothing for a while.
    free_parents: Join,
    /// Stops referring, removes the parent.
    children: Join,
    /// As `children`, where removing changes those that still refer.
    strict_children: Join,
    /// The same, where who refers may refer to nothing for a while.
    free_children: Join,
    parents_given: Vec<Token>,
    /// Whether rows that refer to themselves are in their own way.
    holds_themselves: bool,
    themselves: Vec<Itself>,
}

/// A change of a row that refers to itself, and is in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Itself {
    /// The change.
    pub node: u32,
    /// Whether the row may refer to nothing for a while.
    pub may_let_go: bool,
}

/// The orders that were found.
pub struct Found {
    /// The orders.
    pub edges: Vec<Edge>,
    /// Whether a value that rows refer to goes from one row to another: rows that are not in the
    /// pack may refer to it, so foreign keys are checked at the end.
    pub moves_referenced_value: bool,
    /// Changes that are in their own way.
    pub themselves: Vec<Itself>,
}

impl<'s> EdgeFinder<'s> {
    /// A finder for these tables, which are numbered by their place.
    pub fn new(shapes: Vec<&'s Shape>, rules: &Rules) -> Self {
        let mut unique = Vec::new();
        for (table, shape) in shapes.iter().enumerate() {
            let Some(table_rules) = rules.table(shape.label()) else { continue };
            for (number, rule) in table_rules.unique.iter().enumerate() {
                let Some(key) = shape.unique_key(rule) else { continue };
                if !is_row_key(shape, &key) {
                    let salt = salt(1, table, number);
                    let condition = rule.condition.clone();
                    let may_wait = rule.may_wait;
                    unique.push(UniqueTokens { table, salt, key, condition, may_wait });
                }
            }
        }
        let place = |name: &str| shapes.iter().position(|shape| shape.label() == name);
        let foreign = rules
            .foreign_keys
            .iter()
            .enumerate()
            .filter_map(|(number, key)| {
                foreign_tokens(&shapes, key, place(&key.child), place(&key.parent)?, number)
            })
            .collect();
        EdgeFinder {
            shapes,
            unique,
            foreign,
            uniques: Join::default(),
            later_uniques: Join::default(),
            parents: Join::default(),
            strict_parents: Join::default(),
            free_parents: Join::default(),
            children: Join::default(),
            strict_children: Join::default(),
            free_children: Join::default(),
            parents_given: Vec::new(),
            holds_themselves: rules.enforcement.holds_rows_by_themselves(),
            themselves: Vec::new(),
        }
    }

    /// Whether unique keys could connect changes of this table at all.
    pub fn has_unique_keys(&self, table: usize) -> bool {
        self.unique.iter().any(|key| key.table == table)
    }

    /// Takes the unique values of a change.
    pub fn add_unique(&mut self, node: u32, table: usize, change: &Change) {
        for key in self.unique.iter().filter(|key| key.table == table) {
            let (given, taken) = key.tokens(self.shapes[table], change);
            let uniques = if key.may_wait { &mut self.later_uniques } else { &mut self.uniques };
            uniques.first.extend(given.map(|token| (token, node)));
            uniques.then.extend(taken.map(|token| (token, node)));
        }
    }

    /// Takes what a change refers to and what it can be referred to by.
    pub fn add_foreign(&mut self, node: u32, table: usize, change: &Change) {
        let shape = self.shapes[table];
        for key in &self.foreign {
            let parents = match (key.may_wait, key.may_let_go) {
                (true, _) => &mut self.parents,
                (false, true) => &mut self.free_parents,
                (false, false) => &mut self.strict_parents,
            };
            if key.parent == table {
                let (given, taken) = key.parent_key.tokens(key.salt, shape, change);
                parents.first.extend(taken.map(|token| (token, node)));
                let action = match change.verb() {
                    Verb::Delete => key.on_delete,
                    _ => key.on_update,
                };
                let children = match (action, key.may_wait, key.may_let_go) {
                    (Action::NoAction, true, _) => &mut self.children,
                    (_, false, true) => &mut self.free_children,
                    _ => &mut self.strict_children,
                };
                children.then.extend(given.map(|token| (token, node)));
                if self.holds_themselves
                    && action != Action::Changes
                    && let Some((_, child_key)) = key.child.as_ref().filter(|(c, _)| *c == table)
                    && given.is_some()
                    && given == child_key.tokens(key.salt, shape, change).0
                {
                    self.themselves.push(Itself { node, may_let_go: key.may_let_go });
                }
                self.parents_given.extend(given.filter(|_| key.may_wait));
            }
            if let Some((_, child_key)) = key.child.as_ref().filter(|(child, _)| *child == table) {
                let (left, arrived) = child_key.tokens(key.salt, shape, change);
                parents.then.extend(arrived.map(|token| (token, node)));
                let left = left.map(|token| (token, node));
                self.children.first.extend(left);
                self.strict_children.first.extend(left);
                self.free_children.first.extend(left);
            }
        }
    }

    /// Whether two changes meet in a unique key.
    pub fn has_unique_clash(&mut self) -> bool {
        let mut edges = Vec::new();
        self.uniques.pairs(Why::Unique, &mut edges);
        self.later_uniques.pairs(Why::UniqueLater, &mut edges);
        edges.iter().any(|edge| edge.from != edge.to)
    }

    /// The orders between the changes that were taken.
    pub fn finish(mut self) -> Found {
        let mut edges = Vec::new();
        self.uniques.pairs(Why::Unique, &mut edges);
        self.later_uniques.pairs(Why::UniqueLater, &mut edges);
        let mut taken: Vec<Token> = self.parents.first.iter().map(|(token, _)| *token).collect();
        taken.sort_unstable();
        let moves_referenced_value =
            self.parents_given.iter().any(|token| taken.binary_search(token).is_ok());
        self.free_parents.pairs(Why::ParentFirstOrNull, &mut edges);
        self.free_children.pairs(Why::ChildFirstOrNull, &mut edges);
        self.parents.pairs(Why::ParentFirst, &mut edges);
        self.strict_parents.pairs(Why::ParentFirstAlways, &mut edges);
        self.children.pairs(Why::ChildFirst, &mut edges);
        self.strict_children.pairs(Why::ChildFirstAlways, &mut edges);
        Found { edges, moves_referenced_value, themselves: self.themselves }
    }
}

fn foreign_tokens(
    shapes: &[&Shape],
    key: &ForeignKey,
    child: Option<usize>,
    parent: usize,
    number: usize,
) -> Option<ForeignTokens> {
    let folding = key.columns.iter().zip(&key.parent_columns);
    let child_columns: Vec<_> =
        folding.map(|(name, (_, folding))| (name.clone(), *folding)).collect();
    let child = match child {
        Some(child) => Some((child, shapes[child].folded_key(&child_columns)?)),
        None => None,
    };
    Some(ForeignTokens {
        parent,
        child,
        parent_key: shapes[parent].folded_key(&key.parent_columns)?,
        salt: salt(2, parent, number),
        on_delete: key.on_delete,
        on_update: key.on_update,
        may_wait: key.may_wait,
        may_let_go: !key.freed_by.is_empty(),
    })
}

fn salt(kind: u64, table: usize, number: usize) -> u64 {
    (kind << 60) | ((table as u64) << 24) | number as u64
}

impl Join {
    /// An edge for each pair that shares a token.
    fn pairs(&mut self, why: Why, edges: &mut Vec<Edge>) {
        self.first.sort_unstable();
        self.then.sort_unstable();
        let (mut first, mut then) = (&self.first[..], &self.then[..]);
        while let (Some(&(a, _)), Some(&(b, _))) = (first.first(), then.first()) {
            if a != b {
                let rest = if a < b { &mut first } else { &mut then };
                *rest = &rest[1..];
                continue;
            }
            let givers = first.partition_point(|(token, _)| *token == a);
            let takers = then.partition_point(|(token, _)| *token == a);
            if givers == 1 || takers == 1 || givers * takers <= MOST_PAIRS {
                for &(_, from) in &first[..givers] {
                    edges.extend(then[..takers].iter().map(|&(_, to)| Edge { from, to, why }));
                }
            }
            (first, then) = (&first[givers..], &then[takers..]);
        }
    }
}
