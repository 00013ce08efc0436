//! Icons drawn with lines, so that no font has to have them and they are sharp at every size.

use eframe::egui;
use egui::{Color32, CornerRadius, Painter, Pos2, Rect, Response, Sense, Shape, Stroke, Ui, vec2};

/// What an icon shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// A tick: done, right.
    Check,
    /// A triangle: look at it.
    Warning,
    /// A disc with a cross: failed.
    Error,
    /// A disc with an i: good to know.
    Info,
    /// A snowflake: frozen.
    Snow,
    /// A sun: trainable.
    Sun,
    /// A triangle to the right: start.
    Play,
    /// A square: stop.
    Stop,
    /// A cross: close.
    Close,
    /// A table: data.
    Table,
    /// Layers on one another: a model.
    Layers,
    /// Steps: a schedule.
    Steps,
    /// A falling curve: training.
    Curve,
    /// A grid with a diagonal: evaluation.
    Matrix,
    /// Scattered dots: exploring.
    Scatter,
    /// An arrow out of a tray: export.
    Export,
    /// Two sliders: settings.
    Sliders,
    /// A sheet: a file.
    File,
    /// A folder.
    Folder,
    /// A question mark in a ring: an explanation.
    Question,
    /// A filled disc.
    Dot,
    /// A ring.
    Ring,
    /// Half a disc: at work.
    Half,
}

/// Takes a square of this side and draws the icon in it. It says nothing to a screen reader: words beside it do.
pub fn icon(ui: &mut Ui, icon: Icon, colour: Color32, side: f32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
    if ui.is_rect_visible(rect) {
        paint(ui.painter(), rect, icon, colour);
    }
    response
}

