//! `cargo xtask bench`: Frostline beside its Python peers, in one run on one machine.
//!
//! `lab` holds the inputs and runs programs; `training`, `encoding`, `tables`, `window` and `quality` say what is measured; `stats`
//! takes turns and medians; `lines` reads what programs print; `table`, `machine` and `page` write the results down. What
//! is the peers' own lies in `packaging/bench`.

mod encoding;
mod lab;
mod lines;
mod machine;
mod page;
mod quality;
mod stats;
mod table;
mod tables;
mod training;
mod window;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use self::lab::Lab;
use self::table::Row;
use self::training::Mode;
use crate::progress::duration_in_words;
use crate::workspace::Workspace;
use crate::{needs, run, setup};

#[derive(clap::Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line, each on its own")]
pub(crate) struct Options {
    /// A few steps of everything: about 10 minutes on 2 cores, good for a look and not for quoting
    #[arg(long)]
    quick: bool,
    /// Measure only this; may be given again
    #[arg(long, value_name = "NAME", conflicts_with = "write")]
    only: Vec<Part>,
    /// Put the results into BENCHMARKS.md
    #[arg(long)]
    write: bool,
    /// Folder of train.csv, valid.csv and test.csv, with a column "text" and a column for each task
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// JSON list of the sentences to encode; the data set's texts when left out
    #[arg(long, value_name = "FILE")]
    sentences: Option<PathBuf>,
    /// CSV file of sentence1, sentence2 and score
    #[arg(long, value_name = "FILE")]
    stsb: Option<PathBuf>,
    /// Threads of every contender
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Test accuracy after full fine-tuning with three seeds, instead of speed: about half an hour on 2 cores
    #[arg(long, conflicts_with_all = ["quick", "only", "write"])]
    quality: bool,
    /// The plain loop's accuracy too: about 20 minutes more
    #[arg(long, requires = "quality")]
    peer_quality: bool,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Full fine-tuning with batches of 16, and its memory
    Full16,
    /// Full fine-tuning with batches of 32
    Full32,
    /// The top two layers and the heads
    Top2,
    /// The heads on a frozen backbone
    Frozen,
    /// Sentences per second, and the machine's limit
    Encode,
    /// From start to first embedding
    First,
    /// How well cosines follow people's judgement
    Stsb,
    /// Reading a large table as CSV and as Parquet, beside pandas
    Data,
    /// What a frame of each page costs
    Window,
}

impl Part {
    const ALL: [Self; 9] = [
        Self::Full16,
        Self::Full32,
        Self::Top2,
        Self::Frozen,
        Self::Encode,
        Self::First,
        Self::Stsb,
        Self::Data,
        Self::Window,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Full16 => "Full fine-tuning, batch 16",
            Self::Full32 => "Full fine-tuning, batch 32",
            Self::Top2 => "Top two layers and heads",
            Self::Frozen => "Frozen backbone",
            Self::Encode => "Encoding",
            Self::First => "From start to first embedding",
            Self::Stsb => "STS-B",
            Self::Data => "Reading tables",
            Self::Window => "Frames",
        }
    }

    /// Rows of the table, and sentences below it.
    fn measure(self, lab: &Lab) -> Result<(Vec<Row>, Vec<String>)> {
        let rows = match self {
            Self::Full16 => training::pace(lab, 16, [2.5, 1.7], true)?,
            Self::Full32 => training::pace(lab, 32, [2.2, 1.6], false)?,
            Self::Top2 => training::wall(lab, Mode::TopTwo, 3, 3.0)?,
            Self::Frozen => training::wall(lab, Mode::Frozen, 20, 40.0)?,
            Self::Encode => return encoding::throughput(lab),
            Self::First => encoding::first_embedding(lab)?,
            Self::Data => tables::reading(lab)?,
            Self::Window => return Ok((Vec::new(), vec![window::frames(lab)?])),
            Self::Stsb if lab.inputs.pairs == 0 => bail!("no file is named with --stsb"),
            Self::Stsb => return Ok((Vec::new(), vec![encoding::similarity_note(lab)?])),
        };
        Ok((rows, Vec::new()))
    }
}

/// The subcommand.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    if cfg!(windows) {
        bail!(
            "the memory of a program is measured as Linux and macOS tell it; run the benchmark on one of them"
        );
    }
    let started = Instant::now();
    needs::for_build(workspace.consent)?;
    setup::ensure(workspace, &setup::Options::default())?;
    run::build(workspace)?;
    let lab = Lab::set_up(workspace, options)?;
    let place = machine::describe(&lab, options.quick)?;
    let results = if options.quality {
        quality::table(&lab, options.peer_quality)?
    } else {
        speed(&lab, &options.only)
    };
    let results = format!("{place}\n\n{}", results.trim_end());
    println!("\n{results}\n\nmeasured in {}", duration_in_words(started.elapsed()));
    if options.write {
        let path = workspace.benchmarks_page();
        let page = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, page::with_results(&page, &results)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("written to {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The table and the sentences below it. What fails is left out and told, so that one failure does not cost the rest.
fn speed(lab: &Lab, only: &[Part]) -> String {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for part in Part::ALL.into_iter().filter(|part| only.is_empty() || only.contains(part)) {
        match part.measure(lab) {
            Ok((more_rows, more_notes)) => {
                rows.extend(more_rows);
                notes.extend(more_notes);
            }
            Err(error) => {
                rows.push(Row::LeftOut { what: part.title().to_owned(), why: format!("{error:#}") });
            }
        }
    }
    // Some parts are told in sentences alone.
    let table = (!rows.is_empty()).then(|| table::render(&rows));
    table.into_iter().chain(notes).collect::<Vec<_>>().join("\n\n")
}
