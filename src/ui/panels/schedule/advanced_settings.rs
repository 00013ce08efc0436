//! Settings that most runs leave alone: which parameters of a layer train, how batches are drawn and losses weighed, which
//! weights are kept, and what holds for single tasks.

use eframe::egui::{self, Checkbox, CollapsingHeader, Grid, Response, RichText, Ui, WidgetInfo};

use super::settings::{
    Form, Setting, choice, idle_without_encoder, idle_without_training, optional, part, whole,
};
use crate::data::task::TaskKind;
use crate::model::lora::LoraTargets;
use crate::train::metrics::keys;
use crate::train::plan::ParamFilter;
use crate::train::plan::recipe::{Precision, Recipe, Sampling, TaskSettings, Weighting};
use crate::ui::explain;
use crate::ui::panels::layout::head;
use crate::ui::theme;
use crate::ui::widgets;

/// Draws the form on a draft; true while a value is being dragged.
pub(super) fn further_ui(ui: &mut Ui, draft: &mut Recipe, tasks: &[(&str, TaskKind)], files: usize) -> bool {
    let mut editing = false;
    widgets::card(ui, "", |ui| {
        CollapsingHeader::new(RichText::new("Further settings").heading()).id_salt("further").show(
            ui,
            |ui| {
                widgets::caption(ui, "Most runs leave these as they are. Each says what it is for.");
                Grid::new("further settings")
                    .num_columns(3)
                    .min_col_width(20.0)
                    .spacing([theme::GAP, theme::GRID])
                    .show(ui, |ui| {
                        let mut form = Form { ui, editing: &mut editing };
                        part_rows(&mut form, draft);
                        batch_rows(&mut form, draft, files);
                        keep_rows(&mut form, draft, tasks);
                    });
                if !tasks.is_empty() {
                    ui.add_space(theme::GAP);
                    tasks_ui(ui, draft, tasks, &mut editing);
                }
            },
        );
    });
    editing
}

fn part_rows(form: &mut Form<'_>, recipe: &mut Recipe) {
    let idle = idle_without_encoder(recipe);
    let trains = Setting {
        name: "What trains in a layer",
        tooltip: "All weights by default. Adapters (LoRA) train two small matrices beside each weight and are merged on \
                  export; biases alone (BitFit) and norms alone train very little, and disturb very little.",
        explanation: &explain::WHY_PARTS,
    };
    form.row(&trains, idle, |ui| {
        let names = [
            (ParamFilter::All, "all weights"),
            (ParamFilter::Lora, "adapters (LoRA)"),
            (ParamFilter::Biases, "biases (BitFit)"),
            (ParamFilter::Norms, "norms"),
        ];
        choice(ui, "part", &mut recipe.part, &names)
    });
    let idle = idle.or((!recipe.uses_lora()).then_some("Only adapters have these: choose LoRA above"));
    let rank = Setting {
        name: "Adapters' rank",
        tooltip: "Rows of the small matrices. 8 by default: more can learn more, and cost more.",
        explanation: &explain::WHY_PARTS,
    };
    form.row(&rank, idle, |ui| ui.add(whole(&mut recipe.lora.rank, 1..=256)));
    let alpha = Setting {
        name: "Adapters' alpha",
        tooltip: "What an adapter adds is multiplied by alpha / rank. Twice the rank by default.",
        explanation: &explain::WHY_PARTS,
    };
    form.row(&alpha, idle, |ui| ui.add(part(&mut recipe.lora.alpha, 0.1..=1024.0).speed(0.1)));
    let targets = Setting {
        name: "Adapters beside",
        tooltip: "Which linear layers have adapters. All of them by default; the paper had queries and values.",
        explanation: &explain::WHY_PARTS,
    };
    form.row(&targets, idle, |ui| {
        let names = [
            (LoraTargets::All, "every linear layer"),
            (LoraTargets::Attention, "the attention"),
            (LoraTargets::QueryValue, "queries and values"),
        ];
        choice(ui, "targets", &mut recipe.lora.targets, &names)
    });
}

