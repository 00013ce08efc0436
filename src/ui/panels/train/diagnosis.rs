//! What the curves say, as sentences with advice.

use eframe::egui::Ui;

use crate::session::state::{RunOutcome, RunView, Severity};
use crate::train::diagnosis::{Diagnosis, diagnose};
use crate::train::metrics::format_figure;
use crate::ui::widgets;
use crate::ui::widgets::numbers::percent;

/// Draws the sentences; nothing where there is nothing to say.
pub(super) fn words_ui(ui: &mut Ui, run: &RunView) {
    let finished = matches!(run.outcome, Some(RunOutcome::Finished));
    for diagnosis in diagnose(&run.epochs, finished, |task| run.plan.loss_is_comparable(task)) {
        let (severity, text) = sentence(run, &diagnosis);
        widgets::message(ui, severity, &text);
    }
}

fn sentence(run: &RunView, diagnosis: &Diagnosis) -> (Severity, String) {
    match diagnosis {
        Diagnosis::Overfitting { task, since, valid, train } => {
            let name = run.plan.tasks.get(*task).map_or("", |task| task.name.as_str());
            let kept = match run.epochs.iter().rev().find(|epoch| epoch.best) {
                Some(best) if best.epoch == 0 => {
                    "The starting weights are the ones that are kept.".to_owned()
                }
                Some(best) => format!("The weights of epoch {} are the ones that are kept.", best.epoch),
                None => String::new(),
            };
            let loss = |value: f64| format_figure("loss", value);
            let text = format!(
                "{name} overfits since epoch {since}: on validation rows its loss rose from {} to {}, while on \
                 training rows it fell from {} to {}. {kept} Fewer epochs, more dropout or a higher frost line \
                 would help; more rows would help most.",
                loss(valid.0),
                loss(valid.1),
                loss(train.0),
                loss(train.1)
            );
            (Severity::Warning, text)
        }
        Diagnosis::Plateau { epochs } => {
            let advice = if run.outcome.is_none() { "It can be stopped" } else { "Fewer epochs would do" };
            let text = format!(
                "The validation loss has not become lower for {epochs} epochs: a plateau. {advice}, or the rates and \
                 the frost line are worth another try."
            );
            (Severity::Info, text)
        }
        Diagnosis::StillLearning { by } => {
            let text = format!(
                "The validation losses of the last epoch were still {} lower than any before: more epochs are worth a try.",
                percent(*by)
            );
            (Severity::Info, text)
        }
    }
}
