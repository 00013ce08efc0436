//! Loss and accuracy against epochs: per task, on training and on validation rows, side by side on one axis.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use eframe::egui::{
    self, Align2, Color32, FontId, Id, Pos2, Rect, Response, RichText, Role, Shape, Slider, Stroke,
    TextStyle, Ui, Vec2b, WidgetInfo, pos2, vec2,
};
use egui_plot::{GridMark, Line, LineStyle, Plot, PlotPoint, PlotTransform, PlotUi, Points};

use crate::session::state::RunView;
use crate::train::metrics::{EpochPoint, Score};
use crate::ui::panels::parts::columns;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::curves::{Point, Smoother, decimate, nice_step};

/// What the curves remember between frames.
#[derive(Debug)]
pub(super) struct CurvesView {
    /// Tasks that are not drawn.
    hidden: BTreeSet<String>,
    steps: bool,
    train: bool,
    valid: bool,
    smoothing: f64,
    /// Epoch under the pointer, of whichever plot it is over.
    cursor: Option<f64>,
    cache: StepCurves,
}

impl Default for CurvesView {
    fn default() -> Self {
        Self {
            hidden: BTreeSet::new(),
            steps: true,
            train: true,
            valid: true,
            smoothing: 0.9,
            cursor: None,
            cache: StepCurves::default(),
        }
    }
}

/// The smoothed curve of every step, per measure and task; fed with news only.
#[derive(Debug, Default)]
struct StepCurves {
    run: String,
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
        let same = self.run == run.plan.name && self.strength == strength && self.steps <= run.steps.len();
        if !same {
            let curves = || vec![StepCurve::new(strength); run.plan.tasks.len()];
            *self = Self { run: run.plan.name.clone(), strength, steps: 0, curves: [curves(), curves()] };
        }
        for step in run.steps.iter().skip(self.steps) {
            for (measure, curves) in Measure::BOTH.into_iter().zip(&mut self.curves) {
                for (curve, score) in curves.iter_mut().zip(&step.tasks).filter(|(_, score)| score.rows > 0) {
                    curve.smoothed.push([step.epoch, measure.of(score)]);
                }
            }
        }
        self.steps = run.steps.len();
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Measure {
    Loss,
    Accuracy,
}

impl Measure {
    const BOTH: [Self; 2] = [Self::Loss, Self::Accuracy];

    const fn title(self) -> &'static str {
        match self {
            Self::Loss => "Loss",
            Self::Accuracy => "Accuracy",
        }
    }

    const fn of(self, score: &Score) -> f64 {
        match self {
            Self::Loss => score.loss,
            Self::Accuracy => score.accuracy,
        }
    }
}

/// Draws legend and plots.
pub(super) fn curves_ui(ui: &mut Ui, run: &RunView, view: &mut CurvesView) {
    legend_ui(ui, run, view);
    view.cache.update(run, view.smoothing);
    let mut cursor = None;
    columns(ui, theme::SECTION_GAP, |[left, right]| {
        for (ui, measure) in [(left, Measure::Loss), (right, Measure::Accuracy)] {
            ui.strong(measure.title());
            let (response, transform) = plot_ui(ui, run, view, measure);
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
    ui.horizontal_wrapped(|ui| {
        for (index, task) in run.plan.tasks.iter().enumerate() {
            let mut shown = !view.hidden.contains(&task.name);
            if key_ui(ui, &mut shown, &task.name, palette.task(index), KeyLook::Disc).clicked() {
                if shown {
                    view.hidden.remove(&task.name);
                } else {
                    view.hidden.insert(task.name.clone());
                }
            }
        }
        ui.separator();
        let muted = palette.muted;
        key_ui(ui, &mut view.valid, "validation", muted, KeyLook::Dots)
            .on_hover_text("Measured after every epoch on rows that are not trained on");
        key_ui(ui, &mut view.train, "training", muted, KeyLook::Dashes)
            .on_hover_text("Mean over the epoch's batches, as they were met");
        key_ui(ui, &mut view.steps, "training, step by step", muted, KeyLook::Thin)
            .on_hover_text("Every batch, smoothed");
        if view.steps {
            let label = ui.label(RichText::new("smoothing").small().color(muted));
            ui.spacing_mut().slider_width = 90.0;
            ui.add(Slider::new(&mut view.smoothing, 0.0..=0.99).show_value(false))
                .labelled_by(label.id)
                .on_hover_text(format!("Weight of the past: {:.2}", view.smoothing));
        }
    });
}

#[derive(Clone, Copy)]
enum KeyLook {
    Disc,
    Dots,
    Dashes,
    Thin,
}

/// An entry of the legend: a sample of the line and its name; a click hides or shows it.
fn key_ui(ui: &mut Ui, shown: &mut bool, name: &str, colour: Color32, look: KeyLook) -> Response {
    let palette = Palette::of(ui);
    let text = if *shown { palette.text } else { palette.muted };
    let colour = if *shown { colour } else { palette.line };
    let font = TextStyle::Body.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(name.to_owned(), font, text);
    let size = vec2(galley.size().x + 34.0, 24.0);
    let (rect, mut response) = ui.allocate_exact_size(size, egui::Sense::click());
    if response.clicked() {
        *shown = !*shown;
        response.mark_changed();
    }
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, *shown, format!("show {name}")));
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

fn plot_ui(ui: &mut Ui, run: &RunView, view: &mut CurvesView, measure: Measure) -> (Response, PlotTransform) {
    let palette = Palette::of(ui);
    let last = f64::from(run.plan.epochs());
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
        .set_margin_fraction(vec2(0.01, 0.06))
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
    if measure == Measure::Accuracy {
        plot = plot.include_y(1.0);
    }
    let shown = plot.show(ui, |plot| {
        let x_range = if plot.auto_bounds().x { 0.0..=last } else { plot.plot_bounds().range_x() };
        let pixels = plot.response().rect.width().max(1.0) as usize;
        for (index, task) in run.plan.tasks.iter().enumerate() {
            if !view.hidden.contains(&task.name) {
                task_curves(plot, run, view, (measure, index), palette.task(index), &x_range, pixels);
            }
        }
    });
    let response = shown.response;
    let name = format!("{} per epoch, {} epochs so far", measure.title(), run.epochs.len().saturating_sub(1));
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
    if view.steps {
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
            Some([f64::from(epoch.epoch), measure.of(score)])
        });
        points.collect()
    };
    if view.train {
        let line = Line::new(name("training"), of_epochs(|epoch| &epoch.train)).color(colour).width(1.8);
        plot.line(line.style(LineStyle::Dashed { length: 6.0 }).allow_hover(false));
    }
    if view.valid {
        let points = of_epochs(|epoch| &epoch.valid);
        let dots = Points::new(name("validation dots"), points.clone()).color(colour).radius(3.5);
        plot.line(Line::new(name("validation"), points).color(colour).width(2.2).allow_hover(false));
        plot.points(dots.allow_hover(false));
    }
}

