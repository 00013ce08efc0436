//! What each file gives to the data set: what of it is left out and why, and which files and splits give nothing.

use std::path::Path;

use super::{Finding, Weight};
use crate::data::dataset::{Dataset, Split};
use crate::data::error::DataError;
use crate::data::mapping::{Mapping, TaskColumn};
use crate::data::split::split_of_name;
use crate::data::table::Table;
use crate::format::numbers::thousands;

/// What of a file is not in the data set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Records that could not be read as they should.
    pub unreadable: usize,
    /// Rows without a text.
    pub blank: usize,
    /// Rows of a file none of whose columns is the text or a label.
    pub unmatched: usize,
    /// The columns of such a file.
    pub columns: Vec<String>,
}

impl LeftOut {
    /// What is left out of a table that is read by a mapping, blank rows aside.
    pub(in crate::data) fn of(table: &Table, mapping: &Mapping) -> Self {
        let mut needed = mapping.tasks.iter().flat_map(TaskColumn::columns).chain([&mapping.text]);
        let columns = table.by_name();
        let is_matched = needed.any(|name| columns.column(name).is_some());
        Self {
            unreadable: table.problems.len(),
            blank: 0,
            unmatched: if is_matched { 0 } else { table.rows() },
            columns: if is_matched { Vec::new() } else { table.column_names() },
        }
    }

