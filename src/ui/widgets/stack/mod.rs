//! The encoder as a stack of rows against epochs: what is frozen, what trains, and the frost line between.
//!
//! [`layout`] is a pure function of the plan and a rectangle. It must never know the session.

mod paint;

use eframe::egui::{Pos2, Rect, pos2, vec2};

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
        // People count layers from 1.
        Group::Layer(index) => format!("layer {}", index + 1),
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
    let heads = (0..plan.tasks.len()).map(Group::Head);
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
    let frost_line = frost_line(plan, &bands, &rows, area);
    let epochs = epoch_ticks(plan, area);
    Layout { rows, cells, bands, frost_line, epochs, area }
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
    let total = plan.epochs().max(1) as f32;
    let x_of = |epochs: u32| left + (right - left) * epochs as f32 / total;
    let mut start = 0;
    let mut bands = Vec::with_capacity(plan.phases.len());
    for (phase, planned) in plan.phases.iter().enumerate() {
        // A phase without epochs is visible only where it is all there is.
        let epochs = if plan.epochs() == 0 && phase == 0 { 1 } else { planned.epochs };
        let x = (x_of(start), x_of(start + epochs));
        start += epochs;
        let name_rect = Rect::from_min_max(pos2(x.0, top), pos2(x.1, top + PHASES));
        bands.push(Band { phase, name_rect, x });
    }
    bands
}

/// The height between what stays frozen below and what trains above, phase by phase.
fn frost_line(plan: &RunPlan, bands: &[Band], rows: &[Row], area: Rect) -> Vec<Pos2> {
    let row_of = |group: Group| rows.iter().find(|row| row.group == group).map(|row| row.name_rect);
    let mut line = Vec::with_capacity(2 * bands.len());
    for band in bands {
        let Some(phase) = plan.phases.get(band.phase) else { continue };
        let topmost_frozen = match phase.frozen_prefix() {
            None => None,
            Some(0) => Some(Group::Embeddings),
            Some(frozen) => Some(Group::Layer(frozen - 1)),
        };
        let nothing_trains = plan.trainable(band.phase).next().is_none();
        let y = match topmost_frozen {
            _ if nothing_trains => area.top(),
            None => area.bottom(),
            Some(group) => row_of(group).map_or(area.bottom(), |rect| match group {
                // In the middle of the gap where the row above is of another kind.
                Group::Layer(index) if index + 1 < phase.layers.len() => rect.top(),
                _ => rect.top() - GAP / 2.0,
            }),
        };
        line.push(pos2(band.x.0, y));
        line.push(pos2(band.x.1, y));
    }
    line
}

