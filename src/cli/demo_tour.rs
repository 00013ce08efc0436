//! `frostline tour`: the whole road once, in the terminal, on the demo project or on another one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::TourArgs;
use super::console::{count, say};
use super::export::{export, export_lines};
use super::figures::matrix_lines;
use super::session::{Driver, require};
use super::train::{self, News};
use crate::data::dataset::{Dataset, Split};
use crate::format::shell;
use crate::project::demo;
use crate::session::command::Command;
use crate::session::state::{DataView, RunView};

/// Classes of the first task that sample sentences are taken from, and sentences of each.
const SAMPLED_CLASSES: usize = 3;
const SENTENCES_PER_CLASS: usize = 2;

pub(super) fn run(args: &TourArgs) -> anyhow::Result<()> {
    if let Some(out) = &args.out {
        super::export::refuse_to_replace(out, args.force)?;
    }
    let dir = match &args.project {
        Some(dir) => dir.clone(),
        None => demo::install_demo("demo")?,
    };
    let mut driver = Driver::open(&dir, args.device.device.as_deref(), args.trust)?;
    let data = Arc::clone(require(&driver.state().data, "the project names no data file")?);
    heading(&format!("1. The data of {}", driver.state().project.name))?;
    data_lines(&data).iter().try_for_each(say)?;

    heading("2. Sentences as the pretrained model sees them: cosines")?;
    let sentences = sample(&data.dataset);
    for (index, (text, label)) in sentences.iter().enumerate() {
        say(format!("[{}] {label}: {text}", index + 1))?;
    }
    let texts: Vec<String> = sentences.into_iter().map(|(text, _)| text).collect();
    driver.ask(Command::Similarity(texts.clone()))?;
    let before = Arc::clone(require(&driver.state().similarity, "no similarity was computed")?);
    matrix_lines(&before.before).iter().try_for_each(say)?;

    heading("3. Training: one encoder, a head per task")?;
    let view = train::train(&mut driver, &dir, train::Asked::default(), &mut |news| match news {
        News::Started(view) => train::start_lines(view).iter().try_for_each(say),
        News::Steps(..) => Ok(()),
        News::Epoch { line, .. } => say(line),
    })?;
    train::ended_well(&view)?;

    heading("4. Figures of the kept weights")?;
    train::end_lines(&view).iter().try_for_each(say)?;

    heading("5. The same sentences before and after: cosines")?;
    driver.ask(Command::Similarity(texts))?;
    let both = Arc::clone(require(&driver.state().similarity, "no similarity was computed")?);
    say("before")?;
    matrix_lines(&both.before).iter().try_for_each(say)?;
    if let Some(after) = &both.after {
        say("after")?;
        matrix_lines(after).iter().try_for_each(say)?;
    }

    heading("6. Export: a folder that sentence-transformers and transformers load")?;
    let report = export(&mut driver, &export_dir(args, &dir, &view))?;
    export_lines(&report).iter().try_for_each(say)?;
    say("")?;
    say(format!("To see the same in the window: frostline {}", shell::path(&dir)))?;
    Ok(())
}

fn heading(text: &str) -> std::io::Result<()> {
    say("")?;
    say(text)
}

fn export_dir(args: &TourArgs, project_dir: &Path, view: &RunView) -> PathBuf {
    args.out.clone().unwrap_or_else(|| project_dir.join("exports").join(&view.plan.name))
}

fn data_lines(data: &DataView) -> Vec<String> {
    let [train, valid, test] = data.card.rows;
    let mut lines = vec![
        format!("{} for training, {valid} for validation, {test} for test", count(train, "row")),
        data.split_note.clone(),
    ];
    for task in &data.card.tasks {
        let classes: Vec<String> = task
            .classes
            .iter()
            .map(|(class, rows)| format!("{class} {}", rows.iter().sum::<usize>()))
            .collect();
        let missing: usize = task.missing.iter().sum();
        let without = if missing == 0 { String::new() } else { format!("; {missing} without a label") };
        lines.push(format!("task {}: {}{without}", task.task, classes.join(", ")));
    }
    lines
}

/// Sentences with the class of the first task: two of each of three classes, from rows that are not trained on.
fn sample(dataset: &Dataset) -> Vec<(String, String)> {
    let unseen = [Split::Test, Split::Valid, Split::Train].into_iter().map(|split| dataset.rows_of(split));
    let rows = unseen.into_iter().find(|rows| !rows.is_empty()).unwrap_or_default();
    let Some(task) = dataset.tasks.first() else {
        let first = rows.into_iter().take(SAMPLED_CLASSES * SENTENCES_PER_CLASS);
        return first.map(|row| (dataset.text(row).to_owned(), String::new())).collect();
    };
    let mut sentences = Vec::new();
    for (class, name) in task.classes.iter().enumerate().take(SAMPLED_CLASSES) {
        let is_of_class = |row: &&usize| task.class(**row) == Some(class as u32);
        let found = rows.iter().filter(is_of_class).take(SENTENCES_PER_CLASS);
        sentences.extend(found.map(|row| (dataset.text(*row).to_owned(), name.clone())));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::TaskLabels;

    #[test]
    fn sentences_are_two_of_each_of_three_classes_and_unseen() {
        let rows = 40;
        let texts: Vec<String> = (0..rows).map(|row| format!("text {row}")).collect();
        let dataset = Dataset {
            texts: texts.iter().map(String::as_str).collect(),
            tasks: vec![TaskLabels::single(
                "topic",
                ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
                (0..rows).map(|row| Some(row % 4)).collect(),
            )],
            splits: (0..rows).map(|row| if row < 20 { Split::Train } else { Split::Test }).collect(),
            ..Dataset::default()
        };
        let found = sample(&dataset);
        let classes: Vec<&str> = found.iter().map(|(_, class)| class.as_str()).collect();
        assert_eq!(classes, ["a", "a", "b", "b", "c", "c"]);
        assert_eq!(found.first().map(|(text, _)| text.as_str()), Some("text 20"));
    }
}
