//! The data card: what a user should know of the rows before training on them.

pub mod coverage;
pub mod describe;
pub mod sources;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use self::sources::SourceCounts;
use super::dataset::{Dataset, Labels, Split, TaskLabels};
use super::duplicates::exact::SameTexts;
use super::duplicates::{exact, near};
use super::edit::fix::Fix;
use super::task::TaskKind;
use crate::format::numbers::thousands;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Good to know.
    Note,
    /// Look at it before training.
    Warning,
}

/// Something about the rows that the user should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// In a sentence, with its count.
    pub text: String,
    /// Rows of the data set it is about.
    pub rows: Vec<usize>,
    /// What would mend it, where something would.
    pub fix: Option<Fix>,
}

impl Finding {
    fn mended_by(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }
}

/// Label counts of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskCounts {
    /// The task.
    pub task: String,
    /// Per class in class order: rows in train, valid, test. A row that has several counts for each.
    pub classes: Vec<(String, [usize; 3])>,
    /// Rows without a label, in train, valid, test.
    pub missing: [usize; 3],
}

/// Counts and findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataCard {
    /// Rows in train, valid, test.
    pub rows: [usize; 3],
    /// Per task.
    pub tasks: Vec<TaskCounts>,
    /// Per file.
    pub sources: Vec<SourceCounts>,
    /// Duplicates, conflicts, leakage, empty texts ...
    pub findings: Vec<Finding>,
    /// Training rows without a label of any task.
    pub unlabelled_train: usize,
    /// Training rows that say what an earlier one says, text and labels.
    pub repeated_rows: usize,
    /// Of the findings those on files that give nothing and on splits that are empty: they are told before a run, too.
    pub reading: Vec<String>,
    /// Per task the texts that carry different labels in different rows.
    pub conflicting_texts: Vec<usize>,
}

impl DataCard {
    /// Rows of a split.
    #[must_use]
    pub const fn rows_of(&self, split: Split) -> usize {
        self.rows[split as usize]
    }

    /// The same for rows that are divided into splits for training: empty ones are found, too.
    #[must_use]
    pub fn of_splits(dataset: &Dataset) -> Self {
        let mut card = Self::of(dataset);
        let empty = coverage::of_splits(card.rows);
        card.reading.extend(empty.iter().map(|finding| finding.text.clone()));
        card.findings.extend(empty);
        card.findings.sort_by_key(|finding| finding.weight == Weight::Note);
        card
    }

    /// Reads the card off a data set; warnings come first among the findings.
    #[must_use]
    pub fn of(dataset: &Dataset) -> Self {
        let mut rows = [0; 3];
        for split in &dataset.splits {
            bump(&mut rows, *split);
        }
        let (tasks, texts) = rayon::join(
            || dataset.tasks.par_iter().map(|task| TaskCounts::of(dataset, task)).collect::<Vec<_>>(),
            || SameTexts::of(dataset),
        );
        let mut findings = coverage::of_files(dataset);
        let reading = findings.iter().map(|finding| finding.text.clone()).collect();
        let unlabelled = rows_where(dataset, |row, split| split == Split::Train && !dataset.is_labelled(row));
        let unlabelled_train = unlabelled.len();
        findings.extend(unlabelled_finding(dataset, unlabelled));
        for (task, counts) in dataset.tasks.iter().zip(&tasks) {
            findings.extend(class_findings(dataset, task, counts, rows));
            findings.extend(look_alike_classes(task, dataset.rows()));
            findings.extend(conflicts(&texts, task));
        }
        findings.extend(leaks(&texts, dataset));
        let repeated = texts.repeated_rows(dataset);
        let repeated_rows = repeated.len();
        findings.extend(duplicates(repeated));
        findings.extend(near_duplicates(dataset));
        findings.extend(odd_characters(dataset));
        findings.extend(blanks_around(dataset));
        findings.sort_by_key(|finding| finding.weight == Weight::Note);
        let conflicting_texts = dataset.tasks.iter().map(|task| texts.conflicting(task).len()).collect();
        let sources = sources::by_source(dataset);
        Self { rows, tasks, sources, findings, unlabelled_train, repeated_rows, reading, conflicting_texts }
    }
}

