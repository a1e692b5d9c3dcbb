//! From a table that was understood to facts (`docs/format-mysql-facts.md`).

use std::collections::BTreeMap;

use super::create_table::{
    KeyKind, KeyPart, ParsedCheck, ParsedColumn, ParsedForeignKey, ParsedKey, ParsedPartitioning,
    ParsedTable,
};
use super::draft::{Draft, number_duplicates};
use super::spelling;
use super::tokens::{Kind, Token, text_of, unbracketed, without_own};
use crate::model::{Fact, ObjectKind};

/// What INFORMATION_SCHEMA says of a column.
#[derive(Debug, Clone, Default)]
pub(super) struct ToldColumn {
    pub(super) name: String,
    pub(super) column_type: String,
    pub(super) charset: Option<String>,
    pub(super) collation: Option<String>,
}

/// A table as both sources tell of it.
pub(super) struct Table<'t> {
    pub(super) name: &'t str,
    pub(super) engine: &'t str,
    pub(super) collation: Option<&'t str>,
    pub(super) parsed: &'t ParsedTable<'t>,
    pub(super) told: &'t [ToldColumn],
    pub(super) database: &'t str,
}

/// Whether what both sources know agrees.
pub(super) fn agrees(table: &Table<'_>) -> Result<(), String> {
    let (parsed, told) = (&table.parsed.columns, table.told);
    if !table.parsed.name.eq_ignore_ascii_case(table.name) {
        return Err(format!("its text is about `{}`", table.parsed.name));
    }
    if parsed.len() != told.len() {
        let (shown, listed) = (parsed.len(), told.len());
        return Err(format!("its text has {shown} columns, of which {listed} are listed"));
    }
    for (shown, listed) in parsed.iter().zip(told) {
        let bare = |text: &str| {
            let type_only = text.split("/*").next().unwrap_or_default();
            spelling::type_name(type_only).split_whitespace().collect::<String>()
        };
        if shown.name != listed.name || bare(&shown.type_text) != bare(&listed.column_type) {
            return Err(format!(
                "its text has `{}` {} where `{}` {} is listed",
                shown.name, shown.type_text, listed.name, listed.column_type
            ));
        }
    }
    Ok(())
}

/// The facts of a table: itself, its columns, keys, constraints and partitions.
pub(super) fn facts(table: &Table<'_>) -> Vec<Fact> {
    let parsed = table.parsed;
    let mut facts = vec![table_fact(table)];
    let mut previous = None;
    for (column, told) in parsed.columns.iter().zip(table.told) {
        facts.push(column_fact(table, column, told, previous));
        previous = Some(column.name.clone());
    }
    let collations: BTreeMap<&str, String> = table
        .told
        .iter()
        .filter_map(|column| {
            Some((column.name.as_str(), spelling::charset(column.collation.as_deref()?)))
        })
        .collect();
    let mut others: Vec<Fact> = Vec::new();
    others.extend(parsed.keys.iter().map(|key| key_fact(table, key, &collations)));
    others.extend(parsed.foreign_keys.iter().map(|key| foreign_key_fact(table.name, key)));
    others.extend(parsed.checks.iter().map(|check| check_fact(table, check)));
    others.extend(parsed.columns.iter().filter_map(|column| column_check_fact(table, column)));
    if let Some(partitioning) = &parsed.partition {
        others.extend(partition_facts(table, partitioning));
    }
    number_duplicates(&mut others);
    facts.extend(others);
    facts
}

fn text_value(tokens: &[Token<'_>]) -> String {
    match tokens {
        [token] => {
            let plain = token.string().or_else(|| token.name());
            plain.unwrap_or_else(|| token.text.to_owned())
        }
        _ => text_of(tokens),
    }
}

fn table_fact(table: &Table<'_>) -> Fact {
    let mut draft = Draft::new(ObjectKind::Table, table.name, "")
        .text("engine", Some(table.engine))
        .text("collation", table.collation.map(spelling::charset));
    let mut others = Vec::new();
    for (name, tokens) in &table.parsed.options {
        let (value, _) = without_own(tokens, table.database);
        let value = text_value(&value);
        match name.as_str() {
            "ENGINE" | "COLLATE" => {}
            "CHARSET" | "CHARACTER SET" => {
                draft = draft.text("charset", Some(spelling::charset(&value)));
            }
            "COMMENT" => draft = draft.text("comment", Some(value)),
            "SYSTEM VERSIONING" => draft = draft.flag("system-versioned", true),
            "ROW_FORMAT" => draft = draft.text("row-format", Some(value.to_ascii_uppercase())),
            "KEY_BLOCK_SIZE" => draft = draft.text("key-block-size", Some(value)),
            "CONNECTION" => draft = draft.text("connection", Some(value)),
            "UNION" => draft = draft.text("union", Some(value)),
            _ => others.push(format!("{name}={value}")),
        }
    }
    others.sort();
    let periods = table.parsed.periods.iter();
    draft
        .list("options", others)
        .list("periods", periods.map(|(name, s, e)| format!("{name} ({s}, {e})")).collect())
        .done()
}

fn expression(table: &Table<'_>, tokens: &[Token<'_>]) -> String {
    text_of(&without_own(unbracketed(tokens), table.database).0)
}

