//! Rows whose entities were not found as they are labelled, with both drawn in the text.

use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{Button, Color32, Label, RichText, Stroke, TextStyle, Ui};

use crate::data::dataset::Dataset;
use crate::session::row_results::{MOST_SPAN_ROWS, SpanRow, SpansSaid};
use crate::session::state::{Severity, State};
use crate::train::metrics::{JudgedSpan, Span, SpanVerdict};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::numbers::{counted, thousands};

/// Rows on a page of the list: their heights differ, so that only these are laid out.
const PAGE: usize = 20;

/// What the page remembers of span errors.
#[derive(Debug, Default)]
pub(super) struct SpanView {
    /// The kind of error that is looked at; all of them else.
    only: Option<SpanVerdict>,
    /// Page of the list.
    page: usize,
}

/// Draws the card.
pub(super) fn span_errors_ui(ui: &mut Ui, state: &State, said: &SpansSaid, view: &mut SpanView) {
    widgets::card(ui, "Entities in the text", |ui| {
        if said.wrong_rows == 0 {
            let text = if said.counts.iter().all(|(_, count)| *count == 0) {
                "No row of this split has an entity, and none was predicted."
            } else {
                "Every entity of this split was found as it is labelled, and none was invented."
            };
            widgets::message(ui, Severity::Success, text);
            return;
        }
        legend_ui(ui);
        filter_ui(ui, said, view);
        let wanted =
            |row: &&SpanRow| view.only.is_none_or(|only| row.spans.iter().any(|span| span.verdict == only));
        let rows: Vec<&SpanRow> = said.rows.iter().filter(wanted).collect();
        let Some(data) = state.data.ready() else { return };
        if rows.is_empty() {
            let name = view.only.map_or("wrong", SpanVerdict::name);
            widgets::caption(ui, &format!("No entity is {name}."));
            return;
        }
        let pages = rows.len().div_ceil(PAGE);
        view.page = view.page.min(pages - 1);
        for row in rows.iter().skip(view.page * PAGE).take(PAGE) {
            ui.separator();
            row_ui(ui, &data.dataset, said, row);
        }
        ui.separator();
        pages_ui(ui, said, rows.len(), pages, &mut view.page);
    });
}

fn legend_ui(ui: &mut Ui) {
    let palette = Palette::of(ui);
    let text = "Rows with at least one entity that is wrong. After each entity stands in brackets what became of it. An \
                entity that the model takes for another type, on other words, is one missed and one invented.";
    widgets::caption(ui, text);
    ui.horizontal_wrapped(|ui| {
        let mut job = LayoutJob::default();
        let plain = format(ui, None, None);
        job.append("underlined", 0.0, format(ui, Some(palette.muted), None));
        job.append(": as it is labelled;  ", 0.0, plain.clone());
        job.append("tinted", 0.0, format(ui, None, Some(palette.muted)));
        job.append(": as the model says", 0.0, plain);
        ui.label(job);
    });
}

/// Counts, each of which shows its rows.
fn filter_ui(ui: &mut Ui, said: &SpansSaid, view: &mut SpanView) {
    ui.horizontal_wrapped(|ui| {
        let all = counted(said.wrong_rows, "wrong row", "wrong rows");
        let button = ui.add(Button::selectable(view.only.is_none(), all));
        if button.on_hover_text("Rows with an error of any kind").clicked() {
            *view = SpanView::default();
        }
        for (verdict, count) in said.counts {
            let text = format!("{} {}", thousands(count as u64), verdict.name());
            icon::icon(ui, picture(verdict), colour(Palette::of(ui), verdict), 14.0);
            if verdict == SpanVerdict::Right {
                ui.label(RichText::new(text).color(Palette::of(ui).muted));
                ui.add_space(theme::GAP);
                continue;
            }
            let button = ui.add(Button::selectable(view.only == Some(verdict), text));
            if button.on_hover_text(tooltip(verdict)).clicked() {
                *view = SpanView { only: Some(verdict), page: 0 };
            }
            ui.add_space(theme::GAP);
        }
    });
}

const fn tooltip(verdict: SpanVerdict) -> &'static str {
    match verdict {
        SpanVerdict::Right => "Entities that were found, from end to end",
        SpanVerdict::Missed => "Rows with an entity that is labelled and was not found",
        SpanVerdict::Invented => "Rows with an entity that was predicted and is not labelled",
        SpanVerdict::WrongKind => "Rows with an entity that was found and taken for another type",
        SpanVerdict::WrongBoundary => "Rows with an entity that was found with too few or too many words",
    }
}

const fn picture(verdict: SpanVerdict) -> Icon {
    match verdict {
        SpanVerdict::Right => Icon::Check,
        SpanVerdict::Missed => Icon::Ring,
        SpanVerdict::Invented => Icon::Dot,
        SpanVerdict::WrongKind => Icon::Error,
        SpanVerdict::WrongBoundary => Icon::Half,
    }
}

const fn colour(palette: &Palette, verdict: SpanVerdict) -> Color32 {
    match verdict {
        SpanVerdict::Right => palette.ok,
        SpanVerdict::Missed | SpanVerdict::WrongKind => palette.error,
        SpanVerdict::Invented | SpanVerdict::WrongBoundary => palette.warn,
    }
}

