//! The stack as something to take hold of: its frost line, the ends of its phases, its cells; by pointer and by keys.
//!
//! It says what was asked for and changes nothing itself.

use eframe::egui::{CursorIcon, EventFilter, Key, Modifiers, Pos2, Response, Ui};

use super::Layout;
use crate::model::summary::Group;
use crate::train::plan::RunPlan;

/// Points on either side of a line that still take hold of it.
const REACH: f32 = 6.0;
/// Most epochs of a phase.
pub const MOST_EPOCHS: u32 = 1000;

/// What the stack remembers between frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StackView {
    /// The phase that keys and the table's buttons are about.
    pub selected: usize,
    drag: Option<Handle>,
}

impl StackView {
    /// True while something is held.
    #[must_use]
    pub const fn is_dragging(&self) -> bool {
        self.drag.is_some()
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackEdit {
    /// So many units of the encoder are frozen from below: the embeddings, then layers.
    FrostLine {
        /// Index of the phase.
        phase: usize,
        /// 0 to one more than there are layers.
        units: usize,
    },
    /// The phase lasts so long.
    Epochs {
        /// Index of the phase.
        phase: usize,
        /// At least 1.
        epochs: u32,
    },
    /// A group freezes that trained, or the other way round.
    Toggle {
        /// Index of the phase.
        phase: usize,
        /// The parameters.
        group: Group,
    },
}

/// Something that can be dragged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Handle {
    /// The frost line of a phase.
    Line { phase: usize },
    /// The end of a phase: where it began, and how wide an epoch was, when it was taken hold of.
    End { phase: usize, left: f32, epoch_width: f32 },
}

/// What is under a point and can be dragged.
pub(super) fn handle_at(placed: &Layout, plan: &RunPlan, at: Pos2) -> Option<Handle> {
    let within =
        placed.area.expand(REACH).contains(at) || placed.bands.iter().any(|b| b.name_rect.contains(at));
    if !within {
        return None;
    }
    // The line first: it crosses the ends of phases.
    for (band, piece) in placed.bands.iter().zip(placed.frost_line.chunks(2)) {
        let [from, to] = piece else { continue };
        let inside = (from.x + REACH..=to.x - REACH).contains(&at.x);
        if inside && (at.y - from.y).abs() <= REACH {
            return Some(Handle::Line { phase: band.phase });
        }
    }
    if plan.epochs() == 0 {
        return None;
    }
    let band = placed.bands.iter().find(|band| (at.x - band.x.1).abs() <= REACH)?;
    let epochs = plan.phases.get(band.phase)?.epochs.max(1);
    let epoch_width = ((band.x.1 - band.x.0) / epochs as f32).max(1.0);
    Some(Handle::End { phase: band.phase, left: band.x.0, epoch_width })
}

/// What dragging a handle to a point asks for.
pub(super) fn dragged_to(placed: &Layout, handle: Handle, at: Pos2) -> Option<StackEdit> {
    match handle {
        Handle::Line { phase } => {
            let heights = placed.boundaries.iter().enumerate();
            let (units, _) =
                heights.min_by(|(_, a), (_, b)| (*a - at.y).abs().total_cmp(&(*b - at.y).abs()))?;
            Some(StackEdit::FrostLine { phase, units })
        }
        Handle::End { phase, left, epoch_width } => {
            let epochs = ((at.x - left) / epoch_width).round().clamp(1.0, MOST_EPOCHS as f32) as u32;
            Some(StackEdit::Epochs { phase, epochs })
        }
    }
}

/// Takes in what was done to the picture by pointer and keys.
pub(super) fn interact(
    ui: &Ui,
    placed: &Layout,
    plan: &RunPlan,
    response: &Response,
    view: &mut StackView,
) -> Option<StackEdit> {
    view.selected = view.selected.min(plan.phases.len().saturating_sub(1));
    let hovered = response.hover_pos().and_then(|at| handle_at(placed, plan, at));
    match view.drag.or(hovered) {
        Some(Handle::Line { .. }) => ui.ctx().set_cursor_icon(CursorIcon::ResizeVertical),
        Some(Handle::End { .. }) => ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal),
        None if response.hover_pos().is_some_and(|at| placed.cell_at(at).is_some()) => {
            ui.ctx().set_cursor_icon(CursorIcon::PointingHand);
        }
        None => {}
    }
    if response.drag_started() {
        let origin = ui.input(|input| input.pointer.press_origin());
        view.drag = origin.and_then(|at| handle_at(placed, plan, at));
        if let Some(Handle::Line { phase } | Handle::End { phase, .. }) = view.drag {
            view.selected = phase;
        }
    }
    if response.clicked() {
        response.request_focus();
        return clicked(placed, response.interact_pointer_pos()?, view);
    }
    let held = view.drag;
    if response.drag_stopped() {
        view.drag = None;
    }
    if let (Some(handle), Some(at)) = (held, response.interact_pointer_pos()) {
        return dragged_to(placed, handle, at);
    }
    keys(ui, placed, plan, response, view)
}

fn clicked(placed: &Layout, at: Pos2, view: &mut StackView) -> Option<StackEdit> {
    if let Some(band) = placed.bands.iter().find(|band| band.name_rect.contains(at)) {
        view.selected = band.phase;
        return None;
    }
    let cell = placed.cell_at(at)?;
    view.selected = cell.phase;
    Some(StackEdit::Toggle { phase: cell.phase, group: cell.group })
}

/// Left and right choose a phase, up and down move its frost line, plus and minus its end.
fn keys(
    ui: &Ui,
    placed: &Layout,
    plan: &RunPlan,
    response: &Response,
    view: &mut StackView,
) -> Option<StackEdit> {
    if !response.has_focus() {
        return None;
    }
    let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    let pressed = |key: Key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    if pressed(Key::ArrowLeft) {
        view.selected = view.selected.saturating_sub(1);
    }
    if pressed(Key::ArrowRight) {
        view.selected = (view.selected + 1).min(plan.phases.len().saturating_sub(1));
    }
    let phase = view.selected;
    let planned = plan.phases.get(phase)?;
    let most = placed.boundaries.len().saturating_sub(1);
    let units = planned.frozen_prefix().map_or(0, |layers| layers + 1).min(most);
    if pressed(Key::ArrowUp) {
        return Some(StackEdit::FrostLine { phase, units: (units + 1).min(most) });
    }
    if pressed(Key::ArrowDown) {
        return Some(StackEdit::FrostLine { phase, units: units.saturating_sub(1) });
    }
    if pressed(Key::Plus) || pressed(Key::Equals) {
        return Some(StackEdit::Epochs { phase, epochs: (planned.epochs + 1).min(MOST_EPOCHS) });
    }
    if pressed(Key::Minus) && planned.epochs > 1 {
        return Some(StackEdit::Epochs { phase, epochs: planned.epochs - 1 });
    }
    None
}
