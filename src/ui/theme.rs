//! The look, in one place: colours by role, the palette of tasks and classes, type sizes, the grid.
//!
//! Cool blues mean frozen and amber means trainable, on every page. Nothing outside this file names a colour;
//! it knows egui's style and nothing of what is shown.

use super::fonts;
use eframe::egui;
use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, Visuals, vec2};

/// The grid: every gap and margin is a multiple of this many points.
pub const GRID: f32 = 4.0;
/// Gap between things that belong together.
pub const GAP: f32 = 2.0 * GRID;
/// Gap between things that do not.
pub const SECTION_GAP: f32 = 4.0 * GRID;
/// Margin inside a card, and around a page.
pub const CARD_MARGIN: i8 = 12;
/// Corner radius of cards.
pub const CARD_RADIUS: u8 = 8;
/// Height of a table row.
pub const ROW_HEIGHT: f32 = 24.0;
/// Widest that a paragraph is set, so that it stays readable on a wide screen.
pub const TEXT_WIDTH: f32 = 640.0;

/// Name of the text style of page titles; the others are egui's own: `Heading` for cards, `Body`, `Button`,
/// `Monospace` and `Small` (captions).
pub const TITLE: &str = "title";

/// Text style of page titles.
#[must_use]
pub fn title_style() -> TextStyle {
    TextStyle::Name(TITLE.into())
}

/// Colours by role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    /// True for the dark one.
    pub dark: bool,
    /// Behind everything.
    pub bg: Color32,
    /// Cards, bars, popups.
    pub surface: Color32,
    /// Buttons and other things to press.
    pub raised: Color32,
    /// Text fields, plots, the empty part of a bar.
    pub sunken: Color32,
    /// Hairlines: separators, card borders.
    pub line: Color32,
    /// Text.
    pub text: Color32,
    /// Text of less weight: captions, units, hints.
    pub muted: Color32,
    /// What can be pressed next, what is selected; links.
    pub accent: Color32,
    /// Text on `accent`.
    pub on_accent: Color32,
    /// Behind what is selected.
    pub selected: Color32,
    /// Frozen parameters, as text and outline.
    pub frozen: Color32,
    /// Frozen parameters, as an area with `text` on it.
    pub frozen_fill: Color32,
    /// Trainable parameters, as text and outline.
    pub warm: Color32,
    /// Trainable parameters, as an area with `text` on it.
    pub warm_fill: Color32,
    /// Done, right.
    pub ok: Color32,
    /// Look at it.
    pub warn: Color32,
    /// Failed, wrong.
    pub error: Color32,
    categories: [Color32; 10],
}

const fn rgb(hex: u32) -> Color32 {
    let [_, r, g, b] = hex.to_be_bytes();
    Color32::from_rgb(r, g, b)
}

/// The dark palette: a winter night.
pub static DARK: Palette = Palette {
    dark: true,
    bg: rgb(0x0F_141B),
    surface: rgb(0x17_1E27),
    raised: rgb(0x23_2D3A),
    sunken: rgb(0x0B_1016),
    line: rgb(0x2E_3A48),
    text: rgb(0xE8_EEF5),
    muted: rgb(0xA3_B2C4),
    accent: rgb(0x6C_BCEC),
    on_accent: rgb(0x06_141F),
    selected: rgb(0x1D_3C52),
    frozen: rgb(0x8C_CBF2),
    frozen_fill: rgb(0x1E_3D54),
    warm: rgb(0xF7_A94F),
    warm_fill: rgb(0x5E_3A12),
    ok: rgb(0x63_CB95),
    warn: rgb(0xEB_C558),
    error: rgb(0xFF_8F86),
    categories: [
        rgb(0x82_B4FB),
        rgb(0xDB_7C38),
        rgb(0x57_AA7C),
        rgb(0xCE_91BD),
        rgb(0xFD_D137),
        rgb(0xA7_6FF0),
        rgb(0x8F_DEED),
        rgb(0xA9_6B6A),
        rgb(0xC6_DFA6),
        rgb(0x67_7AAC),
    ],
};

