//! The model card: the `README.md` of an exported folder, for people and for model hubs.
//!
//! It is computed from the plan and the report of the run, and must never know a tensor.

use super::card_inputs::CardInputs;
use super::settings_text::settings_text;
use super::usage;
use crate::data::dataset::Split;
use crate::data::task::TaskKind;
use crate::format::literal::quoted;
use crate::format::markdown::{code, code_cell, inline, text};
use crate::format::numbers::thousands;
use crate::model::dense::DenseSpec;
use crate::model::summary::{Group, ModelSummary, Pooling};
use crate::train::metrics::{Probe, TaskMetrics, figures_of, format_figure, format_headline, keys, share};
use crate::train::plan::preset::Preset;
use crate::train::plan::settings::set_differently;
use crate::train::plan::{Phase, PlannedTask, RunPlan, Thaw};
use crate::train::report::{START_KEPT, UNTRAINED};

/// The hub's name of weights that are recognised by their SHA-256.
#[must_use]
pub fn known_base_model(sha256: &str) -> Option<&'static str> {
    match sha256 {
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db" => {
            Some("sentence-transformers/all-MiniLM-L6-v2")
        }
        _ => None,
    }
}

/// The card as Markdown with front matter.
///
/// Its Python examples name the heads' tensors as the plan does (`heads.TASK.weight`) and feed the heads the
/// pooled embedding before any normalisation, which is what they were trained on.
#[must_use]
pub fn model_card(inputs: &CardInputs<'_>) -> String {
    let mut parts = vec![front_matter(inputs), format!("# {}", text(inputs.title)), introduction(inputs)];
    parts.push("## Use".into());
    parts.push(usage::as_encoder(inputs));
    parts.push(usage::of_heads(inputs));
    parts.push("## Data".into());
    parts.push(data(inputs));
    parts.push("## Training".into());
    parts.push(training(inputs));
    parts.push("## Figures".into());
    parts.push(figures(inputs));
    parts.push("## Made with".into());
    parts.push(made_with(inputs));
    parts.join("\n\n") + "\n"
}

fn front_matter(inputs: &CardInputs<'_>) -> String {
    let mut lines = vec!["---".to_owned(), "library_name: sentence-transformers".into()];
    lines.push("pipeline_tag: sentence-similarity".into());
    lines.push("tags:".into());
    // No tag of a classifier: hubs offer `pipeline("text-classification")` for it, which would add a head of its own
    // with random weights.
    for tag in ["sentence-transformers", "sentence-similarity", "feature-extraction"] {
        lines.push(format!("- {tag}"));
    }
    lines.extend(inputs.base_model.map(|name| format!("base_model: {}", quoted(name))));
    lines.extend(inputs.license.map(|name| format!("license: {}", quoted(name))));
    lines.push("---".into());
    lines.join("\n")
}

/// True where a name of the hub can stand in an address as it is.
fn is_hub_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/')) && !name.is_empty()
}

fn introduction(inputs: &CardInputs<'_>) -> String {
    let CardInputs { model, plan, .. } = inputs;
    let base = match inputs.base_model {
        Some(name) if is_hub_name(name) => format!("[{}](https://huggingface.co/{name})", inline(name)),
        other => code(other.unwrap_or(&model.name)),
    };
    let heads = heads_in_words(&plan.tasks);
    let normalised = if model.normalize { ", scaled to length 1" } else { "" };
    format!(
        "A sentence encoder, made from {base}, {heads}. It maps a text of up to {length} tokens to {hidden} \
         numbers: {pooling}{normalised}.\n\n\
         | | |\n|---|---|\n\
         | Architecture | {kind}, {layers} layers, {parameters} parameters |\n\
         | Pretrained weights | SHA-256 {sha256} |\n\
         | Preset | {preset} |\n\
         | Run | {outcome} |{kept}",
        length = plan.recipe.max_length.min(model.max_positions),
        hidden = model.embedding(),
        pooling = pooled_from(model),
        kind = inline(&model.model_type),
        layers = model.applications,
        parameters = thousands(model.parameters()),
        sha256 = code_cell(&plan.model_sha256),
        preset = plan.recipe.title(),
        outcome = inline(&inputs.outcome.to_string()),
        kept = kept(inputs).map_or_else(String::new, |kept| format!("\n| Kept weights | {kept} |")),
    )
}

/// Which of the weights that the run had are these, where that is recorded.
fn kept(inputs: &CardInputs<'_>) -> Option<String> {
    let CardInputs { plan, report, .. } = inputs;
    let from = plan.parent.as_ref().map_or_else(
        || "the pretrained ones".to_owned(),
        |parent| format!("those that run {} kept", inline(&parent.run)),
    );
    Some(match report.kept_epoch {
        _ if plan.epochs() == 0 => from,
        Some(0) => format!("{START_KEPT}: {from}"),
        epoch => format!("those after epoch {}", epoch?),
    })
}

