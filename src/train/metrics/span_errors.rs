//! What became of every entity of a row: found, missed, invented, or found with a fault.

use super::spans::Span;

/// What became of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanVerdict {
    /// Same words, same type.
    Right,
    /// Labelled, and nothing like it is said.
    Missed,
    /// Said, and nothing like it is labelled.
    Invented,
    /// Same words, another type.
    WrongKind,
    /// Same type, other words, at least one of which is shared.
    WrongBoundary,
}

impl SpanVerdict {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Right, Self::Missed, Self::Invented, Self::WrongKind, Self::WrongBoundary];

    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Missed => "missed",
            Self::Invented => "invented",
            Self::WrongKind => "wrong kind",
            Self::WrongBoundary => "wrong boundary",
        }
    }
}

/// An entity and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgedSpan {
    /// What became of it.
    pub verdict: SpanVerdict,
    /// As it is labelled; `None` of one that is invented.
    pub labelled: Option<Span>,
    /// As it is said; `None` of one that is missed.
    pub said: Option<Span>,
}

impl JudgedSpan {
    const fn of(verdict: SpanVerdict, labelled: Option<&Span>, said: Option<&Span>) -> Self {
        Self { verdict, labelled: labelled.copied(), said: said.copied() }
    }

    fn first_word(&self) -> usize {
        let spans = self.labelled.iter().chain(&self.said);
        spans.map(|span| span.first).min().unwrap_or(0)
    }
}

/// Judges the entities of a row, in the order of their words.
///
/// Same words come first, then shared words of the same type, each entity once. What overlaps an entity of another
/// type and has other words too is no version of it: one is missed and the other invented. What is right here is what
/// the figures count as right.
#[must_use]
pub fn judge_spans(labelled: &[Span], said: &[Span]) -> Vec<JudgedSpan> {
    let mut judged = Vec::new();
    let mut left: Vec<&Span> = said.iter().collect();
    let mut unmatched = Vec::new();
    for span in labelled {
        let same_words = |other: &&Span| (other.first, other.last) == (span.first, span.last);
        match take(&mut left, same_words) {
            Some(other) if other.kind == span.kind => {
                judged.push(JudgedSpan::of(SpanVerdict::Right, Some(span), Some(other)));
            }
            Some(other) => judged.push(JudgedSpan::of(SpanVerdict::WrongKind, Some(span), Some(other))),
            None => unmatched.push(span),
        }
    }
    for span in unmatched {
        let shares =
            |other: &&Span| other.kind == span.kind && other.first <= span.last && span.first <= other.last;
        let other = take(&mut left, shares);
        let verdict = if other.is_some() { SpanVerdict::WrongBoundary } else { SpanVerdict::Missed };
        judged.push(JudgedSpan::of(verdict, Some(span), other));
    }
    judged.extend(left.into_iter().map(|other| JudgedSpan::of(SpanVerdict::Invented, None, Some(other))));
    judged.sort_by_key(JudgedSpan::first_word);
    judged
}

/// Takes the first that is wanted.
fn take<'a>(left: &mut Vec<&'a Span>, wanted: impl Fn(&&Span) -> bool) -> Option<&'a Span> {
    let at = left.iter().position(wanted)?;
    Some(left.remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use SpanVerdict::{Invented, Missed, Right, WrongBoundary, WrongKind};

    fn spans(all: &[(usize, usize, usize)]) -> Vec<Span> {
        all.iter().map(|(kind, first, last)| Span { kind: *kind, first: *first, last: *last }).collect()
    }

    fn verdicts(labelled: &[(usize, usize, usize)], said: &[(usize, usize, usize)]) -> Vec<SpanVerdict> {
        judge_spans(&spans(labelled), &spans(said)).iter().map(|judged| judged.verdict).collect()
    }

    #[test]
    fn each_kind_of_error_has_its_name() {
        let labelled = [(0, 0, 1), (1, 3, 3), (0, 5, 7), (1, 9, 9)];
        let said = [(0, 0, 1), (0, 3, 3), (0, 6, 7), (0, 11, 11)];
        assert_eq!(verdicts(&labelled, &said), [Right, WrongKind, WrongBoundary, Missed, Invented]);
        assert_eq!(verdicts(&[], &[]), []);
    }

    #[test]
    fn another_type_on_other_words_is_one_missed_and_one_invented() {
        assert_eq!(verdicts(&[(0, 0, 2)], &[(1, 1, 2)]), [Missed, Invented]);
    }

    #[test]
    fn an_entity_is_matched_once() {
        // One labelled entity that is said in two pieces: the first is a version of it, the second is invented.
        assert_eq!(verdicts(&[(0, 0, 4)], &[(0, 0, 1), (0, 3, 4)]), [WrongBoundary, Invented]);
        // Two labelled entities that are said as one.
        assert_eq!(verdicts(&[(0, 0, 1), (0, 3, 4)], &[(0, 0, 4)]), [WrongBoundary, Missed]);
        // The same words win over shared words, wherever they stand.
        assert_eq!(verdicts(&[(0, 0, 2), (0, 3, 4)], &[(0, 2, 2), (0, 3, 4)]), [WrongBoundary, Right]);
    }
}
