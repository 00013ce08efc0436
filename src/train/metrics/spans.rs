//! Figures of tagged words: entities that are found from end to end, as seqeval counts them by default. Which words
//! form an entity is decided in [`crate::data::labels::spans`].

use std::collections::{BTreeMap, BTreeSet};

use super::counts::{Count, mean, ratio, weighted_f1};
use super::task_metrics::{ClassMetrics, SpanFigures, TaskMetrics};
use crate::data::labels::spans::{Entity, Place, entities, read_tag};
use crate::data::task::TaskKind;
use crate::format::numbers::thousands;
use crate::train::examples::NO_TAG;

/// An entity: its type, an index into [`TagScheme::types`], and its words, the last one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index of the type.
    pub kind: usize,
    /// Index of the first word.
    pub first: usize,
    /// Index of the last word.
    pub last: usize,
}

/// How a set of tags is read: each by its letter and its type, see [`crate::data::labels::spans`], so nothing has to be
/// declared.
#[derive(Clone, Debug, PartialEq)]
pub struct TagScheme {
    /// The types of entities, by name.
    types: Vec<String>,
    /// Per class its place and the index of its type; what stands outside has none in `types`.
    tags: Vec<(Place, usize)>,
}

impl TagScheme {
    /// Reads the names of the classes.
    #[must_use]
    pub fn of(classes: &[String]) -> Self {
        let tags: Vec<(Place, &str)> = classes.iter().map(|class| read_tag(class)).collect();
        let within = tags.iter().filter(|(place, _)| *place != Place::Outside);
        let types: BTreeSet<&str> = within.map(|(_, kind)| *kind).collect();
        let indices: BTreeMap<&str, usize> = types.iter().copied().zip(0..).collect();
        let index = |place: Place, kind: &str| {
            let known = indices.get(kind).filter(|_| place != Place::Outside);
            known.copied().unwrap_or(usize::MAX)
        };
        Self {
            tags: tags.iter().map(|(place, kind)| (*place, index(*place, kind))).collect(),
            types: types.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The types of entities, by name.
    #[must_use]
    pub fn types(&self) -> &[String] {
        &self.types
    }

    /// The class that says that a word is part of nothing: `O`.
    #[must_use]
    pub fn outside(&self) -> Option<u32> {
        self.tags.iter().position(|(place, _)| *place == Place::Outside).map(|class| class as u32)
    }

    /// The entities of a row of tags, in order.
    #[must_use]
    pub fn spans(&self, row: &[u32]) -> Vec<Span> {
        let read = |tag: &u32| self.tags.get(*tag as usize).copied().unwrap_or((Place::Outside, usize::MAX));
        let span = |found: Entity<usize>| Span { kind: found.kind, first: found.first, last: found.last };
        entities(row.iter().map(read)).into_iter().map(span).collect()
    }
}

impl TaskMetrics {
    /// A sentence on the labelled words that the model did not read; `None` where it read all of them.
    #[must_use]
    pub fn unread_note(&self) -> Option<String> {
        match self.spans.map_or(0, |spans| spans.unread_words) {
            0 => None,
            1 => Some(
                "1 labelled word lies beyond the maximum length (max_length) and counts as missed.".into(),
            ),
            more => {
                let more = thousands(more as u64);
                Some(format!(
                    "{more} labelled words lie beyond the maximum length (max_length) and count as missed."
                ))
            }
        }
    }

    /// Figures of tagged words: `predicted` and `truth` hold an index into `classes` for every word of every row.
    ///
    /// Entities are counted as seqeval's default mode counts them; the accuracy is that of single words. A word
    /// that has no prediction (the text was cut before it) counts as predicted outside of any entity. The loss is
    /// not known here.
    #[must_use]
    pub fn of_tags(task: &str, classes: &[String], predicted: &[Vec<u32>], truth: &[Vec<u32>]) -> Self {
        let scheme = TagScheme::of(classes);
        let mut counts = vec![Count::default(); scheme.types.len()];
        let (mut rows, mut words, mut right) = (0, 0_usize, 0_u64);
        let outside = scheme.outside();
        for (predicted, truth) in predicted.iter().zip(truth) {
            let guess = |word: usize| predicted.get(word).copied().or(outside).unwrap_or(NO_TAG);
            let guesses: Vec<u32> = (0..truth.len()).map(guess).collect();
            right += guesses.iter().zip(truth).filter(|(guess, tag)| guess == tag).count() as u64;
            count(&mut counts, &scheme.spans(&guesses), &scheme.spans(truth));
            words += truth.len();
            rows += 1;
        }
        let classes: Vec<ClassMetrics> =
            scheme.types.iter().zip(&counts).map(|(name, count)| count.of_class(name)).collect();
        let occurs = |count: &Count| count.labelled + count.predicted > 0;
        let sum = Count::sum(&counts);
        Self {
            rows,
            accuracy: ratio(right, words as u64),
            macro_f1: mean(counts.iter().filter(|count| occurs(count)).map(|count| count.f1())),
            weighted_f1: weighted_f1(&classes),
            spans: Some(SpanFigures {
                precision: sum.precision(),
                recall: sum.recall(),
                f1: sum.f1(),
                words,
                entities: sum.labelled as usize,
                unread_words: 0,
            }),
            classes,
            ..Self::none(task, TaskKind::TokenLabels)
        }
    }
}

/// Adds the entities of a row that are predicted, labelled, and both, per type. Both lists are in order, and a word ends
/// one at most.
fn count(counts: &mut [Count], said: &[Span], is: &[Span]) {
    let mut bump = |span: &Span, add: fn(&mut Count)| {
        if let Some(count) = counts.get_mut(span.kind) {
            add(count);
        }
    };
    let mut others = said.iter().peekable();
    for span in is {
        bump(span, |count| count.labelled += 1);
        while others.next_if(|other| other.last < span.last).is_some() {}
        if others.peek().is_some_and(|other| *other == span) {
            bump(span, |count| count.right += 1);
        }
    }
    for span in said {
        bump(span, |count| count.predicted += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(classes: &[&str]) -> Vec<String> {
        classes.iter().map(|class| (*class).to_owned()).collect()
    }

    #[test]
    fn types_are_what_follows_the_letter() {
        let scheme = TagScheme::of(&names(&["B-PER", "B-creative-work", "I-PER", "O"]));
        assert_eq!(scheme.types(), ["PER", "creative-work"]);
        assert_eq!(scheme.outside(), Some(3));
        let plain = TagScheme::of(&names(&["BRAND", "ORG", "O"]));
        assert_eq!((plain.types(), plain.outside()), (&names(&["BRAND", "ORG"])[..], Some(2)));
        let plain = TagScheme::of(&names(&["DET", "NOUN", "O"]));
        assert_eq!(plain.types(), ["DET", "NOUN"], "a plain tag keeps its name");
        assert_eq!(TagScheme::of(&names(&["B", "I", "O"])).types(), ["_"]);
    }

    /// Entities side by side stay two, as on the data card.
    #[test]
    fn single_words_of_bilou_are_entities_of_their_own() {
        let classes = names(&["B-PER", "L-PER", "O", "U-PER"]);
        let found = TaskMetrics::of_tags("entities", &classes, &[vec![3, 2, 0, 1]], &[vec![3, 3, 0, 1]]);
        let spans = found.spans.unwrap();
        assert_eq!((spans.entities, spans.precision, spans.recall), (3, 1.0, 2.0 / 3.0));
    }

    #[test]
    fn words_that_were_cut_off_count_as_missed() {
        let classes = names(&["B-PER", "I-PER", "O"]);
        let found = TaskMetrics::of_tags("entities", &classes, &[vec![2, 0]], &[vec![2, 0, 2, 0]]);
        assert_eq!((found.rows, found.accuracy), (1, 0.75));
        let spans = found.spans.unwrap();
        assert_eq!((spans.precision, spans.recall, spans.words, spans.entities), (1.0, 0.5, 4, 2));
    }

    #[test]
    fn what_is_no_class_stands_outside() {
        let classes = names(&["B-PER", "O"]);
        let found = TaskMetrics::of_tags("entities", &classes, &[vec![9, 0]], &[vec![1, 0]]);
        assert_eq!(found.figure(), 1.0);
        assert_eq!(TaskMetrics::of_tags("entities", &[], &[], &[]).figure(), 0.0);
    }
}
