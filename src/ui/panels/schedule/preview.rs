//! Exactly what trains in each phase: groups, and in them the tensors, with parameters and rates.

use eframe::egui::{self, CollapsingHeader, RichText, Ui};

use crate::model::summary::Group;
use crate::session::state::State;
use crate::train::plan::{RunPlan, Trainable};
use crate::ui::explain::SHARED_LAYERS;
use crate::ui::panels::layout::share;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::numbers::{counted, short_count, thousands};
use crate::ui::widgets::stack::{group_name, rate};

/// The list, phase by phase; a sentence where there is no plan.
pub(super) fn preview_ui(ui: &mut Ui, state: &State) {
    widgets::card(ui, "What trains, tensor by tensor", |ui| match &state.plan {
        Some(Ok(plan)) => {
            widgets::caption(
                ui,
                "The run follows this list, and its report proves it by comparing every tensor's bytes.",
            );
            if let Some(model) = state.model.ready().filter(|model| model.applications > model.layers) {
                let layers = counted(model.layers, "layer", "layers");
                widgets::caption(
                    ui,
                    &format!("{layers} with {} passes in all. {SHARED_LAYERS}", model.applications),
                );
            }
            for phase in 0..plan.phases.len() {
                phase_ui(ui, plan, phase);
            }
        }
        Some(Err(_)) => {
            widgets::caption(ui, "There is no list while the plan cannot be run.");
        }
        None => {
            widgets::caption(
                ui,
                "With data and a model, every tensor that trains is listed here, phase by phase.",
            );
        }
    });
}

/// The groups that train in a phase, from the heads down, each with its tensors.
fn trained_groups(plan: &RunPlan, phase: usize) -> Vec<(Group, Vec<Trainable<'_>>)> {
    let mut groups: Vec<(Group, Vec<Trainable<'_>>)> = Vec::new();
    for trainable in plan.trainable(phase) {
        let group = trainable.tensor.group;
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, tensors)) => tensors.push(trainable),
            None => groups.push((group, vec![trainable])),
        }
    }
    // Drawn as in the stack: heads on top, then the layers downward, the embeddings last.
    let height = |group: Group| match group {
        Group::Head(index) => (0, index),
        Group::Dense => (1, 0),
        Group::Layer(index) => (1, usize::MAX - index),
        Group::Embeddings => (2, 0),
        Group::LossWeight(index) => (3, index),
        Group::Unused => (4, 0),
    };
    groups.sort_by_key(|(group, _)| height(*group));
    groups
}

fn phase_ui(ui: &mut Ui, plan: &RunPlan, index: usize) {
    let Some(phase) = plan.phases.get(index) else { return };
    let palette = Palette::of(ui);
    let groups = trained_groups(plan, index);
    let tensors: usize = groups.iter().map(|(_, tensors)| tensors.len()).sum();
    let trained = plan.trainable_parameters(index);
    let used = plan.tensors.iter().filter(|tensor| tensor.group != Group::Unused);
    let total: u64 = used.map(crate::model::summary::TensorInfo::elements).sum();
    let epochs = counted(phase.epochs as usize, "epoch", "epochs");
    let title = format!("Phase {}: {}, {epochs}", index + 1, phase.name);
    CollapsingHeader::new(RichText::new(title).strong())
        .id_salt(("phase", index))
        .default_open(index == 0)
        .show(ui, |ui| {
            let share = share(trained as f64 / total.max(1) as f64);
            let tensor_count = counted(tensors, "tensor", "tensors");
            let line = match tensors {
                0 => format!("Nothing trains; {} parameters stay as they are.", thousands(total)),
                _ => format!(
                    "{tensor_count}, {} of {} parameters ({share})",
                    thousands(trained),
                    thousands(total)
                ),
            };
            ui.label(RichText::new(line).color(if tensors == 0 { palette.frozen } else { palette.warm }));
            for (group, tensors) in &groups {
                group_ui(ui, plan, index, *group, tensors);
            }
            if trained < total && tensors > 0 {
                let frozen = format!("frozen, in eval mode: {} parameters", short_count(total - trained));
                ui.label(RichText::new(frozen).color(palette.frozen));
            }
        });
}

fn group_ui(ui: &mut Ui, plan: &RunPlan, phase: usize, group: Group, tensors: &[Trainable<'_>]) {
    let parameters: u64 = tensors.iter().map(|trainable| trainable.tensor.elements()).sum();
    let lr = tensors.first().map_or(0.0, |trainable| trainable.lr);
    let title = format!("{}: {} parameters at {}", group_name(plan, group), thousands(parameters), rate(lr));
    CollapsingHeader::new(title).id_salt(("group", phase, group)).show(ui, |ui| {
        egui::Grid::new(("tensors", phase, group)).num_columns(2).spacing([theme::SECTION_GAP, 2.0]).show(
            ui,
            |ui| {
                for trainable in tensors {
                    let name = RichText::new(&trainable.tensor.name).monospace().small();
                    ui.add(egui::Label::new(name).truncate());
                    let shape: Vec<String> = trainable.tensor.shape.iter().map(ToString::to_string).collect();
                    ui.label(RichText::new(shape.join(" x ")).monospace().small());
                    ui.end_row();
                }
            },
        );
    });
}
