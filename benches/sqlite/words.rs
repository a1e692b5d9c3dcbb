//! What titles in the measured tables are made of. The tables, and so every figure, depend on each
//! word and its place.

/// How it is.
pub const ADJECTIVES: [&str; 16] = [
    "Stainless",
    "Foldable",
    "Compact",
    "Insulated",
    "Handmade",
    "Recycled",
    "Wireless",
    "Ceramic",
    "Adjustable",
    "Organic",
    "Heavy-duty",
    "Portable",
    "Waterproof",
    "Magnetic",
    "Vintage",
    "Slim",
];
/// What it is.
pub const NOUNS: [&str; 24] = [
    "kettle",
    "lantern",
    "backpack",
    "notebook",
    "bottle",
    "grinder",
    "cable",
    "blanket",
    "helmet",
    "speaker",
    "teapot",
    "charger",
    "wallet",
    "toolbox",
    "mirror",
    "drawer",
    "hammock",
    "compass",
    "apron",
    "thermos",
    "bicycle pump",
    "cutting board",
    "desk lamp",
    "rain jacket",
];
/// Its colour.
pub const COLOURS: [&str; 12] = [
    "black",
    "white",
    "forest green",
    "navy",
    "sand",
    "copper",
    "grey",
    "red",
    "olive",
    "teal",
    "ivory",
    "plum",
];
