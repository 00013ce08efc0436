//! The five presets: what is frozen, and when it thaws.

/// What is frozen, and when it thaws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// Nothing trains: the encoder as it is, measured by probes.
    FreezeAll,
    /// The encoder stays as it is; every head learns.
    FreezeBackbone,
    /// One head stays as it is; the encoder and the other heads learn.
    FreezeHead,
    /// Heads first, then the layers from the top downward, lower layers at lower rates.
    Gradual,
    /// Everything learns from the first step.
    Full,
}

impl Preset {
    /// All of them, from the coldest to the warmest.
    pub const ALL: [Self; 5] =
        [Self::FreezeAll, Self::FreezeBackbone, Self::FreezeHead, Self::Gradual, Self::Full];

    /// The name in project files and on the command line.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::FreezeAll => "freeze-all",
            Self::FreezeBackbone => "freeze-backbone",
            Self::FreezeHead => "freeze-head",
            Self::Gradual => "gradual",
            Self::Full => "full",
        }
    }

    /// The preset of that key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.key() == key)
    }

    /// The name people read.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::FreezeAll => "Freeze everything",
            Self::FreezeBackbone => "Freeze the backbone",
            Self::FreezeHead => "Freeze one head",
            Self::Gradual => "Gradual unfreezing",
            Self::Full => "Full fine-tuning",
        }
    }
}
