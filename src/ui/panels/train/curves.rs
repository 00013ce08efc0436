//! Loss and accuracy against epochs: per task, on training and on validation rows, side by side on one axis.

use std::path::PathBuf;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use eframe::egui::{
    self, Color32, Id, Response, RichText, Role, Shape, Slider, Stroke, TextStyle, Ui, Vec2b, WidgetInfo,
    vec2,
};
use egui_plot::{GridMark, Line, LineStyle, Plot, PlotTransform, PlotUi, Points};

use super::annotations::marks_ui;
use super::overlay::overlay;
use crate::data::task::TaskKind;
use crate::session::state::{ComparedRun, RunView};
use crate::train::metrics::{EpochPoint, Score, format_figure, format_headline, training_is_comparable};
use crate::train::plan::timeline::last_epoch;
use crate::ui::panels::layout::columns;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::curves::{Point, Smoother, decimate, nice_step};
use crate::ui::widgets::numbers::counted;

/// A kind of curve, drawn for every task; the sum for all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The sum of the tasks' losses, which is what training descends.
    Sum,
    Valid,
    Train,
    Steps,
}

/// What the curves remember between frames.
#[derive(Debug)]
pub(super) struct CurvesView {
    /// Tasks that are not drawn.
    hidden: BTreeSet<String>,
    hidden_kinds: BTreeSet<Kind>,
    smoothing: f64,
    /// Epoch under the pointer, of whichever plot it is over.
    pub(super) cursor: Option<f64>,
    cache: StepCurves,
}

impl Default for CurvesView {
    fn default() -> Self {
        Self {
            hidden: BTreeSet::new(),
            hidden_kinds: BTreeSet::new(),
            smoothing: 0.9,
            cursor: None,
            cache: StepCurves::default(),
        }
    }
}

impl CurvesView {
    fn shows(&self, kind: Kind) -> bool {
        !self.hidden_kinds.contains(&kind)
    }

    fn shows_task(&self, task: &str) -> bool {
        !self.hidden.contains(task)
    }

    /// Whether the validation curve of a task is drawn.
    pub(super) fn shows_valid(&self, task: &str) -> bool {
        self.shows(Kind::Valid) && self.shows_task(task)
    }
}

/// The smoothed curve of every step, per measure and task; fed with news only.
#[derive(Debug, Default)]
struct StepCurves {
    run: PathBuf,
    strength: f64,
    steps: usize,
    curves: [Vec<StepCurve>; 2],
}

/// A smoothed curve, and what is drawn of it for as long as nothing changes.
#[derive(Clone, Debug)]
struct StepCurve {
    smoothed: Smoother,
    drawn: Vec<Point>,
    drawn_for: (usize, RangeInclusive<f64>, usize),
}

impl StepCurve {
    fn new(strength: f64) -> Self {
        Self { smoothed: Smoother::new(strength), drawn: Vec::new(), drawn_for: (0, 0.0..=0.0, 0) }
    }

    fn draw(&mut self, x_range: &RangeInclusive<f64>, pixels: usize) -> &[Point] {
        let points = self.smoothed.points();
        let wanted = (points.len(), x_range.clone(), pixels);
        if self.drawn_for != wanted {
            self.drawn = decimate(points, x_range, pixels);
            self.drawn_for = wanted;
        }
        &self.drawn
    }
}

impl StepCurves {
    fn update(&mut self, run: &RunView, strength: f64) {
        let same = self.run == run.dir && self.strength == strength && self.steps <= run.steps.len();
        if !same {
            let curves = || vec![StepCurve::new(strength); run.plan.tasks.len()];
            *self = Self { run: run.dir.clone(), strength, steps: 0, curves: [curves(), curves()] };
        }
        for step in run.steps.iter().skip(self.steps) {
            for (measure, curves) in Measure::BOTH.into_iter().zip(&mut self.curves) {
                for ((curve, score), task) in curves.iter_mut().zip(&step.tasks).zip(&run.plan.tasks) {
                    if score.rows > 0 && measure.draws_training(task.kind) {
                        curve.smoothed.push([step.epoch, measure.of(score)]);
                    }
                }
            }
        }
        self.steps = run.steps.len();
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Measure {
    Loss,
    Accuracy,
}

impl Measure {
    pub(super) const BOTH: [Self; 2] = [Self::Loss, Self::Accuracy];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Loss => "Loss",
            Self::Accuracy => "Accuracy",
        }
    }

