//! Embedding: `frostline embed` beside sentence-transformers, the machine's own limit, and the time to start.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::lab::{Lab, words};
use super::stats::{Contender, Sample, extremes, median, take_turns};
use super::table::{Comparison, Goal, Row, Unit};

/// What is asked of `frostline embed --precision`.
const REDUCED: &str = "bfloat16";

/// Sentences per second of all contenders, and notes on the machine's limit.
pub(super) fn throughput(lab: &Lab) -> Result<(Vec<Row>, Vec<String>)> {
    let precision = reduced_precision(lab)?;
    let (openvino_model, no_openvino) = match openvino_model(lab) {
        Ok(folder) => (Some(folder), String::new()),
        Err(error) => (None, format!("{error:#}")),
    };
    let gflops = RefCell::new(Vec::new());
    let mut contenders = vec![
        Contender::new("frostline embed", || our_pace(lab, None)),
        Contender::new("sentence-transformers on torch", || peer_pace(lab, "torch", &lab.model())),
        Contender::new("matrix products alone", || {
            let lines = lab.script("gemm.py", &peer_arguments(lab, &lab.model()))?;
            gflops.borrow_mut().push(lines.number("multiplied", "gflops")?);
            let others = lines.number("multiplied", "others").unwrap_or(0.0);
            let value = lines.number("multiplied", "floor_rows_per_second")?;
            Ok(Sample { value, others, ..Sample::default() })
        }),
    ];
    if let Some(folder) = &openvino_model {
        contenders
            .push(Contender::new("sentence-transformers on OpenVINO", || peer_pace(lab, "openvino", folder)));
    }
    if let Ok(precision) = &precision {
        contenders
            .push(Contender::new("frostline embed, reduced precision", || our_pace(lab, Some(precision))));
    }
    let samples = take_turns(lab.size.rounds, &contenders, &|what| println!("encoding, {what}"))?;
    let mut samples = samples.into_iter();
    let mut next = || samples.next().unwrap_or_default();
    let (ours, torch, floor) = (next(), next(), next());

    let what = format!("Encoding {} sentences", lab.inputs.sentences);
    let row = |what: String, peer: &str, goal, ours: &[Sample], theirs: &[Sample]| {
        let (ours, theirs, peer) = (ours.to_vec(), theirs.to_vec(), peer.to_owned());
        Row::Measured(Comparison { what, peer, unit: Unit::RowsPerSecond, ours, theirs, goal })
    };
    let left_out = |what: String, why: String| Row::LeftOut { what, why };
    let torch_name = "sentence-transformers, torch";
    let mut rows = vec![row(format!("{what}, float32"), torch_name, Goal::AtLeast(1.6), &ours, &torch)];
    rows.push(match openvino_model {
        Some(_) => {
            let peer = "sentence-transformers, OpenVINO";
            row(format!("{what}, float32"), peer, Goal::AtLeast(1.4), &ours, &next())
        }
        None => left_out(format!("{what}, OpenVINO"), no_openvino),
    });
    rows.push(match &precision {
        Ok(precision) => row(format!("{what}, {precision}"), torch_name, Goal::AtLeast(2.2), &next(), &torch),
        Err(why) => left_out(format!("{what}, reduced precision"), why.clone()),
    });
    rows.push(row(format!("{what}, float32"), "limit of the machine", Goal::None, &ours, &floor));
    Ok((rows, limit_note(&gflops.borrow()).into_iter().collect()))
}

/// From the start of a process to its first embedding, everything already read from the disk once.
pub(super) fn first_embedding(lab: &Lab) -> Result<Vec<Row>> {
    let ours = || {
        let folder = lab.folder()?;
        let measured = lab.frostline(&embed(lab, "one.jsonl", folder.path(), None), None)?.measured()?;
        Ok(Sample { value: measured.seconds, peak_bytes: measured.peak_bytes, others: measured.others })
    };
    let theirs = || {
        let model = lab.model();
        let lines = lab.script("encode.py", &words(["--model".as_ref(), model.as_os_str()]))?;
        let measured = lines.measured()?;
        let value = lines.number("encoded", "first_embedding_seconds")?;
        Ok(Sample { value, peak_bytes: measured.peak_bytes, others: measured.others })
    };
    // Once for the disk's cache.
    ours()?;
    theirs()?;
    let contenders =
        [Contender::new("frostline embed", ours), Contender::new("sentence-transformers on torch", theirs)];
    let samples = take_turns(lab.size.rounds, &contenders, &|what| println!("first embedding, {what}"))?;
    let [ours, theirs] = samples.as_slice() else { return Ok(Vec::new()) };
    Ok(vec![Row::Measured(Comparison {
        what: "From start to first embedding".to_owned(),
        peer: "sentence-transformers, torch".to_owned(),
        unit: Unit::Seconds,
        ours: ours.clone(),
        theirs: theirs.clone(),
        goal: Goal::AtLeast(10.0),
    })])
}

