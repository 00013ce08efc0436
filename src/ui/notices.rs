//! How long sentences for the user stay: good news goes by itself, whatever needs a look stays until it is dismissed.

use std::time::{Duration, Instant};

use eframe::egui::Context;

use crate::session::state::{Notice, Severity};

/// How long good news stays: long enough to be read twice.
const GOOD_NEWS: Duration = Duration::from_secs(10);

/// When each notice was first in sight.
#[derive(Debug, Default)]
pub(super) struct Ages {
    seen: Vec<(u64, Instant)>,
}

impl Ages {
    /// Notices that have been in sight for long enough; asks for a frame when the next one will be.
    pub(super) fn overdue<'a>(
        &mut self,
        ctx: &Context,
        notices: impl Iterator<Item = &'a Notice>,
        now: Instant,
    ) -> Vec<u64> {
        let passing = |notice: &&Notice| matches!(notice.severity, Severity::Success | Severity::Info);
        let ids: Vec<u64> = notices.filter(passing).map(|notice| notice.id).collect();
        self.seen.retain(|(id, _)| ids.contains(id));
        for id in ids {
            if !self.seen.iter().any(|(known, _)| *known == id) {
                self.seen.push((id, now));
            }
        }
        let age = |since: Instant| now.saturating_duration_since(since);
        let next = self.seen.iter().map(|(_, since)| GOOD_NEWS.saturating_sub(age(*since))).min();
        if let Some(next) = next {
            ctx.request_repaint_after(next);
        }
        self.seen.iter().filter(|(_, since)| age(*since) >= GOOD_NEWS).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_news_goes_and_bad_news_stays() {
        let notice = |id, severity| Notice { id, severity, text: String::new() };
        let notices =
            [notice(1, Severity::Success), notice(2, Severity::Warning), notice(3, Severity::Error)];
        let (ctx, start) = (Context::default(), Instant::now());
        let mut ages = Ages::default();
        assert!(ages.overdue(&ctx, notices.iter(), start).is_empty());
        let later = [notices[0].clone(), notices[1].clone(), notices[2].clone(), notice(4, Severity::Info)];
        assert!(ages.overdue(&ctx, later.iter(), start + GOOD_NEWS / 2).is_empty());
        assert_eq!(ages.overdue(&ctx, later.iter(), start + GOOD_NEWS), [1]);
        assert_eq!(ages.overdue(&ctx, later[1..].iter(), start + GOOD_NEWS * 2), [4]);
    }
}
