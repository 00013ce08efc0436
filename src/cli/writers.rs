//! Embeddings and predictions in the formats of files, block after block: nothing but the block at hand is held.

use std::borrow::Cow;
use std::io::{self, Write};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::{Map, Value, json};

use super::output_format::{EmbeddingFormat, PredictionFormat};
use super::parquet_file::ParquetWriter;
use crate::data::task::TaskKind;
use crate::explore::Embeddings;
use crate::format::spreadsheet::text_cell;
use crate::model::heads::HeadSpec;
use crate::session::state::Prediction;
use crate::train::metrics::THRESHOLD;

/// How texts become cells of CSV: as they are, or so that no spreadsheet computes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cells {
    AsTheyAre,
    ForSpreadsheet,
}

impl Cells {
    fn text(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::AsTheyAre => Cow::Borrowed(text),
            Self::ForSpreadsheet => text_cell(text),
        }
    }
}

/// Writes embeddings.
pub(super) struct EmbeddingWriter<W: Write + Send> {
    form: EmbeddingForm<W>,
    cells: Cells,
}

enum EmbeddingForm<W: Write + Send> {
    /// A header, then nothing but values: `.npy` and `.safetensors`.
    Values(W),
    Csv(csv::Writer<W>),
    JsonLines(W),
    Parquet(ParquetWriter<W>),
}

impl<W: Write + Send> EmbeddingWriter<W> {
    /// Begins with what stands before the first row. The number of rows is known, since some formats say it first.
    pub(super) fn begin(
        mut out: W,
        format: EmbeddingFormat,
        cells: Cells,
        rows: usize,
        dim: usize,
    ) -> anyhow::Result<Self> {
        let form = match format {
            EmbeddingFormat::Npy => {
                out.write_all(&npy_header(rows, dim)?)?;
                EmbeddingForm::Values(out)
            }
            EmbeddingFormat::Safetensors => {
                out.write_all(&safetensors_header(rows, dim)?)?;
                EmbeddingForm::Values(out)
            }
            EmbeddingFormat::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_field("text").map_err(io_of_csv)?;
                csv.write_record((0..dim).map(|index| format!("dim_{index}"))).map_err(io_of_csv)?;
                EmbeddingForm::Csv(csv)
            }
            EmbeddingFormat::Jsonl => EmbeddingForm::JsonLines(out),
            EmbeddingFormat::Parquet => EmbeddingForm::Parquet(ParquetWriter::begin(out, dim)?),
        };
        Ok(Self { form, cells })
    }

    /// The next texts and their embeddings.
    pub(super) fn block(&mut self, texts: &[&str], embeddings: &Embeddings) -> anyhow::Result<()> {
        match &mut self.form {
            EmbeddingForm::Values(out) => {
                embeddings.values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?;
            }
            EmbeddingForm::Csv(csv) => {
                embeddings_csv(csv, self.cells, texts, embeddings).map_err(io_of_csv)?;
            }
            EmbeddingForm::JsonLines(out) => embeddings_jsonl(out, texts, embeddings)?,
            EmbeddingForm::Parquet(parquet) => parquet.block(texts, embeddings)?,
        }
        Ok(())
    }

    /// Writes what stands behind the last row, and gives the output back.
    pub(super) fn finish(self) -> anyhow::Result<W> {
        match self.form {
            EmbeddingForm::Values(out) | EmbeddingForm::JsonLines(out) => Ok(out),
            EmbeddingForm::Csv(csv) => Ok(csv.into_inner().map_err(csv::IntoInnerError::into_error)?),
            EmbeddingForm::Parquet(parquet) => parquet.finish(),
        }
    }
}

/// A system's refusal as such, so that it is known for what it is: a full disk, a reader that has gone.
fn io_of_csv(error: csv::Error) -> io::Error {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::other(text),
    }
}

