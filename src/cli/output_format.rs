//! The formats of the outputs of `embed` and `predict`.

/// How embeddings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum EmbeddingFormat {
    #[value(help = "A NumPy array")]
    Npy,
    /// A line per text: the text, then its numbers.
    Csv,
    /// A JSON object per line.
    Jsonl,
    /// One tensor, `embeddings`.
    Safetensors,
    /// A column of texts and a column of lists.
    Parquet,
}

/// How predictions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PredictionFormat {
    /// A line per text.
    Csv,
    /// A JSON object per line.
    Jsonl,
}
