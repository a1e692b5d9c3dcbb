//! The wire structs once more, for wincode: a maintained crate that knows the same bytes.
//!
//! Where bincode should ever have to be replaced, this is what replaces it. The order of the fields
//! is the order of the bytes.
#![allow(clippy::mem_forget, reason = "what wincode derives")]

use wincode::{SchemaRead, SchemaWrite, containers, len::FixIntLen};

#[derive(SchemaRead, SchemaWrite)]
#[wincode(tag_encoding = "u8")]
pub enum BlockRef {
    Inline(#[wincode(with = "containers::Vec<u8, FixIntLen<u8>>")] Vec<u8>),
    Object([u8; 32]),
    WithValues([u8; 32]),
    WithTables([u8; 32]),
}

#[derive(SchemaRead, SchemaWrite)]
pub struct ChunkColumn {
    name: String,
    block: BlockRef,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct Chunk {
    rows: u32,
    keys: BlockRef,
    row_hashes: [u8; 32],
    counts: Option<BlockRef>,
    columns: Vec<ChunkColumn>,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct NodeEntry {
    last_key: Vec<u8>,
    rows: u64,
    bytes: u64,
    id: [u8; 32],
}

#[derive(SchemaRead, SchemaWrite)]
pub struct Node {
    level: u8,
    entries: Vec<NodeEntry>,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct Root {
    id: Option<[u8; 32]>,
    height: u8,
    rows: u64,
    bytes: u64,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct Name {
    schema: String,
    name: String,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct Column {
    name: String,
    declared_type: String,
    default_tag: u8,
    default_payload: Vec<u8>,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct Key {
    columns: Vec<(String, u8)>,
    source: u8,
    may_be_null: bool,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct Table {
    name: Name,
    columns: Vec<Column>,
    key: Option<Key>,
    rows: Root,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct State {
    engine: String,
    excluded_tables: Vec<String>,
    key_overrides: Vec<(String, Vec<String>)>,
    facts: Root,
    tables: Root,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct MaskedState {
    state: State,
    masks: Vec<String>,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct NotCaptured {
    kind: String,
    name: String,
    reason: String,
    is_unknown: bool,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct Sequence {
    name: Name,
    position: i64,
}

#[derive(SchemaRead, SchemaWrite)]
pub struct Snapshot {
    state: [u8; 32],
    label: String,
    identity: String,
    server: String,
    read_at: Vec<(i64, i64)>,
    guarantee: u8,
    evidence: Vec<String>,
    not_captured: Vec<NotCaptured>,
    sequences: Vec<Sequence>,
    definitions: Root,
    is_hash_only: bool,
    parents: Vec<[u8; 32]>,
    author: String,
    message: String,
}

#[derive(SchemaRead, SchemaWrite)]
pub enum Attribute {
    Flag,
    Number(i64),
    Text(String),
    List(Vec<String>),
}

#[derive(SchemaRead, SchemaWrite)]
pub struct FactBody {
    attributes: Vec<(String, Attribute)>,
    depends_on: Vec<(String, String)>,
}
