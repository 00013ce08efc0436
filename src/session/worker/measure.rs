//! What the shown run says of every row of a split, out of its predictions: numbers in, plain data out.

use std::sync::Arc;

use super::super::state::Mistake;
use super::texts::Texts;
use crate::session::row_results::{ClassSaid, MOST_SPAN_ROWS, RowResults, SpanRow, SpansSaid};
use crate::text::tokenizer::NO_WORD;
use crate::train::evaluate::argmax;
use crate::train::examples::{Examples, LabelledWord, NO_TAG, Targets, UnreadWord, labelled_words};
use crate::train::metrics::{
    JudgedSpan, Predictions, Span, SpanVerdict, TagScheme, judge_spans, threshold_curve,
};

/// What is said of the labelled rows of a single-label task, in the order of the rows; nothing of other kinds: only
/// where a row has one class is there one that it was taken for.
pub(super) fn classes_said(
    which: &[usize],
    rows: &Examples,
    task: usize,
    said: Option<&Predictions>,
) -> Vec<ClassSaid> {
    let Some(labels) = rows.targets.get(task).map(Targets::classes) else { return Vec::new() };
    let Some(Predictions::Probabilities { classes, values }) = said else { return Vec::new() };
    let of_row = |((row, label), p): ((&usize, &Option<u32>), &[f32])| {
        let label = (*label)?;
        let predicted = argmax(p);
        let probability = |class: usize| p.get(class).copied().unwrap_or(0.0);
        Some(ClassSaid {
            row: *row,
            label,
            predicted: predicted as u32,
            confidence: probability(predicted),
            label_confidence: probability(label as usize),
        })
    };
    which.iter().zip(labels).zip(values.chunks((*classes).max(1))).filter_map(of_row).collect()
}

/// What is kept of what is said of a task, beside what is known of it as a single-label task.
pub(super) fn said_of(
    classes: Vec<ClassSaid>,
    targets: Option<&Targets>,
    said: Option<&Predictions>,
) -> RowResults {
    match (targets, said) {
        (Some(Targets::Class(_)), _) if !classes.is_empty() => RowResults::Classes(Arc::new(classes)),
        (Some(Targets::Classes(labels)), Some(Predictions::Sigmoids { classes, values })) => {
            let rows = values.chunks_exact((*classes).max(1)).zip(labels);
            let labelled = rows.filter_map(|(p, labels)| Some((p, labels.as_deref()?)));
            if labels.iter().any(Option::is_some) {
                RowResults::Sets(threshold_curve(*classes, labelled))
            } else {
                RowResults::Nothing
            }
        }
        _ => RowResults::Nothing,
    }
}

/// What became of the entities of a token task; `None` for other kinds. The words that count are those of the figures:
/// what has a tag that the head knows, read or not.
pub(super) fn spans_said(
    which: &[usize],
    texts: &Texts,
    classes: &[String],
    targets: Option<&Targets>,
    unread: &[Vec<UnreadWord>],
    said: Option<&Predictions>,
) -> Option<SpansSaid> {
    let (Some(Targets::Tags(labels)), Some(Predictions::Tags { tags, .. })) = (targets, said) else {
        return None;
    };
    let scheme = TagScheme::of(classes);
    let mut found = SpansSaid {
        types: scheme.types().to_vec(),
        counts: SpanVerdict::ALL.map(|verdict| (verdict, 0)),
        wrong_rows: 0,
        rows: Vec::new(),
    };
    for (index, ((row, labels), tags)) in which.iter().zip(labels).zip(tags).enumerate() {
        let Some(labels) = labels else { continue };
        let unread = unread.get(index).map(Vec::as_slice).unwrap_or_default();
        let spans = judged(&scheme, texts.word_starts(*row), &labelled_words(labels, unread), tags);
        for (verdict, count) in &mut found.counts {
            *count += spans.iter().filter(|span| span.verdict == *verdict).count();
        }
        if spans.iter().any(|span| span.verdict != SpanVerdict::Right) {
            found.wrong_rows += 1;
            if found.rows.len() < MOST_SPAN_ROWS {
                let starts = texts.word_starts(*row).iter().filter(|word| **word != NO_WORD);
                let read = starts.max().map_or(0, |word| *word as usize + 1);
                let cut_at = texts.is_cut(*row).then_some(read);
                found.rows.push(SpanRow { row: *row, cut_at, spans });
            }
        }
    }
    Some(found)
}

