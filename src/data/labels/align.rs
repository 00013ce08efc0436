//! Entities by their places in a text become tags of words.
//!
//! The words are cut the same way whatever the entities are: where Unicode (TR 29) has them, with a sign as a word of its
//! own. Cut at the entities instead, the text itself would tell a model where they are.

use unicode_segmentation::UnicodeSegmentation as _;

use super::list_cell::items;
use super::offsets::{Kind, Place};

/// What places count in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum Unit {
    /// Unicode code points, as in Python.
    Chars,
    /// UTF-16, as in JavaScript and Java.
    Utf16,
    /// Bytes of UTF-8.
    Bytes,
    /// Words of a list.
    Words,
}

/// How places are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) struct Counting {
    pub(in crate::data) unit: Unit,
    /// The end is the last character of the entity, not the one behind it.
    pub(in crate::data) last_included: bool,
}

impl Counting {
    /// The likeliest first.
    pub(in crate::data) const ALL: [Self; 6] = [
        Self { unit: Unit::Chars, last_included: false },
        Self { unit: Unit::Utf16, last_included: false },
        Self { unit: Unit::Bytes, last_included: false },
        Self { unit: Unit::Chars, last_included: true },
        Self { unit: Unit::Utf16, last_included: true },
        Self { unit: Unit::Bytes, last_included: true },
    ];

    /// What a reader should know of it, where it is not the usual way.
    pub(in crate::data) fn told(self) -> Option<String> {
        let unit = match self.unit {
            Unit::Chars | Unit::Words => None,
            Unit::Utf16 => Some("count UTF-16 units"),
            Unit::Bytes => Some("count bytes"),
        };
        let end = self.last_included.then_some("name the last character of an entity");
        let both: Vec<&str> = unit.into_iter().chain(end).collect();
        (!both.is_empty()).then(|| both.join(" and "))
    }
}

/// A word of a text: where it begins and ends, by bytes.
struct Word<'a> {
    start: usize,
    end: usize,
    text: &'a str,
}

/// The words of a text with single spaces between them: of a list its items, else those of Unicode.
pub(in crate::data) fn spaced(text: &str) -> String {
    match items(text) {
        Some(words) => words.iter().map(|word| word.replace(' ', "\u{a0}")).collect::<Vec<_>>().join(" "),
        None => words(text).iter().map(|word| word.text).collect::<Vec<_>>().join(" "),
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    for (start, segment) in text.split_word_bound_indices() {
        let is_blank = segment.chars().all(|c| c.is_whitespace() || super::is_invisible(c));
        if is_blank || segment.contains(' ') {
            continue;
        }
        // A name and what is hung on it by an apostrophe are two words: Anna's.
        let cut =
            segment.char_indices().skip(1).find(|(_, c)| matches!(c, '\'' | '\u{2019}')).map(|(at, _)| at);
        let (first, second) = segment.split_at(cut.unwrap_or(segment.len()));
        words.push(Word { start, end: start + first.len(), text: first });
        if !second.is_empty() {
            words.push(Word { start: start + first.len(), end: start + segment.len(), text: second });
        }
    }
    if words.is_empty() && !text.trim().is_empty() {
        let trimmed = text.trim();
        let start = text.len() - text.trim_start().len();
        let end = trimmed.find(' ').unwrap_or(trimmed.len());
        words.push(Word { start, end: start + end, text: trimmed.get(..end).unwrap_or(trimmed) });
    }
    words
}

/// What was wrong with the places of a text.
#[derive(Debug, Default, PartialEq)]
pub(in crate::data) struct Trouble {
    /// Places that begin or end inside of a word.
    pub(in crate::data) inside: Vec<Place>,
    /// Places with no word in them, beyond the end of the text among them.
    pub(in crate::data) outside: Vec<Place>,
    /// Places that share a word with a longer one.
    pub(in crate::data) overlapping: Vec<Place>,
    /// Places whose own text is another than that of the row.
    pub(in crate::data) other_text: Vec<Place>,
}

/// A text with the places of its words in the unit of the file.
pub(in crate::data) struct Laid<'a> {
    text: &'a str,
    words: Vec<(usize, usize)>,
    is_list: bool,
    counting: Counting,
    /// Per unit of the text the byte it begins at; with the end of the text as the last.
    bytes: Vec<usize>,
}

