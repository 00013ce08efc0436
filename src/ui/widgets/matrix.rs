//! A square of shaded cells: confusion matrices of three or of 151 classes, similarities of sentences.
//!
//! What a cell means, its shade and its words come from the caller; this knows where cells are, which one is
//! pointed at, and whether there is room for text.

use eframe::egui::epaint::{Mesh, TextShape};
use eframe::egui::{
    Align2, Color32, CornerRadius, FontId, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2,
    WidgetInfo, pos2, vec2,
};

use crate::ui::theme::Palette;

/// Cells never grow beyond this: a 3 by 3 matrix need not fill the page.
const CELL_MAX: f32 = 84.0;
/// Below this height names beside the cells would overlap, and numbers inside them too.
const TEXT_MIN: Vec2 = Vec2::new(26.0, 15.0);
/// Matrices up to this many rows get a focusable, named element for each cell.
const NAMED_CELLS: usize = 8;
/// Height of names that stand upright over the columns.
const HEAD: f32 = 20.0;
/// Most of the width that row names may take.
const NAMES_SHARE: f32 = 0.3;

/// Where the parts of a matrix are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// The cells' area.
    pub cells: Rect,
    /// Size of a cell.
    pub cell: Vec2,
    /// Cells in a row and in a column.
    pub count: usize,
    /// Room for names.
    pub names: bool,
    /// Room for text in the cells.
    pub text: bool,
}

impl Layout {
    /// Places `count` by `count` cells into `size`, with names of up to `name_width` points.
    #[must_use]
    pub fn new(origin: Pos2, size: Vec2, count: usize, name_width: f32) -> Self {
        let fits = |room: Vec2| (room / count.max(1) as f32).min_elem().min(CELL_MAX);
        let names_width = name_width.min(size.x * NAMES_SHARE);
        // Names over the columns stand upright where they fit a cell, and are turned where they do not.
        let turned = vec2(names_width + 8.0, names_width + 8.0);
        let upright = vec2(names_width + 8.0, HEAD);
        let margin = if names_width <= fits(size - upright) - 4.0 { upright } else { turned };
        let with_names = fits(size - margin);
        let names = with_names >= 12.0;
        let (cell, margin) = if names { (with_names, margin) } else { (fits(size), Vec2::ZERO) };
        let cell = Vec2::splat(cell.max(1.0));
        let cells = Rect::from_min_size(origin + margin, cell * count as f32);
        Self { cells, cell, count, names, text: cell.x >= TEXT_MIN.x && cell.y >= TEXT_MIN.y }
    }

    /// Row and column at a point.
    #[must_use]
    pub fn at(&self, point: Pos2) -> Option<(usize, usize)> {
        if !self.cells.contains(point) {
            return None;
        }
        let at = (point - self.cells.min) / self.cell;
        let last = self.count.checked_sub(1)?;
        Some(((at.y as usize).min(last), (at.x as usize).min(last)))
    }

    /// The rectangle of a cell.
    #[must_use]
    pub fn rect(&self, row: usize, column: usize) -> Rect {
        let min = self.cells.min + self.cell * vec2(column as f32, row as f32);
        Rect::from_min_size(min, self.cell)
    }

    /// What the whole takes, from the origin on.
    #[must_use]
    pub fn total(&self, origin: Pos2) -> Vec2 {
        self.cells.max - origin
    }
}

/// What a matrix shows.
pub struct Matrix<'a> {
    /// Accessible name of the whole: `confusion matrix of topic`.
    pub name: &'a str,
    /// Names of rows and of columns.
    pub names: &'a [String],
    /// Fill of a cell; `None` for the background.
    pub fill: &'a dyn Fn(usize, usize) -> Option<Color32>,
    /// Text in a cell, where it fits.
    pub text: &'a dyn Fn(usize, usize) -> String,
    /// The same in a sentence, for the pointer and for screen readers.
    pub sentence: &'a dyn Fn(usize, usize) -> String,
    /// The cell that is chosen.
    pub selected: Option<(usize, usize)>,
}