/// As many epoch numbers as can be told apart: every one, or every 2nd, 5th, 10th ...
fn epoch_ticks(plan: &RunPlan, area: Rect) -> Vec<(u32, f32)> {
    let total = plan.epochs();
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
mod tests {
    use super::*;
    use crate::model::summary::TensorInfo;
    use crate::train::plan::PlannedTask;
    use crate::train::preset::{Preset, Recipe};

    fn plan(preset: Preset, layers: usize) -> RunPlan {
        let tasks = ["topic", "tone"].map(|name| PlannedTask {
            name: name.into(),
            classes: vec!["a".into(), "b".into()],
            labelled_train: 10,
            labelled_valid: 5,
            ..PlannedTask::default()
        });
        let mut recipe = Recipe::default();
        recipe.choose(preset);
        let tensor = |name: String, group| TensorInfo { name, shape: vec![4, 4], group };
        let mut tensors = vec![tensor("embeddings.word".into(), Group::Embeddings)];
        tensors.extend((0..layers).map(|i| tensor(format!("layer.{i}"), Group::Layer(i))));
        tensors.extend(tasks.iter().enumerate().flat_map(|(index, task)| task.head(None).tensors(index, 4)));
        let phases = recipe.phases_for(layers, &["topic", "tone"]);
        RunPlan {
            parent: None,
            name: "run".into(),
            model_path: "model".into(),
            model_sha256: String::new(),
            tensors,
            tasks: tasks.to_vec(),
            prompt: None,
            recipe,
            phases: phases.unwrap_or_default(),
            train_rows: 10,
            steps_per_epoch: 1,
            device: "cpu".into(),
        }
    }

    fn placed(preset: Preset) -> (RunPlan, Layout) {
        let plan = plan(preset, 6);
        let layout = layout(&plan, Rect::from_min_size(pos2(10.0, 20.0), vec2(600.0, 280.0)));
        (plan, layout)
    }

    #[test]
    fn heads_stand_on_top_and_embeddings_at_the_bottom() {
        let (_, layout) = placed(Preset::Full);
        let names: Vec<&str> = layout.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names[..3], ["head: topic", "head: tone", "layer 6"]);
        assert_eq!(names[7..], ["layer 1", "embeddings"]);
        assert!(layout.rows.windows(2).all(|pair| pair[0].name_rect.bottom() <= pair[1].name_rect.top()));
    }

    #[test]
    fn cells_cover_every_group_and_phase_within_the_rectangle() {
        for preset in Preset::ALL {
            let (plan, layout) = placed(preset);
            assert_eq!(layout.cells.len(), 9 * plan.phases.len(), "{preset:?}");
            let outside = Rect::from_min_size(pos2(10.0, 20.0), vec2(600.0, 280.0));
            assert!(layout.cells.iter().all(|cell| outside.contains_rect(cell.rect)), "{preset:?}");
            for cell in &layout.cells {
                assert_eq!(cell.lr, plan.phases[cell.phase].thaw(cell.group).lr(), "{preset:?}");
            }
        }
    }

    #[test]
    fn the_frost_line_lies_between_what_is_frozen_and_what_trains() {
        for preset in [Preset::FreezeBackbone, Preset::Gradual, Preset::Full] {
            let (_, layout) = placed(preset);
            for (band, piece) in layout.bands.iter().zip(layout.frost_line.chunks(2)) {
                for cell in layout.cells.iter().filter(|cell| cell.phase == band.phase) {
                    let below = cell.rect.center().y > piece[0].y;
                    assert_eq!(below, cell.lr.is_none(), "{preset:?} {cell:?}");
                }
            }
        }
    }

    #[test]
    fn the_frost_line_sinks_as_layers_thaw() {
        let (plan, layout) = placed(Preset::Gradual);
        assert!(plan.phases.len() > 2);
        assert_eq!(layout.frost_line.len(), 2 * plan.phases.len());
        assert!(layout.frost_line.is_sorted_by(|a, b| a.x <= b.x && a.y <= b.y));
        assert_eq!(layout.frost_line.last().map(|p| p.y), Some(layout.area.bottom()));
    }

    #[test]
    fn a_plan_that_trains_nothing_is_cold_up_to_the_top() {
        let (_, layout) = placed(Preset::FreezeAll);
        assert!(layout.cells.iter().all(|cell| cell.lr.is_none() && cell.rect.width() > 100.0));
        assert!(layout.frost_line.iter().all(|p| p.y == layout.area.top()));
    }

    #[test]
    fn epoch_numbers_thin_out_when_there_are_many() {
        let mut plan = plan(Preset::Full, 6);
        plan.phases[0].epochs = 200;
        let layout = layout(&plan, Rect::from_min_size(pos2(0.0, 0.0), vec2(600.0, 280.0)));
        assert!(layout.epochs.len() < 24 && layout.epochs.len() > 5, "{}", layout.epochs.len());
        assert_eq!(layout.epochs.first().map(|(epoch, _)| *epoch), Some(0));
    }

    #[test]
    fn twelve_layers_keep_a_readable_height() {
        let plan = plan(Preset::Full, 12);
        let rect = Rect::from_min_size(pos2(0.0, 0.0), vec2(600.0, desired_height(&plan)));
        let layout = layout(&plan, rect);
        assert!(layout.rows.iter().all(|row| row.name_rect.height() >= ROW_MIN));
        assert!(rect.contains_rect(layout.area));
    }
}
