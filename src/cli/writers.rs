//! Embeddings and predictions to files, each written whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};

use super::args::{EmbeddingFile, EmbeddingFormat, PredictionFile, PredictionFormat};
use super::parquet_file;
use crate::data::task::TaskKind;
use crate::explore::Embeddings;
use crate::model::heads::HeadSpec;
use crate::session::state::Answer;
use crate::train::metrics::THRESHOLD;

/// What a model says of texts.
pub(super) struct Predictions<'a> {
    /// The texts.
    pub(super) texts: &'a [&'a str],
    /// The tasks.
    pub(super) tasks: &'a [HeadSpec],
    /// Per task and text.
    pub(super) answers: &'a [Vec<Answer>],
}

pub(super) fn write_embeddings(
    output: &EmbeddingFile,
    texts: &[&str],
    embeddings: &Embeddings,
) -> anyhow::Result<()> {
    whole(&output.path, |out| match output.format {
        EmbeddingFormat::Npy => npy(out, embeddings),
        EmbeddingFormat::Csv => embeddings_csv(out, texts, embeddings),
        EmbeddingFormat::JsonLines => embeddings_jsonl(out, texts, embeddings),
        EmbeddingFormat::Safetensors => safetensors(out, embeddings),
        EmbeddingFormat::Parquet => parquet_file::write(out, texts, embeddings),
    })
}

pub(super) fn write_predictions(output: &PredictionFile, predictions: &Predictions) -> anyhow::Result<()> {
    whole(&output.path, |out| match output.format {
        PredictionFormat::Csv => predictions_csv(out, predictions),
        PredictionFormat::JsonLines => predictions_jsonl(out, predictions),
    })
}

/// Writes beside the place where the file belongs, then renames it there: who reads it finds all of it.
fn whole(path: &Path, write: impl FnOnce(&mut dyn SendWrite) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let context = || format!("cannot write {}", path.display());
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir).with_context(context)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".frostline-");
    #[cfg(unix)]
    {
        // A temporary file is for its owner's eyes; a result follows the user's umask as any other.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(dir).with_context(context)?;
    let mut out = BufWriter::with_capacity(1 << 20, file.as_file_mut());
    write(&mut out).with_context(context)?;
    out.flush().with_context(context)?;
    drop(out);
    file.persist(path).with_context(context)?;
    Ok(())
}

/// Where a format writes to; the Parquet writer wants to be sent between threads.
pub(super) trait SendWrite: Write + Send {}

impl<T: Write + Send> SendWrite for T {}

/// Format 1.0 of `numpy.lib.format`: magic, version, length of the header, the header as a Python dict padded
/// so that the values start at a multiple of 64 bytes, then the values, little-endian, row by row.
fn npy(out: &mut dyn SendWrite, embeddings: &Embeddings) -> anyhow::Result<()> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    const ALIGNMENT: usize = 64;

    let shape = (embeddings.rows(), embeddings.dim);
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape:?}, }}");
    let unpadded = MAGIC.len() + size_of::<u16>() + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(ALIGNMENT) - unpadded));
    header.push('\n');
    out.write_all(MAGIC)?;
    out.write_all(&u16::try_from(header.len())?.to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    write_values(out, &embeddings.values)?;
    Ok(())
}

fn write_values(out: &mut dyn SendWrite, values: &[f32]) -> io::Result<()> {
    values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
}

fn safetensors(out: &mut dyn SendWrite, embeddings: &Embeddings) -> anyhow::Result<()> {
    let bytes: Vec<u8> = embeddings.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![embeddings.rows(), embeddings.dim], &bytes)?;
    // Older readers of the format refuse a file that does not say this.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    out.write_all(&safetensors::serialize([("embeddings", view)], Some(metadata))?)?;
    Ok(())
}

fn embeddings_csv(out: &mut dyn SendWrite, texts: &[&str], embeddings: &Embeddings) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_field("text")?;
    csv.write_record((0..embeddings.dim).map(|index| format!("dim_{index}")))?;
    for (row, text) in texts.iter().enumerate() {
        csv.write_field(text)?;
        // The shortest decimal that reads back as the same number.
        csv.write_record(embeddings.row(row).iter().map(f32::to_string))?;
    }
    csv.flush()?;
    Ok(())
}