impl Matrix<'_> {
    /// Draws it within `size`; the cell that was clicked, if one was.
    pub fn show(&self, ui: &mut Ui, size: Vec2) -> Option<(usize, usize)> {
        let font = FontId::proportional(12.0);
        let colour = ui.visuals().text_color();
        let shorten = |name: &String| shorten(name, 24);
        let galley = |name: &String| ui.painter().layout_no_wrap(shorten(name), font.clone(), colour);
        let names: Vec<_> =
            if self.names.len() <= 64 { self.names.iter().map(galley).collect() } else { Vec::new() };
        let name_width = names.iter().map(|galley| galley.size().x).fold(0.0, f32::max);
        let origin = ui.cursor().min;
        let layout =
            Layout::new(origin, size, self.names.len(), if names.is_empty() { 1e3 } else { name_width });
        let (_, response) = ui.allocate_exact_size(layout.total(origin), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.name));

        self.paint_cells(ui, &layout);
        if layout.names {
            let upright = name_width <= layout.cell.x - 4.0;
            for (index, galley) in names.into_iter().enumerate() {
                let row = layout.rect(index, 0);
                let at = pos2(row.left() - 6.0 - galley.size().x, row.center().y - galley.size().y / 2.0);
                let clip = ui.painter().with_clip_rect(Rect::from_min_max(origin, row.right_bottom()));
                clip.galley(at.max(pos2(origin.x, at.y)), galley.clone(), colour);
                let head = layout.rect(0, index);
                if upright {
                    let at =
                        pos2(head.center().x - galley.size().x / 2.0, head.top() - 4.0 - galley.size().y);
                    ui.painter().galley(at, galley, colour);
                } else {
                    let at = pos2(head.center().x - galley.size().y / 2.0, head.top() - 6.0);
                    let turned = -std::f32::consts::FRAC_PI_2;
                    ui.painter().add(TextShape::new(at, galley, colour).with_angle(turned));
                }
            }
        }
        self.interact(ui, &layout, &response)
    }

    fn paint_cells(&self, ui: &Ui, layout: &Layout) {
        let painter = ui.painter();
        painter.rect_filled(layout.cells, CornerRadius::ZERO, ui.visuals().extreme_bg_color);
        let gap = if layout.cell.x > 8.0 { 0.5 } else { 0.0 };
        let mut mesh = Mesh::default();
        for row in 0..layout.count {
            for column in 0..layout.count {
                if let Some(fill) = (self.fill)(row, column) {
                    mesh.add_colored_rect(layout.rect(row, column).shrink(gap), fill);
                }
            }
        }
        painter.add(mesh);
        let outline = Stroke::new(1.0, ui.visuals().widgets.noninteractive.bg_stroke.color);
        painter.rect_stroke(layout.cells, CornerRadius::ZERO, outline, StrokeKind::Outside);
        if !layout.text {
            return;
        }
        let font = FontId::proportional(if layout.cell.x < 34.0 { 11.0 } else { 13.0 });
        for row in 0..layout.count {
            for column in 0..layout.count {
                let fill = (self.fill)(row, column).unwrap_or(ui.visuals().extreme_bg_color);
                let at = layout.rect(row, column).center();
                let colour = Palette::of(ui).text_on(fill);
                painter.text(at, Align2::CENTER_CENTER, (self.text)(row, column), font.clone(), colour);
            }
        }
    }

    fn interact(&self, ui: &Ui, layout: &Layout, response: &Response) -> Option<(usize, usize)> {
        let ring = |cell: Option<(usize, usize)>, width: f32| {
            if let Some((row, column)) = cell {
                let stroke = Stroke::new(width, ui.visuals().strong_text_color());
                ui.painter().rect_stroke(
                    layout.rect(row, column),
                    CornerRadius::ZERO,
                    stroke,
                    StrokeKind::Middle,
                );
            }
        };
        ring(self.selected, 2.5);
        if layout.count <= NAMED_CELLS {
            let mut clicked = None;
            for row in 0..layout.count {
                for column in 0..layout.count {
                    let id = response.id.with((row, column));
                    let cell = ui.interact(layout.rect(row, column), id, Sense::click());
                    let selected = self.selected == Some((row, column));
                    cell.widget_info(|| {
                        WidgetInfo::selected(Role::Button, true, selected, (self.sentence)(row, column))
                    });
                    if cell.hovered() || cell.has_focus() {
                        ring(Some((row, column)), 1.5);
                    }
                    if cell.clicked() {
                        clicked = Some((row, column));
                    }
                    cell.on_hover_ui(|ui| {
                        ui.label((self.sentence)(row, column));
                    });
                }
            }
            return clicked;
        }
        let hovered = response.hover_pos().and_then(|at| layout.at(at));
        ring(hovered, 1.5);
        if let Some((row, column)) = hovered {
            response.clone().on_hover_ui_at_pointer(|ui| {
                ui.label((self.sentence)(row, column));
            });
        }
        if response.clicked() { hovered } else { None }
    }
}

