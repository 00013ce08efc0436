//! `embed`, `predict` and `similar`: a model folder, or a run's, applied to texts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use serde_json::json;

use super::args::{DeviceArg, EmbedArgs, InputArgs, Precision, PredictArgs, SimilarArgs, TrustArg};
use super::console::{count, say, say_json, tell};
use super::figures::matrix_lines;
use super::output::Output;
use super::tables::Texts;
use super::writers::{EmbeddingWriter, PredictionWriter};
use super::{hub, interrupt, outside, tables};
use crate::explore::similarity::cosine_matrix;
use crate::project::output_file::in_words;
use crate::project::runs::RunFolder;
use crate::project::settings::Settings;
use crate::session::predictor::{CHUNK, Predictor};
use crate::train::report::UNTRAINED;

/// What a run folder holds and no model folder does.
const RUN_PLAN: &str = "run.toml";

/// Opens a model folder, a run folder, or a model of the hub by its name.
pub(super) fn open(model: &Path, device: &DeviceArg, trust: TrustArg) -> anyhow::Result<Predictor> {
    let dir = &hub::folder_of(model)?;
    if !dir.is_dir() {
        bail!(
            "{} is not there, or is no folder: name a model folder, a run folder, or a model on the hub as ORG/NAME",
            dir.display()
        );
    }
    let device = match &device.device {
        Some(device) => device.clone(),
        None => Settings::load().0.device.unwrap_or_else(|| "cpu".to_owned()),
    };
    let is_run = fs::symlink_metadata(dir.join(RUN_PLAN)).is_ok();
    if is_run {
        outside::require_of_run(dir, trust)?;
    }
    let opened = if is_run {
        if let Some(base) = base_of_run(dir) {
            hub::require(&base)?;
        }
        Predictor::open_run(dir, &device)
    } else {
        Predictor::open(dir, &device)
    };
    let mut opened = opened.map_err(|reason| anyhow!(reason))?;
    opened.stop_by(interrupt::switch());
    if let Some(library) = opened.cuda_library() {
        tell(&format!("CUDA part of libtorch: {library}"));
    }
    if opened.lacks_its_prompt() {
        tell(
            "warning: this model puts a prompt before every text and leaves it out of the pooling, which is not \
             supported: texts are taken as they are, so embeddings differ from those of sentence-transformers",
        );
    }
    Ok(opened)
}

/// The pretrained model of a run; what cannot be read of the run is told by whoever opens it.
fn base_of_run(dir: &Path) -> Option<PathBuf> {
    let name = dir.file_name()?.to_str()?;
    let run = RunFolder::open(dir.parent()?.parent()?, name).ok()?;
    Some(run.read_plan().ok()?.model_path)
}

/// Says which heads never trained: what they predict is random.
pub(super) fn tell_of_untrained(untrained: &[String]) {
    if !untrained.is_empty() {
        tell(&format!("warning: {UNTRAINED}, so random: the heads of {}", untrained.join(", ")));
    }
}

/// Says how many texts were cut: what is behind the cut has no part in the result.
pub(super) fn tell_of_cut(model: &Predictor) {
    let (length, cut) = model.truncated();
    if cut > 0 {
        let were = if cut == 1 { "was" } else { "were" };
        tell(&format!("warning: {} with more than {length} tokens {were} cut", count(cut, "text")));
    }
}

pub(super) fn embed(args: &EmbedArgs) -> anyhow::Result<()> {
    let format = args.format()?;
    let output = Output::check(&args.output, args.force.force, &inputs(&args.input, &args.model))?;
    let texts = Texts::open(&args.input, None)?;
    let rows = args.shard.map_or(0..texts.rows(), |shard| shard.range(texts.rows()));
    let mut model = open(&args.model, &args.device, args.trust)?;
    output.spare(model.model_dir())?;
    if args.precision == Precision::Bfloat16 {
        model.reduce().map_err(|reason| anyhow!(reason))?;
    }
    if let Some(prompt) = &args.prompt {
        model.put_before(prompt).map_err(|reason| anyhow!(reason))?;
    }
    let (name, dim, wanted) = (output.name(), model.dim(), rows.len());
    let cannot = |error| cannot_write(&name, error);
    let mut writer =
        EmbeddingWriter::begin(output.create()?, format, args.cells.cells(), wanted, dim).map_err(cannot)?;
    let mut progress = tables::row_progress("embedding", wanted);
    let mut done = 0;
    let embedded = texts.each(rows, CHUNK, &mut |texts, _| {
        let embeddings = model.embed(texts, &mut |rows| progress.advance(done + rows));
        let embeddings = embeddings.map_err(|reason| interrupt::or_interrupted(anyhow!(reason)))?;
        done += texts.len();
        writer.block(texts, &embeddings).map_err(cannot)
    });
    progress.finish();
    embedded?;
    same_rows(&args.input, wanted, done)?;
    writer.finish().map_err(cannot)?.finish()?;
    tell_of_cut(&model);
    tell(&format!("{} of {dim} dimensions written to {name}", count(done, "embedding")));
    Ok(())
}