/// The light palette: snow by day.
pub static LIGHT: Palette = Palette {
    dark: false,
    bg: rgb(0xF1_F5F9),
    surface: rgb(0xFF_FFFF),
    raised: rgb(0xE6_EDF4),
    sunken: rgb(0xF6_F9FC),
    line: rgb(0xCC_D7E2),
    text: rgb(0x15_202B),
    muted: rgb(0x4C_5D6F),
    accent: rgb(0x0B_639C),
    on_accent: rgb(0xFF_FFFF),
    selected: rgb(0xCF_E5F5),
    frozen: rgb(0x17_6294),
    frozen_fill: rgb(0xCF_E7F8),
    warm: rgb(0x93_4600),
    warm_fill: rgb(0xFF_DDB5),
    ok: rgb(0x15_693B),
    warn: rgb(0x72_5200),
    error: rgb(0xB0_231C),
    categories: [
        rgb(0x42_69A1),
        rgb(0x72_3500),
        rgb(0x63_9D7B),
        rgb(0x76_4769),
        rgb(0xA1_8201),
        rgb(0x99_61DF),
        rgb(0x11_8A9B),
        rgb(0xA2_6564),
        rgb(0x4B_6A05),
        rgb(0x24_3CB8),
    ],
};

impl Palette {
    /// The palette in force.
    #[must_use]
    pub fn of(ui: &egui::Ui) -> &'static Self {
        if ui.visuals().dark_mode { &DARK } else { &LIGHT }
    }

    /// Colour of the task of that index: the same on every page.
    #[must_use]
    pub fn task(&self, index: usize) -> Color32 {
        self.category(index)
    }

    /// Colour of the class of that index: the same on every page.
    #[must_use]
    pub fn class(&self, index: usize) -> Color32 {
        self.category(index)
    }

    /// Colour of train, valid and test rows, in this order.
    #[must_use]
    pub fn split(&self, index: usize) -> Color32 {
        let parts = [self.accent, self.category(5), self.category(4)];
        parts.get(index).copied().unwrap_or(self.muted)
    }

    /// Ten colours that stay apart for colour-blind people too; further ones are paler or deeper shades of them.
    fn category(&self, index: usize) -> Color32 {
        let count = self.categories.len();
        let colour = self.categories.get(index % count).copied().unwrap_or(self.muted);
        match index / count % 3 {
            0 => colour,
            1 => mix(colour, self.text, 0.35),
            _ => mix(colour, self.bg, 0.35),
        }
    }

    /// A colour thinned into the surface: 0 is the surface, 1 the colour. For heat maps and tinted areas.
    #[must_use]
    pub fn tint(&self, colour: Color32, amount: f32) -> Color32 {
        mix(self.surface, colour, amount)
    }

    /// This palette's text where it reads well on an area of this colour; else black or white, one of which does.
    #[must_use]
    pub fn text_on(&self, area: Color32) -> Color32 {
        if contrast(self.text, area) >= 4.5 {
            self.text
        } else if contrast(Color32::BLACK, area) >= contrast(Color32::WHITE, area) {
            Color32::BLACK
        } else {
            Color32::WHITE
        }
    }
}

/// `a` with this part (0 to 1) replaced by `b`.
#[must_use]
pub fn mix(a: Color32, b: Color32, part: f32) -> Color32 {
    a.lerp_to_gamma(b, part.clamp(0.0, 1.0))
}

