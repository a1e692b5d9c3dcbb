//! Plans of schemas from catalogs, and which server tries which case.

use deepdiff_db::diff::TableDefinition;
use deepdiff_db::engine::ddl::Ddl;
use deepdiff_db::model::{Catalog, ObjectKind, ObjectName};
use deepdiff_db::pack::consent::Consent;
use deepdiff_db::pack::schema::{self, SchemaInput, SchemaPlan, SchemaSide};

fn definitions(catalog: &Catalog) -> Vec<TableDefinition> {
    let order = |name: &ObjectName| {
        let table = catalog.tables.iter().find(|table| table.name == *name);
        table.map(|table| table.column_order.clone()).unwrap_or_default()
    };
    let all = catalog.definitions.iter();
    all.map(|d| TableDefinition {
        kind: d.kind,
        object: d.object.clone(),
        text: d.text.clone(),
        column_order: order(&d.object),
    })
    .collect()
}

/// The plan from one catalog to another, with everything allowed.
pub fn plan(ddl: &dyn Ddl, before: &Catalog, after: &Catalog) -> SchemaPlan {
    let (old, new) = (definitions(before), definitions(after));
    let tables: Vec<(ObjectName, bool)> = before
        .facts
        .iter()
        .filter(|fact| fact.id.kind == ObjectKind::Table)
        .map(|fact| (fact.id.object.clone(), true))
        .collect();
    schema::plan(
        ddl,
        &SchemaInput {
            before: SchemaSide { facts: &before.facts, definitions: &old },
            after: SchemaSide { facts: &after.facts, definitions: &new },
            consent: &Consent::everything(),
            tables: &tables,
            keeps_rows: &|_| false,
            keeps_values: &|_, _| false,
            lacks_rows: &|_| false,
            keeps_table: &|_| false,
            may_leave: &|_| false,
            loses_sight: &|_| false,
            is_rekeyed: &|_| false,
            may_be_anew: &|_| false,
        },
    )
}

/// Whether a server tries a case: each case has its turn on one of the servers that know it, and on
/// all of them where `DEEPDIFF_ALL_PAIRS` is set.
pub fn has_turn(case: usize, server: usize, servers: usize) -> bool {
    std::env::var("DEEPDIFF_ALL_PAIRS").is_ok() || case % servers == server
}