/// An output that cannot be written: of what the system reports, a user gets to read what to do.
fn cannot_write(name: &str, error: anyhow::Error) -> anyhow::Error {
    match error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()) {
        Some(reason) => anyhow!("cannot write {name}: {}", in_words(reason)),
        None => error.context(format!("cannot write {name}")),
    }
}

/// What a command reads: its output must not replace any of it.
fn inputs<'a>(input: &'a InputArgs, model: &'a Path) -> [&'a Path; 2] {
    [&input.path, model]
}

/// A header that promised other rows than there are would be a file that nobody can read.
fn same_rows(input: &InputArgs, wanted: usize, found: usize) -> anyhow::Result<()> {
    if wanted == found {
        return Ok(());
    }
    bail!("{} changed while it was read: try again when it is complete", input.path.display())
}

pub(super) fn predict(args: &PredictArgs) -> anyhow::Result<()> {
    let format = args.format()?;
    let output = Output::check(&args.output, args.force.force, &inputs(&args.input, &args.model))?;
    let texts = Texts::open(&args.input, args.second.as_deref())?;
    let mut model = open(&args.model, &args.device, args.trust)?;
    output.spare(model.model_dir())?;
    let tasks = model.tasks();
    if tasks.is_empty() {
        bail!(
            "{} has no heads, so it predicts nothing: name a run or an exported model",
            args.model.display()
        );
    }
    tell_of_untrained(model.untrained());
    if !texts.has_second() && tasks.iter().any(|task| task.kind.takes_pairs()) {
        tell(
            "warning: the file has no column of second texts, so tasks on pairs say nothing: name one with --second",
        );
    }
    let name = output.name();
    let cannot = |error| cannot_write(&name, error);
    let mut writer =
        PredictionWriter::begin(output.create()?, format, args.cells.cells(), &tasks).map_err(cannot)?;
    let mut progress = tables::row_progress("predicting", texts.rows());
    let mut done = 0;
    let predicted = texts.each(0..texts.rows(), CHUNK, &mut |texts, second| {
        let answers = model.predict(texts, second, &mut |rows| progress.advance(done + rows));
        let answers = answers.map_err(|reason| interrupt::or_interrupted(anyhow!(reason)))?;
        done += texts.len();
        writer.block(texts, &answers).map_err(cannot)
    });
    progress.finish();
    predicted?;
    same_rows(&args.input, texts.rows(), done)?;
    writer.finish().map_err(cannot)?.finish()?;
    tell_of_cut(&model);
    tell(&format!("{} written to {name}", count(done, "row")));
    Ok(())
}

pub(super) fn similar(args: &SimilarArgs) -> anyhow::Result<()> {
    let mut model = open(&args.model, &args.device, args.trust)?;
    if let Some(prompt) = &args.prompt {
        model.put_before(prompt).map_err(|reason| anyhow!(reason))?;
    }
    let texts: Vec<&str> = args.texts.iter().map(String::as_str).collect();
    let embeddings = model.embed(&texts, &mut |_| {}).map_err(|reason| anyhow!(reason))?;
    tell_of_cut(&model);
    let matrix = cosine_matrix(&embeddings);
    if args.json {
        say_json(&json!({"texts": texts, "cosine": matrix}))?;
    } else {
        for (index, text) in texts.iter().enumerate() {
            say(format!("[{}] {text}", index + 1))?;
        }
        matrix_lines(&matrix).iter().try_for_each(say)?;
    }
    Ok(())
}