impl<'a> Laid<'a> {
    pub(in crate::data) fn of(text: &'a str, counting: Counting) -> Self {
        if let Some(list) = items(text) {
            let words = (0..list.len()).map(|word| (word, word + 1)).collect();
            let counting = Counting { unit: Unit::Words, ..counting };
            return Self { text, words, is_list: true, counting, bytes: Vec::new() };
        }
        let mut bytes = Vec::new();
        for (at, c) in text.char_indices() {
            let units = match counting.unit {
                Unit::Chars | Unit::Words => 1,
                Unit::Utf16 => c.len_utf16(),
                Unit::Bytes => c.len_utf8(),
            };
            bytes.extend(std::iter::repeat_n(at, units));
        }
        bytes.push(text.len());
        let unit = |byte: usize| bytes.partition_point(|at| *at < byte);
        let words = words(text).iter().map(|word| (unit(word.start), unit(word.end))).collect();
        Self { text, words, is_list: false, counting, bytes }
    }

    /// The words of a place, first and behind the last, and whether it begins and ends where they do.
    fn words_in(&self, place: &Place) -> Option<(usize, usize, bool)> {
        let end = place.end.saturating_add(usize::from(self.counting.last_included));
        let first = self.words.partition_point(|(_, word_end)| *word_end <= place.start);
        let behind = self.words.partition_point(|(word_start, _)| *word_start < end);
        if first >= behind || place.start >= end {
            return None;
        }
        let (begins, _) = *self.words.get(first)?;
        let (_, ends) = *self.words.get(behind - 1)?;
        let limit = self.bytes.len().saturating_sub(1);
        let is_within = self.is_list || end <= limit;
        Some((first, behind, place.start <= begins && end >= ends && is_within))
    }

    /// Whether the text of a place is what the file says it is, where it says so.
    fn has_own_text(&self, place: &Place) -> bool {
        let Some(own) = place.text.as_deref().filter(|_| !self.is_list) else { return true };
        let end = place.end.saturating_add(usize::from(self.counting.last_included));
        let from = self.bytes.get(place.start).copied().unwrap_or(usize::MAX);
        let to = self.bytes.get(end).copied().unwrap_or(usize::MAX);
        self.text.get(from..to).is_some_and(|text| text.trim() == own.trim())
    }

    /// How many places do not begin and end where words do, or hold another text than they should.
    pub(in crate::data) fn misfits(&self, places: &[Place]) -> usize {
        let fits = |place: &&Place| {
            self.words_in(place).is_some_and(|(_, _, is_aligned)| is_aligned) && self.has_own_text(place)
        };
        places.len() - places.iter().filter(fits).count()
    }

    /// The tag of every word: where places share one, the longest of them holds.
    pub(in crate::data) fn tags(&self, places: &[Place]) -> (Vec<String>, Trouble) {
        let mut tags = vec![None; self.words.len()];
        let mut trouble = Trouble::default();
        let mut found = Vec::new();
        for place in places {
            match self.words_in(place) {
                Some((first, behind, is_aligned)) => {
                    if !is_aligned {
                        trouble.inside.push(place.clone());
                    } else if !self.has_own_text(place) {
                        trouble.other_text.push(place.clone());
                    }
                    found.push((first, behind, place));
                }
                None => trouble.outside.push(place.clone()),
            }
        }
        found.sort_by_key(|(first, behind, _)| (std::cmp::Reverse(behind - first), *first));
        let mut kept: Vec<(usize, usize, &Kind)> = Vec::new();
        for (first, behind, place) in found {
            let name = match &place.kind {
                Kind::Name(name) | Kind::Number(name) => name.as_str(),
                Kind::None => "ENTITY",
            };
            if kept.contains(&(first, behind, &place.kind)) {
                continue;
            }
            let words = tags.get_mut(first..behind).unwrap_or_default();
            if words.iter().any(Option::is_some) {
                trouble.overlapping.push(place.clone());
                continue;
            }
            kept.push((first, behind, &place.kind));
            for (word, tag) in words.iter_mut().enumerate() {
                *tag = Some(format!("{}-{name}", if word == 0 { "B" } else { "I" }));
            }
        }
        (tags.into_iter().map(|tag| tag.unwrap_or_else(|| "O".to_owned())).collect(), trouble)
    }

