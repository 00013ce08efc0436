//! Embeddings as Parquet: a column of texts and a column of lists, in row groups of bounded size.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::writers::SendWrite;
use crate::explore::Embeddings;

/// The three-level list that the format's specification asks for; every list is there, and every value in it.
const SCHEMA: &str = "message embeddings {
  REQUIRED BYTE_ARRAY text (UTF8);
  REQUIRED GROUP embedding (LIST) { REPEATED GROUP list { REQUIRED FLOAT element; } }
}";

/// Values in a row group: 64 MiB of them, so that a reader need not hold a whole corpus.
const GROUP_VALUES: usize = 1 << 24;

pub(super) fn write(out: &mut dyn SendWrite, texts: &[&str], embeddings: &Embeddings) -> anyhow::Result<()> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    // Embeddings hardly repeat, so a dictionary of them would only cost.
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .build();
    let mut file = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
    let dim = embeddings.dim.max(1);
    let rows_per_group = (GROUP_VALUES / dim).max(1);
    for (texts, values) in texts.chunks(rows_per_group).zip(embeddings.values.chunks(rows_per_group * dim)) {
        write_group(file.next_row_group()?, texts, values, dim)?;
    }
    file.close()?;
    Ok(())
}

fn write_group<W: Write + Send>(
    mut group: SerializedRowGroupWriter<'_, W>,
    texts: &[&str],
    values: &[f32],
    dim: usize,
) -> anyhow::Result<()> {
    const MISSING: &str = "the schema has two columns";

    let cells: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(*text)).collect();
    let mut column = group.next_column()?.context(MISSING)?;
    column.typed::<ByteArrayType>().write_batch(&cells, None, None)?;
    column.close()?;

    // Definition level 1: the list has an element here. Repetition level 0: it is the first of a row.
    let defined = vec![1_i16; values.len()];
    let repeated: Vec<i16> = (0..values.len()).map(|index| i16::from(index % dim != 0)).collect();
    let mut column = group.next_column()?.context(MISSING)?;
    column.typed::<FloatType>().write_batch(values, Some(&defined), Some(&repeated))?;
    column.close()?;
    group.close()?;
    Ok(())
}
