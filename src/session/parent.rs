//! The run that another one starts from: whether its weights fit the model, and what of them is taken.

use std::path::Path;

use crate::files::regular_file;
use crate::model::files::safetensors::file_sha256;
use crate::model::heads::HeadSpec;
use crate::model::summary::Group;
use crate::project::model_ref::model_name;
use crate::project::runs::RunFolder;
use crate::text::encoder_dir::encoder_dir;
use crate::train::plan::{Parent, RunPlan};
use crate::train::report::{RunReport, UNTRAINED};
use crate::train::run::checkpoint::best_path;

/// Digits of a SHA-256 that tell two models apart for a reader.
const DIGITS: usize = 12;

/// A run as the beginning of the run of `plan`: its name, what its kept weights are, and which heads are not taken.
///
/// # Errors
/// When it kept no weights, was trained from another pretrained model, or its tensors are not the plan's.
pub(super) fn parent_of(plan: &RunPlan, project_dir: &Path, run: &str) -> Result<Parent, String> {
    let folder = RunFolder::open(project_dir, run).map_err(|error| error.to_string())?;
    let best = best_path(&folder.checkpoint_dir());
    if !best.is_file() {
        return Err(format!("Run {run} kept no weights: it ended before its first epoch did."));
    }
    let other = folder.read_plan().map_err(|error| error.to_string())?;
    same_model(plan, &other)?;
    same_tensors(plan, &other)?;
    let report = folder.read_report().map_err(|error| error.to_string())?.unwrap_or_default();
    let sha256 = file_sha256(&best).map_err(|error| error.to_string())?;
    Ok(Parent { run: run.to_owned(), sha256, fresh: Some(fresh_heads(plan, &other, &report)) })
}

/// Refuses weights over another pretrained model: of the same shapes they would load, and do not fit.
fn same_model(plan: &RunPlan, other: &RunPlan) -> Result<(), String> {
    let (ours, theirs) = (model_name(&plan.model_path), model_name(&other.model_path));
    let advice = format!(
        "choose that model on the Model page, or train {ours} from its own weights, without starting from run {}",
        other.name
    );
    if plan.model_sha256 != other.model_sha256 {
        let digits = |sha256: &str| sha256.chars().take(DIGITS).collect::<String>();
        return Err(format!(
            "Run {} was trained from another pretrained model, {theirs} (SHA-256 {}), and the project's is {ours} (SHA-256 \
             {}): its weights do not fit that model. To start from it, {advice}.",
            other.name,
            digits(&other.model_sha256),
            digits(&plan.model_sha256),
        ));
    }
    let known = plan.tokenizer_sha256.is_some() && other.tokenizer_sha256.is_some();
    let differ = if known {
        plan.other_tokenizer(other.tokenizer_sha256.as_deref())
    } else {
        tokenizers_differ(&plan.model_path, &other.model_path)
    };
    if differ {
        let advice = if plan.model_path == other.model_path {
            format!(
                "put the earlier tokenizer back into {ours}, or train {ours} from its own weights, without starting from \
                 run {}",
                other.name
            )
        } else {
            advice
        };
        return Err(format!(
            "Run {} was trained with another tokenizer than the one of {ours} (its model is {theirs}), so its token \
             embeddings do not fit. To start from it, {advice}.",
            other.name
        ));
    }
    Ok(())
}

/// Whether two model folders hold the same kind of tokenizer file with other bytes: for plans of releases that did not
/// record the tokenizer.
fn tokenizers_differ(a: &Path, b: &Path) -> bool {
    let (a, b) = (encoder_dir(a), encoder_dir(b));
    if a == b {
        return false;
    }
    let files = [
        "tokenizer.json",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
        "sentencepiece.bpe.model",
        "spiece.model",
    ];
    // One is enough: where there is a tokenizer.json, nothing else is read.
    let both = files.iter().find_map(|file| {
        let read = |dir: &Path| regular_file::read(&dir.join(file)).ok();
        Some((read(&a)?, read(&b)?))
    });
    both.is_some_and(|(a, b)| a != b)
}

/// Refuses a run that lacks a tensor of the encoder, or has it in another shape.
fn same_tensors(plan: &RunPlan, other: &RunPlan) -> Result<(), String> {
    for tensor in plan.tensors.iter().filter(|tensor| tensor.outlives_a_run()) {
        if matches!(tensor.group, Group::Head(_)) {
            continue;
        }
        let theirs = other.tensors.iter().find(|known| known.name == tensor.name);
        let found = match theirs {
            Some(theirs) if theirs.shape == tensor.shape => continue,
            Some(theirs) => format!("has it as {:?}", theirs.shape),
            None => "has no such tensor".to_owned(),
        };
        return Err(format!(
            "The weights of run {} do not fit {}: the model's tensor {} is of shape {:?}, and the run {found}.",
            other.name,
            model_name(&plan.model_path),
            tensor.name,
            tensor.shape
        ));
    }
    Ok(())
}

