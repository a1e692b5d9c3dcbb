//! What of the unsynced a simulated crash leaves.
//!
//! Real file systems promise little: content that was not synced may be there, in part or not at
//! all; names may be older or newer than content; operations on different names may survive in
//! any combination. Tests run every crash under several of these.

/// Which unsynced content and names survive a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Everything: the process died, the machine did not.
    Everything,
    /// Only what was synced.
    SyncedOnly,
    /// All names, but only synced content: files may be empty.
    NamesOnly,
    /// All content, but only synced names.
    ContentOnly,
    /// All names, and half of each unsynced content.
    Torn,
    /// Each name and each content by chance.
    Random(u64),
}

impl Survival {
    /// One of each, and a few by chance.
    pub const ALL: [Survival; 8] = [
        Survival::Everything,
        Survival::SyncedOnly,
        Survival::NamesOnly,
        Survival::ContentOnly,
        Survival::Torn,
        Survival::Random(1),
        Survival::Random(2),
        Survival::Random(3),
    ];
}

/// Decides, file by file and name by name.
pub(super) struct Judge {
    survival: Survival,
    state: u64,
}

impl Judge {
    pub(super) fn new(survival: Survival) -> Self {
        let state = if let Survival::Random(seed) = survival { seed } else { 0 };
        Judge { survival, state }
    }

    /// Whether a change of a directory that was not synced survives.
    pub(super) fn keeps_names(&mut self) -> bool {
        match self.survival {
            Survival::Everything | Survival::NamesOnly | Survival::Torn => true,
            Survival::SyncedOnly | Survival::ContentOnly => false,
            Survival::Random(_) => self.next().is_multiple_of(2),
        }
    }

    /// How long a file is whose first `synced` of `len` bytes are safe.
    pub(super) fn content(&mut self, synced: usize, len: usize) -> usize {
        let unsynced = len - synced;
        match self.survival {
            Survival::Everything | Survival::ContentOnly => len,
            Survival::SyncedOnly | Survival::NamesOnly => synced,
            Survival::Torn => synced + unsynced / 2,
            Survival::Random(_) => {
                let drawn = usize::try_from(self.next() >> 33).expect("31 bits fit in usize");
                synced + drawn % (unsynced + 1)
            }
        }
    }

    /// splitmix64: enough for choices that must be the same in every run.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