/// How well cosines follow people's judgement, in either precision.
pub(super) fn similarity_note(lab: &Lab) -> Result<String> {
    let reduced = reduced_precision(lab)?;
    let spearman = |precision: Option<&str>| {
        let folder = lab.folder()?;
        let out = folder.path().join("out.npy");
        lab.frostline(&embed(lab, "pairs.jsonl", folder.path(), precision), None)?;
        let scores = lab.path("scores.jsonl");
        lab.script("spearman.py", &words([out.as_os_str(), scores.as_os_str()]))?
            .number("correlated", "spearman")
    };
    let note = format!(
        "Spearman's correlation on {} STS-B pairs: {:.4} in float32",
        lab.inputs.pairs,
        spearman(None)?
    );
    if let Ok(precision) = reduced {
        let reached = spearman(Some(&precision))?;
        return Ok(format!("{note}, {reached:.4} in {precision}."));
    }
    Ok(note + ".")
}

/// The reduced precision that the program offers on this machine, or why there is none to measure.
fn reduced_precision(lab: &Lab) -> Result<Result<String, String>> {
    let folder = lab.folder()?;
    let tried = lab.frostline(&embed(lab, "one.jsonl", folder.path(), Some(REDUCED)), None);
    Ok(tried.map(|_| REDUCED.to_owned()).map_err(|error| format!("{error:#}")))
}

/// The whole command over all sentences, less the whole command over one: starting and loading are not counted, as
/// they are not for the peer.
fn our_pace(lab: &Lab, precision: Option<&str>) -> Result<Sample> {
    let run = |file| {
        let folder = lab.folder()?;
        lab.frostline(&embed(lab, file, folder.path(), precision), None)?.measured()
    };
    let (one, all) = (run("one.jsonl")?, run("sentences.jsonl")?);
    let value = lab.inputs.sentences.saturating_sub(1) as f64 / (all.seconds - one.seconds);
    Ok(Sample { value, peak_bytes: all.peak_bytes, others: all.others })
}

fn peer_pace(lab: &Lab, backend: &str, model: &Path) -> Result<Sample> {
    let mut arguments = peer_arguments(lab, model);
    arguments.extend(words(["--backend".as_ref(), backend.as_ref()]));
    let lines = lab.script("encode.py", &arguments)?;
    Ok(Sample {
        value: lines.number("encoded", "rows_per_second")?,
        peak_bytes: lines.measured()?.peak_bytes,
        others: lines.number("encoded", "others").unwrap_or(0.0),
    })
}

fn peer_arguments(lab: &Lab, model: &Path) -> Vec<OsString> {
    let (threads, sentences) = (lab.threads.to_string(), lab.path("sentences.jsonl"));
    let mut arguments =
        words(["--model".as_ref(), model.as_os_str(), "--threads".as_ref(), threads.as_ref()]);
    arguments.extend(words(["--sentences".as_ref(), sentences.as_os_str()]));
    arguments
}

/// The command line that embeds a file of the lab's into `out.npy` of a folder.
fn embed(lab: &Lab, file: &str, folder: &Path, precision: Option<&str>) -> Vec<OsString> {
    let (model, input, out) = (lab.model(), lab.path(file), folder.join("out.npy"));
    let mut arguments = words(["embed".as_ref(), model.as_os_str(), input.as_os_str()]);
    arguments.extend(words(["--column".as_ref(), "text".as_ref(), "-o".as_ref(), out.as_os_str()]));
    arguments.extend(words(["--device".as_ref(), "cpu".as_ref()]));
    arguments
        .extend(precision.into_iter().flat_map(|name| words(["--precision".as_ref(), OsStr::new(name)])));
    arguments
}

/// The model as `OpenVINO` takes it, made once.
fn openvino_model(lab: &Lab) -> Result<PathBuf> {
    if let Some(reason) = &lab.no_openvino {
        anyhow::bail!("{reason}");
    }
    let (model, folder) = (lab.model(), lab.path("openvino"));
    let mut arguments =
        words(["--model".as_ref(), model.as_os_str(), "--backend".as_ref(), "openvino".as_ref()]);
    arguments.extend(words(["--prepare".as_ref(), folder.as_os_str()]));
    lab.script("encode.py", &arguments).context("OpenVINO does not take the model")?;
    Ok(folder)
}

fn limit_note(gflops: &[f64]) -> Option<String> {
    let (lowest, highest) = extremes(gflops)?;
    Some(format!(
        "Limit of the machine: PyTorch multiplies float32 matrices of a layer's shapes at {:.0} GFLOP/s ({lowest:.0} to \
         {highest:.0}), and the sentences' matrix products alone, nothing padded, take as long as the table's last \
         figure on encoding says.",
        median(gflops)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_told_with_its_spread() {
        let note = limit_note(&[130.0, 118.0, 145.0]).unwrap();
        assert!(note.contains("130 GFLOP/s (118 to 145)"), "{note}");
        assert_eq!(limit_note(&[]), None);
    }
}
