//! Inputs to start from: small files of every format, a folder for each target.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use frostline::model::files::safetensors;
use parquet::basic::Compression as Codec;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tch::Tensor;

use crate::torch_file::{self, Saved};

type Written = Result<(), Box<dyn std::error::Error>>;

const TEXTS: [(&str, &[&str]); 10] = [
    (
        "delimited",
        &[
            "text,label\none,a\n\"two, \"\"quoted\"\"\nand on\",b\n",
            "text\tlabel\r\none\ta\r\ntwo\tb\r\n",
            "sep=;\ntext;label;\n'one';a;\ntwo;;\n",
            "one\ntwo\nthree\n",
            "text|label\n\"a \\\" b\"|1\n\n\"open|2\nlast|3",
        ],
    ),
    (
        "jsonl",
        &[
            "{\"text\":\"one\",\"label\":1}\n{\"text\":\"tw\\u00f6\",\"tags\":[\"a\",null],\"more\":{\"deep\":true}}\n",
            "{\"text\":\"\\ud83d\\ude00\"}\n\nnot json\n{\"a\":1e5,\"a\":2}",
        ],
    ),
    (
        "json",
        &[
            "[{\"text\":\"one\",\"label\":1},{\"text\":\"two\",\"label\":null}]",
            "{\"text\":{\"0\":\"one\",\"1\":\"two\"},\"label\":{\"0\":1,\"1\":2}}",
            "{\"text\":[\"one\",\"two\"],\"label\":[1,2]}",
            "{\"columns\":[\"text\",\"label\"],\"index\":[0],\"data\":[[\"one\",1]]}",
            "{\"train\":[{\"text\":\"one\"}],\"test\":[{\"text\":\"two\"}]}",
            "{\"data\":[{\"text\":\"one\",\"label\":\"a\"}],\"version\":1}",
            "{\"a\":{\"items\":[{\"text\":\"one\",\"spans\":[{\"start\":0,\"end\":3,\"label\":\"X\"}]}]}}",
            "[[\"one\",{\"entities\":[[0,3,\"X\"]]}]]",
            "{\"train\":[[\"one\",\"a\"]],\"val\":[[\"two\",\"b\"]]}",
        ],
    ),
    (
        "conll",
        &[
            "-DOCSTART- -X- O\n\nJohn NNP B-PER\nlives VBZ O\n\n# intent: book\nParis B-LOC\n",
            "1\tWords\tword\tNOUN\t_\t_\t0\troot\n2-3\tdon't\t_\t_\n2.1\tx\ty\tz\n\n",
            "# global.columns = ID FORM NE\n1\tAnn\tB-PER\n2\truns\tO\n\n",
            "#FORMAT=WebAnno TSV 3.2\n#T_SP=a.B|c\n\n#Text=Ann\n1-1\t0-3\tAnn\tPER[1]|X\\[\t\n",
        ],
    ),
    ("fasttext", &["__label__a __label__b one two\n__label__a three\nfour\n"]),
    (
        "any",
        &[
            "text,label\none,a\ntwo,b\n",
            "\u{feff}text;label\nS\u{f6}ne;a\n",
            "[{\"a\":1}]",
            "{\"a\":1}\n{\"a\":2}\n",
        ],
    ),
    (
        "card",
        &[
            "text,label,score,split\none two,a,0.5,train\none two,b,1,test\nthree,NA,-1,valid\n \0",
            "{\"tokens\":[\"a\",\"b\"],\"tags\":[\"B-X\",\"I-X\"]}\n{\"tokens\":[\"c\"],\"tags\":[\"O\"]}\n\u{1}",
            "sentence1,sentence2,score\na,b,1\nc,d,4.5\n\0",
            "{\"text\":\"one two\",\"label\":[[0,3,\"X\"],[4,9,\"Y\"]]}\n{\"text\":\"a\",\"label\":[]}\n\u{1}",
            "[{\"data\":{\"text\":\"a\"},\"annotations\":[{\"result\":[{\"value\":{\"choices\":[\"X\"]},\"from_name\":\"t\"}]}]}]",
            "text,toxic,rude\na,0,1\nb,1,0\nc,1,1\n\0",
        ],
    ),
    (
        "project",
        &[
            include_str!("../../../assets/demo/frostline.toml"),
            include_str!("../../../assets/smallest/frostline.toml"),
        ],
    ),
    (
        "run",
        &[
            concat!(include_str!("../../../tests/fixtures/project/v2/runs/branched-02/run.toml"), "\0"),
            concat!(
                include_str!("../../../tests/fixtures/project/v2/runs/branched-02/history.jsonl"),
                "\u{1}"
            ),
            concat!(include_str!("../../../tests/fixtures/project/v1/runs/gradual-01/report.json"), "\u{2}"),
        ],
    ),
    (
        "tokenizer",
        &[
            include_str!("../../../tests/fixtures/models/bert/tokenizer.json"),
            include_str!("../../../tests/fixtures/models/roberta/tokenizer.json"),
            include_str!("../../../tests/fixtures/models/xlm_roberta/tokenizer.json"),
            include_str!("../../../tests/fixtures/models/albert/tokenizer.json"),
            include_str!("../seeds/words.json"),
            include_str!("../seeds/unigram.json"),
            include_str!("../seeds/pairs.json"),
            include_str!("../seeds/pieces.json"),
        ],
    ),
];

