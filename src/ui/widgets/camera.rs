//! Pictures of a part of the window, as PNG: what is in sight is what is taken.

use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{Color32, ColorImage, Context, Rect, ScreenshotCallback, ViewportCommand};

/// Waits for the picture of a part of the window.
#[derive(Clone, Debug, Default)]
pub struct Camera {
    wanted: Option<(Rect, String)>,
    taken: Arc<Mutex<Option<Arc<ColorImage>>>>,
}

impl Camera {
    /// Asks for the picture of an area, in points.
    pub fn ask(&mut self, ctx: &Context, area: Rect, name: String) {
        self.wanted = Some((area, name));
        let (taken, waker) = (self.taken.clone(), ctx.clone());
        let keep = ScreenshotCallback::new(move |image| {
            *taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(image);
            waker.request_repaint();
        });
        ctx.send_viewport_cmd(ViewportCommand::Screenshot(keep));
    }

    /// The picture that was asked for, once it is there: its name and its bytes as PNG.
    pub fn poll(&mut self, ctx: &Context) -> Option<(String, Vec<u8>)> {
        let image = self.taken.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let (area, name) = self.wanted.take()?;
        Some((name, png(&image, area, ctx.pixels_per_point())?))
    }
}

/// The part of a picture that lies in an area of points.
fn png(image: &ColorImage, area: Rect, pixels_per_point: f32) -> Option<Vec<u8>> {
    let [width, height] = image.size;
    let pixel = |points: f32, most: usize| ((points * pixels_per_point).round().max(0.0) as usize).min(most);
    let (left, right) = (pixel(area.left(), width), pixel(area.right(), width));
    let (top, bottom) = (pixel(area.top(), height), pixel(area.bottom(), height));
    let lines = image.pixels.chunks(width.max(1)).take(bottom).skip(top);
    let pixels = lines.flat_map(|line| line.get(left..right).unwrap_or_default());
    let bytes: Vec<u8> = pixels.flat_map(Color32::to_array).collect();
    let (width, height) = (right.checked_sub(left)? as u32, bottom.checked_sub(top)? as u32);
    let picture = image::RgbaImage::from_raw(width, height, bytes).filter(|_| width > 0 && height > 0)?;
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).ok()?;
    Some(file.into_inner())
}

#[cfg(test)]
mod tests {
    use eframe::egui::pos2;

    use super::*;

    #[test]
    fn the_area_is_cut_out_in_pixels() {
        let mut image = ColorImage::filled([40, 20], Color32::BLACK);
        image.pixels[10 * 40 + 20] = Color32::WHITE;
        let area = Rect::from_min_max(pos2(10.0, 5.0), pos2(15.0, 99.0));
        let bytes = png(&image, area, 2.0).unwrap();
        let picture = image::load_from_memory(&bytes).unwrap().into_rgba8();
        assert_eq!(picture.dimensions(), (10, 10));
        assert_eq!(picture.get_pixel(0, 0).0, [255, 255, 255, 255]);
        assert_eq!(picture.get_pixel(1, 0).0, [0, 0, 0, 255]);
        assert_eq!(png(&image, Rect::NOTHING, 2.0), None);
    }
}