fn batch_rows(form: &mut Form<'_>, recipe: &mut Recipe, files: usize) {
    let idle = idle_without_training(recipe);
    let accumulate = Setting {
        name: "Batches per step",
        tooltip: "Batches whose gradients one step adds up. 1 by default; with 4, a step is that of a batch four times \
                  as large, in the memory of a small one.",
        explanation: &explain::WHY_BATCH_SIZE,
    };
    form.row(&accumulate, idle, |ui| ui.add(whole(&mut recipe.accumulate, 1..=1024)));
    let sampling = Setting {
        name: "Rows of several files",
        tooltip: "By size, every row once, by default. By turns gives small files as many batches as large ones; the \
                  temperature lies between.",
        explanation: &explain::WHY_SAMPLING,
    };
    let idle_files = (files < 2).then_some("The project has one file of training rows");
    form.row(&sampling, idle.or(idle_files), |ui| {
        let kept = if let Sampling::Temperature(t) = recipe.sampling { t } else { 3.0 };
        let names = [
            (Sampling::Proportional, "by size"),
            (Sampling::Temperature(kept), "by temperature"),
            (Sampling::RoundRobin, "by turns"),
        ];
        choice(ui, "sampling", &mut recipe.sampling, &names)
    });
    if let Sampling::Temperature(temperature) = &mut recipe.sampling {
        let setting = Setting {
            name: "Temperature",
            tooltip: "A file of n rows has a part in proportion to n^(1/T): 1 is by size, large values by turns.",
            explanation: &explain::WHY_SAMPLING,
        };
        form.row(&setting, idle.or(idle_files), |ui| ui.add(part(temperature, 1.0..=100.0).speed(0.05)));
    }
    let half = Setting {
        name: "States below the frost line",
        tooltip: "What is computed once is kept as float32 by default, so that nothing changes. As float16 it takes half the \
                  room, and the run is no longer exactly that of an encoder that is asked anew.",
        explanation: &explain::FROST_LINE,
    };
    form.row(&half, idle, |ui| {
        choice(
            ui,
            "half",
            &mut recipe.half_cache,
            &[(false, "float32, exact"), (true, "float16, half the room")],
        )
    });
    let precision = Setting {
        name: "Precision",
        tooltip: "Numbers that trained layers multiply. float32 by default, exact and at home everywhere. bfloat16 is for CUDA \
                  devices and for processors that have it (AVX-512 BF16, AMX): on others it would be slower, and the plan \
                  says so.",
        explanation: &explain::WHY_PRECISION,
    };
    form.row(&precision, idle_without_encoder(recipe), |ui| {
        let names = [(Precision::Float32, "float32"), (Precision::Bfloat16, "bfloat16")];
        choice(ui, "precision", &mut recipe.precision, &names)
    });
    let weighting = Setting {
        name: "Losses of the tasks",
        tooltip: "Their sum, each times its weight, by default. Learnt weights give noisy tasks less (Kendall et al. \
                  2018).",
        explanation: &explain::WHY_SUMMED_LOSSES,
    };
    form.row(&weighting, idle, |ui| {
        let names = [(Weighting::Fixed, "weighed as set"), (Weighting::Uncertainty, "weights are learnt")];
        choice(ui, "weighting", &mut recipe.weighting, &names)
    });
}

