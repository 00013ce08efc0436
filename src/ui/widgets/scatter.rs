//! Points in the plane with a colour each: one map of the data, drawn twice side by side on linked axes.
//!
//! What a point is, its colour and its words come from the caller. It must never know a data set.

use eframe::egui::{Color32, Id, Pos2, Response, Role, Shape, Stroke, Ui, Vec2, WidgetInfo};
use egui_plot::{Plot, PlotPoint, PlotTransform, Points};

/// How near the pointer must be to a point to mean it, in screen points.
const REACH: f32 = 10.0;

/// One map.
pub struct Scatter<'a> {
    /// Accessible name: `map before fine-tuning`.
    pub name: &'a str,
    /// The points.
    pub points: &'a [[f32; 2]],
    /// Group of each point, an index into `groups`.
    pub group_of: &'a dyn Fn(usize) -> usize,
    /// Colour of each group.
    pub groups: &'a [Color32],
    /// Points that stand out; when there are any, the others step back.
    pub matches: &'a dyn Fn(usize) -> bool,
    /// Whether any point matches.
    pub any_match: bool,
    /// The chosen point.
    pub chosen: Option<usize>,
    /// Points ringed with it: its neighbours.
    pub ringed: &'a [usize],
    /// Point that the pointer is on in the other map.
    pub hovered_elsewhere: Option<usize>,
    /// Maps of the same link move and zoom together.
    pub link: Id,
    /// Corners of what must be in sight at first: of all maps of the link, so that none cuts another's points.
    pub extent: [[f64; 2]; 2],
    /// Height.
    pub height: f32,
}

/// What the user does with a map.
pub struct ScatterResponse {
    /// The map.
    pub response: Response,
    /// The point under the pointer.
    pub hovered: Option<usize>,
    /// The point that was clicked.
    pub clicked: Option<usize>,
}

impl Scatter<'_> {
    /// Draws it over the available width.
    pub fn show(&self, ui: &mut Ui) -> ScatterResponse {
        let [lo, hi] = fit(self.extent, f64::from(ui.available_width() / self.height));
        let plot = Plot::new(self.name)
            .height(self.height)
            .include_x(lo[0])
            .include_x(hi[0])
            .include_y(lo[1])
            .include_y(hi[1])
            .set_margin_fraction(Vec2::ZERO)
            .show_axes(false)
            .show_grid(false)
            .show_crosshair(false)
            .show_x(false)
            .show_y(false)
            // The wheel scrolls the page; with Ctrl it zooms the map.
            .allow_scroll(false)
            .link_axis(self.link, true)
            .label_formatter(|_| None);
        let quiet = ui.visuals().weak_text_color().gamma_multiply(0.35);
        let strong = ui.visuals().strong_text_color();
        let (bright, dim) = self.buckets();
        let shown = plot.show(ui, |plot| {
            plot.points(self.item("others".to_owned(), &dim).radius(2.0).color(quiet));
            let radius = if self.any_match { 4.0 } else { 2.8 };
            for ((group, colour), points) in self.groups.iter().enumerate().zip(&bright) {
                plot.points(self.item(format!("group {group}"), points).radius(radius).color(*colour));
            }
        });
        let area = shown.response.rect;
        let ring = |index: usize, radius: f32, width: f32, colour: Color32| {
            if let Some(at) = self.on_screen(index, &shown.transform) {
                let painter = ui.painter().with_clip_rect(area);
                painter.add(Shape::circle_stroke(at, radius, Stroke::new(width, colour)));
            }
        };
        for index in self.ringed {
            ring(*index, 6.0, 1.5, strong);
        }
        if let Some(chosen) = self.chosen {
            ring(chosen, 8.0, 3.0, strong);
        }
        if let Some(hovered) = self.hovered_elsewhere {
            ring(hovered, 8.0, 1.5, strong);
        }
        let response = shown.response;
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.name));
        let place = |index: usize| self.on_screen(index, &shown.transform);
        let hovered = response.hover_pos().and_then(|at| nearest(self.points.len(), place, at));
        if let Some(index) = hovered {
            ring(index, 8.0, 1.5, strong);
        }
        let clicked = if response.clicked() { hovered } else { None };
        ScatterResponse { response, hovered, clicked }
    }

    /// The points of each group that stand out, and those of any group that step back.
    fn buckets(&self) -> (Vec<Vec<usize>>, Vec<usize>) {
        let mut bright = vec![Vec::new(); self.groups.len()];
        let mut dim = Vec::new();
        for index in 0..self.points.len() {
            let group = bright.get_mut((self.group_of)(index));
            match group.filter(|_| !self.any_match || (self.matches)(index)) {
                Some(group) => group.push(index),
                None => dim.push(index),
            }
        }
        (bright, dim)
    }

    fn item(&self, name: String, indices: &[usize]) -> Points<'static> {
        let place = |index: &usize| self.points.get(*index).map(|[x, y]| [f64::from(*x), f64::from(*y)]);
        Points::new(name, indices.iter().filter_map(place).collect::<Vec<_>>()).allow_hover(false)
    }

    fn on_screen(&self, index: usize, transform: &PlotTransform) -> Option<Pos2> {
        let [x, y] = *self.points.get(index)?;
        Some(transform.position_from_point(&PlotPoint::new(x, y)))
    }
}

