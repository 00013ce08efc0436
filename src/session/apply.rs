//! News into the state.

use std::sync::Arc;

use super::Session;
use super::event::{Event, NoAnswer, QueryResult};
use super::state::{Loadable, RunOutcome, Severity};
use crate::train::report::START_KEPT;

impl Session {
    pub(super) fn apply(&mut self, news: Event) {
        let state = &mut self.state;
        match news {
            Event::Busy(busy) => state.busy = busy,
            Event::Notice(severity, text) => self.notify(severity, text),
            Event::Devices { list, chosen, cuda_missing, cuda_library } => {
                (state.devices, state.device) = (list, chosen);
                (state.cuda_missing, state.cuda_library) = (cuda_missing, cuda_library);
                self.preview_plan();
            }
            Event::Data { generation, answer } => {
                // An answer to an earlier question is of no use any more.
                if generation == self.data_generation {
                    let before = std::mem::replace(&mut state.data, loaded(answer));
                    self.data_arrived(before.ready());
                }
            }
            Event::Model { generation, answer } => {
                if generation == self.model_generation {
                    state.model = loaded(answer);
                    (state.map, state.neighbours) = (Loadable::Empty, Loadable::Empty);
                    (state.similarity, state.tokenized) = (Loadable::Empty, Loadable::Empty);
                    state.rate_search = Loadable::Empty;
                    self.preview_plan();
                    self.tell_of_cut();
                    self.measure_lengths();
                }
            }
            Event::Run(run) => {
                state.starting = false;
                state.run = Some(*run);
                state.similarity = Loadable::Empty;
                state.map = Loadable::Empty;
                state.neighbours = Loadable::Empty;
                state.prediction = Loadable::Empty;
            }
            Event::Phase(phase) => {
                if let Some(run) = &mut state.run {
                    run.phase = phase;
                }
            }
            Event::Note(note) => {
                if let Some(run) = &mut state.run {
                    run.note = note;
                }
            }
            Event::Steps { points, pace } => {
                if let Some(run) = &mut state.run {
                    run.steps.extend(points);
                    run.note.clear();
                    (run.rows_per_second, run.seconds_left) = (pace.rows_per_second, pace.seconds_left);
                }
            }
            Event::Epoch(point) => {
                if let Some(run) = &mut state.run {
                    // A resumed run measures the epoch again that it was cut off in.
                    run.epochs.retain(|known| known.epoch < point.epoch);
                    if point.best {
                        run.epochs.iter_mut().for_each(|epoch| epoch.best = false);
                    }
                    run.epochs.push(point);
                }
            }
            Event::RunEnded { outcome, report, can_resume } => self.end_run(outcome, report, can_resume),
            Event::RateSearch(answer) => state.rate_search = loaded(answer),
            Event::Lengths(answer) => state.lengths = loaded(answer),
            Event::Evaluation(answer) => {
                let shown = state.run.as_ref().map(|run| run.plan.name.as_str());
                let other = answer.as_ref().is_ok_and(|answer| Some(answer.run.as_str()) != shown);
                state.evaluation = if other { Loadable::Empty } else { loaded(answer) };
                if let Loadable::Ready(evaluation) = &mut state.evaluation {
                    let compared = self.earlier.compare(evaluation);
                    self.earlier.keep(evaluation);
                    Arc::make_mut(evaluation).compared = compared;
                }
            }
            Event::Similarity(answer) => state.similarity = loaded(answer),
            Event::Map(answer) => state.map = loaded(answer),
            Event::Neighbours(answer) => state.neighbours = loaded(answer),
            Event::TextPrediction(answer) => state.prediction = loaded(answer),
            Event::Tokenized(answer) => state.tokenized = loaded(answer),
            Event::Export(answer) => state.export = loaded(answer),
            Event::Done => {
                if let Some(worker) = &mut self.worker
                    && !worker.pending.is_empty()
                {
                    let done = worker.pending.remove(0);
                    // Also where the run could not even begin.
                    state.starting &= !done.trains;
                }
            }
        }
    }

    fn end_run(
        &mut self,
        outcome: RunOutcome,
        report: Option<Arc<super::state::RunReport>>,
        can_resume: bool,
    ) {
        let Some(run) = &mut self.state.run else { return };
        let name = run.plan.name.clone();
        let kept_start = report.as_ref().is_some_and(|report| report.keeps_the_start(&run.plan));
        run.note.clear();
        run.seconds_left = None;
        run.outcome = Some(outcome.clone());
        run.report = report;
        run.can_resume = can_resume;
        self.list_runs();
        match outcome {
            RunOutcome::Finished if kept_start => {
                self.notify(Severity::Warning, format!("Run {name} is finished: {START_KEPT}."));
            }
            RunOutcome::Finished => self.notify(Severity::Success, format!("Run {name} is finished.")),
            RunOutcome::Stopped { at_step } => {
                self.notify(Severity::Info, format!("Run {name} was stopped at step {at_step}."));
            }
            RunOutcome::Paused { at_step } => {
                self.notify(Severity::Info, format!("Run {name} is paused at step {at_step}."));
            }
            RunOutcome::Failed(reason) => {
                self.notify(Severity::Error, format!("Run {name} failed: {reason}"));
            }
        }
    }
}

fn loaded<T>(answer: QueryResult<T>) -> Loadable<Arc<T>> {
    match answer {
        Ok(value) => Loadable::Ready(value),
        Err(NoAnswer::Cancelled) => Loadable::Cancelled,
        Err(NoAnswer::Failed(reason)) => Loadable::Failed(reason),
    }
}
