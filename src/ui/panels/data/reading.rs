//! How a file is read, to be overruled where what was found out is wrong.

use eframe::egui;
use egui::{ComboBox, Role, Ui, WidgetInfo, vec2};

use crate::data::read::overrides::{FormatName, Overrides};
use crate::data::table::Quoting;
use crate::project::DataFile;
use crate::session::command::Edit;
use crate::ui::actions::Actions;
use crate::ui::theme;

const FOUND_OUT: &str = "found out";

/// Delimiters that tables are known to have.
const DELIMITERS: [(u8, &str); 5] =
    [(b',', "comma"), (b'\t', "tab"), (b';', "semicolon"), (b'|', "bar"), (b' ', "blank")];

/// Encodings that people meet; others are a line in the project file.
const ENCODINGS: [&str; 9] = [
    "utf-8",
    "utf-16-le",
    "utf-16-be",
    "cp1252",
    "iso-8859-1",
    "iso-8859-2",
    "shift_jis",
    "gb18030",
    "koi8-r",
];

/// Draws the choices behind a line that opens them; they stay open where something was said.
pub(super) fn reading_ui(ui: &mut Ui, file: &DataFile, name: &str, actions: &mut Actions) {
    let said = &file.overrides;
    let title = if said.is_empty() { "Read it differently" } else { "Read as you said" };
    let header = egui::CollapsingHeader::new(title).id_salt("reading").default_open(!said.is_empty());
    header.show(ui, |ui| {
        let mut now = said.clone();
        egui::Grid::new("reading").num_columns(2).spacing(vec2(theme::SECTION_GAP, theme::GRID)).show(
            ui,
            |ui| {
                let formats = FormatName::ALL.map(|format| (format, format.key().to_owned()));
                choice_ui(ui, "Format", name, &mut now.format, &formats);
                if now.format.is_none_or(|format| format == FormatName::Delimited) {
                    delimited_ui(ui, name, &mut now);
                }
                let encodings = ENCODINGS.map(|encoding| (encoding.to_owned(), encoding.to_owned()));
                choice_ui(ui, "Encoding", name, &mut now.encoding, &encodings);
            },
        );
        if now != *said {
            actions.send(Edit::SetOverrides(file.path.clone(), now));
        }
    });
}

fn delimited_ui(ui: &mut Ui, name: &str, now: &mut Overrides) {
    let mut delimiters = DELIMITERS.map(|(byte, words)| (byte, words.to_owned())).to_vec();
    if let Ok(none) = Overrides::delimiter_of("none") {
        delimiters.push((none, "none: a line is a text".to_owned()));
    }
    // A project file may name another one.
    if let Some(other) = now.delimiter.filter(|byte| delimiters.iter().all(|(known, _)| known != byte)) {
        delimiters.push((other, Overrides::delimiter_text(other)));
    }
    choice_ui(ui, "Delimiter", name, &mut now.delimiter, &delimiters);
    let quoting = Quoting::ALL.map(|quoting| (quoting, quoting.key().to_owned()));
    choice_ui(ui, "Quotes", name, &mut now.quoting, &quoting);
    let header = [(true, "names the columns".to_owned()), (false, "is a row".to_owned())];
    choice_ui(ui, "First line", name, &mut now.header, &header);
}

/// A line of the grid: one of some values, or none.
fn choice_ui<T: Clone + PartialEq>(
    ui: &mut Ui,
    what: &str,
    file: &str,
    chosen: &mut Option<T>,
    all: &[(T, String)],
) {
    ui.label(what);
    let text = chosen.as_ref().and_then(|chosen| all.iter().find(|(value, _)| value == chosen));
    let text = match (text, &chosen) {
        (Some((_, text)), _) => text.as_str(),
        (None, Some(_)) => "as the project file says",
        (None, None) => FOUND_OUT,
    };
    let combo = ComboBox::from_id_salt(what).selected_text(text).width(160.0).show_ui(ui, |ui| {
        ui.selectable_value(chosen, None, FOUND_OUT);
        for (value, text) in all {
            ui.selectable_value(chosen, Some(value.clone()), text);
        }
    });
    combo.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, format!("{what} of {file}")));
    ui.end_row();
}