fn row_ui(ui: &mut Ui, dataset: &Dataset, said: &SpansSaid, row: &SpanRow) {
    let (file, line) = dataset.origins.get(row.row).copied().unwrap_or_default();
    let file = dataset.files.get(file as usize).and_then(|path| path.file_name()).unwrap_or_default();
    let place = format!("{}, line {line}", file.to_string_lossy());
    ui.label(RichText::new(place).small().color(Palette::of(ui).muted));
    let job = text_of(ui, dataset.text(row.row), said, row);
    ui.add(Label::new(job).wrap());
}

fn pages_ui(ui: &mut Ui, said: &SpansSaid, rows: usize, pages: usize, page: &mut usize) {
    if said.wrong_rows > MOST_SPAN_ROWS {
        let kept = thousands(MOST_SPAN_ROWS as u64);
        widgets::caption(ui, &format!("Of the wrong rows the first {kept} are kept; the counts are of all."));
    }
    if pages < 2 {
        return;
    }
    ui.horizontal(|ui| {
        if ui.add_enabled(*page > 0, Button::new("Earlier rows")).clicked() {
            *page -= 1;
        }
        if ui.add_enabled(*page + 1 < pages, Button::new("Further rows")).clicked() {
            *page += 1;
        }
        let (first, last) = (*page * PAGE + 1, ((*page + 1) * PAGE).min(rows));
        let text = format!(
            "{} to {} of {}",
            thousands(first as u64),
            thousands(last as u64),
            thousands(rows as u64)
        );
        ui.label(RichText::new(text).color(Palette::of(ui).muted));
    });
}

/// The words with what is labelled underlined, what is said tinted, and a mark after each entity.
fn text_of(ui: &Ui, text: &str, said: &SpansSaid, row: &SpanRow) -> LayoutJob {
    let palette = Palette::of(ui);
    let mut job = LayoutJob::default();
    let holds = |span: &Option<Span>, word| span.is_some_and(|span| span.first <= word && word <= span.last);
    let end = text.split(' ').count().saturating_sub(1);
    let last_word = |span: &JudgedSpan| last_word(span).min(end);
    let mut words = text.split(' ').enumerate().peekable();
    while let Some((place, word)) = words.next() {
        if row.cut_at == Some(place) {
            let cut = TextFormat { color: palette.muted, ..small(ui) };
            job.append("[the text was cut here] ", 0.0, cut);
        }
        let labelled = row.spans.iter().find(|span| holds(&span.labelled, place));
        let predicted = row.spans.iter().find(|span| holds(&span.said, place));
        let of = |span: Option<&JudgedSpan>| span.map(|span| colour(palette, span.verdict));
        job.append(word, 0.0, format(ui, of(labelled), of(predicted)));
        for span in row.spans.iter().filter(|span| last_word(span) == place) {
            let mark = TextFormat { color: colour(palette, span.verdict), ..small(ui) };
            job.append(&format!(" [{}]", mark_of(span, &said.types)), 0.0, mark);
        }
        // A gap between two words of an entity looks like them.
        let next = |span: &&JudgedSpan, of: fn(&JudgedSpan) -> &Option<Span>| holds(of(span), place + 1);
        let ends_here = row.spans.iter().any(|span| last_word(span) == place);
        let labelled = labelled.filter(|span| !ends_here && next(span, |span| &span.labelled));
        let predicted = predicted.filter(|span| !ends_here && next(span, |span| &span.said));
        if words.peek().is_some() {
            job.append(" ", 0.0, format(ui, of(labelled), of(predicted)));
        }
    }
    job
}

fn last_word(span: &JudgedSpan) -> usize {
    span.labelled.iter().chain(&span.said).map(|span| span.last).max().unwrap_or(0)
}

/// `missed PER`; of a wrong kind both: `wrong kind: PER, said LOC`.
fn mark_of(span: &JudgedSpan, types: &[String]) -> String {
    let name =
        |span: Option<Span>| span.and_then(|span| types.get(span.kind)).map_or("entity", String::as_str);
    match span.verdict {
        SpanVerdict::WrongKind => {
            format!("wrong kind: {}, said {}", name(span.labelled), name(span.said))
        }
        verdict => format!("{} {}", verdict.name(), name(span.labelled.or(span.said))),
    }
}

fn small(ui: &Ui) -> TextFormat {
    TextFormat { font_id: TextStyle::Small.resolve(ui.style()), ..TextFormat::default() }
}

fn format(ui: &Ui, underline: Option<Color32>, tint: Option<Color32>) -> TextFormat {
    let palette = Palette::of(ui);
    TextFormat {
        font_id: TextStyle::Body.resolve(ui.style()),
        color: palette.text,
        line_height: Some(5.0 * theme::GRID),
        underline: underline.map_or(Stroke::NONE, |colour| Stroke::new(2.0, colour)),
        background: tint.map_or(Color32::TRANSPARENT, |colour| palette.tint(colour, 0.28)),
        ..TextFormat::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_say_what_became_of_an_entity() {
        let types = ["LOC", "PER"].map(str::to_owned);
        let span = |kind| Some(Span { kind, first: 0, last: 1 });
        let mark = |verdict, labelled, said| mark_of(&JudgedSpan { verdict, labelled, said }, &types);
        assert_eq!(mark(SpanVerdict::Missed, span(1), None), "missed PER");
        assert_eq!(mark(SpanVerdict::Invented, None, span(0)), "invented LOC");
        assert_eq!(mark(SpanVerdict::WrongKind, span(1), span(0)), "wrong kind: PER, said LOC");
        assert_eq!(mark(SpanVerdict::WrongBoundary, span(7), span(7)), "wrong boundary entity");
    }
}
