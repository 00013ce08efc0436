//! What an export reports: what was written, how close it comes to what was meant, and which earlier export was kept.

use std::path::PathBuf;

/// What was written, and how close what is read back comes to what was meant.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportReport {
    /// The folder.
    pub dir: PathBuf,
    /// Files written, relative to it, with their bytes. The weights in a task's folder are a second name of the
    /// same bytes wherever the disk can do that.
    pub files: Vec<(String, u64)>,
    /// Probe sentences that were encoded again by the reloaded model.
    pub probes: usize,
    /// Largest absolute difference of any value of any embedding.
    pub max_difference: f64,
    /// The same over the logits of all heads.
    pub max_logit_difference: f64,
    /// The export that was at the place before, where it is kept.
    pub kept: Option<KeptExport>,
}

/// An earlier export that held more than what had been written, and was moved aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptExport {
    /// Where it is now.
    pub dir: PathBuf,
    /// What in it was not as it had been written, paths relative to it, in words; empty where it has no list of what was
    /// written, as those of earlier versions.
    pub additions: Vec<String>,
}

impl KeptExport {
    /// What is kept, why and where, as a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        const NAMED: usize = 3;
        let kept = format!("it is kept as {}", self.dir.display());
        if self.additions.is_empty() {
            return format!(
                "The earlier export has no list of what was written, so what is yours in it cannot be told: {kept}"
            );
        }
        let named = self.additions.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
        // The search ends after enough differences, so that their number is no count of them.
        let more = if self.additions.len() > NAMED { "; and more" } else { "" };
        format!("The earlier export holds what is yours ({named}{more}): {kept}")
    }
}