impl TaskCounts {
    fn of(dataset: &Dataset, task: &TaskLabels) -> Self {
        let mut classes: Vec<(String, [usize; 3])> =
            task.classes.iter().map(|class| (class.clone(), [0; 3])).collect();
        let mut missing = [0; 3];
        for (row, split) in dataset.splits.iter().enumerate() {
            let mut count = |class: u32| {
                if let Some((_, counts)) = classes.get_mut(class as usize) {
                    bump(counts, *split);
                }
            };
            match &task.labels {
                Labels::Class(_) => task.class(row).into_iter().for_each(&mut count),
                _ => task.classes_of(row).into_iter().for_each(&mut count),
            }
            if !task.is_labelled(row) {
                bump(&mut missing, *split);
            }
        }
        Self { task: task.name.clone(), classes, missing }
    }

    /// Labelled rows of all splits, which have so many.
    #[must_use]
    pub fn all_labelled(&self, rows: [usize; 3]) -> usize {
        Split::ALL.iter().map(|split| self.labelled(*split, rows)).sum()
    }

    /// Labelled rows of a split, where the splits have so many.
    #[must_use]
    pub const fn labelled(&self, split: Split, rows: [usize; 3]) -> usize {
        rows[split as usize].saturating_sub(self.missing[split as usize])
    }
}

const fn bump(counts: &mut [usize; 3], split: Split) {
    counts[split as usize] += 1;
}

fn warning(text: String, rows: Vec<usize>) -> Finding {
    Finding { weight: Weight::Warning, text, rows, fix: None }
}

fn note(text: String, rows: Vec<usize>) -> Finding {
    Finding { weight: Weight::Note, text, rows, fix: None }
}

/// `1 row`, `2 rows`.
fn counted(count: usize, thing: &str) -> String {
    format!("{} {thing}{}", thousands(count as u64), if count == 1 { "" } else { "s" })
}

/// The first names of a list, quoted.
fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 5;
    let first: Vec<String> = names.iter().take(SHOWN).map(|name| format!("\"{}\"", name.as_ref())).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn rows_where(dataset: &Dataset, keep: impl Fn(usize, Split) -> bool) -> Vec<usize> {
    dataset.splits.iter().enumerate().filter(|(row, split)| keep(*row, **split)).map(|(row, _)| row).collect()
}

/// Rows of a task's classes, of all splits.
fn rows_of_classes(task: &TaskLabels, classes: &BTreeSet<u32>, rows: usize) -> Vec<usize> {
    let has = |row: &usize| task.classes_of(*row).iter().any(|class| classes.contains(class));
    (0..rows).filter(has).collect()
}

fn unlabelled_finding(dataset: &Dataset, rows: Vec<usize>) -> Option<Finding> {
    let found = !dataset.tasks.is_empty() && !rows.is_empty();
    found.then(|| {
        note(
            format!(
                "{} without a label of any task: no task learns from it.",
                counted(rows.len(), "training row")
            ),
            rows,
        )
    })
}