/// Whether the servers take a column of this type without DEFAULT for one with DEFAULT NULL, and
/// MySQL prints neither.
fn shows_no_default(type_name: &str) -> bool {
    let word = type_name.split(['(', ' ']).next().unwrap_or_default();
    word.ends_with("text")
        || word.ends_with("blob")
        || word == "json"
        || ["geometry", "point", "linestring", "polygon", "vector"].contains(&word)
        || word.starts_with("multi")
        || word.starts_with("geom")
}

fn column_fact(
    table: &Table<'_>,
    column: &ParsedColumn<'_>,
    told: &ToldColumn,
    previous: Option<String>,
) -> Fact {
    let type_name = spelling::type_name(&column.type_text);
    let is_null = |tokens: &[Token<'_>]| matches!(tokens, [token] if token.is("NULL"));
    let (default, named) = match &column.default {
        Some(tokens) if !is_null(tokens) => {
            let (tokens, named) = without_own(tokens, table.database);
            (Some(spelling::default(&tokens, &type_name)), named)
        }
        _ => (None, Vec::new()),
    };
    let has_no_default = column.default.is_none()
        && !column.is_not_null
        && column.generated.is_none()
        && !shows_no_default(&type_name);
    let on_update = column.on_update.as_ref();
    Draft::new(ObjectKind::Column, table.name, &column.name)
        .text("type", Some(type_name))
        .text("after", previous)
        .text("charset", told.charset.as_deref().map(spelling::charset))
        .text("collation", told.collation.as_deref().map(spelling::charset))
        .flag("not-null", column.is_not_null)
        .text("default", default)
        .flag("no-default", has_no_default)
        .text("on-update", on_update.map(|t| spelling::now(t).unwrap_or_else(|| text_of(t))))
        .text("generated", column.generated.as_ref().map(|tokens| expression(table, tokens)))
        .flag("stored", column.is_stored)
        .flag("auto-increment", column.is_auto_increment)
        .flag("invisible", column.is_invisible)
        .flag("without-system-versioning", column.is_unversioned)
        .text("srid", column.srid.clone())
        .text("comment", column.comment.clone())
        .text("options", (!column.options.is_empty()).then(|| text_of(&column.options)))
        .depends_on(named)
        .done()
}

fn key_fact(table: &Table<'_>, key: &ParsedKey<'_>, collations: &BTreeMap<&str, String>) -> Fact {
    let has_expression = key.parts.iter().any(|part| part.column.is_none());
    // A unique key over expressions is no constraint that rows can be told apart by.
    let (kind, part) = match key.kind {
        KeyKind::Primary => (ObjectKind::PrimaryKey, ""),
        KeyKind::Unique if !has_expression => (ObjectKind::Unique, key.name.as_str()),
        _ => (ObjectKind::Index, key.name.as_str()),
    };
    let parts = key_parts(table, key);
    let columns = parts.iter().map(|part| match &part.column {
        Some(column) => column.clone(),
        None => expression(table, &part.expression),
    });
    let terms = parts.iter().map(|part| match part.column {
        Some(_) => "column".to_owned(),
        None => "expression".to_owned(),
    });
    let collation = |part: &KeyPart<'_>| {
        let known = part.column.as_deref().and_then(|column| collations.get(column));
        known.cloned().unwrap_or_else(|| "BINARY".to_owned())
    };
    let orders = parts.iter().map(|part| match part.is_descending {
        true => "DESC".to_owned(),
        false => "ASC".to_owned(),
    });
    let lengths = parts.iter().map(|part| part.length.clone().unwrap_or_default());
    let mut draft = Draft::new(kind, table.name, part)
        .list("columns", columns.collect())
        .list_beside("terms", terms.collect(), "column")
        .list_beside("lengths", lengths.collect(), "")
        .list_beside("orders", orders.collect(), "ASC")
        .text("without-overlaps", key.period.clone())
        .text("using", key.using.clone().filter(|using| !is_usual(using, table.engine)))
        .text("kind", key.special.clone())
        .text("parser", key.parser.clone())
        .text("comment", key.comment.clone())
        .flag("invisible", key.is_invisible)
        .text("options", (!key.options.is_empty()).then(|| text_of(&key.options)));
    if kind == ObjectKind::Index {
        draft = draft
            .text("table", Some(table.name))
            .flag("unique", key.kind == KeyKind::Unique)
            .depends_on([table.name.to_owned()]);
    } else {
        draft = draft.list_beside("collations", parts.iter().map(collation).collect(), "BINARY");
    }
    if kind == ObjectKind::Unique {
        draft = draft.text("name", Some(key.name.clone()));
    }
    draft.done()
}

