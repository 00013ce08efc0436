//! `RoBERTa` (Liu et al. 2019), XLM-R (Conneau et al. 2020) and `CamemBERT` (Martin et al. 2020): BERT whose positions
//! are counted from behind the padding token's id.

use super::Family;
use super::bert::{Dialect, read_as};

/// The registration of `RoBERTa`.
pub const FAMILY: Family = Family {
    model_type: "roberta",
    title: "RoBERTa",
    prefix: "roberta.",
    prefix_on_export: false,
    architecture: "RobertaModel",
    token_classifier: true,
    words: "embeddings.word_embeddings.weight",
    read: |config| read_as(config, Dialect { counts_from_padding: true, projection: None }),
};

/// The registration of XLM-R: multilingual-E5, BGE-M3 and the like.
pub const XLM_ROBERTA: Family =
    Family { model_type: "xlm-roberta", title: "XLM-RoBERTa", architecture: "XLMRobertaModel", ..FAMILY };

/// The registration of `CamemBERT`.
pub const CAMEMBERT: Family =
    Family { model_type: "camembert", title: "CamemBERT", architecture: "CamembertModel", ..FAMILY };
