//! News of a run: sent on to the session, and written into the run's history.

use std::time::{Duration, Instant};

use super::super::outbox::Outbox;
use super::super::state::Severity;
use crate::project::error::ProjectError;
use crate::project::runs::{HistoryLine, RunEvent, RunFolder};
use crate::session::event::{Event, Pace};
use crate::train::TrainError;
use crate::train::metrics::{EpochPoint, StepPoint};
use crate::train::plan::RunPlan;
use crate::train::run::fit_event::FitEvent;

/// The pace is measured over so long, or up to twice as long: steady to read, quick to follow a change.
const PACE_WINDOW: Duration = Duration::from_secs(5);

/// Sends the loop's news on and writes them down.
pub(super) struct Reporter<'a> {
    outbox: &'a mut Outbox,
    /// How often steps are sent on.
    every: Duration,
    folder: &'a mut RunFolder,
    plan: &'a RunPlan,
    steps: Vec<StepPoint>,
    sent: Instant,
    /// When steps were counted for the pace, and how many there were: from the first mark on, which the second
    /// replaces after a while, so that the window moves but never shrinks to nothing.
    marks: [(Instant, usize); 2],
    pace: Pace,
    step: usize,
    /// Steps that phases left undone as they ended before their time.
    skipped: usize,
    /// The phase that runs.
    phase: Option<usize>,
}

impl<'a> Reporter<'a> {
    /// `step` is where the run begins or resumes, `position` the place in its schedule.
    pub(super) fn new(
        outbox: &'a mut Outbox,
        every: Duration,
        folder: &'a mut RunFolder,
        plan: &'a RunPlan,
        (step, position): (usize, usize),
    ) -> Self {
        let now = Instant::now();
        let (steps, pace) = (Vec::new(), Pace::default());
        let (marks, skipped) = ([(now, step); 2], position.saturating_sub(step));
        Self { outbox, every, folder, plan, steps, sent: now, marks, pace, step, skipped, phase: None }
    }

    /// Says what happens beside training.
    pub(super) fn note(&mut self, note: &str) {
        self.outbox.post(Event::Note(note.to_owned()));
    }

    pub(super) fn take(&mut self, event: FitEvent) -> Result<(), TrainError> {
        let unfit = |error: ProjectError| TrainError::Unfit(error.to_string());
        let line = match event {
            FitEvent::Saving => return self.folder.flush().map_err(unfit),
            FitEvent::Note(note) => {
                self.outbox.post(Event::Note(note));
                return Ok(());
            }
            FitEvent::Warning(text) => {
                self.outbox.post(Event::Notice(Severity::Warning, text));
                return Ok(());
            }
            FitEvent::Resumed { at_step } => HistoryLine::Event(RunEvent::Resumed { at_step }),
            FitEvent::Phase(phase) => {
                self.send_steps();
                self.outbox.post(Event::Phase(phase));
                self.marks = [(Instant::now(), self.step); 2];
                // The first one may be resumed within; those after it begin at their own place in the schedule.
                if self.phase.replace(phase).is_some() {
                    let before = self.plan.phases.iter().take(phase);
                    let planned: usize = before.map(|phase| phase.steps(self.plan.steps_per_epoch)).sum();
                    self.skipped = planned.saturating_sub(self.step);
                }
                let name = self.plan.phases.get(phase).map(|phase| phase.name.clone()).unwrap_or_default();
                HistoryLine::Event(RunEvent::PhaseStarted { phase, name, step: self.step })
            }
            FitEvent::Step(point) => {
                self.step = point.step;
                self.steps.push(point.clone());
                if self.sent.elapsed() >= self.every {
                    self.measure_pace();
                    self.send_steps();
                }
                HistoryLine::Step(point)
            }
            FitEvent::Epoch(point) => self.epoch(point),
        };
        self.folder.append(&line).map_err(unfit)
    }

    fn epoch(&mut self, point: EpochPoint) -> HistoryLine {
        self.measure_pace();
        self.send_steps();
        self.outbox.post(Event::Epoch(point.clone()));
        HistoryLine::Epoch(point)
    }

    fn measure_pace(&mut self) {
        let [(since, at), (newer, _)] = self.marks;
        let (seconds, steps) = (since.elapsed().as_secs_f64(), self.step.saturating_sub(at));
        if steps == 0 || seconds <= 0.0 {
            return;
        }
        let per_second = steps as f64 / seconds;
        let rows = self.plan.train_rows as f64 / self.plan.steps_per_epoch.max(1) as f64;
        let left = self.plan.total_steps().saturating_sub(self.step + self.skipped);
        self.pace = Pace { rows_per_second: per_second * rows, seconds_left: Some(left as f64 / per_second) };
        if newer.elapsed() > PACE_WINDOW {
            self.marks = [self.marks[1], (Instant::now(), self.step)];
        }
    }

    pub(super) fn send_steps(&mut self) {
        self.sent = Instant::now();
        let points = std::mem::take(&mut self.steps);
        if !points.is_empty() {
            self.outbox.post(Event::Steps { points, pace: self.pace });
        }
    }
}
