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
use crate::explore::Embeddings;

/// What a model says of texts.
pub(super) struct Predictions<'a> {
    /// The texts.
    pub(super) texts: &'a [&'a str],
    /// Per task its name and its classes.
    pub(super) tasks: &'a [(String, Vec<String>)],
    /// Per task, per text, per class.
    pub(super) probabilities: &'a [Vec<Vec<f32>>],
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

impl Predictions<'_> {
    /// Per task its name, the most probable class and the probabilities by class.
    fn of_row(&self, row: usize) -> impl Iterator<Item = (&str, &str, f32, Vec<(&str, f32)>)> {
        self.tasks.iter().zip(self.probabilities).filter_map(move |((task, classes), rows)| {
            let classes: Vec<(&str, f32)> =
                classes.iter().map(String::as_str).zip(rows.get(row)?.iter().copied()).collect();
            // The first of equals, as the figures count it.
            let (class, probability) = classes.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1)).copied()?;
            Some((task.as_str(), class, probability, classes))
        })
    }
}

fn predictions_csv(out: &mut dyn SendWrite, predictions: &Predictions) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    let names = predictions.tasks.iter().flat_map(|(task, _)| [task.clone(), format!("{task}_probability")]);
    csv.write_record(std::iter::once("text".to_owned()).chain(names))?;
    for (row, text) in predictions.texts.iter().enumerate() {
        csv.write_field(text)?;
        let cells = predictions
            .of_row(row)
            .flat_map(|(_, class, probability, _)| [class.to_owned(), probability.to_string()]);
        csv.write_record(cells)?;
    }
    csv.flush()?;
    Ok(())
}

fn predictions_jsonl(out: &mut dyn SendWrite, predictions: &Predictions) -> anyhow::Result<()> {
    for (row, text) in predictions.texts.iter().enumerate() {
        let tasks = predictions.of_row(row).map(|(task, class, probability, classes)| {
            let by_class: Map<String, Value> = classes
                .into_iter()
                .map(|(class, probability)| (class.to_owned(), json!(probability)))
                .collect();
            let said = json!({"label": class, "probability": probability, "probabilities": by_class});
            (task.to_owned(), said)
        });
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
        let tasks = [("topic".to_owned(), vec!["a".to_owned(), "b".to_owned()])];
        let probabilities = [vec![vec![0.5, 0.5], vec![0.25, 0.75]]];
        let predictions = Predictions { texts: &["x", "y, z"], tasks: &tasks, probabilities: &probabilities };
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