/// Contrast of two opaque colours, 1 to 21, as WCAG 2 defines it.
#[must_use]
pub fn contrast(a: Color32, b: Color32) -> f32 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: Color32) -> f32 {
    let [r, g, b, _] = egui::Rgba::from(colour).to_array();
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// Sets the typefaces and both styles, dark and light, of a context. Pages need it, in tests too.
pub fn apply(ctx: &egui::Context) {
    fonts::install(ctx);
    for (theme, palette) in [(Theme::Dark, &DARK), (Theme::Light, &LIGHT)] {
        ctx.set_visuals_of(theme, visuals(palette));
        ctx.style_mut_of(theme, set_measures);
    }
}

fn set_measures(style: &mut egui::Style) {
    let proportional = |size| FontId::new(size, FontFamily::Proportional);
    style.text_styles = [
        (title_style(), FontId::new(22.0, fonts::strong())),
        (TextStyle::Heading, FontId::new(15.0, fonts::strong())),
        (TextStyle::Body, proportional(14.0)),
        (TextStyle::Button, proportional(14.0)),
        (TextStyle::Small, proportional(12.0)),
        (TextStyle::Monospace, FontId::new(13.0, FontFamily::Monospace)),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(GAP, GAP);
    spacing.button_padding = vec2(3.0 * GRID, GRID);
    spacing.interact_size = vec2(10.0 * GRID, 7.0 * GRID);
    spacing.menu_margin = Margin::same(8);
    spacing.window_margin = Margin::same(16);
    spacing.indent = 5.0 * GRID;
    spacing.tooltip_width = 90.0 * GRID;
    spacing.combo_width = 30.0 * GRID;
    spacing.text_edit_width = 60.0 * GRID;
    spacing.scroll = egui::style::ScrollStyle::solid();
    spacing.scroll.bar_width = 8.0;
    spacing.scroll.floating = false;
    style.interaction.tooltip_delay = 0.3;
    style.animation_time = 0.1;
}

fn visuals(palette: &Palette) -> Visuals {
    let mut visuals = if palette.dark { Visuals::dark() } else { Visuals::light() };
    let radius = CornerRadius::same(6);
    let hairline = Stroke::new(1.0, palette.line);
    let states = &mut visuals.widgets;
    for state in [
        &mut states.noninteractive,
        &mut states.inactive,
        &mut states.hovered,
        &mut states.active,
        &mut states.open,
    ] {
        state.corner_radius = radius;
        state.expansion = 0.0;
        state.fg_stroke = Stroke::new(1.0, palette.text);
    }
    states.noninteractive.bg_fill = palette.surface;
    states.noninteractive.weak_bg_fill = palette.surface;
    states.noninteractive.bg_stroke = hairline;
    states.inactive.bg_fill = palette.raised;
    states.inactive.weak_bg_fill = palette.raised;
    states.inactive.bg_stroke = hairline;
    states.hovered.bg_fill = mix(palette.raised, palette.accent, 0.18);
    states.hovered.weak_bg_fill = states.hovered.bg_fill;
    states.hovered.bg_stroke = Stroke::new(1.0, palette.accent);
    states.active.bg_fill = palette.selected;
    states.active.weak_bg_fill = palette.selected;
    // Keyboard focus is drawn with this one too, so it must be seen.
    states.active.bg_stroke = Stroke::new(2.0, palette.accent);
    states.open.bg_fill = palette.raised;
    states.open.weak_bg_fill = palette.selected;
    states.open.bg_stroke = Stroke::new(1.0, palette.accent);

    visuals.weak_text_color = Some(palette.muted);
    visuals.selection.bg_fill = palette.selected;
    visuals.selection.stroke = Stroke::new(1.0, palette.text);
    visuals.hyperlink_color = palette.accent;
    visuals.faint_bg_color = mix(palette.surface, palette.raised, 0.4);
    visuals.extreme_bg_color = palette.sunken;
    visuals.code_bg_color = palette.raised;
    visuals.warn_fg_color = palette.warn;
    visuals.error_fg_color = palette.error;
    visuals.window_fill = palette.surface;
    visuals.window_stroke = hairline;
    visuals.window_corner_radius = CornerRadius::same(10);
    visuals.menu_corner_radius = CornerRadius::same(CARD_RADIUS);
    visuals.panel_fill = palette.bg;
    visuals.slider_trailing_fill = true;
    visuals.striped = false;
    visuals.indent_has_left_vline = false;
    visuals.disabled_alpha = 0.6;
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [&Palette; 2] = [&DARK, &LIGHT];

    #[test]
    fn text_is_readable_on_every_surface() {
        for palette in BOTH {
            let p = palette;
            let texts = [
                ("text", p.text),
                ("muted", p.muted),
                ("accent", p.accent),
                ("frozen", p.frozen),
                ("warm", p.warm),
                ("ok", p.ok),
                ("warn", p.warn),
                ("error", p.error),
            ];
            let surfaces = [("bg", p.bg), ("surface", p.surface), ("raised", p.raised), ("sunken", p.sunken)];
            for (text_name, text) in texts {
                for (surface_name, surface) in surfaces {
                    let ratio = contrast(text, surface);
                    assert!(ratio >= 4.5, "{text_name} on {surface_name}, dark {}: {ratio:.2}", palette.dark);
                }
            }
            for area in [p.selected, p.frozen_fill, p.warm_fill] {
                assert!(contrast(p.text, area) >= 4.5);
                assert!(contrast(p.muted, area) >= 3.0);
            }
            assert!(contrast(p.on_accent, p.accent) >= 4.5);
            assert!(contrast(p.frozen, p.frozen_fill) >= 4.5);
            assert!(contrast(p.warm, p.warm_fill) >= 4.5);
        }
    }

    #[test]
    fn marks_stand_out_and_their_text_is_readable() {
        for palette in BOTH {
            for index in 0..10 {
                let colour = palette.class(index);
                assert!(contrast(colour, palette.surface) >= 3.0, "{index} dark {}", palette.dark);
                assert!(contrast(palette.text_on(colour), colour) >= 4.5, "{index} dark {}", palette.dark);
            }
        }
    }

    /// Severe forms of the three kinds of colour blindness, Machado, Oliveira and Fernandes 2009.
    const SIGHTS: [[[f32; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    ];

    fn oklab(colour: Color32, sight: [[f32; 3]; 3]) -> [f32; 3] {
        let [r, g, b, _] = egui::Rgba::from(colour).to_array();
        let seen = sight.map(|row| (row[0] * r + row[1] * g + row[2] * b).clamp(0.0, 1.0));
        let cone =
            |weights: [f32; 3]| (weights[0] * seen[0] + weights[1] * seen[1] + weights[2] * seen[2]).cbrt();
        let l = cone([0.412_22, 0.536_33, 0.051_45]);
        let m = cone([0.211_90, 0.680_70, 0.107_40]);
        let s = cone([0.088_30, 0.281_72, 0.629_98]);
        [
            0.210_45 * l + 0.793_62 * m - 0.004_07 * s,
            1.978 * l - 2.428_59 * m + 0.450_59 * s,
            0.025_9 * l + 0.782_77 * m - 0.808_68 * s,
        ]
    }

    #[test]
    fn categories_stay_apart_for_colour_blind_people() {
        for palette in BOTH {
            for sight in SIGHTS {
                let seen: Vec<[f32; 3]> = (0..10).map(|i| oklab(palette.class(i), sight)).collect();
                for (i, a) in seen.iter().enumerate() {
                    for (j, b) in seen.iter().enumerate().take(i) {
                        let distance = a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f32>().sqrt();
                        assert!(distance > 0.05, "{i} and {j}, dark {}: {distance:.3}", palette.dark);
                    }
                }
            }
        }
    }

    #[test]
    fn thirty_classes_have_thirty_colours() {
        for palette in BOTH {
            let mut colours: Vec<_> = (0..30).map(|index| palette.class(index).to_array()).collect();
            colours.sort_unstable();
            colours.dedup();
            assert_eq!(colours.len(), 30);
        }
    }
}