/// Draws the icon into a square.
pub fn paint(painter: &Painter, rect: Rect, icon: Icon, colour: Color32) {
    let side = rect.width().min(rect.height());
    let square = Rect::from_center_size(rect.center(), vec2(side, side));
    // Icons are drawn on a field of 16 by 16.
    let at = |x: f32, y: f32| -> Pos2 { square.min + vec2(x, y) * (side / 16.0) };
    let stroke = Stroke::new((side / 11.0).max(1.2), colour);
    let line = |points: &[(f32, f32)]| {
        painter.add(Shape::line(points.iter().map(|(x, y)| at(*x, *y)).collect(), stroke));
    };
    let area = |points: &[(f32, f32)]| {
        painter.add(Shape::convex_polygon(
            points.iter().map(|(x, y)| at(*x, *y)).collect(),
            colour,
            Stroke::NONE,
        ));
    };
    let dot = |x: f32, y: f32, radius: f32| {
        painter.circle_filled(at(x, y), radius * side / 16.0, colour);
    };
    let ring = |x: f32, y: f32, radius: f32| {
        painter.circle_stroke(at(x, y), radius * side / 16.0, stroke);
    };
    let frame = |x0: f32, y0: f32, x1: f32, y1: f32| {
        let rect = Rect::from_min_max(at(x0, y0), at(x1, y1));
        painter.rect_stroke(rect, CornerRadius::same(1), stroke, egui::StrokeKind::Middle);
    };
    match icon {
        Icon::Check => line(&[(3.0, 8.5), (6.5, 12.0), (13.0, 4.5)]),
        Icon::Warning => {
            line(&[(8.0, 2.5), (14.5, 13.5), (1.5, 13.5), (8.0, 2.5), (14.5, 13.5)]);
            line(&[(8.0, 6.5), (8.0, 9.5)]);
            dot(8.0, 11.5, 0.9);
        }
        Icon::Error => {
            ring(8.0, 8.0, 6.2);
            line(&[(5.6, 5.6), (10.4, 10.4)]);
            line(&[(10.4, 5.6), (5.6, 10.4)]);
        }
        Icon::Info => {
            ring(8.0, 8.0, 6.2);
            line(&[(8.0, 7.2), (8.0, 11.4)]);
            dot(8.0, 4.9, 0.9);
        }
        Icon::Question => {
            ring(8.0, 8.0, 6.2);
            line(&[(6.0, 6.4), (6.6, 5.0), (8.0, 4.5), (9.5, 5.1), (9.8, 6.5), (8.2, 8.0), (8.0, 9.3)]);
            dot(8.0, 11.5, 0.9);
        }
        Icon::Snow => {
            for turn in 0_u8..3 {
                let angle = std::f32::consts::FRAC_PI_2 + f32::from(turn) * std::f32::consts::FRAC_PI_3;
                let (sin, cos) = angle.sin_cos();
                let tip = |part: f32, aside: f32| {
                    (8.0 + part * 6.4 * cos - aside * sin, 8.0 + part * 6.4 * sin + aside * cos)
                };
                line(&[tip(-1.0, 0.0), tip(1.0, 0.0)]);
                for end in [-1.0, 1.0] {
                    line(&[tip(end * 0.95, 1.9), tip(end * 0.6, 0.0), tip(end * 0.95, -1.9)]);
                }
            }
        }
        Icon::Sun => {
            dot(8.0, 8.0, 3.4);
            for turn in 0_u8..8 {
                let (sin, cos) = (f32::from(turn) * std::f32::consts::FRAC_PI_4).sin_cos();
                line(&[(8.0 + 5.0 * cos, 8.0 + 5.0 * sin), (8.0 + 7.0 * cos, 8.0 + 7.0 * sin)]);
            }
        }
        Icon::Play => area(&[(4.5, 2.5), (13.5, 8.0), (4.5, 13.5)]),
        Icon::Stop => area(&[(3.5, 3.5), (12.5, 3.5), (12.5, 12.5), (3.5, 12.5)]),
        Icon::Close => {
            line(&[(4.0, 4.0), (12.0, 12.0)]);
            line(&[(12.0, 4.0), (4.0, 12.0)]);
        }
        Icon::Table => {
            frame(2.0, 3.0, 14.0, 13.0);
            line(&[(2.0, 6.5), (14.0, 6.5)]);
            line(&[(6.5, 3.0), (6.5, 13.0)]);
            line(&[(2.0, 9.8), (14.0, 9.8)]);
        }
        Icon::Layers => {
            line(&[(8.0, 1.8), (14.2, 5.0), (8.0, 8.2), (1.8, 5.0), (8.0, 1.8), (14.2, 5.0)]);
            line(&[(1.8, 8.2), (8.0, 11.4), (14.2, 8.2)]);
            line(&[(1.8, 11.2), (8.0, 14.4), (14.2, 11.2)]);
        }
        Icon::Steps => {
            line(&[(1.8, 13.5), (1.8, 10.5), (6.0, 10.5), (6.0, 6.8), (10.2, 6.8), (10.2, 3.0), (14.4, 3.0)]);
            line(&[(1.8, 13.5), (14.4, 13.5)]);
        }
        Icon::Curve => {
            line(&[(2.0, 2.0), (2.0, 14.0), (14.0, 14.0)]);
            line(&[(4.0, 3.5), (5.2, 7.5), (7.0, 9.8), (9.5, 11.0), (13.5, 11.5)]);
        }
        Icon::Matrix => {
            frame(2.0, 2.0, 14.0, 14.0);
            for step in [4.0, 8.0, 12.0] {
                dot(step, step, 1.6);
            }
        }
        Icon::Scatter => {
            for (x, y) in
                [(3.5, 11.5), (5.8, 8.8), (4.0, 6.0), (11.0, 4.0), (13.0, 6.6), (9.8, 7.4), (10.8, 12.4)]
            {
                dot(x, y, 1.35);
            }
        }
        Icon::Export => {
            line(&[(2.5, 9.5), (2.5, 13.8), (13.5, 13.8), (13.5, 9.5)]);
            line(&[(8.0, 10.5), (8.0, 2.2)]);
            line(&[(4.8, 5.4), (8.0, 2.2), (11.2, 5.4)]);
        }
        Icon::Sliders => {
            for (y, knob) in [(4.0, 10.5), (8.0, 5.0), (12.0, 9.0)] {
                line(&[(2.0, y), (14.0, y)]);
                dot(knob, y, 1.9);
            }
        }
        Icon::File => {
            line(&[
                (9.5, 1.8),
                (3.5, 1.8),
                (3.5, 14.2),
                (12.5, 14.2),
                (12.5, 4.8),
                (9.5, 1.8),
                (9.5, 4.8),
                (12.5, 4.8),
            ]);
        }
        Icon::Folder => {
            line(&[
                (1.8, 13.2),
                (1.8, 3.2),
                (6.2, 3.2),
                (7.8, 5.2),
                (14.2, 5.2),
                (14.2, 13.2),
                (1.8, 13.2),
                (1.8, 3.2),
            ]);
        }
        Icon::Dot => dot(8.0, 8.0, 4.5),
        Icon::Ring => ring(8.0, 8.0, 4.0),
        Icon::Half => {
            ring(8.0, 8.0, 4.0);
            area(&[(8.0, 4.0), (10.8, 5.2), (12.0, 8.0), (10.8, 10.8), (8.0, 12.0)]);
        }
    }
}