fn embeddings_jsonl(out: &mut dyn SendWrite, texts: &[&str], embeddings: &Embeddings) -> anyhow::Result<()> {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        text: &'a str,
        embedding: &'a [f32],
    }
    for (row, text) in texts.iter().enumerate() {
        serde_json::to_writer(&mut *out, &Line { text, embedding: embeddings.row(row) })?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// What stands beside the answer in a table: how sure the model is of its class, the cosine of a pair.
fn beside(answer: &Answer) -> Option<String> {
    match answer {
        Answer::OneOf(classes) => {
            Some(classes.iter().map(|(_, p)| *p).fold(f32::NEG_INFINITY, f32::max).to_string())
        }
        Answer::AnyOf(classes) => {
            let pairs = classes.iter().map(|(class, p)| format!("{class}={p}"));
            Some(pairs.collect::<Vec<_>>().join("|"))
        }
        Answer::Cosine { cosine, .. } => Some(cosine.to_string()),
        Answer::OneText => Some(String::new()),
        Answer::Number(_) | Answer::Words(_) => None,
    }
}

/// The name of the column beside a task's, where there is one.
const fn beside_name(kind: TaskKind) -> Option<&'static str> {
    match kind {
        TaskKind::SingleLabel => Some("probability"),
        TaskKind::MultiLabel => Some("probabilities"),
        TaskKind::Similarity | TaskKind::Ranking => Some("cosine"),
        TaskKind::Score | TaskKind::TokenLabels => None,
    }
}

fn predictions_csv(out: &mut dyn SendWrite, predictions: &Predictions) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_field("text")?;
    for task in predictions.tasks {
        csv.write_field(&task.task)?;
        if let Some(name) = beside_name(task.kind) {
            csv.write_field(format!("{}_{name}", task.task))?;
        }
    }
    csv.write_record(None::<&[u8]>)?;
    for (row, text) in predictions.texts.iter().enumerate() {
        csv.write_field(text)?;
        for answer in predictions.answers.iter().filter_map(|answers| answers.get(row)) {
            csv.write_field(answer.cell())?;
            if let Some(beside) = beside(answer) {
                csv.write_field(beside)?;
            }
        }
        csv.write_record(None::<&[u8]>)?;
    }
    csv.flush()?;
    Ok(())
}

/// An answer for programs.
fn answer_json(answer: &Answer) -> Value {
    let by_class = |classes: &[(String, f32)]| -> Map<String, Value> {
        classes.iter().map(|(class, probability)| (class.clone(), json!(probability))).collect()
    };
    match answer {
        Answer::OneOf(classes) => {
            let most = classes.iter().map(|(_, p)| *p).fold(f32::NEG_INFINITY, f32::max);
            json!({"label": answer.cell(), "probability": most, "probabilities": by_class(classes)})
        }
        Answer::AnyOf(classes) => {
            let there = classes.iter().filter(|(_, p)| *p > THRESHOLD).map(|(class, _)| class);
            json!({"labels": there.collect::<Vec<_>>(), "probabilities": by_class(classes)})
        }
        Answer::Number(number) => json!({"score": number}),
        Answer::Cosine { cosine, number } => json!({"score": number, "cosine": cosine}),
        Answer::Words(words) => {
            let (tokens, tags): (Vec<&str>, Vec<&str>) =
                words.iter().map(|(word, tag)| (word.as_str(), tag.as_str())).unzip();
            json!({"tokens": tokens, "tags": tags})
        }
        Answer::OneText => Value::Null,
    }
}