/// Format 1.0 of `numpy.lib.format`: magic, version, length of the header, the header as a Python dict padded
/// so that the values start at a multiple of 64 bytes; then come the values, little-endian, row by row.
fn npy_header(rows: usize, dim: usize) -> anyhow::Result<Vec<u8>> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    const ALIGNMENT: usize = 64;

    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    let unpadded = MAGIC.len() + size_of::<u16>() + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(ALIGNMENT) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len())?.to_le_bytes();
    Ok([MAGIC, &length, header.as_bytes()].concat())
}

/// Length of the header, and the header as JSON, padded so that the values start at a multiple of 8 bytes.
fn safetensors_header(rows: usize, dim: usize) -> anyhow::Result<Vec<u8>> {
    const ALIGNMENT: usize = 8;

    // Older readers of the format refuse a file that does not say this.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let bytes = rows * dim * size_of::<f32>();
    let info = TensorInfo { dtype: Dtype::F32, shape: vec![rows, dim], data_offsets: (0, bytes) };
    let metadata = Metadata::new(Some(metadata), vec![("embeddings".to_owned(), info)])?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    Ok([&(header.len() as u64).to_le_bytes(), header.as_slice()].concat())
}

fn embeddings_csv<W: Write>(
    csv: &mut csv::Writer<W>,
    cells: Cells,
    texts: &[&str],
    embeddings: &Embeddings,
) -> Result<(), csv::Error> {
    for (row, text) in texts.iter().enumerate() {
        csv.write_field(&*cells.text(text))?;
        // The shortest decimal that reads back as the same number.
        csv.write_record(embeddings.row(row).iter().map(f32::to_string))?;
    }
    Ok(())
}

fn embeddings_jsonl(out: &mut impl Write, texts: &[&str], embeddings: &Embeddings) -> io::Result<()> {
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

/// Writes predictions.
pub(super) struct PredictionWriter<'a, W: Write> {
    tasks: &'a [HeadSpec],
    form: PredictionForm<W>,
    cells: Cells,
}

enum PredictionForm<W: Write> {
    Csv(Box<csv::Writer<W>>),
    JsonLines(W),
}

impl<'a, W: Write> PredictionWriter<'a, W> {
    /// Begins with the names of the columns, where the format has some.
    pub(super) fn begin(
        out: W,
        format: PredictionFormat,
        cells: Cells,
        tasks: &'a [HeadSpec],
    ) -> anyhow::Result<Self> {
        let form = match format {
            PredictionFormat::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                let names = columns(tasks);
                let names = names.iter().map(|name| cells.text(name).into_owned());
                csv.write_record(names).map_err(io_of_csv)?;
                PredictionForm::Csv(Box::new(csv))
            }
            PredictionFormat::Jsonl => PredictionForm::JsonLines(out),
        };
        Ok(Self { tasks, form, cells })
    }

    /// The next texts, and per task the prediction for each.
    pub(super) fn block(&mut self, texts: &[&str], answers: &[Vec<Prediction>]) -> anyhow::Result<()> {
        match &mut self.form {
            PredictionForm::Csv(csv) => {
                predictions_csv(csv, self.cells, texts, answers).map_err(io_of_csv)?;
            }
            PredictionForm::JsonLines(out) => predictions_jsonl(out, texts, self.tasks, answers)?,
        }
        Ok(())
    }

    /// Gives the output back.
    pub(super) fn finish(self) -> anyhow::Result<W> {
        match self.form {
            PredictionForm::Csv(csv) => Ok(csv.into_inner().map_err(csv::IntoInnerError::into_error)?),
            PredictionForm::JsonLines(out) => Ok(out),
        }
    }
}

