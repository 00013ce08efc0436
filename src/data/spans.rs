//! Tags of words: what a tag looks like, and how many entities a sentence's tags mark, as seqeval counts them.

/// How many words a list of tags has of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCount {
    /// Entities.
    pub entities: usize,
    /// Tags that go on with an entity that does not stand before them: `I-x` behind `O` or behind another kind.
    pub unstarted: usize,
}

impl SpanCount {
    /// Counts the entities of a sentence; `B-`, `I-`, `E-`, `S-`, `L-` and `U-` tags, and a tag without a dash
    /// but `O` counts as a kind.
    #[must_use]
    pub fn of<'a>(tags: impl Iterator<Item = &'a str>) -> Self {
        let mut count = Self::default();
        let (mut before, mut kind_before) = ("O", "");
        for tag in tags {
            let (prefix, kind) = parts(tag);
            let starts = starts_entity((before, kind_before), (prefix, kind));
            count.entities += usize::from(starts);
            count.unstarted += usize::from(starts && matches!(prefix, "I" | "E" | "L"));
            (before, kind_before) = (prefix, kind);
        }
        count
    }
}

/// seqeval 1.2.2, `start_of_chunk`, with `L` and `U` (BILOU) as `E` and `S`.
fn starts_entity((before, kind_before): (&str, &str), (prefix, kind): (&str, &str)) -> bool {
    match prefix {
        "O" => false,
        "B" | "S" | "U" => true,
        _ => matches!(before, "E" | "S" | "L" | "U" | "O") || kind != kind_before,
    }
}

fn parts(tag: &str) -> (&str, &str) {
    match tag.split_once('-') {
        Some((prefix, kind)) => (prefix, kind),
        None if tag == "O" => ("O", ""),
        None => ("", tag),
    }
}

/// True for a tag of the usual form: `O`, `B-PER`, `I-LOC` ...
pub(super) fn is_tag(tag: &str) -> bool {
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
            ("O O", 0, 0),
            ("", 0, 0),
        ] {
            let found = SpanCount::of(tags.split_whitespace());
            assert_eq!(found, SpanCount { entities, unstarted }, "{tags}");
        }
    }
}
