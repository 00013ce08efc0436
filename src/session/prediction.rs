//! What a model says of one row, as plain data that the window and the command line show.

use crate::model::heads::HeadSpec;
use crate::text::tokenizer::NO_WORD;
use crate::train::evaluate::argmax;
use crate::train::metrics::{Predictions, THRESHOLD};

/// What a task's head says of a text, or of a pair of texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction {
    /// Every class with its probability, in class order; they sum to 1.
    OneOf(Vec<(String, f32)>),
    /// Every class with its own probability, in class order; those above a half are said to be there.
    AnyOf(Vec<(String, f32)>),
    /// A number, as the data holds it.
    Number(f32),
    /// Cosine of the two texts, and the number that it stands for.
    Cosine {
        /// From -1 to 1.
        cosine: f32,
        /// As the data's labels are.
        number: f32,
    },
    /// Every word with its tag; an empty one where the text was cut before the word.
    Words(Vec<(String, String)>),
    /// Nothing: the task compares two texts, and there was one.
    OneText,
}

impl Prediction {
    /// The answer for a row. `words` are the row's text and, for each of its tokens, the word that begins there.
    #[must_use]
    pub fn of_row(spec: &HeadSpec, said: &Predictions, row: usize, (text, starts): (&str, &[u32])) -> Self {
        let by_class = |classes: usize, values: &[f32]| {
            let row = values.chunks(classes.max(1)).nth(row).unwrap_or_default();
            spec.classes.iter().cloned().zip(row.iter().copied()).collect()
        };
        match said {
            Predictions::Probabilities { classes, values } => Self::OneOf(by_class(*classes, values)),
            Predictions::Sigmoids { classes, values } => Self::AnyOf(by_class(*classes, values)),
            Predictions::Numbers(numbers) => numbers.get(row).map_or(Self::OneText, |n| Self::Number(*n)),
            Predictions::Cosines(cosines) => cosines.get(row).map_or(Self::OneText, |cosine| Self::Cosine {
                cosine: *cosine,
                number: spec.scale.to_data(*cosine),
            }),
            Predictions::Tags { tags, .. } => {
                let tags = tags.get(row).map(Vec::as_slice).unwrap_or_default();
                let mut words: Vec<(String, String)> =
                    text.split(' ').map(|word| (word.to_owned(), String::new())).collect();
                for (word, tag) in starts.iter().zip(tags).filter(|(word, _)| **word != NO_WORD) {
                    let class = spec.classes.get(*tag as usize);
                    if let (Some(slot), Some(class)) = (words.get_mut(*word as usize), class) {
                        slot.1.clone_from(class);
                    }
                }
                words.retain(|(word, _)| !word.is_empty());
                Self::Words(words)
            }
            Predictions::Ranks { .. } => Self::OneText,
        }
    }

    /// The answer in one cell: the class, the classes with bars between them, the number, the tags in a row.
    #[must_use]
    pub fn cell(&self) -> String {
        match self {
            Self::OneOf(classes) => {
                let values: Vec<f32> = classes.iter().map(|(_, p)| *p).collect();
                classes.get(argmax(&values)).map(|(class, _)| class.clone()).unwrap_or_default()
            }
            Self::AnyOf(classes) => {
                let there = classes.iter().filter(|(_, p)| *p > THRESHOLD).map(|(class, _)| class.as_str());
                there.collect::<Vec<_>>().join("|")
            }
            Self::Number(number) | Self::Cosine { number, .. } => number.to_string(),
            Self::Words(words) => words.iter().map(|(_, tag)| tag.as_str()).collect::<Vec<_>>().join(" "),
            Self::OneText => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::task::{Scale, TaskKind};

    fn spec(kind: TaskKind, classes: &[&str]) -> HeadSpec {
        let classes = classes.iter().map(|class| (*class).to_owned()).collect();
        let scale = Scale { offset: 0.0, factor: 5.0 };
        HeadSpec { task: "it".into(), kind, classes, scale, hidden_units: None }
    }

    #[test]
    fn every_kind_has_an_answer_in_a_cell() {
        let cell = |kind, classes: &[&str], said: Predictions, starts: &[u32]| {
            Prediction::of_row(&spec(kind, classes), &said, 0, ("New York sleeps", starts)).cell()
        };
        let (one, many) = (TaskKind::SingleLabel, TaskKind::MultiLabel);
        let values = vec![0.75, 0.25, 0.75];
        let said = Predictions::Probabilities { classes: 3, values: values.clone() };
        assert_eq!(cell(one, &["a", "b", "c"], said, &[]), "a", "the first of equals");
        assert_eq!(cell(many, &["a", "b", "c"], Predictions::Sigmoids { classes: 3, values }, &[]), "a|c");
        assert_eq!(cell(TaskKind::Score, &[], Predictions::Numbers(vec![3.5]), &[]), "3.5");
        assert_eq!(cell(TaskKind::Similarity, &[], Predictions::Cosines(vec![0.5]), &[]), "2.5");
        assert_eq!(cell(TaskKind::Similarity, &[], Predictions::Cosines(vec![]), &[]), "");
        let starts = [NO_WORD, 0, NO_WORD, 1, NO_WORD];
        let tags = Predictions::Tags { tags: vec![vec![1, 0, 1, 1, 0]], loss: 0.0 };
        assert_eq!(cell(TaskKind::TokenLabels, &["B-LOC", "O"], tags, &starts), "B-LOC O ");
    }
}
