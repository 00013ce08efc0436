//! Where results go: a file that is whole or not there, or stdout as they come; and in which format.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::args::{Args, EmbedArgs, PredictArgs};
use super::console::data_out;
use super::output_format::{EmbeddingFormat, PredictionFormat};
use crate::project::output_file::{OutputError, OutputFile, OutputPlace};

/// The output that means stdout.
const STDOUT: &str = "-";

impl EmbedArgs {
    /// The format of the output.
    ///
    /// # Errors
    /// A wrong command line.
    pub(super) fn format(&self) -> Result<EmbeddingFormat, clap::Error> {
        let format = output_format(self.output_format, &self.output, EmbeddingFormat::Csv)?;
        if self.cells.for_spreadsheet && format != EmbeddingFormat::Csv {
            return Err(only_of_csv());
        }
        if self.output == Path::new(STDOUT)
            && !matches!(format, EmbeddingFormat::Csv | EmbeddingFormat::Jsonl)
        {
            let reason =
                "stdout takes csv and jsonl, which can be read as they come; the other formats need a file";
            return Err(Args::command().error(ErrorKind::ArgumentConflict, reason));
        }
        Ok(format)
    }
}

impl PredictArgs {
    /// The format of the output.
    ///
    /// # Errors
    /// A wrong command line.
    pub(super) fn format(&self) -> Result<PredictionFormat, clap::Error> {
        let format = output_format(self.output_format, &self.output, PredictionFormat::Csv)?;
        if self.cells.for_spreadsheet && format != PredictionFormat::Csv {
            return Err(only_of_csv());
        }
        Ok(format)
    }
}

fn only_of_csv() -> clap::Error {
    let reason = "--for-spreadsheet is about the cells of csv; the other formats are not opened by spreadsheets as formulas";
    Args::command().error(ErrorKind::ArgumentConflict, reason)
}

/// As asked for, or by the ending of the name.
fn output_format<F: clap::ValueEnum>(
    asked: Option<F>,
    output: &Path,
    on_stdout: F,
) -> Result<F, clap::Error> {
    if let Some(format) = asked {
        return Ok(format);
    }
    if output == Path::new(STDOUT) {
        return Ok(on_stdout);
    }
    let ending = output.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    F::from_str(ending, true).ok().ok_or_else(|| {
        let known: Vec<String> = F::value_variants()
            .iter()
            .filter_map(clap::ValueEnum::to_possible_value)
            .map(|value| format!(".{}", value.get_name()))
            .collect();
        let reason = format!(
            "invalid value '{}' for '--output <OUT>': the name must end in {}, or --output-format must name the format",
            output.display(),
            known.join(", ")
        );
        Args::command().error(ErrorKind::ValueValidation, reason)
    })
}

/// A place for results that was found to be free.
pub(super) struct Output {
    path: PathBuf,
    /// `None`: stdout.
    place: Option<OutputPlace>,
}

impl Output {
    /// Looks whether results may be written there, before any work is done; nothing is changed.
    ///
    /// # Errors
    /// When something is in the way.
    pub(super) fn check(path: &Path, force: bool, inputs: &[&Path]) -> Result<Self, OutputError> {
        let is_stdout = path == Path::new(STDOUT);
        let place = if is_stdout { None } else { Some(OutputPlace::check(path, force, inputs)?) };
        Ok(Self { path: path.to_owned(), place })
    }

    /// Refuses to replace a file of a folder that is read.
    ///
    /// # Errors
    /// When the results would.
    pub(super) fn spare(&self, input: &Path) -> Result<(), OutputError> {
        self.place.as_ref().map_or(Ok(()), |place| place.spare(input))
    }

    /// Its name in messages.
    pub(super) fn name(&self) -> String {
        if self.place.is_some() { self.path.display().to_string() } else { "stdout".to_owned() }
    }

    /// Begins to write.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn create(self) -> Result<Sink, OutputError> {
        Ok(match self.place {
            Some(place) => Sink::File(place.create()?),
            None => Sink::Stdout(BufWriter::new(data_out())),
        })
    }
}

/// What results are written to. A file that is not finished is removed.
pub(super) enum Sink {
    File(OutputFile),
    Stdout(BufWriter<Box<dyn Write + Send>>),
}

impl Sink {
    /// Nothing more comes.
    ///
    /// # Errors
    /// When the rest cannot be written, or the file cannot be put at its place.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::File(file) => Ok(file.finish()?),
            Self::Stdout(mut out) => Ok(out.flush()?),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(out) => out.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_names_the_format_unless_the_user_does() {
        let format = |asked, output: &str| output_format(asked, Path::new(output), EmbeddingFormat::Csv);
        assert_eq!(format(None, "a/b.NPY").unwrap(), EmbeddingFormat::Npy);
        assert_eq!(format(None, "-").unwrap(), EmbeddingFormat::Csv);
        assert_eq!(format(Some(EmbeddingFormat::Jsonl), "b.csv").unwrap(), EmbeddingFormat::Jsonl);
        let error = format(None, "out.xlsx").unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains(".safetensors"), "{error}");
        assert!(output_format(None, Path::new("a.npy"), PredictionFormat::Csv).is_err());
    }
}