/// A name of at most `most` characters, its middle left out.
#[must_use]
pub fn shorten(name: &str, most: usize) -> String {
    let count = name.chars().count();
    if count <= most || most < 3 {
        return name.to_owned();
    }
    let tail = (most - 1) / 3;
    let head: String = name.chars().take(most - 1 - tail).collect();
    let end: String = name.chars().skip(count - tail).collect();
    format!("{head}…{end}")
}

/// A pair of classes that is mixed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConfusedPair {
    /// What the label says.
    pub label: usize,
    /// What the model says.
    pub predicted: usize,
    /// How many rows.
    pub count: u32,
    /// Their share of the label's rows.
    pub share: f64,
}

/// The pairs that are mixed up most often, commonest first.
#[must_use]
pub fn confused_pairs(confusion: &[Vec<u32>], most: usize) -> Vec<ConfusedPair> {
    let mut pairs = Vec::new();
    for (label, row) in confusion.iter().enumerate() {
        let total: u32 = row.iter().sum();
        for (predicted, &count) in row.iter().enumerate().filter(|(c, count)| *c != label && **count > 0) {
            pairs.push(ConfusedPair { label, predicted, count, share: f64::from(count) / f64::from(total) });
        }
    }
    pairs.sort_by(|a, b| b.count.cmp(&a.count).then(b.share.total_cmp(&a.share)));
    pairs.truncate(most);
    pairs
}

/// Share of its row that a cell holds; 0 for an empty row.
#[must_use]
pub fn row_share(confusion: &[Vec<u32>], label: usize, predicted: usize) -> f32 {
    let Some(row) = confusion.get(label) else { return 0.0 };
    let total: u32 = row.iter().sum();
    let count = row.get(predicted).copied().unwrap_or(0);
    if total == 0 { 0.0 } else { count as f32 / total as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Pos2 = pos2(100.0, 50.0);

    #[test]
    fn three_classes_show_names_and_numbers() {
        let layout = Layout::new(ORIGIN, vec2(400.0, 400.0), 3, 60.0);
        assert!(layout.names && layout.text);
        assert_eq!(layout.cell.x, CELL_MAX);
    }

    #[test]
    fn short_names_stand_upright_and_long_ones_are_turned() {
        let top = |name_width: f32| {
            let layout = Layout::new(ORIGIN, vec2(400.0, 400.0), 5, name_width);
            layout.cells.top() - ORIGIN.y
        };
        assert_eq!(top(20.0), HEAD);
        assert_eq!(top(100.0), 108.0);
    }

    #[test]
    fn many_classes_fit_without_names() {
        let size = vec2(420.0, 420.0);
        let layout = Layout::new(ORIGIN, size, 151, 200.0);
        assert!(!layout.names && !layout.text);
        assert!(Rect::from_min_size(ORIGIN, size).contains_rect(layout.cells));
        assert!(layout.cell.x > 2.0);
    }

    #[test]
    fn every_cell_is_found_where_it_is_drawn() {
        for count in [1, 3, 40, 151] {
            let layout = Layout::new(ORIGIN, vec2(420.0, 380.0), count, 80.0);
            for (row, column) in [(0, 0), (count - 1, 0), (count / 2, count - 1)] {
                assert_eq!(layout.at(layout.rect(row, column).center()), Some((row, column)), "{count}");
            }
            assert_eq!(layout.at(layout.cells.max + vec2(1.0, 1.0)), None);
        }
        assert_eq!(Layout::new(ORIGIN, vec2(9.0, 9.0), 0, 0.0).at(ORIGIN), None);
    }

    #[test]
    fn confused_pairs_come_most_frequent_first() {
        let confusion = vec![vec![5, 2, 0], vec![0, 9, 3], vec![1, 0, 1]];
        let pairs = confused_pairs(&confusion, 2);
        assert_eq!(
            pairs.iter().map(|p| (p.label, p.predicted, p.count)).collect::<Vec<_>>(),
            [(1, 2, 3), (0, 1, 2)]
        );
        assert_eq!(pairs[0].share, 0.25);
    }

    #[test]
    fn shares_are_of_the_row() {
        let confusion = vec![vec![3, 1], vec![0, 0]];
        assert_eq!(row_share(&confusion, 0, 1), 0.25);
        assert_eq!(row_share(&confusion, 1, 1), 0.0);
        assert_eq!(row_share(&confusion, 7, 1), 0.0);
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("short", 10), "short");
        assert_eq!(shorten("a_very_long_name_über", 10), "a_very…ber");
    }
}