    /// What stands above the plot of a run: the name of the figure where all tasks have the same one.
    pub(super) fn title_for(self, run: &RunView) -> String {
        let names: BTreeSet<&str> = run.plan.tasks.iter().map(|task| task.kind.figure()).collect();
        match (self, names.first(), names.len()) {
            (Self::Loss, ..) | (_, Some(&"accuracy"), 1) | (_, None, _) => self.title().to_owned(),
            (_, Some(name), 1) => {
                let mut chars = name.chars();
                chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
            }
            _ => "Headline figures".to_owned(),
        }
    }

    /// Whether what training rows show of a kind of task stands on one axis with what validation rows show.
    pub(super) fn draws_training(self, kind: TaskKind) -> bool {
        self == Self::Loss || training_is_comparable(kind)
    }

    pub(super) const fn of(self, score: &Score) -> f64 {
        match self {
            Self::Loss => score.loss,
            Self::Accuracy => score.figure,
        }
    }
}

/// Draws legend and plots.
pub(super) fn curves_ui(ui: &mut Ui, run: &RunView, compared: &[ComparedRun], view: &mut CurvesView) {
    legend_ui(ui, run, view);
    view.cache.update(run, view.smoothing);
    let mut cursor = None;
    columns(ui, theme::SECTION_GAP, |[left, right]| {
        for (ui, measure) in [(left, Measure::Loss), (right, Measure::Accuracy)] {
            ui.horizontal(|ui| {
                ui.strong(measure.title_for(run));
                ui.label(RichText::new("by epoch").small().color(Palette::of(ui).muted));
            });
            let (response, transform) = plot_ui(ui, run, compared, view, measure);
            if let Some(at) = response.hover_pos() {
                let epoch = transform.value_from_position(at).x;
                cursor = Some(epoch);
                if let Some(point) = nearest_epoch(&run.epochs, epoch) {
                    response.on_hover_ui_at_pointer(|ui| values_ui(ui, run, view, measure, point));
                }
            }
        }
    });
    if view.cursor != cursor {
        view.cursor = cursor;
        ui.ctx().request_repaint(); // The other plot draws the cursor too.
    }
}

fn legend_ui(ui: &mut Ui, run: &RunView, view: &mut CurvesView) {
    let palette = Palette::of(ui);
    let muted = palette.muted;
    ui.horizontal_wrapped(|ui| {
        for (index, task) in run.plan.tasks.iter().enumerate() {
            let shown = view.shows_task(&task.name);
            if key_ui(ui, shown, &task.name, palette.task(index), KeyLook::Disc).clicked() {
                toggle(&mut view.hidden, task.name.clone());
            }
        }
        ui.separator();
        let training = training_hint(run);
        let objective = (0..run.plan.tasks.len()).all(|task| !run.plan.loss_is_comparable(task));
        let training_name = if objective { "training objective" } else { "training" };
        let kinds = [
            (Kind::Valid, "validation", KeyLook::Dots, "After every epoch, on rows that are not trained on"),
            (Kind::Train, training_name, KeyLook::Dashes, training.as_str()),
            (Kind::Steps, "training, step by step", KeyLook::Thin, "Of the rows of every step, smoothed"),
            (
                Kind::Sum,
                "sum of losses",
                KeyLook::Dashes,
                "What training descends: all tasks' losses added up",
            ),
        ];
        for (kind, name, look, hint) in kinds {
            if kind == Kind::Sum && run.plan.tasks.len() < 2 {
                continue;
            }
            if key_ui(ui, view.shows(kind), name, muted, look).on_hover_text(hint).clicked() {
                toggle(&mut view.hidden_kinds, kind);
            }
        }
        if view.shows(Kind::Steps) {
            // Of a known size, so that both go to the next line where they do not fit on this one.
            ui.allocate_ui(vec2(170.0, 24.0), |ui| {
                let label = ui.label(RichText::new("smoothing").small().color(muted));
                ui.spacing_mut().slider_width = 90.0;
                ui.add(Slider::new(&mut view.smoothing, 0.0..=0.99).show_value(false))
                    .labelled_by(label.id)
                    .on_hover_text(format!("Weight of the past: {:.2}", view.smoothing));
            });
        }
    });
}

/// What the dashed lines are: by the same definition as on validation rows, or what training descends.
fn training_hint(run: &RunView) -> String {
    let other = run.plan.tasks.iter().enumerate().filter(|(task, _)| !run.plan.loss_is_comparable(*task));
    let other: Vec<&str> = other.map(|(_, task)| task.name.as_str()).collect();
    let met = "Of the epoch's training rows as they are met, by the same definition as on validation rows";
    if other.is_empty() {
        return met.to_owned();
    }
    format!(
        "{met}, but for the loss of {}: that is the training objective, with class weights, label smoothing or the \
         pool of a batch, and does not compare with the validation loss. A ranking's figure within the batch is in \
         the table of epochs",
        other.join(", ")
    )
}