/// The columns of a key; a period that may not overlap stands for its two columns.
fn key_parts<'t>(table: &Table<'t>, key: &ParsedKey<'t>) -> Vec<KeyPart<'t>> {
    let mut parts = key.parts.clone();
    let periods = &table.parsed.periods;
    let period = periods.iter().find(|(name, _, _)| Some(name) == key.period.as_ref());
    for column in period.into_iter().flat_map(|(_, start, end)| [start, end]) {
        parts.push(KeyPart { column: Some(column.clone()), ..KeyPart::default() });
    }
    parts
}

/// Whether an index is of this kind anyway. A tree that is asked for by name is the same tree.
fn is_usual(using: &str, engine: &str) -> bool {
    let usual = if engine.eq_ignore_ascii_case("memory") { "HASH" } else { "BTREE" };
    using == usual
}

fn foreign_key_fact(table: &str, key: &ParsedForeignKey) -> Fact {
    // InnoDB never defers: NO ACTION, RESTRICT and saying nothing are one thing.
    let action = |action: &Option<String>| match action.as_deref() {
        None | Some("NO ACTION") => "RESTRICT".to_owned(),
        Some(action) => action.to_owned(),
    };
    let parent = match &key.schema {
        Some(schema) => format!("{schema}.{}", key.table),
        None => key.table.clone(),
    };
    Draft::new(ObjectKind::ForeignKey, table, &key.name)
        .list("columns", key.columns.clone())
        .text("table", Some(parent))
        .text("schema", key.schema.clone())
        .list("referenced-columns", key.referenced.clone())
        .text("on-delete", Some(action(&key.on_delete)))
        .text("on-update", Some(action(&key.on_update)))
        .text("name", Some(key.name.clone()))
        .depends_on(key.schema.is_none().then(|| key.table.clone()))
        .done()
}

fn check_fact(table: &Table<'_>, check: &ParsedCheck<'_>) -> Fact {
    Draft::new(ObjectKind::Check, table.name, &check.name)
        .text("expression", Some(expression(table, &check.expression)))
        .text("name", Some(check.name.clone()))
        .flag("not-enforced", check.is_not_enforced)
        .done()
}

/// A check that is part of a column's definition (MariaDB), where it has no name of its own.
fn column_check_fact(table: &Table<'_>, column: &ParsedColumn<'_>) -> Option<Fact> {
    let tokens = column.check.as_ref()?;
    let draft = Draft::new(ObjectKind::Check, table.name, &column.name)
        .text("expression", Some(expression(table, tokens)))
        .text("column", Some(column.name.clone()));
    Some(draft.done())
}

fn partition_facts(table: &Table<'_>, partitioning: &ParsedPartitioning<'_>) -> Vec<Fact> {
    let method = spelling::unquoted(&partitioning.method);
    let own = Draft::new(ObjectKind::Partition, table.name, "").text("method", Some(method)).done();
    let mut facts = vec![own];
    let mut previous: Option<String> = None;
    for (name, tokens) in &partitioning.partitions {
        let tokens = without_engine(tokens, table.engine);
        facts.push(
            Draft::new(ObjectKind::Partition, table.name, name)
                .text("definition", Some(spelling::unquoted(&tokens)))
                .text("after", previous.replace(name.clone()))
                .done(),
        );
    }
    facts
}

