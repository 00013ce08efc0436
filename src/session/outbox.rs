//! News from the worker to its owner: the channel is bounded, the worker never waits for it, nothing is lost.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::{Sender, TrySendError};

use super::event::Event;

/// Called from the worker's thread whenever there is news.
pub(super) type Wake = Arc<dyn Fn() + Send + Sync>;

/// Keeps what the channel has no room for, steps joined together, and sends it later.
pub(super) struct Outbox {
    channel: Sender<Event>,
    waiting: VecDeque<Event>,
    wake: Wake,
}

impl Outbox {
    pub(super) fn new(channel: Sender<Event>, wake: Wake) -> Self {
        Self { channel, waiting: VecDeque::new(), wake }
    }

    /// Takes a piece of news and sends what there is room for. Never blocks.
    pub(super) fn post(&mut self, news: Event) {
        match (self.waiting.back_mut(), news) {
            (Some(Event::Steps { points, pace }), Event::Steps { points: more, pace: latest }) => {
                points.extend(more);
                *pace = latest;
            }
            (Some(Event::Busy(waiting)), Event::Busy(latest)) => *waiting = latest,
            (_, news) => self.waiting.push_back(news),
        }
        self.flush();
    }

    /// Sends what there is room for; true when nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        let mut sent = false;
        while let Some(news) = self.waiting.pop_front() {
            match self.channel.try_send(news) {
                Ok(()) => sent = true,
                Err(TrySendError::Full(news)) => {
                    self.waiting.push_front(news);
                    break;
                }
                // Nobody is left to tell.
                Err(TrySendError::Disconnected(_)) => self.waiting.clear(),
            }
        }
        if sent {
            (self.wake)();
        }
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::Pace;
    use crate::train::metrics::StepPoint;

    fn point(step: usize) -> StepPoint {
        StepPoint { step, epoch: 0.0, loss: 0.0, tasks: Vec::new(), rate_factor: 1.0, grad_norm: 0.0 }
    }

    #[test]
    fn a_full_channel_loses_no_step_and_blocks_nobody() {
        let (sender, receiver) = crossbeam_channel::bounded(2);
        let mut outbox = Outbox::new(sender, Arc::new(|| {}));
        for step in 1..=1000 {
            outbox.post(Event::Steps { points: vec![point(step)], pace: Pace::default() });
        }
        let mut steps = Vec::new();
        loop {
            let drained = outbox.flush();
            for news in receiver.try_iter() {
                if let Event::Steps { points, .. } = news {
                    steps.extend(points.into_iter().map(|point| point.step));
                }
            }
            if drained && receiver.is_empty() {
                break;
            }
        }
        assert_eq!(steps, (1..=1000).collect::<Vec<_>>());
    }
}