fn toggle<T: Ord>(set: &mut BTreeSet<T>, item: T) {
    if !set.remove(&item) {
        set.insert(item);
    }
}

#[derive(Clone, Copy)]
enum KeyLook {
    Disc,
    Dots,
    Dashes,
    Thin,
}

/// An entry of the legend: a sample of the line and its name; a click hides or shows it.
fn key_ui(ui: &mut Ui, shown: bool, name: &str, colour: Color32, look: KeyLook) -> Response {
    let palette = Palette::of(ui);
    let text = if shown { palette.text } else { palette.muted };
    let colour = if shown { colour } else { palette.line };
    let font = TextStyle::Body.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(name.to_owned(), font, text);
    let size = vec2(galley.size().x + 34.0, 24.0);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, shown, format!("show {name}")));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, 4.0, palette.raised);
    }
    let middle = rect.left_center() + vec2(14.0, 0.0);
    let (left, right) = (middle - vec2(9.0, 0.0), middle + vec2(9.0, 0.0));
    match look {
        KeyLook::Disc => drop(ui.painter().circle_filled(middle, 5.0, colour)),
        KeyLook::Dots => {
            ui.painter().line_segment([left, right], Stroke::new(2.0, colour));
            ui.painter().circle_filled(middle, 3.5, colour);
        }
        KeyLook::Dashes => {
            ui.painter().extend(Shape::dashed_line(&[left, right], Stroke::new(2.0, colour), 5.0, 3.0));
        }
        KeyLook::Thin => drop(ui.painter().line_segment([left, right], Stroke::new(1.0, colour))),
    }
    ui.painter().galley(rect.left_center() + vec2(28.0, -galley.size().y / 2.0), galley, text);
    response
}

fn plot_ui(
    ui: &mut Ui,
    run: &RunView,
    compared: &[ComparedRun],
    view: &mut CurvesView,
    measure: Measure,
) -> (Response, PlotTransform) {
    let palette = Palette::of(ui);
    let last = last_epoch(&run.phase_spans());
    let mut plot = Plot::new(("curves", measure.title()))
        .height(250.0)
        .include_x(0.0)
        .include_x(last)
        .include_y(0.0)
        .allow_scroll(false)
        .show_crosshair(false)
        .show_x(false)
        .show_y(false)
        .show_grid(Vec2b::new(false, true))
        .set_margin_fraction(vec2(0.02, 0.06))
        .link_axis(Id::unique(("epochs of", &run.plan.name)), Vec2b::new(true, false))
        .x_axis_formatter(
            |mark, _| if mark.value.fract() == 0.0 { format!("{}", mark.value) } else { String::new() },
        )
        .y_axis_formatter(|mark, _| format!("{:.*}", decimals(mark.step_size), mark.value))
        .y_grid_spacer(|input| round_grid(input.bounds))
        .grid_color(palette.line)
        .grid_fade(0.0)
        .y_axis_min_width(34.0)
        .label_formatter(|_| None);
    // Before the first measurement, too, the axis is one that the curves will fit in.
    if measure == Measure::Accuracy || run.epochs.is_empty() {
        plot = plot.include_y(1.0);
    }
    let shown = plot.show(ui, |plot| {
        let x_range = if plot.auto_bounds().x { 0.0..=last } else { plot.plot_bounds().range_x() };
        let pixels = plot.response().rect.width().max(1.0) as usize;
        if measure == Measure::Loss && view.shows(Kind::Sum) && run.plan.tasks.len() > 1 {
            let trained = run.epochs.iter().filter(|epoch| epoch.epoch > 0);
            let points = trained.map(|epoch| [f64::from(epoch.epoch), epoch.loss]);
            let points: Vec<Point> = points.filter(|[_, loss]| loss.is_finite()).collect();
            let line = Line::new("sum of losses", points).color(palette.muted).width(1.8);
            plot.line(line.style(LineStyle::Dashed { length: 6.0 }).allow_hover(false));
        }
        overlay(plot, run, compared, view, measure, palette);
        for (index, task) in run.plan.tasks.iter().enumerate() {
            if view.shows_task(&task.name) {
                task_curves(plot, run, view, (measure, index), palette.task(index), &x_range, pixels);
            }
        }
    });
    let response = shown.response;
    let so_far = counted(run.epochs.len().saturating_sub(1), "epoch", "epochs");
    let name = format!("{} per epoch, {so_far} so far", measure.title_for(run));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    marks_ui(ui, run, view, measure, &shown.transform);
    (response, shown.transform)
}