/// What the tasks added to the encoder, each by its kind.
fn heads_in_words(tasks: &[PlannedTask]) -> String {
    const KINDS: [(TaskKind, &str); 4] = [
        (TaskKind::SingleLabel, "classification"),
        (TaskKind::MultiLabel, "multi-label classification"),
        (TaskKind::Score, "regression"),
        (TaskKind::TokenLabels, "token classification"),
    ];
    let heads: Vec<String> = KINDS
        .into_iter()
        .filter_map(|(kind, what)| match tasks.iter().filter(|task| task.kind == kind).count() {
            0 => None,
            1 => Some(format!("one {what} head")),
            count => Some(format!("{count} {what} heads")),
        })
        .collect();
    let share =
        if tasks.iter().filter(|task| task.kind.has_head()).count() > 1 { " that share it" } else { "" };
    let on_pairs = tasks.iter().any(|task| task.kind.takes_pairs());
    match (heads.split_last(), on_pairs) {
        (None, _) => "trained on pairs of texts, without a head".to_owned(),
        (Some((last, [])), false) => format!("with {last}{share}"),
        (Some((last, others)), false) => format!("with {} and {last}{share}", others.join(", ")),
        (Some(_), true) => format!("with {}{share}, and trained on pairs of texts", heads.join(", ")),
    }
}

fn pooled_from(model: &ModelSummary) -> String {
    let pooled = match model.pooling {
        Pooling::Mean => "the mean of its token states",
        Pooling::Cls => "the state of its first token",
        Pooling::Max => "the largest value of its token states in each dimension",
        Pooling::MeanSqrtLen => "the sum of its token states over the square root of their number",
        Pooling::WeightedMean => "the mean of its token states, later ones weighing more",
        Pooling::LastToken => "the state of its last token",
    };
    let dense: Vec<String> = model.dense.iter().map(DenseSpec::told).collect();
    if dense.is_empty() {
        pooled.to_owned()
    } else {
        format!("{pooled}, through Dense ({})", dense.join("; "))
    }
}

fn data(inputs: &CardInputs<'_>) -> String {
    let [train, valid, test] = inputs.rows.map(|rows| thousands(rows as u64));
    let mut lines = vec![
        format!("{train} rows to train on, {valid} to validate, {test} to test."),
        String::new(),
        "| Task | Kind | Classes | Labelled, train | Labelled, valid |".into(),
        "|---|---|--:|--:|--:|".into(),
    ];
    lines.extend(inputs.plan.tasks.iter().map(|task| {
        let counts = [task.labelled_train, task.labelled_valid];
        let [labelled_train, labelled_valid] = counts.map(|count| thousands(count as u64));
        let classes =
            if task.kind.has_classes() { thousands(task.classes.len() as u64) } else { "none".to_owned() };
        let (name, kind) = (inline(&task.name), task.kind.key());
        format!("| {name} | {kind} | {classes} | {labelled_train} | {labelled_valid} |")
    }));
    if inputs.report.truncated_rows > 0 {
        let (rows, length) = (thousands(inputs.report.truncated_rows as u64), inputs.plan.recipe.max_length);
        lines.push(String::new());
        lines.push(format!("Texts cut at {length} tokens: {rows}."));
    }
    for (split, tasks) in &inputs.report.metrics {
        for task in tasks {
            let Some(note) = task.unread_note() else { continue };
            lines.push(String::new());
            lines.push(format!("{}, {} rows: {note}", text(&task.task), split.name()));
        }
    }
    lines.join("\n")
}

fn training(inputs: &CardInputs<'_>) -> String {
    let CardInputs { plan, report, .. } = inputs;
    let mut parts = Vec::new();
    if plan.recipe.preset == Preset::FreezeAll {
        parts.push("Nothing was trained: the encoder is the pretrained one, measured as it is.".to_owned());
    } else {
        parts.push(settings_text(plan));
    }
    let tasks: Vec<&str> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
    let set = set_differently(&plan.recipe, &tasks);
    if !set.is_empty() {
        let mut table = vec!["| Set differently from the preset | Value |".to_owned(), "|---|---|".into()];
        table
            .extend(set.iter().map(|shown| format!("| {} | {} |", inline(&shown.key), inline(&shown.value))));
        parts.push(table.join("\n"));
    }
    let mut table = vec![
        "| Phase | Epochs | Embeddings | Layers | Heads | Parameters that train |".to_owned(),
        "|---|--:|---|---|---|--:|".into(),
    ];
    table.extend(plan.phases.iter().enumerate().map(|(index, phase)| {
        format!(
            "| {} | {} | {} | {} | {} | {} |",
            inline(&phase.name),
            phase.epochs,
            thaw(phase.embeddings),
            layers(phase),
            inline(&heads(plan, phase)),
            thousands(plan.trainable_parameters(index)),
        )
    }));
    parts.push(table.join("\n"));
    if !report.changes.is_empty() {
        parts.push(proof(inputs));
    }
    parts.extend(report.drifts.iter().map(|drift| {
        let kind = plan.kind_of(&drift.task);
        let head = if report.is_untrained(plan, &drift.task) { "untrained head" } else { "head" };
        format!(
            "The {head} of {} was frozen while the encoder below it moved: its validation {} was {} before, and is {} \
             after.",
            inline(&drift.task),
            kind.figure(),
            format_headline(kind, drift.before),
            format_headline(kind, drift.after)
        )
    }));
    parts.join("\n\n")
}

