//! `embed`, `predict` and `similar`: a model folder, or a run's, applied to texts.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use serde_json::json;

use super::args::{DeviceArg, EmbedArgs, Precision, PredictArgs, SimilarArgs};
use super::console::{count, say, say_json, tell};
use super::figures::matrix_lines;
use super::writers::{self, Predictions};
use super::{hub, tables};
use crate::explore::similarity::cosine_matrix;
use crate::project::runs::RunFolder;
use crate::project::settings::Settings;
use crate::session::offline::Offline;
use crate::train::report::UNTRAINED;

/// What a run folder holds and no model folder does.
const RUN_PLAN: &str = "run.toml";

/// Opens a model folder, a run folder, or a model of the hub by its name.
pub(super) fn open(model: &Path, device: &DeviceArg) -> anyhow::Result<Offline> {
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
    let opened = if dir.join(RUN_PLAN).is_file() {
        if let Some(base) = base_of_run(dir) {
            hub::require(&base)?;
        }
        Offline::open_run(dir, &device)
    } else {
        Offline::open(dir, &device)
    };
    let opened = opened.map_err(|reason| anyhow!(reason))?;
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
fn tell_of_untrained(model: &Offline) {
    let untrained = model.untrained();
    if !untrained.is_empty() {
        tell(&format!("warning: {UNTRAINED}, so random: the heads of {}", untrained.join(", ")));
    }
}

/// Says how many texts were cut: what is behind the cut has no part in the result.
pub(super) fn tell_of_cut(model: &Offline) {
    let (length, cut) = model.truncated();
    if cut > 0 {
        let were = if cut == 1 { "was" } else { "were" };
        tell(&format!("warning: {} with more than {length} tokens {were} cut", count(cut, "text")));
    }
}

pub(super) fn embed(args: &EmbedArgs) -> anyhow::Result<()> {
    let column = tables::texts(&args.input)?;
    let all = tables::cells(&column);
    let rows = args.shard.map_or(0..all.len(), |shard| shard.range(all.len()));
    let texts = all.get(rows).unwrap_or_default();
    let mut model = open(&args.model, &args.device)?;
    if args.precision == Precision::Bfloat16 {
        model.reduce().map_err(|reason| anyhow!(reason))?;
    }
    if let Some(prompt) = &args.prompt {
        model.put_before(prompt).map_err(|reason| anyhow!(reason))?;
    }
    let mut progress = tables::row_progress("embedding", texts.len());
    let embedded = model.embed(texts, &mut |done| progress.advance(done));
    progress.finish();
    let mut embeddings = embedded.map_err(|reason| anyhow!(reason))?;
    embeddings.dim = model.dim(); // known also where a block has no row
    writers::write_embeddings(&args.output, texts, &embeddings)?;
    tell_of_cut(&model);
    tell(&format!(
        "{} of {} dimensions written to {}",
        count(embeddings.rows(), "embedding"),
        embeddings.dim,
        args.output.path.display()
    ));
    Ok(())
}

pub(super) fn predict(args: &PredictArgs) -> anyhow::Result<()> {
    let (column, partners) = tables::pairs(&args.input, args.second.as_deref())?;
    let texts = tables::cells(&column);
    let second = partners.as_ref().map(tables::cells);
    let mut model = open(&args.model, &args.device)?;
    let tasks = model.tasks();
    if tasks.is_empty() {
        bail!(
            "{} has no heads, so it predicts nothing: name a run or an exported model",
            args.model.display()
        );
    }
    tell_of_untrained(&model);
    if second.is_none() && tasks.iter().any(|task| task.kind.takes_pairs()) {
        tell(
            "warning: the file has no column of second texts, so tasks on pairs say nothing: name one with --second",
        );
    }
    let mut progress = tables::row_progress("predicting", texts.len());
    let predicted = model.predict(&texts, second.as_deref(), &mut |done| progress.advance(done));
    progress.finish();
    let answers = predicted.map_err(|reason| anyhow!(reason))?;
    let predictions = Predictions { texts: &texts, tasks: &tasks, answers: &answers };
    writers::write_predictions(&args.output, &predictions)?;
    tell_of_cut(&model);
    tell(&format!("{} written to {}", count(texts.len(), "row"), args.output.path.display()));
    Ok(())
}

pub(super) fn similar(args: &SimilarArgs) -> anyhow::Result<()> {
    let mut model = open(&args.model, &args.device)?;
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
