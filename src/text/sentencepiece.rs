//! The file of a sentencepiece model, a protocol buffer: its pieces, and how it prepares a text. It must never know
//! a class of transformers or a special token's name.

use prost::Message;

/// How the pieces of a text are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The most probable pieces.
    Unigram,
    /// Pairs merged in the order in which they were learnt.
    Bpe,
}

/// What a piece is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Found in texts, or stands for what is not.
    Text,
    /// Never found in texts: `<s>`.
    Control,
    /// Found whole, before a text is cut.
    UserDefined,
}

/// A piece of the vocabulary; its index is its id.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) role: Role,
}

/// A sentencepiece model.
#[derive(Debug)]
pub(super) struct Sentencepiece {
    pub(super) kind: Kind,
    pub(super) pieces: Vec<Piece>,
    /// Index of the piece that stands for what no other fits.
    pub(super) unknown: usize,
    /// The text of that piece.
    pub(super) unknown_text: String,
    /// Characters and what they become: a double array trie with the texts behind it; empty for none.
    pub(super) charsmap: Vec<u8>,
}

impl Sentencepiece {
    /// Reads the bytes of a `.model` file. Whatever they are, what comes out can be used without a panic.
    ///
    /// # Errors
    /// In words, when they are no such file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let model =
            ModelProto::decode(bytes).map_err(|error| format!("it is no sentencepiece model: {error}"))?;
        let trainer = model.trainer.unwrap_or_default();
        let kind = match trainer.model_type.unwrap_or(1) {
            1 => Kind::Unigram,
            2 => Kind::Bpe,
            3 => {
                return Err(
                    "it cuts texts into words, which no class of transformers does with such a file".into()
                );
            }
            4 => {
                return Err(
                    "it cuts texts into characters, which no class of transformers does with such a file"
                        .into(),
                );
            }
            other => return Err(format!("its model type is {other}, which is not known")),
        };
        let mut pieces = Vec::with_capacity(model.pieces.len());
        for (id, piece) in model.pieces.into_iter().enumerate() {
            let score = piece.score.unwrap_or_default();
            if !score.is_finite() {
                return Err(format!("piece {id} has a score that is no number"));
            }
            let role = match piece.kind.unwrap_or(1) {
                3 => Role::Control,
                4 => Role::UserDefined,
                _ => Role::Text,
            };
            pieces.push(Piece { text: piece.text.unwrap_or_default(), score, role });
        }
        let unknown = trainer.unk_id.unwrap_or(0);
        let unknown = usize::try_from(unknown).ok().filter(|id| *id < pieces.len());
        let unknown =
            unknown.ok_or_else(|| format!("it has {} pieces, and none for what is unknown", pieces.len()))?;
        let charsmap = model.normalizer.and_then(|normalizer| normalizer.charsmap).unwrap_or_default();
        if !charsmap.is_empty() && !charsmap_is_sound(&charsmap) {
            return Err("its table of characters makes no sense".into());
        }
        Ok(Self {
            kind,
            pieces,
            unknown,
            unknown_text: trainer.unk_piece.unwrap_or_else(|| "<unk>".into()),
            charsmap,
        })
    }
}

/// Whether every step through the trie stays in it, and every text begins where one does: its reader trusts both.
///
/// The layout is that of darts-clone: the trie's bytes counted in front, units of 32 bits, the texts with a zero byte
/// behind each.
pub(super) fn charsmap_is_sound(charsmap: &[u8]) -> bool {
    const LEAF: u32 = 1 << 31;
    let Some((size, rest)) = charsmap.split_first_chunk::<4>() else { return false };
    let Some((trie, texts)) = rest.split_at_checked(u32::from_le_bytes(*size) as usize) else { return false };
    let (units, odd) = trie.as_chunks::<4>();
    let units: Vec<u32> = units.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
    // A step goes to any of the 256 units of a block.
    if units.is_empty() || !odd.is_empty() || !units.len().is_multiple_of(256) {
        return false;
    }
    let begins_a_text =
        |at: usize| at <= texts.len() && at.checked_sub(1).is_none_or(|before| texts.get(before) == Some(&0));
    units.iter().enumerate().all(|(index, unit)| {
        // No step reaches a value but the one that reads it.
        if unit & LEAF != 0 && index != 0 {
            return true;
        }
        let offset = ((unit >> 10) as usize) << ((unit & (1 << 9)) >> 6);
        let Some(target) = units.get(index ^ offset) else { return false };
        let has_leaf = unit & (1 << 8) != 0;
        !has_leaf || begins_a_text((target & !LEAF) as usize)
    })
}

// The parts of `sentencepiece_model.proto` that are read here.

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<PieceProto>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<NormalizerSpec>,
}

#[derive(Clone, PartialEq, Message)]
struct PieceProto {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct TrainerSpec {
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
    #[prost(int32, optional, tag = "40")]
    unk_id: Option<i32>,
    #[prost(string, optional, tag = "45")]
    unk_piece: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct NormalizerSpec {
    #[prost(bytes = "vec", optional, tag = "2")]
    charsmap: Option<Vec<u8>>,
}