/// What stands beside the answer in a table: how sure the model is of its class, the cosine of a pair.
fn beside(answer: &Prediction) -> Option<String> {
    match answer {
        Prediction::OneOf(classes) => {
            Some(classes.iter().map(|(_, p)| *p).fold(f32::NEG_INFINITY, f32::max).to_string())
        }
        Prediction::AnyOf(classes) => {
            let pairs = classes.iter().map(|(class, p)| format!("{class}={p}"));
            Some(pairs.collect::<Vec<_>>().join("|"))
        }
        Prediction::Cosine { cosine, .. } => Some(cosine.to_string()),
        Prediction::OneText => Some(String::new()),
        Prediction::Number(_) | Prediction::Words(_) => None,
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

/// The names of the columns: a task's own, and the one beside it.
fn columns(tasks: &[HeadSpec]) -> Vec<String> {
    let of_task = |task: &HeadSpec| {
        let beside = beside_name(task.kind).map(|name| format!("{}_{name}", task.task));
        std::iter::once(task.task.clone()).chain(beside)
    };
    std::iter::once("text".to_owned()).chain(tasks.iter().flat_map(of_task)).collect()
}

fn predictions_csv<W: Write>(
    csv: &mut csv::Writer<W>,
    cells: Cells,
    texts: &[&str],
    answers: &[Vec<Prediction>],
) -> Result<(), csv::Error> {
    for (row, text) in texts.iter().enumerate() {
        csv.write_field(&*cells.text(text))?;
        for answer in answers.iter().filter_map(|answers| answers.get(row)) {
            let (cell, beside) = (answer.cell(), beside(answer));
            // What the program computed is a number, also below zero.
            let is_number = matches!(answer, Prediction::Number(_) | Prediction::Cosine { .. });
            csv.write_field(if is_number { Cow::Borrowed(&*cell) } else { cells.text(&cell) }.as_bytes())?;
            if let Some(beside) = beside {
                let has_names = matches!(answer, Prediction::AnyOf(_));
                csv.write_field(
                    if has_names { cells.text(&beside) } else { Cow::Borrowed(&*beside) }.as_bytes(),
                )?;
            }
        }
        csv.write_record(None::<&[u8]>)?;
    }
    Ok(())
}

/// An answer for programs.
fn answer_json(answer: &Prediction) -> Value {
    let by_class = |classes: &[(String, f32)]| -> Map<String, Value> {
        classes.iter().map(|(class, probability)| (class.clone(), json!(probability))).collect()
    };
    match answer {
        Prediction::OneOf(classes) => {
            let most = classes.iter().map(|(_, p)| *p).fold(f32::NEG_INFINITY, f32::max);
            json!({"label": answer.cell(), "probability": most, "probabilities": by_class(classes)})
        }
        Prediction::AnyOf(classes) => {
            let there = classes.iter().filter(|(_, p)| *p > THRESHOLD).map(|(class, _)| class);
            json!({"labels": there.collect::<Vec<_>>(), "probabilities": by_class(classes)})
        }
        Prediction::Number(number) => json!({"score": number}),
        Prediction::Cosine { cosine, number } => json!({"score": number, "cosine": cosine}),
        Prediction::Words(words) => {
            let (tokens, tags): (Vec<&str>, Vec<&str>) =
                words.iter().map(|(word, tag)| (word.as_str(), tag.as_str())).unzip();
            json!({"tokens": tokens, "tags": tags})
        }
        Prediction::OneText => Value::Null,
    }
}

fn predictions_jsonl(
    out: &mut impl Write,
    texts: &[&str],
    tasks: &[HeadSpec],
    answers: &[Vec<Prediction>],
) -> io::Result<()> {
    for (row, text) in texts.iter().enumerate() {
        let of_tasks = tasks
            .iter()
            .zip(answers)
            .filter_map(|(task, answers)| Some((task.task.clone(), answer_json(answers.get(row)?))));
        let line = json!({"text": text, "tasks": Value::Object(of_tasks.collect())});
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded(format: EmbeddingFormat, texts: &[&str], embeddings: &Embeddings) -> Vec<u8> {
        let mut writer =
            EmbeddingWriter::begin(Vec::new(), format, Cells::AsTheyAre, embeddings.rows(), embeddings.dim)
                .unwrap();
        // A row at a time, as the smallest of blocks.
        for (row, text) in texts.iter().enumerate() {
            let one = Embeddings { values: embeddings.row(row).to_vec(), dim: embeddings.dim };
            writer.block(&[text], &one).unwrap();
        }
        writer.finish().unwrap()
    }

    fn predicted(
        format: PredictionFormat,
        texts: &[&str],
        tasks: &[HeadSpec],
        answers: &[Vec<Prediction>],
    ) -> String {
        let mut writer = PredictionWriter::begin(Vec::new(), format, Cells::AsTheyAre, tasks).unwrap();
        writer.block(texts, answers).unwrap();
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn an_array_file_is_what_numpy_writes() {
        let embeddings = Embeddings { values: vec![1.0, -2.5], dim: 2 };
        let bytes = embedded(EmbeddingFormat::Npy, &["x"], &embeddings);
        // numpy.save of numpy.array([[1.0, -2.5]], dtype="<f4")
        let mut wanted = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        wanted.extend(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }");
        wanted.resize(127, b' ');
        wanted.push(b'\n');
        wanted.extend([0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]);
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn a_tensor_file_is_what_safetensors_writes() {
        for (rows, dim) in [(0, 3), (1, 2), (37, 5)] {
            let embeddings = Embeddings { values: (0..rows * dim).map(|x| x as f32 / 7.0).collect(), dim };
            let texts = vec!["x"; rows];
            let bytes: Vec<u8> = embeddings.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let view = safetensors::tensor::TensorView::new(Dtype::F32, vec![rows, dim], &bytes).unwrap();
            let metadata = [("format".to_owned(), "pt".to_owned())].into();
            let wanted = safetensors::serialize([("embeddings", view)], Some(metadata)).unwrap();
            assert_eq!(embedded(EmbeddingFormat::Safetensors, &texts, &embeddings), wanted);
        }
    }

    #[test]
    fn predictions_name_the_first_of_the_most_probable_classes() {
        let tasks = [HeadSpec { task: "topic".into(), ..HeadSpec::default() }];
        let answer = |a, b| Prediction::OneOf(vec![("a".to_owned(), a), ("b".to_owned(), b)]);
        let answers = [vec![answer(0.5, 0.5), answer(0.25, 0.75)]];
        let texts = ["x", "y, z"];
        let wanted = "text,topic,topic_probability\nx,a,0.5\n\"y, z\",b,0.75\n";
        assert_eq!(predicted(PredictionFormat::Csv, &texts, &tasks, &answers), wanted);
        let lines = predicted(PredictionFormat::Jsonl, &texts, &tasks, &answers);
        let last: Value = serde_json::from_str(lines.lines().nth(1).unwrap()).unwrap();
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
            vec![Prediction::AnyOf(vec![("a".to_owned(), 0.75), ("b".to_owned(), 0.25)])],
            vec![Prediction::Number(3.5)],
            vec![Prediction::Cosine { cosine: 0.5, number: 2.5 }],
            vec![Prediction::Words(vec![
                ("Rome".to_owned(), "B-LOC".to_owned()),
                ("fell".to_owned(), "O".to_owned()),
            ])],
        ];
        let wanted = "text,themes,themes_probabilities,stars,alike,alike_cosine,ner\n\
                      Rome fell,a,a=0.75|b=0.25,3.5,2.5,0.5,B-LOC O\n";
        assert_eq!(predicted(PredictionFormat::Csv, &["Rome fell"], &tasks, &answers), wanted);
        let line = predicted(PredictionFormat::Jsonl, &["Rome fell"], &tasks, &answers);
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["tasks"]["themes"]["labels"], json!(["a"]));
        assert_eq!(line["tasks"]["stars"]["score"], 3.5);
        assert_eq!(line["tasks"]["ner"]["tags"], json!(["B-LOC", "O"]));
    }
}
