//! Embeddings as Parquet: a column of texts and a column of lists, in row groups of bounded size.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::explore::Embeddings;

/// The three-level list that the format's specification asks for; every list is there, and every value in it.
const SCHEMA: &str = "message embeddings {
  REQUIRED BYTE_ARRAY text (UTF8);
  REQUIRED GROUP embedding (LIST) { REPEATED GROUP list { REQUIRED FLOAT element; } }
}";

/// Values in a row group: 16 MiB of them, which is what is held on writing and on reading.
const GROUP_VALUES: usize = 1 << 22;

/// Writes embeddings, a row group whenever one is full.
pub(super) struct ParquetWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    dim: usize,
    rows_per_group: usize,
    /// The group that is being collected.
    texts: Vec<ByteArray>,
    values: Vec<f32>,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn begin(out: W, dim: usize) -> anyhow::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        // Embeddings hardly repeat, so a dictionary of them would only cost.
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_dictionary_enabled(false)
            .build();
        let file = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
        let dim = dim.max(1);
        let rows_per_group = (GROUP_VALUES / dim).max(1);
        Ok(Self { file, dim, rows_per_group, texts: Vec::new(), values: Vec::new() })
    }

    pub(super) fn block(&mut self, texts: &[&str], embeddings: &Embeddings) -> anyhow::Result<()> {
        for (text, values) in texts.iter().zip(embeddings.values.chunks(self.dim)) {
            self.texts.push(ByteArray::from(*text));
            self.values.extend(values);
            if self.texts.len() == self.rows_per_group {
                self.write_group()?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> anyhow::Result<W> {
        if !self.texts.is_empty() {
            self.write_group()?;
        }
        Ok(self.file.into_inner()?)
    }

    fn write_group(&mut self) -> anyhow::Result<()> {
        const MISSING: &str = "the schema has two columns";

        let mut group = self.file.next_row_group()?;
        let mut column = group.next_column()?.context(MISSING)?;
        column.typed::<ByteArrayType>().write_batch(&self.texts, None, None)?;
        column.close()?;

        // Definition level 1: the list has an element here. Repetition level 0: it is the first of a row.
        let defined = vec![1_i16; self.values.len()];
        let repeated: Vec<i16> =
            (0..self.values.len()).map(|index| i16::from(index % self.dim != 0)).collect();
        let mut column = group.next_column()?.context(MISSING)?;
        column.typed::<FloatType>().write_batch(&self.values, Some(&defined), Some(&repeated))?;
        column.close()?;
        group.close()?;
        self.texts.clear();
        self.values.clear();
        Ok(())
    }
}
