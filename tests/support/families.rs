//! The tiny models of `tests/fixtures/models`, by family.

/// One of every family, and of some more than one.
pub(crate) const FAMILIES: [&str; 11] = [
    "albert",
    "bert",
    "bert_gelu_new",
    "deberta_v2",
    "deberta_v3",
    "distilbert",
    "electra",
    "modernbert",
    "mpnet",
    "roberta",
    "xlm_roberta",
];