/// What is said of a partition without the engine, which is that of the table.
fn without_engine<'t>(tokens: &[Token<'t>], engine: &str) -> Vec<Token<'t>> {
    let mut kept: Vec<Token<'t>> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let is_engine = token.is("ENGINE")
            && tokens.get(at + 1).is_some_and(|t| t.is_symbol("="))
            && tokens.get(at + 2).is_some_and(|t| {
                matches!(t.kind, Kind::Word | Kind::Name)
                    && t.name().is_some_and(|name| name.eq_ignore_ascii_case(engine))
            });
        if is_engine {
            at += 3;
        } else {
            kept.push(*token);
            at += 1;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::create_table::parse;
    use super::*;
    use crate::model::Attribute;

    /// What MySQL 8 prints and no server of the tests does.
    const MYSQL_8: &str = "CREATE TABLE `t` (\n  \
        `id` int unsigned NOT NULL AUTO_INCREMENT /*!80023 INVISIBLE */,\n  \
        `j` json DEFAULT (json_array()),\n  \
        `s` varchar(9) COLLATE utf8mb4_bin NOT NULL DEFAULT (concat(_utf8mb4'a',`j`)) COMMENT 'c',\n  \
        `g` point NOT NULL /*!80003 SRID 4326 */,\n  \
        `v` int GENERATED ALWAYS AS ((`id` + 1)) VIRTUAL NOT NULL,\n  \
        PRIMARY KEY (`id` DESC),\n  \
        UNIQUE KEY `fx` ((lower(`s`)),`id`),\n  \
        KEY `i` (`s`) /*!80000 INVISIBLE */,\n  \
        KEY `m` ((cast(json_extract(`j`,_utf8mb4'$.a') as unsigned array))),\n  \
        FULLTEXT KEY `ft` (`s`) /*!50100 WITH PARSER `ngram` */ ,\n  \
        CONSTRAINT `k` CHECK ((`id` > 0)) /*!80016 NOT ENFORCED */\n\
        ) /*!50100 TABLESPACE `x` */ ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 \
        COLLATE=utf8mb4_0900_ai_ci COMMENT='tc' COMPRESSION='zlib' ENCRYPTION='Y'\n\
        /*!50100 PARTITION BY RANGE (`id`)\n(PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB) */";

    fn lines() -> Vec<String> {
        let parsed = parse(MYSQL_8).unwrap();
        let types = ["int unsigned", "json", "varchar(9)", "point", "int"];
        let columns = parsed.columns.iter().zip(types);
        let told: Vec<ToldColumn> = columns
            .map(|(column, column_type)| ToldColumn {
                name: column.name.clone(),
                column_type: column_type.to_owned(),
                collation: column.collation.clone(),
                charset: None,
            })
            .collect();
        let table = Table {
            name: "t",
            engine: "InnoDB",
            collation: Some("utf8mb4_0900_ai_ci"),
            parsed: &parsed,
            told: &told,
            database: "d",
        };
        agrees(&table).unwrap();
        let line = |fact: &Fact| {
            let attributes = fact.attributes.iter().map(|(name, value)| match value {
                Attribute::Flag => format!(" {name}"),
                Attribute::Number(number) => format!(" {name}={number}"),
                Attribute::Text(text) => format!(" {name}=<{text}>"),
                Attribute::List(items) => format!(" {name}=[{}]", items.join("|")),
            });
            format!("{} {}:{}", fact.id.kind, fact.id.part, attributes.collect::<String>())
        };
        facts(&table).iter().map(line).collect()
    }

    #[test]
    fn what_mysql_8_prints_is_understood() {
        let expected = [
            "table : charset=<utf8mb4> collation=<utf8mb4_0900_ai_ci> comment=<tc> engine=<InnoDB> \
             options=[COMPRESSION=zlib|ENCRYPTION=Y|TABLESPACE=x]",
            "column id: auto-increment invisible not-null type=<int unsigned>",
            "column j: after=<id> default=<json_array()> type=<json>",
            "column s: after=<j> collation=<utf8mb4_bin> comment=<c> \
             default=<concat(_utf8mb4'a',`j`)> not-null type=<varchar(9)>",
            "column g: after=<s> not-null srid=<4326> type=<point>",
            "column v: after=<g> generated=<`id` + 1> not-null type=<int>",
            "primary-key : columns=[id] orders=[DESC]",
            "check k: expression=<`id` > 0> name=<k> not-enforced",
            "index ft: columns=[s] kind=<FULLTEXT> parser=<ngram> table=<t>",
            "index fx: columns=[lower(`s`)|id] table=<t> terms=[expression|column] unique",
            "index i: columns=[s] invisible table=<t>",
            "index m: columns=[cast(json_extract(`j`,_utf8mb4'$.a') as unsigned array)] table=<t> \
             terms=[expression]",
            "partition : method=<RANGE(id)>",
            "partition p0: definition=<VALUES LESS THAN(10)>",
        ];
        assert_eq!(lines(), expected);
    }
}