/// Writes all of them.
pub(crate) fn write(folder: &Path) -> Written {
    for (target, texts) in TEXTS {
        for (index, text) in texts.iter().enumerate() {
            put(folder, target, &format!("text{index}"), text.as_bytes())?;
        }
    }
    let wide: Vec<u8> = "text,label\none,a\ntwo,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    put(folder, "any", "utf16", &wide)?;
    put(folder, "any", "utf16-marked", &[&b"\xff\xfe"[..], &wide].concat())?;
    put(folder, "any", "latin1", b"text,label\nS\xf6ne,a\nna\xefve \x93quotes\x94,b\n")?;
    put(folder, "any", "gzip", &gzip(b"text,label\none,a\ntwo,b\n")?)?;
    for (name, codec) in [("plain", Codec::UNCOMPRESSED), ("snappy", Codec::SNAPPY)] {
        let file = parquet(codec)?;
        put(folder, "parquet", name, &file)?;
        put(folder, "any", name, &file)?;
    }
    tensors(folder)
}

fn put(folder: &Path, target: &str, name: &str, bytes: &[u8]) -> Written {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), bytes)?)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, std::io::Error> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// A text, a class, a list and a score, in two row groups.
fn parquet(codec: Codec) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let schema = "message rows {
        required binary text (UTF8);
        optional int64 label;
        optional group tags (LIST) { repeated group list { optional int32 element; } }
        optional double score;
    }";
    let schema = Arc::new(parse_message_type(schema)?);
    let properties = Arc::new(WriterProperties::builder().set_compression(codec).build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties)?;
    for _ in 0..2 {
        let mut group = writer.next_row_group()?;
        let mut column = 0;
        while let Some(mut to) = group.next_column()? {
            match column {
                0 => to.typed::<ByteArrayType>().write_batch(
                    &["one", "two"].map(ByteArray::from),
                    None,
                    None,
                )?,
                1 => to.typed::<Int64Type>().write_batch(&[1], Some(&[1, 0]), None)?,
                2 => {
                    to.typed::<Int32Type>().write_batch(&[0, 2], Some(&[3, 2, 3, 0]), Some(&[0, 1, 1, 0]))?
                }
                _ => to.typed::<DoubleType>().write_batch(&[1.5], Some(&[0, 1]), None)?,
            };
            to.close()?;
            column += 1;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(bytes)
}

/// Two small tensors, as both kinds of file hold them.
fn tensors(folder: &Path) -> Written {
    let (weight, bias) =
        (Tensor::f_from_slice(&[1_f32, 2.0, 3.0, 4.0])?.f_reshape([2, 2])?, Tensor::f_from_slice(&[5_f32])?);
    fs::create_dir_all(folder.join("safetensors"))?;
    fs::create_dir_all(folder.join("torch"))?;
    let path = folder.join("safetensors/plain");
    safetensors::write(&path, &[("a.weight".to_owned(), &weight), ("a.bias".to_owned(), &bias)])?;
    let path = folder.join("torch/plain");
    torch_file::write(&path, &[Saved::new("a.weight", &weight), Saved::new("a.bias", &bias)]);
    // So that a disk that is full is told of.
    Ok(File::open(path)?.sync_all()?)
}