/// One class, classes that cannot be learnt or hardly, imbalance, nothing to measure on.
fn class_findings(
    dataset: &Dataset,
    task: &TaskLabels,
    counts: &TaskCounts,
    rows: [usize; 3],
) -> Vec<Finding> {
    let name = &task.name;
    let mut findings = Vec::new();
    let classes_where = |keep: &dyn Fn(&[usize; 3]) -> bool| -> (Vec<&str>, BTreeSet<u32>) {
        let kept = counts.classes.iter().zip(0..).filter(|((_, count), _)| keep(count));
        kept.map(|((class, _), index)| (class.as_str(), index)).unzip()
    };
    if let ([(only, _)], true) = (counts.classes.as_slice(), task.kind.fewest_classes() > 1) {
        let text = format!("Task \"{name}\" has one class only, \"{only}\": there is nothing to tell apart.");
        findings.push(warning(text, rows_where(dataset, |row, _| task.is_labelled(row))));
    } else if Split::ALL.iter().all(|split| counts.labelled(*split, rows) == 0) {
        findings.push(warning(format!("Task \"{name}\" has no label in any row."), Vec::new()));
    }
    if counts.labelled(Split::Train, rows) > 0 {
        let (unseen, indices) = classes_where(&|count| count[0] == 0);
        if !unseen.is_empty() {
            let text = format!(
                "Task \"{name}\": {} in validation or test only, so that the model cannot learn {}.",
                match unseen.len() {
                    1 => format!("class {} occurs", quoted(&unseen)),
                    many => format!("{many} classes ({}) occur", quoted(&unseen)),
                },
                if unseen.len() == 1 { "it" } else { "them" }
            );
            findings.push(warning(text, rows_of_classes(task, &indices, dataset.rows())));
        }
        let (single, indices) = classes_where(&|count| count[0] == 1);
        if !single.is_empty() {
            let text = format!(
                "Task \"{name}\": {} a single training row. One example is hardly enough to learn from.",
                match single.len() {
                    1 => format!("class {} has", quoted(&single)),
                    many => format!("{many} classes ({}) have", quoted(&single)),
                }
            );
            findings.push(warning(text, rows_of_classes(task, &indices, dataset.rows())));
        }
    }
    let seen = || counts.classes.iter().filter(|(_, count)| count[0] > 0);
    let largest = seen().max_by_key(|(_, count)| count[0]);
    let smallest = seen().min_by_key(|(_, count)| count[0]);
    if let (Some((most, large)), Some((least, small))) = (largest, smallest)
        && large[0] > 10 * small[0]
        // Most words are outside of any entity: that is as it should be.
        && task.kind != TaskKind::TokenLabels
    {
        findings.push(note(
            format!(
                "Task \"{name}\" is out of balance: {} of \"{most}\", {} of \"{least}\". Look at macro F1 beside accuracy.",
                counted(large[0], "training row"),
                small[0]
            ),
            Vec::new(),
        ));
    }
    let is_labelled = Split::ALL.iter().any(|split| counts.labelled(*split, rows) > 0);
    if is_labelled && rows[0] > 0 && counts.labelled(Split::Train, rows) == 0 {
        let text =
            format!("Task \"{name}\" has no label in the training rows: there is nothing to learn from.");
        findings.push(warning(text, Vec::new()));
    }
    for split in [Split::Valid, Split::Test] {
        if rows[split as usize] > 0 && counts.labelled(split, rows) == 0 {
            let text = format!(
                "Task \"{name}\" has no label in the {} rows: it cannot be measured there.",
                split.name()
            );
            findings.push(warning(text, Vec::new()));
        }
    }
    findings
}

/// Classes that are one class spelt in several ways.
fn look_alike_classes(task: &TaskLabels, rows: usize) -> Vec<Finding> {
    let mut spellings: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (class, index) in task.classes.iter().zip(0..) {
        let bare: String =
            class.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
        spellings.entry(bare).or_default().push(index);
    }
    let several = spellings.into_values().filter(|classes| classes.len() > 1);
    several
        .map(|classes| {
            let names: Vec<&String> = classes.iter().filter_map(|index| task.classes.get(*index as usize)).collect();
            let text = format!(
                "Task \"{}\": the classes {} differ in capitals or spaces only, and count as different classes.",
                task.name,
                quoted(&names)
            );
            // The spelling that most rows have.
            let counted = |class: &u32| rows_of_classes(task, &BTreeSet::from([*class]), rows).len();
            let most = classes.iter().max_by_key(|class| (counted(class), std::cmp::Reverse(**class)));
            let into = most.and_then(|class| task.classes.get(*class as usize)).cloned().unwrap_or_default();
            let from = names.into_iter().filter(|name| **name != into).cloned().collect();
            let fix = Fix::MergeClasses { task: task.name.clone(), from, into };
            warning(text, rows_of_classes(task, &classes.into_iter().collect(), rows)).mended_by(fix)
        })
        .collect()
}

fn conflicts(texts: &SameTexts, task: &TaskLabels) -> Option<Finding> {
    let found = texts.conflicting(task);
    let mut rows: Vec<usize> = found.iter().flat_map(|group| group.iter().copied()).collect();
    rows.sort_unstable();
    (!found.is_empty()).then(|| {
        let what = if task.kind.takes_pairs() { "pair" } else { "text" };
        let (texts, carry) = (counted(found.len(), what), if found.len() == 1 { "carries" } else { "carry" });
        let how = match task.labels {
            Labels::Number(_) => "numbers that differ by more than a tenth of their range",
            _ => "different labels",
        };
        warning(format!("Task \"{}\": {texts} {carry} {how} in different rows.", task.name), rows)
            .mended_by(Fix::ForgetConflicts { task: task.name.clone() })
    })
}