fn keep_rows(form: &mut Form<'_>, recipe: &mut Recipe, tasks: &[(&str, TaskKind)]) {
    let idle = idle_without_training(recipe);
    let watch = Setting {
        name: "Keep the best by",
        tooltip: "Whose validation figure says which epoch's weights are kept. The mean over all tasks that train by \
                  default.",
        explanation: &explain::WHY_KEEP_BEST,
    };
    form.row(&watch, idle, |ui| {
        let shown = recipe.watch.task.clone().unwrap_or_else(|| "all tasks".to_owned());
        let combo = egui::ComboBox::from_id_salt("watch").selected_text(shown).show_ui(ui, |ui| {
            ui.selectable_value(&mut recipe.watch.task, None, "all tasks");
            for (task, _) in tasks {
                ui.selectable_value(&mut recipe.watch.task, Some((*task).to_owned()), *task);
            }
        });
        combo.response
    });
    let figure = Setting {
        name: "By which figure",
        tooltip: "Each task's own headline figure by default, accuracy for classes; or the loss, which moves where \
                  accuracy does not.",
        explanation: &explain::WHY_KEEP_BEST,
    };
    form.row(&figure, idle, |ui| {
        let shown = recipe.watch.figure.clone().unwrap_or_else(|| "headline figure".to_owned());
        let combo = egui::ComboBox::from_id_salt("figure").selected_text(shown).show_ui(ui, |ui| {
            ui.selectable_value(&mut recipe.watch.figure, None, "headline figure");
            for key in figures_of(recipe.watch.task.as_deref(), tasks) {
                ui.selectable_value(&mut recipe.watch.figure, Some(key.to_owned()), key);
            }
        });
        combo.response
    });
    let patience = Setting {
        name: "End early after",
        tooltip: "Epochs without a better figure after which the run ends. Off by default: the best weights are kept \
                  anyway.",
        explanation: &explain::WHY_KEEP_BEST,
    };
    form.row(&patience, idle, |ui| {
        let mut value = recipe.patience.map(f64::from);
        let response = optional(ui, &mut value, 3.0, "end early", "never", 1.0..=1000.0);
        recipe.patience = value.map(|epochs| epochs.round().max(1.0) as u32);
        response
    });
    let average = Setting {
        name: "Average of the weights",
        tooltip: "Keeps a moving average of the weights instead of the last ones. Off by default; 0.99 looks back over \
                  some hundred steps.",
        explanation: &explain::WHY_AVERAGE,
    };
    form.row(&average, idle, |ui| {
        optional(ui, &mut recipe.ema, 0.99, "average the weights", "off", 0.5..=0.9999)
    });
}

/// Figures that every watched task has; the loss first.
fn figures_of(watched: Option<&str>, tasks: &[(&str, TaskKind)]) -> Vec<&'static str> {
    let mut kinds =
        tasks.iter().filter(|(task, _)| watched.is_none_or(|name| name == *task)).map(|(_, kind)| kind);
    let Some(first) = kinds.next() else { return vec!["loss"] };
    let others: Vec<TaskKind> = kinds.copied().collect();
    let shared = |key: &&str| others.iter().all(|kind| keys(*kind).any(|other| other == *key));
    std::iter::once("loss").chain(keys(*first).filter(shared)).collect()
}

/// A line of settings per task.
fn tasks_ui(ui: &mut Ui, recipe: &mut Recipe, tasks: &[(&str, TaskKind)], editing: &mut bool) {
    Grid::new("settings of tasks").num_columns(5).spacing([theme::SECTION_GAP, theme::GRID]).show(ui, |ui| {
        for (name, tooltip) in [
            ("Task", "Settings of single tasks"),
            ("Weight", "What the task's loss is multiplied by; 1 by default"),
            ("Balance", "Weighs classes against how often they occur, so that rare ones count as much"),
            ("Smoothing", "Part of the target that is spread over all classes, against overconfidence"),
            ("Hidden units", "Units of a hidden layer between embedding and logits; off for a linear head"),
        ] {
            let text = head(ui, name);
            ui.label(text).on_hover_text(tooltip);
        }
        ui.end_row();
        for (task, _) in tasks {
            let before = recipe.task(task);
            let mut settings = before.clone();
            ui.label(*task);
            task_row(ui, task, &mut settings, editing);
            ui.end_row();
            if settings == before {
                continue;
            }
            if settings == TaskSettings::default() {
                recipe.tasks.remove(*task);
            } else {
                recipe.tasks.insert((*task).to_owned(), settings);
            }
        }
    });
}

fn task_row(ui: &mut Ui, task: &str, settings: &mut TaskSettings, editing: &mut bool) {
    let mut named = |response: Response, what: &str| {
        let name = format!("{what} of {task}");
        *editing |= response.dragged();
        response.on_hover_text(name)
    };
    named(ui.add(part(&mut settings.weight, 0.0..=100.0).speed(0.01)), "weight of the loss");
    let balance = ui.add(Checkbox::without_text(&mut settings.balance_classes));
    let (on, enabled) = (settings.balance_classes, ui.is_enabled());
    balance.widget_info(|| {
        WidgetInfo::selected(egui::Role::CheckBox, enabled, on, format!("balance the classes of {task}"))
    });
    named(ui.add(part(&mut settings.label_smoothing, 0.0..=0.5)), "label smoothing");
    let mut units = settings.hidden_units.map(|units| units as f64);
    let name = "hidden layer";
    named(optional(ui, &mut units, 128.0, name, "linear", 1.0..=4096.0), name);
    settings.hidden_units = units.map(|units| units.round().max(1.0) as usize);
}
