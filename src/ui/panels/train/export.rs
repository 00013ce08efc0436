//! The curves as files: CSV of every epoch and step, SVG that a paper can take, PNG of what is in sight.

use std::fmt::Write as _;

use eframe::egui::{Color32, Ui};

use super::curves::Measure;
use crate::session::state::RunView;
use crate::train::metrics::{EpochPoint, Score, figure_key, training_key};
use crate::train::plan::timeline::last_epoch;
use crate::ui::actions::{Action, Actions};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::curves::{Point, nice_step};

/// Draws the buttons; true where a picture of the curves is wanted.
pub(super) fn export_ui(ui: &mut Ui, run: &RunView, actions: &mut Actions) -> bool {
    let name = |kind: &str| format!("{}-curves.{kind}", run.plan.name);
    let save =
        |kind: &str, text: String| Action::SaveFile { name: name(kind), bytes: text.into_bytes().into() };
    let picture =
        ui.button("PNG").on_hover_text("Saves the curves as a picture, as they are in sight").clicked();
    if ui.button("SVG").on_hover_text("Saves the curves as a drawing, for a paper or a page").clicked() {
        actions.send(save("svg", svg(run)));
    }
    if ui
        .button("CSV")
        .on_hover_text("Saves the losses and figures of every epoch and step as a table")
        .clicked()
    {
        actions.send(save("csv", csv(run)));
    }
    picture
}

/// A row for each task, split and epoch, and one for each task and step.
fn csv(run: &RunView) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = [
        "kind",
        "epoch",
        "step",
        "phase",
        "split",
        "task",
        "loss",
        "figure",
        "rows",
        "figure_name",
        "loss_name",
    ];
    // Writing to memory does not fail.
    drop(writer.write_record(head));
    let phase_name = |phase: usize| run.plan.phases.get(phase).map_or("", |phase| phase.name.as_str());
    let mut row = |kind: &str, epoch: String, step: usize, phase: &str, split: &str, scores: &[Score]| {
        let measured = run.plan.tasks.iter().enumerate().zip(scores).filter(|(_, score)| score.rows > 0);
        for ((index, task), score) in measured {
            let is_objective = split == "train" && !run.plan.loss_is_comparable(index);
            let loss_name = if is_objective { "training objective" } else { "loss" };
            let known = |number: f64| if number.is_nan() { String::new() } else { number.to_string() };
            let numbers = [known(score.loss), known(score.figure), score.rows.to_string()];
            let [loss, figure, rows] = &numbers;
            let name = if split == "train" { training_key(task.kind) } else { figure_key(task.kind) };
            drop(writer.write_record([
                kind,
                &epoch,
                &step.to_string(),
                phase,
                split,
                &task.name,
                loss,
                figure,
                rows,
                name,
                loss_name,
            ]));
        }
    };
    for epoch in &run.epochs {
        let phase = phase_name(epoch.phase);
        row("epoch", epoch.epoch.to_string(), epoch.step, phase, "train", &epoch.train);
        row("epoch", epoch.epoch.to_string(), epoch.step, phase, "valid", &epoch.valid);
    }
    let mut ends = run.epochs.iter().filter(|epoch| epoch.epoch > 0).peekable();
    for step in &run.steps {
        while ends.next_if(|epoch| epoch.step < step.step).is_some() {}
        let phase = phase_name(ends.peek().map_or(run.phase, |epoch| epoch.phase));
        row("step", step.epoch.to_string(), step.step, phase, "train", &step.tasks);
    }
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// A panel of the drawing.
const PANEL: (f64, f64) = (420.0, 260.0);
const MARGIN: (f64, f64) = (54.0, 40.0);

/// Loss and figure by epoch, side by side, on white.
fn svg(run: &RunView) -> String {
    let width = 2.0 * (PANEL.0 + MARGIN.0) + 20.0;
    let height = PANEL.1 + 2.0 * MARGIN.1 + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (index, measure) in Measure::BOTH.into_iter().enumerate() {
        panel(&mut svg, run, measure, (MARGIN.0 + index as f64 * (PANEL.0 + MARGIN.0), MARGIN.1));
    }
    for (index, task) in run.plan.tasks.iter().enumerate() {
        let (x, y) = (MARGIN.0 + 130.0 * index as f64, height - 16.0);
        let colour = hex(theme::LIGHT.task(index));
        // Writing to a string does not fail.
        _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"{}\" r=\"5\" fill=\"{colour}\"/>", y - 4.0);
        _ = writeln!(svg, "<text x=\"{}\" y=\"{y}\">{}</text>", x + 10.0, escaped(&task.name));
    }
    svg + "</svg>\n"
}

fn panel(svg: &mut String, run: &RunView, measure: Measure, (left, top): (f64, f64)) {
    let palette: &Palette = &theme::LIGHT;
    let curves: Vec<(usize, bool, Vec<Point>)> = (0..run.plan.tasks.len())
        .flat_map(|task| [false, true].map(|valid| (task, valid)))
        .filter(|(task, valid)| {
            let kind = run.plan.tasks.get(*task).map(|task| task.kind).unwrap_or_default();
            *valid || measure.draws_training(kind)
        })
        .map(|(task, valid)| (task, valid, points(&run.epochs, task, valid, measure)))
        .collect();
    let values = curves.iter().flat_map(|(.., points)| points.iter().map(|[_, y]| *y));
    let most = values.fold(if measure == Measure::Accuracy { 1.0 } else { 0.0 }, f64::max).max(1e-9);
    let last = last_epoch(&run.phase_spans()).max(1.0);
    let at = |[x, y]: Point| (left + x / last * PANEL.0, top + PANEL.1 * (1.0 - y / most));
    _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{}</text>",
        top - 12.0,
        escaped(&measure.title_for(run))
    );
    let step = nice_step(most);
    for line in 0..=(most / step).floor().min(20.0) as usize {
        let value = line as f64 * step;
        let (_, y) = at([0.0, value]);
        let (right, name) = (left + PANEL.0, format!("{value:.2}"));
        _ = writeln!(
            svg,
            "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#dde3ea\"/>"
        );
        _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
            left - 6.0,
            y + 4.0
        );
    }
    let every = nice_step(last).max(1.0);
    for tick in 0..=(last / every).floor() as usize {
        let epoch = tick as f64 * every;
        let (x, y) = at([epoch, 0.0]);
        _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{epoch}</text>", y + 18.0);
    }
    for (task, valid, points) in curves {
        let path: Vec<String> =
            points.iter().map(|point| at(*point)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (colour, dashes) =
            (hex(palette.task(task)), if valid { "" } else { " stroke-dasharray=\"6 4\"" });
        _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>",
            path.join(" ")
        );
    }
}

fn points(epochs: &[EpochPoint], task: usize, valid: bool, measure: Measure) -> Vec<Point> {
    let of = |epoch: &EpochPoint| {
        let scores = if valid { &epoch.valid } else { &epoch.train };
        let score = scores.get(task).filter(|score| score.rows > 0)?;
        let value = measure.of(score);
        value.is_finite().then(|| [f64::from(epoch.epoch), value])
    };
    epochs.iter().filter_map(of).collect()
}

fn hex(colour: Color32) -> String {
    let [r, g, b, _] = colour.to_array();
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
