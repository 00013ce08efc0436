//! The encoder as a stack of rows against epochs: what is frozen, what trains, and the frost line between.
//!
//! [`layout`] is a pure function of the plan and a rectangle. It must never know the session.

mod edit;
mod paint;

use eframe::egui::{Pos2, Rect, pos2, vec2};

pub use edit::{MOST_EPOCHS, StackEdit, StackView};
pub use paint::{rate, stack_ui};

use crate::model::summary::Group;
use crate::train::plan::RunPlan;

/// Height of a layer's row, at most; heads are as high as layers.
const ROW_MAX: f32 = 26.0;
/// And at least, so that names stay readable.
const ROW_MIN: f32 = 15.0;
/// Between heads and layers, and layers and embeddings.
const GAP: f32 = 6.0;
/// Width of the names on the left.
const NAMES: f32 = 116.0;
/// Height of the phases' names on top.
const PHASES: f32 = 22.0;
/// Height of the epochs' numbers below.
const EPOCHS: f32 = 20.0;

/// A group of parameters: one row of the stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The parameters.
    pub group: Group,
    /// Its name: `layer 3`, `head: topic`.
    pub name: String,
    /// Where the name stands.
    pub name_rect: Rect,
}

/// What a group does during a phase: one cell of the stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The parameters.
    pub group: Group,
    /// Index of the phase.
    pub phase: usize,
    /// Where it is drawn.
    pub rect: Rect,
    /// Peak learning rate; `None` when frozen.
    pub lr: Option<f64>,
}

/// The stretch of the epoch axis that a phase covers.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Index of the phase.
    pub phase: usize,
    /// Where its name stands.
    pub name_rect: Rect,
    /// Left and right edge, in points.
    pub x: (f32, f32),
}

/// Everything that is drawn, placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Rows from top to bottom: heads, layers from the top one down, embeddings.
    pub rows: Vec<Row>,
    /// Rows times phases.
    pub cells: Vec<Cell>,
    /// The phases along the top.
    pub bands: Vec<Band>,
    /// Height of the frost line by how many units are frozen below it: none, the embeddings, a layer more each.
    pub boundaries: Vec<f32>,
    /// The frost line from left to right: a polyline of horizontal and vertical pieces.
    pub frost_line: Vec<Pos2>,
    /// Ticks of the epoch axis: epoch and x.
    pub epochs: Vec<(u32, f32)>,
    /// The cells' area.
    pub area: Rect,
}

impl Layout {
    /// The cell at a point of the window.
    #[must_use]
    pub fn cell_at(&self, at: Pos2) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.rect.contains(at))
    }
}

/// Name of a group as a row of the stack.
#[must_use]
pub fn group_name(plan: &RunPlan, group: Group) -> String {
    match group {
        Group::Embeddings => "embeddings".to_owned(),
        // From 0, as in the names of tensors and in files.
        Group::Layer(index) => format!("layer {index}"),
        Group::Dense => "Dense modules".to_owned(),
        Group::Head(index) => match plan.tasks.get(index) {
            Some(task) => format!("head: {}", task.name),
            None => format!("head {}", index + 1),
        },
        Group::LossWeight(_) => "loss weights".to_owned(),
        Group::Unused => "not used".to_owned(),
    }
}

fn layers(plan: &RunPlan) -> usize {
    plan.phases.first().map_or(0, |phase| phase.layers.len())
}

fn groups(plan: &RunPlan) -> impl Iterator<Item = Group> {
    // A task on pairs has no head that could train.
    let heads = plan.tasks.iter().enumerate().filter(|(_, task)| task.kind.has_head());
    let heads = heads.map(|(index, _)| Group::Head(index));
    let layers = (0..layers(plan)).rev().map(Group::Layer);
    heads.chain(layers).chain([Group::Embeddings])
}

/// Height that the stack of a plan would like.
#[must_use]
pub fn desired_height(plan: &RunPlan) -> f32 {
    let rows = groups(plan).count() as f32;
    let row = if rows > 16.0 { 18.0 } else { ROW_MAX };
    PHASES + rows * row + 2.0 * GAP + EPOCHS
}