/// Phase boundaries with names, the best epoch, and the pointer's epoch, over the curves.
fn marks_ui(ui: &Ui, run: &RunView, view: &CurvesView, measure: Measure, transform: &PlotTransform) {
    let palette = Palette::of(ui);
    let frame = *transform.frame();
    let painter = ui.painter().with_clip_rect(frame.intersect(ui.clip_rect()));
    let x_of = |epoch: f64| transform.position_from_point_x(epoch);
    let font = FontId::proportional(11.5);
    let mut start = 0;
    for (index, phase) in run.plan.phases.iter().enumerate() {
        let (left, right) = (x_of(f64::from(start)), x_of(f64::from(start + phase.epochs)));
        if index > 0 {
            painter.vline(left, frame.y_range(), Stroke::new(1.0, palette.muted.gamma_multiply(0.6)));
        }
        let galley = painter.layout_no_wrap(phase.name.clone(), font.clone(), palette.muted);
        let at = pos2(left.max(frame.left()) + 5.0, frame.top() + 3.0);
        if run.plan.phases.len() > 1 && at.x + galley.size().x < right.min(frame.right()) {
            painter.galley(at, galley, palette.muted);
        }
        start += phase.epochs;
    }
    if let Some(best) = run.epochs.iter().rev().find(|epoch| epoch.best) {
        let x = x_of(f64::from(best.epoch));
        let line = [pos2(x, frame.top()), pos2(x, frame.bottom())];
        painter.extend(Shape::dashed_line(&line, Stroke::new(1.5, palette.ok), 4.0, 4.0));
        // Where the curves are not: losses end low, accuracies high.
        let y = if measure == Measure::Loss { frame.top() + 20.0 } else { frame.bottom() - 18.0 };
        best_label(&painter, frame, pos2(x, y), palette.ok, palette.sunken);
        for (task, score) in best.valid.iter().enumerate().filter(|(_, score)| score.rows > 0 && view.valid) {
            let hidden = run.plan.tasks.get(task).is_none_or(|task| view.hidden.contains(&task.name));
            if !hidden {
                let point = PlotPoint::new(f64::from(best.epoch), measure.of(score));
                painter.circle_stroke(
                    transform.position_from_point(&point),
                    6.5,
                    Stroke::new(1.5, palette.ok),
                );
            }
        }
    }
    if let Some(cursor) = view.cursor {
        painter.vline(x_of(cursor), frame.y_range(), Stroke::new(1.0, palette.muted));
    }
}

fn best_label(painter: &egui::Painter, frame: Rect, at: Pos2, colour: Color32, behind: Color32) {
    let galley = painter.layout_no_wrap("best".to_owned(), FontId::proportional(11.5), colour);
    let right = at.x + 5.0 + galley.size().x < frame.right();
    let (anchor, x) = if right { (Align2::LEFT_TOP, at.x + 5.0) } else { (Align2::RIGHT_TOP, at.x - 5.0) };
    let rect = anchor.anchor_size(pos2(x, at.y), galley.size());
    painter.rect_filled(rect.expand2(vec2(2.0, 0.0)), 2.0, behind);
    painter.galley(rect.min, galley, colour);
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
    let number = |score: Option<&Score>| match (score.filter(|score| score.rows > 0), measure) {
        (None, _) => "-".to_owned(),
        (Some(score), Measure::Loss) => format!("{:.4}", score.loss),
        (Some(score), Measure::Accuracy) => format!("{:.1} %", 100.0 * score.accuracy),
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
            ui.monospace(number(epoch.train.get(index)));
            ui.monospace(number(epoch.valid.get(index)));
            ui.end_row();
        }
    });
}