/// The corners of the smallest rectangle around points.
#[must_use]
pub fn extent<'a>(points: impl IntoIterator<Item = &'a [f32; 2]>) -> [[f64; 2]; 2] {
    let mut corners: Option<[[f64; 2]; 2]> = None;
    for [x, y] in points.into_iter().filter(|point| point.iter().all(|value| value.is_finite())) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        let [lo, hi] = corners.get_or_insert([[x, y]; 2]);
        *lo = [lo[0].min(x), lo[1].min(y)];
        *hi = [hi[0].max(x), hi[1].max(y)];
    }
    corners.unwrap_or([[-1.0, -1.0], [1.0, 1.0]])
}

/// The extent with a margin, widened to an aspect of width by height, so that both axes have one scale.
fn fit([lo, hi]: [[f64; 2]; 2], aspect: f64) -> [[f64; 2]; 2] {
    let half = |axis: usize| ((hi[axis] - lo[axis]) / 2.0 * 1.06).max(1e-6);
    let half_height = half(1).max(half(0) / aspect.max(1e-6));
    let half = [half_height * aspect, half_height];
    let middle = [f64::midpoint(lo[0], hi[0]), f64::midpoint(lo[1], hi[1])];
    [[middle[0] - half[0], middle[1] - half[1]], [middle[0] + half[0], middle[1] + half[1]]]
}

/// The point nearest to `at`, when it is within reach.
fn nearest(count: usize, place: impl Fn(usize) -> Option<Pos2>, at: Pos2) -> Option<usize> {
    let distances = (0..count).filter_map(|index| Some((index, place(index)?.distance_sq(at))));
    let (index, distance) = distances.min_by(|a, b| a.1.total_cmp(&b.1))?;
    (distance <= REACH * REACH).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::pos2;

    #[test]
    fn the_extent_holds_every_point() {
        let points = [[1.0, -2.0], [-3.0, 0.5], [f32::NAN, 9.0]];
        assert_eq!(extent(&points), [[-3.0, -2.0], [1.0, 0.5]]);
        assert_eq!(extent(&[]), [[-1.0, -1.0], [1.0, 1.0]]);
    }

    #[test]
    fn both_axes_have_one_scale_and_nothing_is_cut() {
        for (extent, aspect) in [([[0.0, 0.0], [1.0, 4.0]], 2.0), ([[-9.0, 1.0], [9.0, 2.0]], 1.5)] {
            let [lo, hi] = fit(extent, aspect);
            let (width, height) = (hi[0] - lo[0], hi[1] - lo[1]);
            assert!((width / height - aspect).abs() < 1e-9);
            for axis in 0..2 {
                assert!(lo[axis] < extent[0][axis] && hi[axis] > extent[1][axis], "{extent:?}");
            }
        }
    }

    #[test]
    fn the_nearest_point_within_reach_is_meant() {
        let places = [pos2(0.0, 0.0), pos2(6.0, 0.0), pos2(50.0, 50.0)];
        let place = |index: usize| places.get(index).copied();
        assert_eq!(nearest(3, place, pos2(4.0, 1.0)), Some(1));
        assert_eq!(nearest(3, place, pos2(2.0, 1.0)), Some(0));
        assert_eq!(nearest(3, place, pos2(30.0, 30.0)), None);
        assert_eq!(nearest(0, place, pos2(0.0, 0.0)), None);
    }
}
