//! The window: what a frame of each page costs the processor. The project's own test does the measuring
//! (`tests/frames.rs`); here its lines are read.

use anyhow::{Context as _, Result, bail};

use super::lab::{Lab, words};

/// Milliseconds that a frame may cost, in the median and at the 99th percentile.
const MOST: (f64, f64) = (8.0, 16.0);

/// A sentence with the frames of every page.
pub(super) fn frames(lab: &Lab) -> Result<String> {
    let folder = lab.folder()?;
    let project = folder.path().join("project");
    let mut arguments = words(["init".as_ref(), project.as_os_str(), "--data".as_ref()]);
    arguments
        .extend(["train.jsonl", "valid.jsonl", "test.jsonl"].map(|file| lab.path(file).into_os_string()));
    lab.frostline(&arguments, None)?;
    let output = lab
        .cargo()
        .args(["test", "--release", "--test", "frames", "--", "--ignored", "--nocapture"])
        .env("FROSTLINE_FRAMES_PROJECT", &project)
        .output()
        .context("cannot start cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let frames = parse(&text);
    if !output.status.success() || frames.is_empty() {
        bail!("the frames were not measured: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(sentence(&frames))
}

/// A page with its milliseconds, in the median and at the 99th percentile.
type Frames = (String, f64, f64);

fn parse(text: &str) -> Vec<Frames> {
    let line = |line: &str| {
        let mut words = line.strip_prefix("frame ")?.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

fn sentence(frames: &[Frames]) -> String {
    let pages: Vec<String> =
        frames.iter().map(|(page, middle, high)| format!("{page} {middle:.2} ({high:.2})")).collect();
    let met = frames.iter().all(|(_, middle, high)| *middle <= MOST.0 && *high <= MOST.1);
    format!(
        "A frame of 1920 x 1080 points with this data and a history of 200,000 steps takes the processor, in \
         milliseconds (99th percentile): {}. At most {} ({}): {}.",
        pages.join(", "),
        MOST.0,
        MOST.1,
        if met { "met" } else { "not met" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_held_against_the_aim() {
        let text = "running 1 test\nframe Data 0.72 1.35\nframe Train 9.00 12.0\ntest result: ok";
        let frames = parse(text);
        assert_eq!(frames, [("Data".to_owned(), 0.72, 1.35), ("Train".to_owned(), 9.0, 12.0)]);
        assert!(sentence(&frames).ends_with("At most 8 (16): not met."));
        assert!(sentence(&frames[..1]).ends_with("Data 0.72 (1.35). At most 8 (16): met."));
    }
}