/// Lines at round numbers, all of one strength.
fn round_grid((lo, hi): (f64, f64)) -> Vec<GridMark> {
    let step = nice_step(hi - lo);
    let first = (lo / step).ceil();
    let count = ((hi / step).floor() - first).clamp(0.0, 50.0) as usize;
    (0..=count).map(|index| GridMark { value: (first + index as f64) * step, step_size: step }).collect()
}

fn decimals(step: f64) -> usize {
    (-step.log10().floor()).clamp(0.0, 6.0) as usize
}

fn task_curves(
    plot: &mut PlotUi<'_>,
    run: &RunView,
    view: &mut CurvesView,
    (measure, task): (Measure, usize),
    colour: Color32,
    x_range: &RangeInclusive<f64>,
    pixels: usize,
) {
    let name = |kind: &str| format!("{kind} {task}");
    if view.shows(Kind::Steps) {
        let curves = view.cache.curves.get_mut(usize::from(measure == Measure::Accuracy));
        if let Some(curve) = curves.and_then(|curves| curves.get_mut(task)) {
            let points = curve.draw(x_range, pixels).to_vec();
            let line = Line::new(name("steps"), points).color(colour.gamma_multiply(0.45)).width(1.0);
            plot.line(line.allow_hover(false));
        }
    }
    let of_epochs = |scores: fn(&EpochPoint) -> &Vec<Score>| -> Vec<Point> {
        let points = run.epochs.iter().filter_map(|epoch| {
            let score = scores(epoch).get(task).filter(|score| score.rows > 0)?;
            let value = Some(measure.of(score)).filter(|value| value.is_finite())?;
            Some([f64::from(epoch.epoch), value])
        });
        points.collect()
    };
    let kind = run.plan.tasks.get(task).map(|task| task.kind).unwrap_or_default();
    if view.shows(Kind::Train) && measure.draws_training(kind) {
        let line = Line::new(name("training"), of_epochs(|epoch| &epoch.train)).color(colour).width(1.8);
        plot.line(line.style(LineStyle::Dashed { length: 6.0 }).allow_hover(false));
    }
    if view.shows(Kind::Valid) {
        let points = of_epochs(|epoch| &epoch.valid);
        let dots = Points::new(name("validation dots"), points.clone()).color(colour).radius(3.5);
        plot.line(Line::new(name("validation"), points).color(colour).width(2.2).allow_hover(false));
        plot.points(dots.allow_hover(false));
    }
}

fn nearest_epoch(epochs: &[EpochPoint], x: f64) -> Option<&EpochPoint> {
    let distance = |epoch: &&EpochPoint| (f64::from(epoch.epoch) - x).abs();
    epochs.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// The values of an epoch, for the pointer.
fn values_ui(ui: &mut Ui, run: &RunView, view: &CurvesView, measure: Measure, epoch: &EpochPoint) {
    let palette = Palette::of(ui);
    let phase = run.plan.phases.get(epoch.phase).map_or("", |phase| phase.name.as_str());
    let best = if epoch.best { ", best so far" } else { "" };
    ui.strong(if epoch.epoch == 0 {
        "before training".into()
    } else {
        format!("epoch {}{best}", epoch.epoch)
    });
    if epoch.epoch > 0 {
        ui.label(RichText::new(phase).small().color(palette.muted));
    }
    let number = |kind: TaskKind, score: Option<&Score>| match (score.filter(|score| score.rows > 0), measure)
    {
        (None, _) => "-".to_owned(),
        (Some(score), Measure::Loss) => format_figure("loss", score.loss),
        (Some(score), Measure::Accuracy) if score.figure.is_nan() => "-".to_owned(),
        (Some(score), Measure::Accuracy) => format_headline(kind, score.figure),
    };
    ui.spacing_mut().interact_size.y = 16.0;
    egui::Grid::new("values of the epoch").num_columns(3).spacing([16.0, 2.0]).show(ui, |ui| {
        for head in ["", "training", "validation"] {
            ui.label(RichText::new(head).small().color(palette.muted));
        }
        ui.end_row();
        for (index, task) in run.plan.tasks.iter().enumerate() {
            if view.hidden.contains(&task.name) {
                continue;
            }
            crate::ui::widgets::swatch_label(ui, palette.task(index), &task.name);
            let training = number(task.kind, epoch.train.get(index));
            let comparable = measure.draws_training(task.kind) || training == "-";
            ui.monospace(if comparable { training } else { format!("{training} in batch") });
            ui.monospace(number(task.kind, epoch.valid.get(index)));
            ui.end_row();
        }
    });
}
