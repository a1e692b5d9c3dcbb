//! The integration tests: one binary, a module for each area.
//!
//! `house` and `layers` hold the repository to its own rules, `shop` loads the bundled database;
//! the other modules drive the library and the program as a user would.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "tests set their own scene, and a panic is how they fail"
)]

mod apply_cases;
mod bad_input;
mod cases_equality;
mod cases_keys;
mod cases_types;
mod codec_blocks;
mod codec_golden;
mod codec_mirror;
mod codec_rows;
mod codec_samples;
mod codec_structures;
mod codec_values;
mod commands;
mod converge;
mod diff_answers;
mod house;
mod html_browser;
mod html_report;
mod lab;
mod layers;
mod live;
mod my_cases;
mod my_catalog;
mod my_catalog_rights;
mod my_catalog_schemas;
mod my_catalog_servers;
mod my_database;
mod my_ddl;
mod my_ddl_lab;
mod my_lab;
mod my_live;
mod my_packs;
mod my_packs_anew;
mod my_packs_faults;
mod my_packs_schema;
mod my_packs_values;
mod my_receipts;
mod my_rows;
mod my_statements;
mod my_statements_rows;
mod my_target;
mod my_types;
mod pack_cases;
mod pack_lab;
mod pack_laws;
mod pack_schema;
mod pack_strategies;
mod pack_values;
mod pg_cases;
mod pg_catalog;
mod pg_catalog_pairs;
mod pg_ddl;
mod pg_ddl_pairs;
mod pg_every_type;
mod pg_filling;
mod pg_lab;
mod pg_pack_lab;
mod pg_packs;
mod pg_packs_faults;
mod pg_rows;
mod pg_schema_packs;
mod pg_standby;
mod pg_statements;
mod pg_target;
mod pg_types;
mod pg_writing;
mod real_data;
mod rehearsals;
mod rust_source;
mod schema_plan;
mod schema_plan_order;
mod server_bad_input;
mod server_bank;
mod server_commands;
mod server_cut;
mod server_data;
mod server_jobs;
mod server_lab;
mod server_large;
mod server_live;
mod server_poolers;
mod server_secrets;
mod server_tls;
mod servers;
mod shop;
mod snapshot_faults;
mod sqlite_catalog;
mod sqlite_database;
mod sqlite_ddl;
mod sqlite_ddl_lab;
mod sqlite_packs;
mod sqlite_packs_faults;
mod sqlite_rebuild_begin;
mod sqlite_rows;
mod sqlite_schemas;
mod sqlite_source;
mod sqlite_target;
mod store_faults;
mod store_flips;
mod store_fsio;
mod store_gc;
mod store_golden;
mod store_machine;
mod store_publish;
mod store_scene;
mod tree_build;
mod tree_check;
mod tree_diff;
mod tree_lab;
mod tree_large;
mod tree_parts;
mod tree_rekey;
mod tree_shape;
mod tree_sort;
mod tree_speed;
mod webdriver;