/// Texts of one split that also stand in another.
fn leaks(texts: &SameTexts, dataset: &Dataset) -> Vec<Finding> {
    let split = |row: &usize| dataset.splits.get(*row).copied();
    let shared = |seen: Split, measured: Split| -> Vec<usize> {
        let both = texts.seen_alike().iter().filter(|group| group.iter().any(|row| split(row) == Some(seen)));
        let mut rows: Vec<usize> =
            both.flatten().copied().filter(|row| split(row) == Some(measured)).collect();
        rows.sort_unstable();
        rows
    };
    let pairs = [(Split::Train, Split::Valid), (Split::Train, Split::Test), (Split::Valid, Split::Test)];
    pairs
        .into_iter()
        .map(|(seen, measured)| (seen, measured, shared(seen, measured)))
        .filter(|(_, _, rows)| !rows.is_empty())
        .map(|(seen, measured, rows)| {
            let text = format!(
                "{} a text that is also in {}: figures on {} will look better than they are.",
                match rows.len() {
                    1 => format!("1 {} row has", measured.name()),
                    many => format!("{many} {} rows have", measured.name()),
                },
                seen.name(),
                measured.name()
            );
            warning(text, rows).mended_by(Fix::JoinLeaks)
        })
        .collect()
}

fn duplicates(rows: Vec<usize>) -> Option<Finding> {
    (!rows.is_empty()).then(|| {
        let repeat = if rows.len() == 1 { "repeats" } else { "repeat" };
        note(
            format!("{} {repeat} an earlier one, text and labels.", counted(rows.len(), "training row")),
            rows,
        )
        .mended_by(Fix::DropRepeats)
    })
}

/// Texts that are nearly another's, and those of them that stand in another split than it.
fn near_duplicates(dataset: &Dataset) -> Vec<Finding> {
    let Some(near) = near::of(dataset) else {
        let text = format!(
            "Nearly equal texts are looked for among up to {} texts only.",
            thousands(near::MOST_TEXTS as u64)
        );
        return vec![note(text, Vec::new())];
    };
    let own = |split: &Split| 1_u8 << *split as u8;
    let rows = || near.iter().zip(&dataset.splits).enumerate();
    let across = rows().filter(|(_, (near, split))| **near & !own(split) != 0).map(|(row, _)| row).collect();
    let within = rows().filter(|(_, (near, split))| **near & own(split) != 0).map(|(row, _)| row).collect();
    let found = |rows: Vec<usize>, what: &str, weigh: fn(String, Vec<usize>) -> Finding| {
        let text = format!(
            "{} nearly the same as {what}.",
            match rows.len() {
                1 => "1 text is".to_owned(),
                _ => format!("{} are", counted(rows.len(), "text")),
            }
        );
        (!rows.is_empty()).then(|| weigh(text, rows))
    };
    let across = found(across, "one in another split, a few words or signs aside", warning);
    let within = found(within, "another one of their split, a few words or signs aside", note);
    across.into_iter().chain(within).collect()
}

/// Characters that no person typed: control characters, and the mark of bytes that could not be decoded.
fn odd_characters(dataset: &Dataset) -> Option<Finding> {
    // Most segments hold no byte that any such character begins with.
    let may_begin = |byte: u8| {
        (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) | matches!(byte, 0x7f | 0xc2 | 0xef)
    };
    let rows: Vec<usize> = dataset
        .texts
        .numbered_segments()
        .into_par_iter()
        .flat_map_iter(|(first, segment)| {
            let any = segment.text().bytes().fold(false, |any, byte| any | may_begin(byte));
            let texts = segment.iter().take(if any { segment.len() } else { 0 }).zip(first..);
            texts.filter(|(text, _)| text.unwrap_or_default().chars().any(exact::is_odd)).map(|(_, row)| row)
        })
        .collect();
    (!rows.is_empty()).then(|| {
        let hold = if rows.len() == 1 { "holds" } else { "hold" };
        let text = format!(
            "{} {hold} control characters or undecodable bytes: was the file saved in another encoding?",
            counted(rows.len(), "text")
        );
        warning(text, rows).mended_by(Fix::StripControls)
    })
}

/// Texts with blanks or line ends around them: some tokenisers drop these, others make tokens of them.
fn blanks_around(dataset: &Dataset) -> Option<Finding> {
    let rows: Vec<usize> = dataset
        .texts
        .numbered_segments()
        .into_par_iter()
        .flat_map_iter(|(first, segment)| segment.iter().zip(first..))
        .filter(|(text, _)| text.is_some_and(|text| text.trim().len() < text.len()))
        .map(|(_, row)| row)
        .collect();
    (!rows.is_empty()).then(|| {
        let begin = if rows.len() == 1 { "begins or ends" } else { "begin or end" };
        let text = format!(
            "{} {begin} with white space, which some tokenizers read and others strip.",
            counted(rows.len(), "text")
        );
        note(text, rows)
    })
}

#[cfg(test)]
mod tests;