/// Tasks whose heads the run does not take, and why.
fn fresh_heads(plan: &RunPlan, other: &RunPlan, report: &RunReport) -> Vec<(String, String)> {
    let theirs = other.head_specs();
    let fresh = |spec: &HeadSpec| {
        let reason = match theirs.iter().find(|known| known.task == spec.task) {
            None => "a new task".to_owned(),
            Some(known) => match difference(spec, known) {
                Some(reason) => reason,
                None if report.is_untrained(other, &spec.task) => format!("{UNTRAINED} in {}", other.name),
                None => return None,
            },
        };
        Some((spec.task.clone(), reason))
    };
    plan.head_specs().iter().filter(|spec| spec.kind.has_head()).filter_map(fresh).collect()
}

/// Why a head cannot stand for another one of the same task.
fn difference(ours: &HeadSpec, theirs: &HeadSpec) -> Option<String> {
    if ours.kind != theirs.kind {
        return Some(format!("its kind was {}", theirs.kind.key()));
    }
    if ours.classes != theirs.classes {
        // A row of the head is a class by its place: in another place it would be another class.
        let mut sorted = [ours.classes.clone(), theirs.classes.clone()];
        for classes in &mut sorted {
            classes.sort();
        }
        let [a, b] = &sorted;
        let reason = if a == b { "its classes are in another order" } else { "its classes differ" };
        return Some(reason.to_owned());
    }
    if ours.hidden_units != theirs.hidden_units {
        return Some("its hidden layer has another size".to_owned());
    }
    (ours.scale != theirs.scale).then(|| "its scale differs".to_owned())
}

/// `the kept weights of first: 107 of 109 tensors loaded; fresh heads: mood (a new task)`.
pub(crate) fn inherited_in_words(plan: &RunPlan) -> Option<String> {
    let parent = plan.parent.as_ref()?;
    let loaded = plan.inherited().map(|(loaded, all)| format!(": {loaded} of {all} tensors loaded"));
    let fresh: Vec<String> =
        parent.fresh.iter().flatten().map(|(task, reason)| format!("{task} ({reason})")).collect();
    let fresh = if fresh.is_empty() {
        String::new()
    } else {
        format!("; heads that start fresh: {}", fresh.join(", "))
    };
    Some(format!("the kept weights of {}{}{fresh}", parent.run, loaded.unwrap_or_default()))
}

impl super::state::RunView {
    /// The last epoch of a run that early stopping ended, and its patience.
    #[must_use]
    pub fn ended_early(&self) -> Option<(u32, u32)> {
        let finished = self.outcome == Some(super::state::RunOutcome::Finished);
        crate::train::plan::timeline::ended_early(&self.plan, &self.epochs).filter(|_| finished)
    }

    /// The same as a sentence.
    #[must_use]
    pub fn early_end(&self) -> Option<String> {
        let (epoch, patience) = self.ended_early()?;
        let epochs = if patience == 1 { "epoch" } else { "epochs" };
        Some(format!("ended early after epoch {epoch}: no improvement for {patience} {epochs}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::task::{Scale, TaskKind};

    #[test]
    fn a_head_is_taken_only_where_every_row_of_it_means_the_same() {
        let spec = |classes: &[&str]| HeadSpec {
            task: "topic".into(),
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
            ..HeadSpec::default()
        };
        let of = |theirs: HeadSpec| difference(&spec(&["a", "b"]), &theirs).unwrap_or_default();
        assert_eq!(of(spec(&["a", "b"])), "");
        assert_eq!(of(spec(&["b", "a"])), "its classes are in another order");
        assert_eq!(of(spec(&["a", "c"])), "its classes differ");
        assert_eq!(
            of(HeadSpec { hidden_units: Some(3), ..spec(&["a", "b"]) }),
            "its hidden layer has another size"
        );
        let other = Scale { offset: 1.0, factor: 2.0 };
        assert_eq!(of(HeadSpec { scale: other, ..spec(&["a", "b"]) }), "its scale differs");
        assert_eq!(
            of(HeadSpec { kind: TaskKind::MultiLabel, ..spec(&["a", "b"]) }),
            "its kind was multi-label"
        );
    }
}
