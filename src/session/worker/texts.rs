//! Texts of a data set as a model reads them: cut into tokens once, then made to rows for whatever tasks it has.

use std::sync::atomic::AtomicBool;

use super::{Failure, stopped};
use crate::data::dataset::{Dataset, Labels, TaskLabels};
use crate::data::task::TaskKind;
use crate::model::heads::HeadSpec;
use crate::text::token_set::TokenSet;
use crate::text::tokenizer::{NO_WORD, Tokenizer};
use crate::train::examples::{Examples, NO_TAG, Targets, UnreadWord};

/// Token ids of all rows of a data set.
pub(in crate::session) struct Texts {
    first: TokenSet,
    /// No rows where no column is mapped to a second text.
    second: TokenSet,
    /// Per row and token the word that begins there; empty where no task labels words.
    word_starts: Vec<Vec<u32>>,
}

impl Texts {
    /// Cuts every text at `max_length`.
    pub(in crate::session) fn of(
        tokenizer: &Tokenizer,
        dataset: &Dataset,
        max_length: usize,
        stop: &AtomicBool,
    ) -> Result<Self, Failure> {
        let go_on = |_, _| !stopped(stop);
        let first: Vec<&str> = (0..dataset.rows()).map(|row| dataset.text(row)).collect();
        let word_starts = if dataset.tasks.iter().any(|task| task.kind == TaskKind::TokenLabels) {
            tokenizer.word_starts(&first, max_length, &go_on).map_err(|error| error.to_string())?
        } else {
            Vec::new()
        };
        let second = if dataset.second.is_empty() {
            TokenSet::default()
        } else {
            let texts: Vec<&str> = (0..dataset.rows()).map(|row| dataset.second_text(row)).collect();
            let all = tokenizer.encode(&texts, max_length, &go_on).map_err(|error| error.to_string())?;
            // A text that is not there has no tokens at all, not even special ones.
            let mut there = TokenSet::with_capacity(texts.len());
            for (row, text) in texts.iter().enumerate() {
                let full = all.full_lengths().get(row).map_or(0, |length| *length as usize);
                if text.is_empty() { there.push(&[], 0) } else { there.push(all.ids(row), full) }
            }
            there
        };
        let first = tokenizer.encode(&first, max_length, &go_on).map_err(|error| error.to_string())?;
        Ok(Self { first, second, word_starts })
    }

    /// True where the (first) text of a row was cut at the maximum length.
    pub(in crate::session) fn is_cut(&self, row: usize) -> bool {
        self.first.is_truncated(row)
    }

