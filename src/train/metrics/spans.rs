//! Figures of tagged words: entities that are found from end to end, as seqeval counts them by default.

use std::collections::{BTreeMap, BTreeSet};

use super::{ClassMetrics, Count, TaskMetrics, mean, weighted_f1};
use crate::data::task::TaskKind;

/// What is counted of entities beside the F1 of every type.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpanFigures {
    /// Of all entities that are predicted, the share that is right: same words, same type.
    pub precision: f64,
    /// Of all entities that are labelled, the share that is found.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Words that were looked at.
    pub words: usize,
    /// Entities that are labelled.
    pub entities: usize,
}

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

/// How a set of tags is read: `B-PER` is a letter and a type. All usual schemes (IOB1, IOB2, IOE, IOBES) and plain
/// tags are read by one rule, the one of the evaluation script of `CoNLL`, so nothing has to be declared.
#[derive(Clone, Debug, PartialEq)]
pub struct TagScheme {
    /// The types of entities, by name.
    types: Vec<String>,
    /// Per class its letter and the number of its type; what only stands outside has numbers beyond `types`.
    tags: Vec<(char, usize)>,
    /// The number of the type `_`, which a bare `O` has.
    bare: usize,
}

impl TagScheme {
    /// Reads the names of the classes.
    #[must_use]
    pub fn of(classes: &[String]) -> Self {
        let parts: Vec<(char, &str)> = classes.iter().map(|class| letter_and_type(class)).collect();
        let is_within = |letter: char| !matches!(letter, 'O' | '.');
        let within: BTreeSet<&str> =
            parts.iter().filter(|(letter, _)| is_within(*letter)).map(|(_, kind)| *kind).collect();
        let outside: BTreeSet<&str> = parts.iter().map(|(_, kind)| *kind).chain([BARE]).collect();
        let numbers: BTreeMap<&str, usize> =
            within.iter().chain(outside.difference(&within)).copied().zip(0..).collect();
        let number = |kind: &str| numbers.get(kind).copied().unwrap_or(usize::MAX);
        Self {
            types: within.iter().map(|kind| type_name(kind, classes, &parts)).collect(),
            tags: parts.iter().map(|(letter, kind)| (*letter, number(kind))).collect(),
            bare: number(BARE),
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
        self.tags.iter().position(|(letter, _)| *letter == 'O').map(|class| class as u32)
    }

    /// The entities of a row of tags, in order.
    #[must_use]
    pub fn spans(&self, row: &[u32]) -> Vec<Span> {
        let mut reader = Reader::new(self);
        for tag in row {
            reader.take(Some(*tag));
        }
        reader.take(None);
        reader.spans
    }
}

/// The type of a tag that names none.
const BARE: &str = "_";

/// `B-PER` is `B` and `PER`, `B` alone has the type `_`, and `NOUN` is `N` and `OUN`: what seqeval does.
fn letter_and_type(class: &str) -> (char, &str) {
    let mut chars = class.chars();
    let letter = chars.next().unwrap_or('O');
    let rest = chars.as_str();
    let kind = rest.split_once('-').map_or(rest, |(_, kind)| kind);
    (letter, if kind.is_empty() { BARE } else { kind })
}

/// The type as it is shown: where a plain tag was cut in two to get it, the whole tag.
fn type_name(kind: &str, classes: &[String], parts: &[(char, &str)]) -> String {
    let mut sources = classes.iter().zip(parts).filter(|(_, (letter, own))| *own == kind && *letter != 'O');
    match (sources.next(), sources.next()) {
        (Some((class, _)), None) if class.chars().nth(1).is_some_and(|second| second != '-') => class.clone(),
        _ => kind.to_owned(),
    }
}

/// Reads tags one by one and keeps the entities; rows follow each other with an outside tag between them.
struct Reader<'a> {
    scheme: &'a TagScheme,
    /// The tag before; none before the first.
    before: Option<(char, usize)>,
    begin: usize,
    at: usize,
    spans: Vec<Span>,
}