    /// What stands at a place, for a person to find it by.
    pub(in crate::data) fn shown(&self, place: &Place) -> String {
        let from = self.bytes.get(place.start).copied().unwrap_or(self.text.len());
        let to = self.bytes.get(place.end).copied().unwrap_or(self.text.len());
        let text = self.text.get(from..to).filter(|_| !self.is_list).unwrap_or_default();
        let short: String = text.chars().take(40).collect();
        format!("\"{short}\" at {} to {}", place.start, place.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::labels::offsets::places;

    const USUAL: Counting = Counting::ALL[0];

    fn tags(text: &str, cell: &str) -> (String, Trouble) {
        let (tags, trouble) = Laid::of(text, USUAL).tags(&places(cell).unwrap());
        assert_eq!(tags.len(), spaced(text).split(' ').count(), "{text}");
        (tags.join(" "), trouble)
    }

    #[test]
    fn words_take_the_entities_that_cover_them() {
        let text = "Nina met Omar in Oslo.";
        assert_eq!(spaced(text), "Nina met Omar in Oslo .");
        let (found, trouble) = tags(text, r#"[[0, 4, "PER"], [9, 13, "PER"], [17, 21, "LOC"]]"#);
        assert_eq!((found.as_str(), trouble), ("B-PER O B-PER O B-LOC O", Trouble::default()));
        let (found, trouble) =
            tags("Oslo/Bergen's (new) line", r#"[[0, 4, "A"], [5, 11, "B"], [14, 25, "C"]]"#);
        assert_eq!(found, "B-A O B-B O B-C I-C I-C I-C");
        assert_eq!(trouble.inside.len(), 1, "it ends behind the text: {trouble:?}");
        let (found, trouble) = tags("ニナはオスロに住む", r#"[[0, 2, "PER"], [3, 6, "LOC"]]"#);
        assert!(found.contains("B-PER") && found.contains("B-LOC") && trouble.inside.is_empty(), "{found}");
    }

    #[test]
    fn what_does_not_fit_is_told_and_the_longest_holds() {
        let (found, trouble) = tags("Nina met Omar", r#"[[1, 4, "PER"], [30, 34, "LOC"], [4, 5, "X"]]"#);
        assert_eq!((found.as_str(), trouble.inside.len(), trouble.outside.len()), ("B-PER O O", 1, 2));
        let (found, trouble) =
            tags("The Kite Club won", r#"[[4, 8, "THING"], [4, 13, "ORG"], [4, 13, "ORG"]]"#);
        assert_eq!((found.as_str(), trouble.overlapping.len()), ("O B-ORG I-ORG O", 1));
        // Blanks around an entity are none of it.
        let (found, trouble) = tags("a Nina b", r#"[[1, 7, "PER"]]"#);
        assert_eq!((found.as_str(), trouble), ("O B-PER O", Trouble::default()));
    }

    #[test]
    fn units_are_told_apart_by_what_fits() {
        let text = "\u{1f600} Nina";
        let fits = |cell: &str| {
            let places = places(cell).unwrap();
            let misfits = |counting: &Counting| Laid::of(text, *counting).misfits(&places);
            Counting::ALL.iter().position(|counting| misfits(counting) == 0)
        };
        assert_eq!(fits(r#"[[2, 6, "PER"]]"#), Some(0));
        assert_eq!(fits(r#"[[3, 7, "PER"]]"#), Some(1));
        assert_eq!(fits(r#"[[5, 9, "PER"]]"#), Some(2));
        assert_eq!(fits(r#"[[2, 5, "PER"]]"#), Some(3));
        let words = Laid::of(r#"["New", "York", "sleeps"]"#, USUAL);
        assert_eq!(words.tags(&places(r#"[[0, 2, "LOC"]]"#).unwrap()).0, ["B-LOC", "I-LOC", "O"]);
    }
}