    /// All of it, in words: `2 rows without a text, 1 that cannot be read`; `None` where nothing is left out.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        let parts = [
            (self.unreadable, "cannot be read"),
            (self.blank, "without a text"),
            (self.unmatched, "without a column of the mapping"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> =
            parts.map(|(count, why)| format!("{} {why}", thousands(count as u64))).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Refuses a file that is meant for a split and gives nothing to it.
///
/// # Errors
/// The first such file, why it gives nothing, and what to do.
pub(in crate::data) fn refuse_empty(
    dataset: &Dataset,
    tables: &[(Table, Option<Split>)],
    mapping: &Mapping,
) -> Result<(), DataError> {
    let rows = rows_of_files(dataset);
    for (((table, chosen), left_out), rows) in tables.iter().zip(&dataset.left_out).zip(rows) {
        let path = &table.facts.path;
        let Some(split) = chosen.or_else(|| split_of_name(path)).filter(|_| rows == 0) else { continue };
        let how = if chosen.is_some() { "is assigned to" } else { "is named as" };
        let reason = format!(
            "{} {how} the {} split and gives no rows to it: {}. Correct the file or its columns, or take it out",
            path.display(),
            split.name(),
            why_nothing(left_out, mapping)
        );
        return Err(DataError::BadMapping { reason });
    }
    Ok(())
}

fn why_nothing(left_out: &LeftOut, mapping: &Mapping) -> String {
    if left_out.columns.is_empty() {
        return "none of its rows has a text".to_owned();
    }
    let tasks: Vec<&str> = mapping.tasks.iter().map(|task| task.column.as_str()).collect();
    format!(
        "none of its columns ({}) is the text ({}) or a label ({})",
        shortened(&left_out.columns),
        mapping.text,
        shortened(&tasks)
    )
}

/// Files that give no rows, or none with a label.
pub(in crate::data) fn of_files(dataset: &Dataset) -> Vec<Finding> {
    let rows = rows_of_files(dataset);
    let mut labelled = vec![false; dataset.files.len()];
    for (row, (file, _)) in dataset.origins.iter().enumerate() {
        if let Some(labelled) = labelled.get_mut(*file as usize) {
            *labelled |= dataset.is_labelled(row);
        }
    }
    let files = dataset.files.iter().zip(&dataset.left_out).zip(rows.iter().zip(labelled)).enumerate();
    files
        .filter_map(|(file, ((path, left_out), (rows, labelled)))| {
            let name = path.file_name().unwrap_or(path.as_os_str());
            let name = Path::new(name).display();
            let of_file = |(_, (of, _)): &(usize, &(u32, u64))| *of as usize == file;
            let text = if *rows == 0 && !left_out.columns.is_empty() {
                format!(
                    "{name} gives no rows: none of its columns ({}) is the text or a label.",
                    shortened(&left_out.columns)
                )
            } else if *rows == 0 {
                format!("{name} gives no rows: none of them has a text.")
            } else if !labelled && !dataset.tasks.is_empty() && dataset.files.len() > 1 {
                let none = match *rows {
                    1 => "its row is not".to_owned(),
                    rows => format!("none of its {} rows is", thousands(rows as u64)),
                };
                format!("{name} gives no label: {none} labelled for any task.")
            } else {
                return None;
            };
            let rows = dataset.origins.iter().enumerate().filter(of_file).map(|(row, _)| row).collect();
            Some(Finding { weight: Weight::Warning, text, rows, fix: None })
        })
        .collect()
}

/// Splits without a row.
pub(in crate::data) fn of_splits(rows: [usize; 3]) -> Vec<Finding> {
    let finding = |weight, text: &str| Finding { weight, text: text.to_owned(), rows: Vec::new(), fix: None };
    let [train, valid, test] = rows;
    if train + valid + test == 0 {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if train == 0 {
        findings.push(finding(Weight::Warning, "The training split is empty: nothing can be learnt."));
    }
    if valid == 0 {
        let text = "The validation split is empty: no epoch can be measured, so the last one is kept.";
        findings.push(finding(Weight::Warning, text));
    }
    if test == 0 {
        findings.push(finding(Weight::Note, "The test split is empty: there are no final figures."));
    }
    findings
}

fn rows_of_files(dataset: &Dataset) -> Vec<usize> {
    let mut rows = vec![0; dataset.files.len()];
    for (file, _) in &dataset.origins {
        if let Some(rows) = rows.get_mut(*file as usize) {
            *rows += 1;
        }
    }
    rows
}

/// The first names of a list.
fn shortened<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 8;
    let first: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::assemble::assemble;
    use crate::data::card::DataCard;
    use crate::data::read::table_in_memory;
    use crate::data::split::SplitRule;

    const GOOD: &str = "text,label\none two,a\nthree four,b\nfive six,a\nseven eight,b\n";

    fn assembled(files: &[(&str, &str, Option<Split>)]) -> Result<Dataset, String> {
        let read = |(name, text, split): &(&str, &str, Option<Split>)| {
            (table_in_memory(name, text.as_bytes()).unwrap(), *split)
        };
        let tables: Vec<_> = files.iter().map(read).collect();
        let rule = SplitRule { valid: 0.0, test: 0.0, seed: 1 };
        let mapping = crate::data::mapping::guess(&[tables[0].0.clone()]);
        assemble(&tables, Some(&mapping), &rule)
            .map(|(dataset, ..)| dataset)
            .map_err(|error| error.to_string())
    }

    fn said(dataset: &Dataset, words: &str) -> bool {
        DataCard::of(dataset).reading.iter().any(|text| text.contains(words))
    }

    #[test]
    fn a_file_whose_columns_match_nothing_gives_no_rows_and_that_is_reported() {
        let other = "utterance,mood\nsome words here,x\nmore words here,y\n";
        let dataset = assembled(&[("a.csv", GOOD, None), ("b.csv", other, None)]).unwrap();
        assert_eq!(dataset.rows(), 4);
        assert_eq!(dataset.left_out[1].unmatched, 2);
        assert!(said(&dataset, "b.csv gives no rows: none of its columns (utterance, mood)"));
        for (name, split) in [("valid.csv", None), ("b.csv", Some(Split::Test))] {
            let error = assembled(&[("a.csv", GOOD, None), (name, other, split)]).unwrap_err();
            assert!(error.contains(name) && error.contains("(utterance, mood)"), "{error}");
        }
    }

    #[test]
    fn rows_are_counted_by_file_and_by_why_they_are_left_out() {
        let some = "text,label\none,a\n,b\n\"  \",a\ntoo,many,cells\n";
        let dataset = assembled(&[("a.csv", GOOD, None), ("b.csv", some, None)]).unwrap();
        let left_out = LeftOut { unreadable: 1, blank: 2, ..LeftOut::default() };
        assert_eq!(dataset.left_out, [LeftOut::default(), left_out.clone()]);
        assert_eq!(left_out.in_words().as_deref(), Some("1 cannot be read, 2 without a text"));
        assert_eq!(LeftOut::default().in_words(), None);
        let blank = "text,label\n,a\n,b\n";
        let dataset = assembled(&[("a.csv", GOOD, None), ("b.csv", blank, None)]).unwrap();
        assert!(said(&dataset, "b.csv gives no rows: none of them has a text"));
        let error = assembled(&[("a.csv", GOOD, None), ("test.csv", blank, None)]).unwrap_err();
        assert!(error.contains("test.csv is named as the test split"), "{error}");
    }

    #[test]
    fn a_file_without_labels_is_reported_and_may_be_a_split() {
        let bare = "text\nsome words here\nmore words here\n";
        let dataset = assembled(&[("train.csv", GOOD, None), ("test.csv", bare, None)]).unwrap();
        assert!(said(&dataset, "test.csv gives no label: none of its 2 rows is labelled"));
    }

    #[test]
    fn empty_splits_are_named() {
        let texts =
            |rows| of_splits(rows).into_iter().map(|finding| finding.text).collect::<Vec<_>>().join(" ");
        assert_eq!(texts([4, 1, 1]), "");
        assert!(texts([4, 0, 1]).contains("validation split is empty"));
        assert!(texts([0, 1, 1]).contains("training split is empty"));
        assert_eq!(texts([0, 0, 0]), "");
    }
}
