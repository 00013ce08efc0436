//! `frostline find-rate`: what the loss does as the learning rate rises, and which rates follow from it.

use serde_json::json;

use super::args::FindRateArgs;
use super::console::{say, say_json};
use super::session::{Driver, require};
use crate::session::command::Command;

/// Lines of the curve that are printed.
const LINES: usize = 20;

pub(super) fn run(args: &FindRateArgs) -> anyhow::Result<()> {
    let mut driver = Driver::open(&args.project, args.device.device.as_deref(), args.trust)?;
    driver.set(&args.settings.changes)?;
    driver.ask(Command::FindRate)?;
    let search = require(&driver.state().rate_search, "the search was stopped")?;
    let (encoder, heads, curve) = (search.lr_encoder, search.lr_heads, &search.curve);
    if args.json {
        for point in &curve.points {
            say_json(&json!({
                "event": "point",
                "lr_encoder": encoder * point.factor,
                "lr_heads": heads * point.factor,
                "loss": point.loss,
                "smoothed": point.smoothed,
            }))?;
        }
        let suggestion = curve.suggestion;
        return Ok(say_json(&json!({
            "event": "suggestion",
            "lr_encoder": suggestion.map(|factor| encoder * factor),
            "lr_heads": suggestion.map(|factor| heads * factor),
        }))?);
    }
    say("  encoder      heads   loss, smoothed")?;
    for point in curve.points.iter().step_by(curve.points.len().div_ceil(LINES).max(1)) {
        let (encoder, heads) = (encoder * point.factor, heads * point.factor);
        say(format!("{encoder:9.1e}  {heads:9.1e}   {:.4}", point.smoothed))?;
    }
    match curve.suggestion {
        Some(factor) => say(format!(
            "the loss falls fastest at lr_encoder = {:.1e}, lr_heads = {:.1e}",
            encoder * factor,
            heads * factor
        ))?,
        None => say("the loss hardly falls at any of these rates: there is nothing to suggest")?,
    }
    Ok(())
}
