//! What the rows of benchmarks are made of: random numbers and words, the same on every machine.
//!
//! The measured databases and the published sizes depend on every byte of this.

mod random;

pub use random::Random;

impl Random {
    /// Random numbers that depend on the seed only.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// One of these words.
    pub fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.below(words.len() as u64)).expect("an index");
        words[at]
    }
}

/// How a thing is.
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

/// Things.
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

/// Colours.
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

/// The characters of codes.
pub const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