    /// The word that begins at each token of a row.
    pub(in crate::session) fn word_starts(&self, row: usize) -> &[u32] {
        self.word_starts.get(row).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Rows of a data set as a model of these heads reads them: labels by the heads' class names. A class that a head
/// does not know is no label; nor is a label of another kind.
pub(in crate::session) fn rows_of(
    dataset: &Dataset,
    texts: &Texts,
    which: &[usize],
    heads: &[HeadSpec],
) -> Examples {
    let some = |all: &TokenSet| {
        let mut set = TokenSet::with_capacity(which.len());
        for row in which.iter().filter(|_| all.rows() > 0) {
            let full = all.full_lengths().get(*row).map_or(0, |length| *length as usize);
            set.push(all.ids(*row), full);
        }
        set
    };
    // Second texts are of use to tasks on pairs alone.
    let pairs = heads.iter().any(|head| head.kind.takes_pairs());
    let targets = heads.iter().map(|head| {
        let task = dataset.tasks.iter().find(|task| task.name == head.task && task.kind == head.kind);
        targets_of(task, texts, which, head)
    });
    let targets = targets.collect();
    let unread = heads.iter().map(|head| {
        let task = dataset.tasks.iter().find(|task| task.name == head.task && task.kind == head.kind);
        unread_of(task, texts, which, head)
    });
    let unread = unread.collect();
    let second = if pairs { some(&texts.second) } else { TokenSet::default() };
    Examples { tokens: some(&texts.first), second, targets, unread, sources: sources_of(dataset, which) }
}

/// The labelled words of every row that have no token; no rows for a task without token labels.
fn unread_of(
    task: Option<&TaskLabels>,
    texts: &Texts,
    which: &[usize],
    head: &HeadSpec,
) -> Vec<Vec<UnreadWord>> {
    let Some(TaskLabels { classes, labels: Labels::Tags(labels), .. }) = task else { return Vec::new() };
    let known: Vec<Option<u32>> = classes
        .iter()
        .map(|class| head.classes.iter().position(|known| known == class).map(|at| at as u32))
        .collect();
    let of_row = |row: &usize| {
        let tags = labels.get(*row).and_then(Option::as_ref).map(Vec::as_slice).unwrap_or_default();
        let mut starts = texts.word_starts(*row).iter().copied().filter(|word| *word != NO_WORD).peekable();
        let (mut unread, mut before) = (Vec::new(), 0);
        for (word, class) in (0..).zip(tags) {
            let tag = known.get(*class as usize).copied().flatten();
            let is_read = starts.next_if_eq(&word).is_some();
            match tag {
                Some(_) if is_read => before += 1,
                Some(tag) => unread.push(UnreadWord { word, tag, before }),
                None => {}
            }
        }
        unread
    };
    which.iter().map(of_row).collect()
}

/// Per row the file that it came from; empty where all are of one.
fn sources_of(dataset: &Dataset, which: &[usize]) -> Vec<u32> {
    let source = |row: &usize| dataset.origins.get(*row).map_or(0, |(file, _)| *file);
    let sources: Vec<u32> = which.iter().map(source).collect();
    if sources.iter().all(|source| Some(source) == sources.first()) { Vec::new() } else { sources }
}

fn targets_of(task: Option<&TaskLabels>, texts: &Texts, which: &[usize], head: &HeadSpec) -> Targets {
    let index = |class: &String| head.classes.iter().position(|known| known == class).map(|at| at as u32);
    let known: Vec<Option<u32>> =
        task.map(|task| task.classes.iter().map(index).collect()).unwrap_or_default();
    let known = |class: u32| known.get(class as usize).copied().flatten();
    let none = Labels::default();
    let labels = task.map_or(&none, |task| &task.labels);
    match (head.kind, labels) {
        (TaskKind::MultiLabel, Labels::Classes(labels)) => {
            let set = |row: &usize| {
                let classes = labels.get(*row)?.as_ref()?;
                Some(classes.iter().filter_map(|class| known(*class)).collect())
            };
            Targets::Classes(which.iter().map(set).collect())
        }
        (TaskKind::TokenLabels, Labels::Tags(labels)) => {
            let tags = |row: &usize| {
                let words = labels.get(*row)?.as_ref()?;
                let tag = |word: &u32| {
                    let class = words.get(*word as usize).filter(|_| *word != NO_WORD);
                    class.and_then(|class| known(*class)).unwrap_or(NO_TAG)
                };
                Some(texts.word_starts(*row).iter().map(tag).collect())
            };
            Targets::Tags(which.iter().map(tags).collect())
        }
        (TaskKind::Score | TaskKind::Similarity, Labels::Number(labels)) => {
            Targets::Number(which.iter().map(|row| labels.get(*row).copied().flatten()).collect())
        }
        (TaskKind::Ranking, Labels::Pair(labels)) => {
            Targets::Pair(which.iter().map(|row| labels.get(*row).copied().flatten()).collect())
        }
        (TaskKind::SingleLabel, _) => {
            let label = |row: &usize| known(task?.class(*row)?);
            Targets::Class(which.iter().map(label).collect())
        }
        (TaskKind::MultiLabel, _) => Targets::Classes(vec![None; which.len()]),
        (TaskKind::TokenLabels, _) => Targets::Tags(vec![None; which.len()]),
        (TaskKind::Score | TaskKind::Similarity, _) => Targets::Number(vec![None; which.len()]),
        (TaskKind::Ranking, _) => Targets::Pair(vec![None; which.len()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(rows: usize) -> Texts {
        let mut first = TokenSet::with_capacity(rows);
        (0..rows).for_each(|row| first.push(&[1, row as u32, 2], 3));
        Texts { first, second: TokenSet::default(), word_starts: vec![vec![NO_WORD, 0, NO_WORD]; rows] }
    }

    fn head(kind: TaskKind, classes: &[&str]) -> HeadSpec {
        let classes = classes.iter().map(|class| (*class).to_owned()).collect();
        HeadSpec { task: "it".into(), kind, classes, ..HeadSpec::default() }
    }

    fn dataset(kind: TaskKind, labels: Labels) -> Dataset {
        let classes = ["b", "new", "z"].map(str::to_owned).to_vec();
        let tasks = vec![TaskLabels { name: "it".into(), kind, classes, labels }];
        Dataset { tasks, ..Dataset::default() }
    }

    #[test]
    fn labels_are_matched_by_name_and_unknown_ones_left_out() {
        let single = dataset(TaskKind::SingleLabel, Labels::Class(vec![Some(0), Some(1), None, Some(2)]));
        let rows =
            rows_of(&single, &texts(4), &[0, 1, 2, 3], &[head(TaskKind::SingleLabel, &["a", "b", "z"])]);
        assert_eq!(rows.targets, [Targets::Class(vec![Some(1), None, None, Some(2)])]);
        let sets = Labels::Classes(vec![Some(vec![0, 1]), Some(vec![]), None]);
        let rows = rows_of(
            &dataset(TaskKind::MultiLabel, sets),
            &texts(3),
            &[0, 1, 2],
            &[head(TaskKind::MultiLabel, &["z", "b"])],
        );
        assert_eq!(rows.targets, [Targets::Classes(vec![Some(vec![1]), Some(vec![]), None])]);
    }

    #[test]
    fn only_the_first_piece_of_a_word_has_its_tag() {
        let tags = Labels::Tags(vec![Some(vec![2]), None, Some(vec![1])]);
        let data = dataset(TaskKind::TokenLabels, tags);
        let rows = rows_of(&data, &texts(3), &[0, 1, 2], &[head(TaskKind::TokenLabels, &["b", "z"])]);
        let wanted = vec![Some(vec![NO_TAG, 1, NO_TAG]), None, Some(vec![NO_TAG; 3])];
        assert_eq!(rows.targets, [Targets::Tags(wanted)]);
    }

    #[test]
    fn rows_know_their_files_where_there_are_several() {
        let labels = Labels::Number(vec![Some(1.0); 4]);
        let data =
            Dataset { origins: vec![(0, 1), (0, 2), (2, 1), (1, 1)], ..dataset(TaskKind::Score, labels) };
        let sources = |which: &[usize]| rows_of(&data, &texts(4), which, &[]).sources;
        assert_eq!(sources(&[1, 2, 3]), [0, 2, 1]);
        assert!(sources(&[0, 1]).is_empty() && sources(&[]).is_empty());
    }

    #[test]
    fn labelled_words_without_a_token_are_kept_apart() {
        let tags = Labels::Tags(vec![Some(vec![2, 0, 1, 0]), None]);
        let data = dataset(TaskKind::TokenLabels, tags);
        let rows = rows_of(&data, &texts(2), &[1, 0], &[head(TaskKind::TokenLabels, &["b", "z"])]);
        // The class of the third word is not known to the head.
        let unread = |word| UnreadWord { word, tag: 0, before: 1 };
        assert_eq!(rows.unread, [vec![vec![], vec![unread(1), unread(3)]]]);
        assert_eq!(rows.fingerprint(true), Examples { unread: Vec::new(), ..rows.clone() }.fingerprint(true));
    }

    #[test]
    fn labels_of_another_kind_are_none() {
        let data = dataset(TaskKind::Score, Labels::Number(vec![Some(1.0)]));
        let rows = rows_of(&data, &texts(1), &[0], &[head(TaskKind::SingleLabel, &["b"])]);
        assert_eq!(rows.targets, [Targets::Class(vec![None])]);
    }
}
