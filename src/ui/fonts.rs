//! The typefaces: Inter in two weights for text, egui's own for code and for what Inter lacks.

use std::sync::Arc;

use eframe::egui::{Context, FontData, FontDefinitions, FontFamily};

const REGULAR: &[u8] = include_bytes!("../../assets/fonts/Inter-Regular.otf");
const SEMIBOLD: &[u8] = include_bytes!("../../assets/fonts/Inter-SemiBold.otf");

/// The family of titles and of whatever else should stand out.
#[must_use]
pub fn strong() -> FontFamily {
    FontFamily::Name("strong".into())
}

/// Makes the typefaces known to a context.
pub fn install(ctx: &Context) {
    let mut fonts = FontDefinitions::default();
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    for (name, bytes, family) in
        [("Inter", REGULAR, FontFamily::Proportional), ("Inter SemiBold", SEMIBOLD, strong())]
    {
        fonts.font_data.insert(name.into(), Arc::new(FontData::from_static(bytes)));
        let mut names = vec![name.to_owned()];
        names.extend(fallback.iter().cloned());
        fonts.families.insert(family, names);
    }
    ctx.set_fonts(fonts);
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{Color32, FontId};

    /// Text from a file may hold characters that reverse what follows them elsewhere. The window draws them as nothing.
    #[test]
    fn text_is_drawn_in_the_order_of_its_characters() {
        let ctx = Context::default();
        install(&ctx);
        let mut places = Vec::new();
        drop(ctx.run_ui(eframe::egui::RawInput::default(), |ui| {
            let galley = ui.fonts_mut(|fonts| {
                let text = "invoice\u{202e}fdp\u{2066}.\u{1b}exe".to_owned();
                fonts.layout_no_wrap(text, FontId::proportional(14.0), Color32::BLACK)
            });
            places = galley
                .rows
                .iter()
                .flat_map(|row| &row.glyphs)
                .map(|glyph| (glyph.chr, glyph.pos.x))
                .collect();
        }));
        let letters: String =
            places.iter().map(|(letter, _)| *letter).filter(char::is_ascii_graphic).collect();
        assert_eq!(letters, "invoicefdp.exe");
        assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{places:?}");
    }
}
