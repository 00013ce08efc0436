//! ELECTRA (Clark et al. 2020): BERT without a pooler, small ones with embeddings of a size of their own.

use super::Family;
use super::bert::{Dialect, read_as};

/// The registration.
pub const FAMILY: Family = Family {
    model_type: "electra",
    title: "ELECTRA",
    prefix: "electra.",
    prefix_on_export: false,
    architecture: "ElectraModel",
    token_classifier: true,
    words: "embeddings.word_embeddings.weight",
    read: |config| {
        read_as(config, Dialect { counts_from_padding: false, projection: Some("embeddings_project") })
    },
};