impl<'a> Reader<'a> {
    const fn new(scheme: &'a TagScheme) -> Self {
        Self { scheme, before: None, begin: 0, at: 0, spans: Vec::new() }
    }

    /// The rules of `get_entities` in seqeval 1.2.2 (`seqeval/metrics/sequence_labeling.py`), which are those of
    /// `conlleval.pl`. `None` ends a row.
    fn take(&mut self, tag: Option<u32>) {
        let known = tag.and_then(|tag| self.scheme.tags.get(tag as usize)).copied();
        let (letter, kind) = known.unwrap_or(('O', self.scheme.bare));
        let before = self.before.map_or('O', |(letter, _)| letter);
        let same_kind = self.before.is_some_and(|(_, earlier)| earlier == kind);
        let ends = matches!(before, 'E' | 'S')
            || matches!((before, letter), ('B' | 'I', 'B' | 'S' | 'O'))
            || !matches!(before, 'O' | '.') && !same_kind;
        let starts = matches!(letter, 'B' | 'S')
            || matches!((before, letter), ('E' | 'S' | 'O', 'E' | 'I'))
            || !matches!(letter, 'O' | '.') && !same_kind;
        if ends && let (Some((_, kind)), Some(last)) = (self.before, self.at.checked_sub(1)) {
            self.spans.push(Span { kind, first: self.begin, last });
        }
        if starts {
            self.begin = self.at;
        }
        self.before = Some((letter, kind));
        self.at += 1;
    }
}

impl TaskMetrics {
    /// Figures of tagged words: `predicted` and `truth` hold an index into `classes` for every word of every row.
    ///
    /// Entities are counted as seqeval's default mode counts them; the accuracy is that of single words. A word
    /// that has no prediction (the text was cut before it) counts as predicted outside of any entity. The loss is
    /// not known here.
    #[must_use]
    pub fn of_tags(task: &str, classes: &[String], predicted: &[Vec<u32>], truth: &[Vec<u32>]) -> Self {
        let scheme = TagScheme::of(classes);
        let (mut said, mut is) = (Reader::new(&scheme), Reader::new(&scheme));
        let (mut rows, mut words, mut right) = (0, 0_usize, 0_u64);
        let outside = scheme.outside();
        for (predicted, truth) in predicted.iter().zip(truth) {
            for (word, tag) in truth.iter().enumerate() {
                let guess = predicted.get(word).copied().or(outside);
                right += u64::from(guess == Some(*tag));
                said.take(guess);
                is.take(Some(*tag));
            }
            said.take(None);
            is.take(None);
            words += truth.len();
            rows += 1;
        }
        let counts = count(&scheme, &said.spans, &is.spans);
        let classes: Vec<ClassMetrics> =
            scheme.types.iter().zip(&counts).map(|(name, count)| count.of_class(name)).collect();
        let occurs = |count: &Count| count.labelled + count.predicted > 0;
        let sum = Count::sum(&counts);
        Self {
            rows,
            accuracy: super::ratio(right, words as u64),
            macro_f1: mean(counts.iter().filter(|count| occurs(count)).map(|count| count.f1())),
            weighted_f1: weighted_f1(&classes),
            spans: Some(SpanFigures {
                precision: sum.precision(),
                recall: sum.recall(),
                f1: sum.f1(),
                words,
                entities: sum.labelled as usize,
            }),
            classes,
            ..Self::none(task, TaskKind::TokenLabels)
        }
    }
}

/// Entities per type that are predicted, labelled, and both. Both lists are in order, and a word ends one at most.
fn count(scheme: &TagScheme, said: &[Span], is: &[Span]) -> Vec<Count> {
    let mut counts = vec![Count::default(); scheme.types.len()];
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
    counts
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
        let plain = TagScheme::of(&names(&["DET", "NOUN", "O"]));
        assert_eq!(plain.types(), ["DET", "NOUN"], "a plain tag keeps its name");
        assert_eq!(TagScheme::of(&names(&["B", "I", "O"])).types(), ["_"]);
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