/// The comparison of the tensors' bytes before and after the run.
fn proof(inputs: &CardInputs<'_>) -> String {
    let changes = &inputs.report.changes;
    let count = |changed: bool, planned: bool| {
        changes.iter().filter(|change| change.changed == changed && change.planned == planned).count()
    };
    let (planned, unplanned, unmoved) = (count(true, true), count(true, false), count(false, true));
    let verdict = if unplanned == 0 && unmoved == 0 && inputs.report.keeps_the_start(inputs.plan) {
        ": the kept weights are those of the start.".to_owned()
    } else if unplanned == 0 && unmoved == 0 {
        ": exactly those that the plan meant to train.".to_owned()
    } else {
        format!(". Changed without being planned to: {unplanned}. Planned to change and the same: {unmoved}.")
    };
    format!("Compared byte by byte, {} of {} tensors changed{verdict}", planned + unplanned, changes.len())
}

fn thaw(thaw: Thaw) -> String {
    thaw.lr().map_or_else(|| "frozen".into(), rate)
}

/// Layers with one rate as a range: `0–3: frozen, 4: 8.5e-5, 5: 1e-4`.
fn layers(phase: &Phase) -> String {
    let mut ranges: Vec<(usize, usize, Thaw)> = Vec::new();
    for (index, layer) in phase.layers.iter().enumerate() {
        match ranges.last_mut() {
            Some((_, last, same)) if same == layer => *last = index,
            _ => ranges.push((index, index, *layer)),
        }
    }
    if let [(_, _, all)] = ranges[..] {
        return thaw(all);
    }
    let range = |(first, last, state): &(usize, usize, Thaw)| {
        let which = if first == last { first.to_string() } else { format!("{first}–{last}") };
        format!("{which}: {}", thaw(*state))
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(", ")
}

fn heads(plan: &RunPlan, phase: &Phase) -> String {
    // Tasks on pairs have no head that could train.
    let with_head = plan.tasks.iter().enumerate().filter(|(_, task)| task.kind.has_head());
    let states: Vec<(&str, Thaw)> =
        with_head.map(|(index, task)| (task.name.as_str(), phase.thaw(Group::Head(index)))).collect();
    match states.first() {
        None => "none".to_owned(),
        Some((_, first)) if states.iter().all(|(_, state)| state == first) => thaw(*first),
        _ => {
            let named = states.iter().map(|(task, state)| format!("{task}: {}", thaw(*state)));
            named.collect::<Vec<_>>().join(", ")
        }
    }
}

fn figures(inputs: &CardInputs<'_>) -> String {
    let measured: Vec<&(Split, Vec<TaskMetrics>)> =
        inputs.report.metrics.iter().filter(|(_, tasks)| tasks.iter().any(|task| task.rows > 0)).collect();
    let mut parts = Vec::new();
    if !measured.is_empty() {
        let is_untrained = |task: &TaskMetrics| inputs.report.is_untrained(inputs.plan, &task.task);
        parts.extend(tables(&measured, &|task| !is_untrained(task)));
        let untrained = tables(&measured, &is_untrained);
        if !untrained.is_empty() {
            let text = format!(
                "Heads that are {UNTRAINED}: their weights are random, and their figures those of guessing."
            );
            parts.push(text);
            parts.extend(untrained);
        }
        parts.push(figures_note(inputs));
    }
    if !inputs.report.probes.is_empty() {
        let mut table = vec![
            "| Probe of the embeddings | Rows | Nearest centroid | Nearest neighbours | Commonest class |"
                .to_owned(),
            "|---|--:|--:|--:|--:|".into(),
        ];
        table.extend(inputs.report.probes.iter().map(probe_row));
        // Where nothing trained, this is the result.
        let place = if inputs.plan.epochs() == 0 { 0 } else { parts.len() };
        parts.insert(place, table.join("\n"));
    }
    if parts.is_empty() {
        parts.push("No labelled validation or test rows: nothing was measured.".into());
    }
    parts.join("\n\n")
}

/// A table per kind of those tasks that are asked for.
fn tables(measured: &[&(Split, Vec<TaskMetrics>)], wanted: &dyn Fn(&TaskMetrics) -> bool) -> Vec<String> {
    let of_kind = |kind: TaskKind| {
        let tasks = measured.iter().flat_map(|(split, tasks)| tasks.iter().map(|task| (*split, task)));
        let rows: Vec<String> = tasks
            .filter(|(_, task)| task.rows > 0 && task.kind == kind && wanted(task))
            .map(|(split, task)| figures_row(split, task))
            .collect();
        let names = figures_of(kind).iter().map(|figure| capital(figure.title));
        let header = ["Split", "Task", "Rows", "Loss"].map(str::to_owned).into_iter().chain(names);
        let header = format!("| {} |", header.collect::<Vec<_>>().join(" | "));
        let ruler = format!("|---|---|{}", "--:|".repeat(figures_of(kind).len() + 2));
        (!rows.is_empty()).then(|| [vec![header, ruler], rows].concat().join("\n"))
    };
    TaskKind::ALL.into_iter().filter_map(of_kind).collect()
}

/// What figures mean that do not say it themselves.
const GLOSSARY: [(&str, &str); 8] = [
    ("macro-f1", "Macro F1 is the mean over the classes that occur"),
    ("mcc", "MCC is Matthews' correlation coefficient"),
    ("ece", "ECE is the expected calibration error in 15 bins"),
    ("hamming-loss", "Hamming loss is the share of wrong decisions about single classes"),
    ("spearman", "Spearman and Pearson are correlations of prediction and label"),
    ("rmse", "MSE, MAE and RMSE are in the unit of the labels, MSE in its square"),
    ("span-f1", "span figures count whole entities, as seqeval does"),
    ("mrr", "MRR@10 is the mean of 1 / rank of the right partner among all second texts, 0 beyond the tenth"),
];

fn figures_note(inputs: &CardInputs<'_>) -> String {
    let chosen = inputs.report.kept_epoch != Some(0)
        && inputs.plan.epochs() > 0
        && inputs.plan.tasks.iter().any(|task| task.labelled_valid > 0);
    let weights =
        if chosen { "The weights are those of the best epoch on the validation rows. " } else { "" };
    let measured = inputs.report.metrics.iter().flat_map(|(_, tasks)| tasks).filter(|task| task.rows > 0);
    let shown: Vec<&str> = measured.flat_map(|task| keys(task.kind)).collect();
    let words: Vec<&str> =
        GLOSSARY.iter().filter(|(key, _)| shown.contains(key)).map(|(_, words)| *words).collect();
    let words = words.join("; ");
    if words.is_empty() { weights.trim_end().to_owned() } else { format!("{weights}{words}.") }
}

fn figures_row(split: Split, task: &TaskMetrics) -> String {
    let numbers = task.named().into_iter().map(|(key, value)| format_figure(key, value));
    let cells = [split.name().to_owned(), inline(&task.task), thousands(task.rows as u64)];
    format!("| {} |", cells.into_iter().chain(numbers).collect::<Vec<_>>().join(" | "))
}

/// With a capital letter first.
fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn probe_row(probe: &Probe) -> String {
    format!(
        "| {} | {} | {} | {} (k = {}) | {} |",
        inline(&probe.task),
        thousands(probe.rows as u64),
        share(probe.nearest_centroid),
        share(probe.nearest_neighbours),
        probe.k,
        share(probe.majority),
    )
}

fn made_with(inputs: &CardInputs<'_>) -> String {
    let versions: Vec<String> =
        inputs.versions.iter().map(|(name, version)| format!("{} {}", text(name), inline(version))).collect();
    format!(
        "{}. Run {} on {}, seed {}, {:.0} seconds.",
        versions.join(", "),
        code(&inputs.plan.name),
        code(&inputs.plan.device),
        inputs.plan.recipe.seed,
        inputs.report.seconds,
    )
}

/// A rate with at most three digits: `1e-4`, `8.5e-5`.
fn rate(lr: f64) -> String {
    let text = format!("{lr:.2e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => {
            format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (22_713_216, "22,713,216")] {
            assert_eq!(thousands(number), text);
        }
        for (lr, text) in [(1e-4, "1e-4"), (8.499_999_999e-5, "8.5e-5"), (0.001_234, "1.23e-3"), (1.0, "1e0")]
        {
            assert_eq!(rate(lr), text);
        }
    }
}
