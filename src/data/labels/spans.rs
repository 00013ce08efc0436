//! Tags of words: how a tag is read, and which entities the tags of a sentence mark. The data card, `inspect` and the
//! figures all count by the rules in this file.
//!
//! `B-PER` is a letter and a type. IOB1, IOB2, IOE, IOBES and BILOU are read by one rule, that of seqeval 1.2.2
//! (`get_entities` in `seqeval/metrics/sequence_labeling.py`, which follows `conlleval.pl`), with `L` as `E` and `U` as
//! `S`. A tag without such a letter is a type as a whole, and a run of it is one entity: seqeval would take `BRAND` for
//! a `B` and `ORG` for an `O`.

/// What a tag says of a word's place in an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `O`: in none.
    Outside,
    /// `B-`: the first word of one.
    Begin,
    /// `I-`: within one.
    Inside,
    /// `E-` or `L-`: the last word of one.
    End,
    /// `S-` or `U-`: the only word of one.
    Single,
    /// The tag has no letter: within one, as long as the tag stays the same.
    Plain,
}

impl Place {
    /// The place that a letter names.
    fn of_letter(letter: &str) -> Option<Self> {
        Some(match letter {
            "B" => Self::Begin,
            "I" => Self::Inside,
            "E" | "L" => Self::End,
            "S" | "U" => Self::Single,
            _ => return None,
        })
    }

    /// Whether an entity ends before a word of this place.
    const fn ends(before: Self, same_type: bool, now: Self) -> bool {
        match before {
            Self::Outside => false,
            Self::End | Self::Single => true,
            Self::Begin | Self::Inside | Self::Plain => {
                !same_type || matches!(now, Self::Begin | Self::Single | Self::Outside)
            }
        }
    }

    /// Whether an entity starts at a word of this place.
    const fn starts(before: Self, same_type: bool, now: Self) -> bool {
        match now {
            Self::Outside => false,
            Self::Begin | Self::Single => true,
            Self::Inside | Self::End | Self::Plain => {
                !same_type || matches!(before, Self::Outside | Self::End | Self::Single)
            }
        }
    }
}

/// The type of a tag that names none, such as a bare `B`.
pub const BARE: &str = "_";

/// The place and the type of a tag.
#[must_use]
pub fn read_tag(tag: &str) -> (Place, &str) {
    if tag == "O" {
        return (Place::Outside, BARE);
    }
    let (letter, kind) = tag.split_once('-').unwrap_or((tag, ""));
    match Place::of_letter(letter) {
        Some(place) => (place, if kind.is_empty() { BARE } else { kind }),
        None => (Place::Plain, tag),
    }
}

/// An entity: its type, and its words, the last one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entity<K> {
    /// The type.
    pub kind: K,
    /// Index of the first word.
    pub first: usize,
    /// Index of the last word.
    pub last: usize,
    /// Whether its first tag starts it: `I-x` behind `O` or behind another type does not.
    pub is_started: bool,
}

/// The entities of a sentence, in order, by the places and types of its words.
pub fn entities<K: Copy + PartialEq>(words: impl IntoIterator<Item = (Place, K)>) -> Vec<Entity<K>> {
    let mut found = Vec::new();
    let mut open: Option<Entity<K>> = None;
    let mut before: Option<(Place, K)> = None;
    for (word, (place, kind)) in words.into_iter().enumerate() {
        let (earlier, same_type) =
            before.map_or((Place::Outside, false), |(earlier, of)| (earlier, of == kind));
        if Place::ends(earlier, same_type, place) {
            found.extend(open.take());
        }
        if Place::starts(earlier, same_type, place) {
            let is_started = !matches!(place, Place::Inside | Place::End);
            open = Some(Entity { kind, first: word, last: word, is_started });
        } else if let Some(entity) = &mut open {
            entity.last = word;
        }
        before = Some((place, kind));
    }
    found.extend(open);
    found
}

/// How many words a list of tags has of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCount {
    /// Entities.
    pub entities: usize,
    /// Tags that continue an entity that does not stand before them: `I-x` behind `O` or behind another type.
    pub unstarted: usize,
}

impl SpanCount {
    /// Counts the entities of a sentence.
    #[must_use]
    pub fn of<'a>(tags: impl Iterator<Item = &'a str>) -> Self {
        let found = entities(tags.map(read_tag));
        let unstarted = found.iter().filter(|entity| !entity.is_started).count();
        Self { entities: found.len(), unstarted }
    }
}

/// True for a tag of the usual form: `O`, `B-PER`, `I-LOC` ...
pub(in crate::data) fn is_tag(tag: &str) -> bool {
    tag == "O"
        || tag.split_once('-').is_some_and(|(letter, kind)| {
            matches!(letter, "B" | "I" | "E" | "S" | "L" | "U") && !kind.is_empty()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_counted_in_every_scheme() {
        for (tags, entities, unstarted) in [
            ("O B-PER I-PER O B-PER B-PER", 3, 0),
            ("I-PER I-PER O I-LOC", 2, 2),
            ("B-PER I-LOC", 2, 1),
            ("B-PER E-PER S-LOC U-LOC B-X L-X", 4, 0),
            ("U-PER U-PER U-PER", 3, 0),
            ("B-PER I-PER L-PER B-PER L-PER", 2, 0),
            ("B I O B", 2, 0),
            ("O O", 0, 0),
            ("", 0, 0),
        ] {
            let found = SpanCount::of(tags.split_whitespace());
            assert_eq!(found, SpanCount { entities, unstarted }, "{tags}");
        }
    }

    /// A tag without a letter is a type whatever it begins with, and a run of it is one entity.
    #[test]
    fn plain_tags_are_types() {
        let tags = "ORG ORG O BRAND BRAND SYM SYM EVENT T-shirt T-shirt creative-work O-ring";
        let found = entities(tags.split(' ').map(read_tag));
        let spans: Vec<_> = found.iter().map(|entity| (entity.kind, entity.first, entity.last)).collect();
        let wanted = [
            ("ORG", 0, 1),
            ("BRAND", 3, 4),
            ("SYM", 5, 6),
            ("EVENT", 7, 7),
            ("T-shirt", 8, 9),
            ("creative-work", 10, 10),
            ("O-ring", 11, 11),
        ];
        assert_eq!(spans, wanted);
    }
}