/// Places a plan in a rectangle. A plan without epochs is drawn as one phase of one epoch's width.
#[must_use]
pub fn layout(plan: &RunPlan, rect: Rect) -> Layout {
    let count = groups(plan).count();
    let room = rect.height() - PHASES - EPOCHS - 2.0 * GAP;
    let row_height = (room / count.max(1) as f32).clamp(ROW_MIN, ROW_MAX);
    let left = rect.left() + NAMES;
    let top = rect.top() + PHASES;

    let bands = bands(plan, left, rect.right(), rect.top());
    let mut rows = Vec::with_capacity(count);
    let mut cells = Vec::with_capacity(count * bands.len());
    let mut y = top;
    let mut above = None;
    for group in groups(plan) {
        if above.is_some_and(|above| kind(above) != kind(group)) {
            y += GAP;
        }
        above = Some(group);
        let name_rect = Rect::from_min_size(pos2(rect.left(), y), vec2(NAMES - 8.0, row_height));
        rows.push(Row { group, name: group_name(plan, group), name_rect });
        for band in &bands {
            let rect =
                Rect::from_min_max(pos2(band.x.0, y), pos2(band.x.1, y + row_height)).shrink2(vec2(0.5, 0.5));
            let lr = plan.phases.get(band.phase).and_then(|phase| phase.thaw(group).lr());
            cells.push(Cell { group, phase: band.phase, rect, lr });
        }
        y += row_height;
    }
    let area = Rect::from_min_max(pos2(left, top), pos2(rect.right(), y));
    let boundaries = boundaries(plan, &rows, area);
    let frost_line = frost_line(plan, &bands, &boundaries, area);
    let epochs = epoch_ticks(plan, area);
    Layout { rows, cells, bands, boundaries, frost_line, epochs, area }
}

/// Heads, layers and embeddings are set apart by a gap.
const fn kind(group: Group) -> u8 {
    match group {
        Group::Head(_) => 0,
        Group::Layer(_) | Group::Dense => 1,
        Group::Embeddings | Group::LossWeight(_) | Group::Unused => 2,
    }
}

fn bands(plan: &RunPlan, left: f32, right: f32, top: f32) -> Vec<Band> {
    let total = plan.drawn_epochs().max(1) as f32;
    let x_of = |epochs: u32| left + (right - left) * epochs as f32 / total;
    let mut start = 0;
    let mut bands = Vec::with_capacity(plan.phases.len());
    for (phase, planned) in plan.phases.iter().enumerate() {
        // A phase without epochs is visible only where it is all there is.
        let epochs = if plan.drawn_epochs() == 0 && phase == 0 { 1 } else { planned.epochs };
        let x = (x_of(start), x_of(start + epochs));
        start += epochs;
        let name_rect = Rect::from_min_max(pos2(x.0, top), pos2(x.1, top + PHASES));
        bands.push(Band { phase, name_rect, x });
    }
    bands
}

/// Heights that the frost line can have: below everything, above the embeddings, above each layer.
fn boundaries(plan: &RunPlan, rows: &[Row], area: Rect) -> Vec<f32> {
    let row_of = |group: Group| rows.iter().find(|row| row.group == group).map(|row| row.name_rect);
    // In the middle of the gap where the row above is of another kind.
    let above_embeddings = row_of(Group::Embeddings).map_or(area.bottom(), |rect| rect.top() - GAP / 2.0);
    let layers = layers(plan);
    let above_layer = |index: usize| {
        let top = row_of(Group::Layer(index)).map_or(area.bottom(), |rect| rect.top());
        if index + 1 < layers { top } else { top - GAP / 2.0 }
    };
    [area.bottom(), above_embeddings].into_iter().chain((0..layers).map(above_layer)).collect()
}

/// The height between what stays frozen below and what trains above, phase by phase.
fn frost_line(plan: &RunPlan, bands: &[Band], boundaries: &[f32], area: Rect) -> Vec<Pos2> {
    let mut line = Vec::with_capacity(2 * bands.len());
    for band in bands {
        let Some(phase) = plan.phases.get(band.phase) else { continue };
        let nothing_trains = plan.trainable(band.phase).next().is_none();
        let units = phase.frozen_prefix().map_or(0, |layers| layers + 1);
        let height = boundaries.get(units).copied().unwrap_or(area.bottom());
        let y = if nothing_trains { area.top() } else { height };
        line.push(pos2(band.x.0, y));
        line.push(pos2(band.x.1, y));
    }
    line
}

/// As many epoch numbers as can be told apart: every one, or every 2nd, 5th, 10th ...
fn epoch_ticks(plan: &RunPlan, area: Rect) -> Vec<(u32, f32)> {
    let total = plan.drawn_epochs();
    if total == 0 {
        return Vec::new();
    }
    let width = area.width() / total as f32;
    let steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
    let every = steps.into_iter().find(|every| width * *every as f32 >= 24.0).unwrap_or(total);
    let x_of = |epoch: u32| area.left() + width * epoch as f32;
    (0..=total).step_by(every as usize).map(|epoch| (epoch, x_of(epoch))).collect()
}

#[cfg(test)]
mod tests;