fn predictions_jsonl(out: &mut dyn SendWrite, predictions: &Predictions) -> anyhow::Result<()> {
    for (row, text) in predictions.texts.iter().enumerate() {
        let tasks = predictions
            .tasks
            .iter()
            .zip(predictions.answers)
            .filter_map(|(task, answers)| Some((task.task.clone(), answer_json(answers.get(row)?))));
        let line = json!({"text": text, "tasks": Value::Object(tasks.collect())});
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn an_array_file_is_what_numpy_writes() {
        let mut bytes = Vec::new();
        npy(&mut bytes, &Embeddings { values: vec![1.0, -2.5], dim: 2 }).unwrap();
        // numpy.save of numpy.array([[1.0, -2.5]], dtype="<f4")
        let mut wanted = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        wanted.extend(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }");
        wanted.resize(127, b' ');
        wanted.push(b'\n');
        wanted.extend([0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]);
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn predictions_name_the_first_of_the_most_probable_classes() {
        let tasks = [HeadSpec { task: "topic".into(), ..HeadSpec::default() }];
        let answer = |a, b| Answer::OneOf(vec![("a".to_owned(), a), ("b".to_owned(), b)]);
        let answers = [vec![answer(0.5, 0.5), answer(0.25, 0.75)]];
        let predictions = Predictions { texts: &["x", "y, z"], tasks: &tasks, answers: &answers };
        let mut csv = Vec::new();
        predictions_csv(&mut csv, &predictions).unwrap();
        let wanted = "text,topic,topic_probability\nx,a,0.5\n\"y, z\",b,0.75\n";
        assert_eq!(String::from_utf8(csv).unwrap(), wanted);
        let mut lines = Vec::new();
        predictions_jsonl(&mut lines, &predictions).unwrap();
        let last: Value = serde_json::from_slice(lines.split(|byte| *byte == b'\n').nth(1).unwrap()).unwrap();
        assert_eq!(last["tasks"]["topic"]["label"], "b");
        assert_eq!(last["tasks"]["topic"]["probabilities"]["a"], 0.25);
    }

    #[test]
    fn every_kind_has_columns_and_fields_of_its_own() {
        let task = |name: &str, kind| HeadSpec { task: name.into(), kind, ..HeadSpec::default() };
        let tasks = [
            task("themes", TaskKind::MultiLabel),
            task("stars", TaskKind::Score),
            task("alike", TaskKind::Similarity),
            task("ner", TaskKind::TokenLabels),
        ];
        let answers = [
            vec![Answer::AnyOf(vec![("a".to_owned(), 0.75), ("b".to_owned(), 0.25)])],
            vec![Answer::Number(3.5)],
            vec![Answer::Cosine { cosine: 0.5, number: 2.5 }],
            vec![Answer::Words(vec![
                ("Rome".to_owned(), "B-LOC".to_owned()),
                ("fell".to_owned(), "O".to_owned()),
            ])],
        ];
        let predictions = Predictions { texts: &["Rome fell"], tasks: &tasks, answers: &answers };
        let mut csv = Vec::new();
        predictions_csv(&mut csv, &predictions).unwrap();
        let wanted = "text,themes,themes_probabilities,stars,alike,alike_cosine,ner\n\
                      Rome fell,a,a=0.75|b=0.25,3.5,2.5,0.5,B-LOC O\n";
        assert_eq!(String::from_utf8(csv).unwrap(), wanted);
        let mut lines = Vec::new();
        predictions_jsonl(&mut lines, &predictions).unwrap();
        let line: Value = serde_json::from_slice(&lines).unwrap();
        assert_eq!(line["tasks"]["themes"]["labels"], json!(["a"]));
        assert_eq!(line["tasks"]["stars"]["score"], 3.5);
        assert_eq!(line["tasks"]["ner"]["tags"], json!(["B-LOC", "O"]));
    }

    #[test]
    fn a_file_that_fails_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path: PathBuf = dir.path().join("new/out.csv");
        whole(&path, |out| Ok(out.write_all(b"old")?)).unwrap();
        let failed = whole(&path, |out| {
            out.write_all(b"half")?;
            anyhow::bail!("no more")
        });
        assert!(format!("{:#}", failed.unwrap_err()).ends_with("out.csv: no more"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left aside");
    }
}