/// The entities of a row by the words of its text: `tags` are of its tokens. A word that is not read is predicted to
/// be outside, as no class stands outside of all entities: [`NO_TAG`].
fn judged(
    scheme: &TagScheme,
    word_starts: &[u32],
    labels: &[(LabelledWord, u32)],
    tags: &[u32],
) -> Vec<JudgedSpan> {
    let (mut words, mut is, mut said) = (Vec::new(), Vec::new(), Vec::new());
    for (word, label) in labels {
        is.push(*label);
        let (word, tag) = match word {
            LabelledWord::Token(token) => (
                word_starts.get(*token).map_or(usize::MAX, |word| *word as usize),
                tags.get(*token).copied().unwrap_or(NO_TAG),
            ),
            LabelledWord::Unread(word) => (*word, NO_TAG),
        };
        words.push(word);
        said.push(tag);
    }
    let word = |place: usize| words.get(place).copied().unwrap_or(place);
    let by_words = |span: &mut Span| (span.first, span.last) = (word(span.first), word(span.last));
    let mut spans = judge_spans(&scheme.spans(&is), &scheme.spans(&said));
    for span in &mut spans {
        span.labelled.iter_mut().chain(&mut span.said).for_each(by_words);
    }
    spans
}

/// The rows that were taken for another class, most confident first.
pub(super) fn mistakes(said: &[ClassSaid]) -> Vec<Mistake> {
    let mistake = |said: &ClassSaid| Mistake {
        row: said.row,
        label: said.label,
        predicted: said.predicted,
        confidence: said.confidence,
    };
    let mut found: Vec<Mistake> = said.iter().filter(|said| !said.is_right()).map(mistake).collect();
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_told_by_the_words_of_the_text() {
        let classes = ["B-PER", "I-PER", "O"].map(str::to_owned);
        // The second word is two tokens, and the third has a tag that the head does not know.
        let starts = [NO_WORD, 0, 1, NO_WORD, 2, 3, NO_WORD];
        let labels = [NO_TAG, 0, 1, NO_TAG, NO_TAG, 0, NO_TAG];
        let said = [2, 0, 2, 2, 2, 0, 2];
        let spans = judged(&TagScheme::of(&classes), &starts, &labelled_words(&labels, &[]), &said);
        let span = |first, last| Some(Span { kind: 0, first, last });
        let wanted = [
            JudgedSpan { verdict: SpanVerdict::WrongBoundary, labelled: span(0, 1), said: span(0, 0) },
            JudgedSpan { verdict: SpanVerdict::Right, labelled: span(3, 3), said: span(3, 3) },
        ];
        assert_eq!(spans, wanted);
        // An entity whose words have no token is missed, at its place in the text.
        let unread = [UnreadWord { word: 4, tag: 0, before: 3 }, UnreadWord { word: 5, tag: 1, before: 3 }];
        let spans = judged(&TagScheme::of(&classes), &starts, &labelled_words(&labels, &unread), &said);
        let missed = JudgedSpan { verdict: SpanVerdict::Missed, labelled: span(4, 5), said: None };
        assert_eq!(spans.last(), Some(&missed));
    }

    #[test]
    fn thresholds_are_tried_on_labelled_rows() {
        let targets = Targets::Classes(vec![Some(vec![0]), None]);
        let said = Predictions::Sigmoids { classes: 2, values: vec![0.75, 0.25, 0.9, 0.9] };
        let RowResults::Sets(curve) = said_of(Vec::new(), Some(&targets), Some(&said)) else {
            panic!("a curve")
        };
        assert_eq!(curve.iter().map(|at| at.micro_f1).fold(0.0, f64::max), 1.0);
        let none = Targets::Classes(vec![None, None]);
        assert_eq!(said_of(Vec::new(), Some(&none), Some(&said)), RowResults::Nothing);
    }

    #[test]
    fn a_row_without_a_label_is_passed_over() {
        let rows =
            Examples { targets: vec![Targets::Class(vec![Some(1), None, Some(0)])], ..Examples::default() };
        let values = vec![0.75, 0.25, 0.5, 0.5, 0.9, 0.1];
        let said = Predictions::Probabilities { classes: 2, values };
        let said = classes_said(&[7, 8, 9], &rows, 0, Some(&said));
        let first = ClassSaid { row: 7, label: 1, predicted: 0, confidence: 0.75, label_confidence: 0.25 };
        assert_eq!(said[0], first);
        assert_eq!((said.len(), said[1].row, said[1].is_right()), (2, 9, true));
        assert_eq!(mistakes(&said), [Mistake { row: 7, label: 1, predicted: 0, confidence: 0.75 }]);
        assert_eq!(classes_said(&[7], &rows, 0, Some(&Predictions::Numbers(vec![1.0]))), []);
    }
}
