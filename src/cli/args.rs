//! The arguments as they are typed; what is wrong with them alone is said here, with exit code 2.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};

use super::output_format::{EmbeddingFormat, PredictionFormat};
use super::reading_args::ReadingArgs;
use super::settings::{Change, SettingsArgs};
use super::writers::Cells;
use crate::train::plan::preset::Preset;

/// Fine-tunes multi-task sentence encoders on your own machine. Without a command, the window opens.
#[derive(Debug, Parser)]
#[command(name = "frostline", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Project folder to open in the window.
    pub(super) project: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Train a project as its frostline.toml says.
    Train(TrainArgs),
    /// Look for learning rates: train some steps with a rising rate, and keep nothing of it.
    FindRate(FindRateArgs),
    /// Measure a project's newest finished run, a run or an exported model on labelled files.
    Eval(EvalArgs),
    /// Write the embedding of every text of a file.
    Embed(EmbedArgs),
    /// Write what the model says of every text of a file.
    Predict(PredictArgs),
    /// Print the cosine similarities of texts.
    Similar(SimilarArgs),
    /// Write a run's model as a folder that sentence-transformers and transformers load.
    Export(ExportArgs),
    /// Say what a data file, a model, a run or a project holds.
    Inspect(InspectArgs),
    /// Make a project of labelled files, with the columns guessed.
    Init(InitArgs),
    /// List every setting with its default, its meaning, and when it has no effect.
    Settings(SettingsArgs),
    /// Fetch a model from the Hugging Face hub into the cache that Python uses too.
    Download(DownloadArgs),
    /// Walk the whole road on the demo project: data, training, figures, similarities, export.
    Tour(TourArgs),
}

impl Command {
    /// Whether the result is asked for as JSON.
    pub(super) const fn is_json(&self) -> bool {
        match self {
            Self::Train(args) => args.json,
            Self::FindRate(args) => args.json,
            Self::Eval(args) => args.json,
            Self::Similar(args) => args.json,
            Self::Inspect(args) => args.json,
            Self::Download(args) => args.json,
            Self::Settings(args) => args.json,
            Self::Embed(_) | Self::Predict(_) | Self::Export(_) | Self::Init(_) | Self::Tour(_) => false,
        }
    }
}

/// Settings that a command changes.
#[derive(Debug, clap::Args)]
pub(super) struct SetArg {
    /// Change a setting for this command, frostline.toml stays as it is: --set lr_encoder=5e-5 --set
    /// tasks.topic.weight=2. `frostline settings` lists them.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = Change::from_str)]
    pub(super) changes: Vec<Change>,
}

#[derive(Debug, clap::Args)]
pub(super) struct FindRateArgs {
    /// Project folder (with frostline.toml).
    pub(super) project: PathBuf,
    #[command(flatten)]
    pub(super) settings: SetArg,
    #[command(flatten)]
    pub(super) device: DeviceArg,
    #[command(flatten)]
    pub(super) trust: TrustArg,
    /// Print one JSON object per line instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct TrainArgs {
    /// Project folder (with frostline.toml).
    pub(super) project: PathBuf,
    /// Name of the run and of its folder; a free one is chosen when left out.
    #[arg(long, value_name = "NAME")]
    pub(super) run: Option<String>,
    /// Resume a run that was paused, stopped or cut off, from its last checkpoint; with the newest such run
    /// where --run names none.
    #[arg(long, conflicts_with_all = ["from", "changes"])]
    pub(super) resume: bool,
    /// Start from the kept weights of this run, by the plan as frostline.toml has it now.
    #[arg(long, value_name = "RUN")]
    pub(super) from: Option<String>,
    #[command(flatten)]
    pub(super) settings: SetArg,
    /// Seconds between two checkpoints; 0 writes one after every step.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) checkpoint_every: u64,
    #[command(flatten)]
    pub(super) device: DeviceArg,
    #[command(flatten)]
    pub(super) trust: TrustArg,
    /// Print one JSON object per line instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct EvalArgs {
    /// Project, run or exported model folder, or the name of a model on the hub.
    #[arg(value_name = "PROJECT|MODEL")]
    pub(super) model: PathBuf,
    /// Labelled files.
    #[arg(required = true)]
    pub(super) data: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
    #[command(flatten)]
    pub(super) device: DeviceArg,
    #[command(flatten)]
    pub(super) trust: TrustArg,
    #[command(flatten)]
    pub(super) bad_rows: BadRowsArg,
    /// Print one JSON object per line instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct EmbedArgs {
    /// Model or run folder, or the name of a model on the hub: ORG/NAME.
    pub(super) model: PathBuf,
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// File to write; its ending says how: .npy, .csv, .jsonl, .safetensors or .parquet. "-" is stdout.
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: PathBuf,
    /// Format of the output, instead of the one that the ending names; to stdout csv when left out.
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(super) output_format: Option<EmbeddingFormat>,
    #[command(flatten)]
    pub(super) cells: CellsArg,
    #[command(flatten)]
    pub(super) force: ForceArg,
    /// Embed only block I of N, counted from 0: the rows are cut into N contiguous blocks of equal size, give
    /// or take one row, and the outputs of blocks 0 to N-1 end to end are the output without this option.
    #[arg(long, value_name = "I/N", value_parser = Shard::from_str)]
    pub(super) shard: Option<Shard>,
    /// Numbers that the encoder's layers multiply. bfloat16 is about 1.8 times as fast where the processor has it;
    /// embeddings then differ from those of float32 by about 0.0001 in cosine.
    #[arg(long, value_enum, default_value_t = Precision::Float32)]
    pub(super) precision: Precision,
    /// What is put before every text: a prompt of the model by its name (query), or a text ("query: "). Otherwise the
    /// model's default prompt or what the run was trained with; "" is none.
    #[arg(long, value_name = "NAME|TEXT")]
    pub(super) prompt: Option<String>,
    #[command(flatten)]
    pub(super) device: DeviceArg,
    #[command(flatten)]
    pub(super) trust: TrustArg,
}

/// Numbers that are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Precision {
    /// 32 bits: what `PyTorch` computes.
    Float32,
    /// 16 bits, as many for the exponent as float32.
    Bfloat16,
}

#[derive(Debug, clap::Args)]
pub(super) struct PredictArgs {
    /// Exported model or run folder, or the name of a model on the hub: one with heads.
    pub(super) model: PathBuf,
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// Column of the second text, for tasks on pairs; guessed when left out.
    #[arg(long, value_name = "NAME")]
    pub(super) second: Option<String>,
    /// File to write; its ending says how: .csv or .jsonl. "-" is stdout.
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: PathBuf,
    /// Format of the output, instead of the one that the ending names; to stdout csv when left out.
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(super) output_format: Option<PredictionFormat>,
    #[command(flatten)]
    pub(super) cells: CellsArg,
    #[command(flatten)]
    pub(super) force: ForceArg,
    #[command(flatten)]
    pub(super) device: DeviceArg,
    #[command(flatten)]
    pub(super) trust: TrustArg,
}

#[derive(Debug, clap::Args)]
pub(super) struct SimilarArgs {
    /// Model or run folder, or the name of a model on the hub: ORG/NAME.
    pub(super) model: PathBuf,
    /// Two or more texts.
    #[arg(required = true, num_args = 2.., value_name = "TEXT")]
    pub(super) texts: Vec<String>,
    /// What is put before every text: a prompt of the model by its name (query), or a text ("query: "). Otherwise the
    /// model's default prompt or what the run was trained with; "" is none.
    #[arg(long, value_name = "NAME|TEXT")]
    pub(super) prompt: Option<String>,
    #[command(flatten)]
    pub(super) device: DeviceArg,
    #[command(flatten)]
    pub(super) trust: TrustArg,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// Run folder: PROJECT/runs/NAME.
    pub(super) run: PathBuf,
    /// Folder to write the model to: a new one or an empty one.
    #[arg(long, value_name = "DIR")]
    pub(super) to: PathBuf,
    /// Replace an earlier export in that folder; one that holds anything else is kept under another name.
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) trust: TrustArg,
}

#[derive(Debug, clap::Args)]
pub(super) struct ForceArg {
    /// Replace a file that exists; never the input.
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct CellsArg {
    /// Put ' before texts that a spreadsheet would compute: those that begin with =, +, -, @, a tab or a line end.
    /// Otherwise cells of csv are written as they are.
    #[arg(long)]
    pub(super) for_spreadsheet: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct InspectArgs {
    /// Data file or folder of data files, or folder of a model, a run or a project, or the name of a model on the
    /// hub: ORG/NAME.
    pub(super) path: PathBuf,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
    #[command(flatten)]
    pub(super) trust: TrustArg,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// Folder of the new project.
    pub(super) dir: PathBuf,
    /// Labelled files, or folders of them.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(super) data: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
    /// Label cells that mean "not annotated", such as -1; repeat it for several.
    #[arg(long, value_name = "CELL", allow_hyphen_values = true)]
    pub(super) missing: Vec<String>,
    /// Folder of the pretrained model, or its name on the hub: ORG/NAME. The default model when left out.
    #[arg(long, value_name = "DIR|NAME")]
    pub(super) model: Option<PathBuf>,
    /// What is frozen, and when it thaws.
    #[arg(long, value_name = "NAME", default_value = Preset::Full.key(),
        value_parser = PossibleValuesParser::new(Preset::ALL.map(Preset::key)))]
    pub(super) preset: String,
    /// Write a setting into the project file: --set lr_encoder=5e-5 --set tasks.topic.weight=2. `frostline settings`
    /// lists them.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = Change::from_str)]
    pub(super) changes: Vec<Change>,
    #[command(flatten)]
    pub(super) bad_rows: BadRowsArg,
}

#[derive(Debug, clap::Args)]
pub(super) struct DownloadArgs {
    /// Model on the hub: ORG/NAME, or ORG/NAME@REVISION with a branch, a tag or a commit.
    #[arg(value_name = "NAME[@REVISION]")]
    pub(super) name: String,
    /// Do not ask before the download. Without a terminal nothing is asked anyway.
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Print one JSON object instead of the model's folder.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct TourArgs {
    /// Project to walk through; a copy of the shipped demo when left out.
    pub(super) project: Option<PathBuf>,
    /// Folder to export to; exports/RUN in the project when left out.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Replace an earlier export in that folder; one that holds anything else is kept under another name.
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) device: DeviceArg,
    #[command(flatten)]
    pub(super) trust: TrustArg,
}

#[derive(Debug, clap::Args)]
pub(super) struct DeviceArg {
    /// Where to compute: cpu, cuda or cuda:N. The one chosen last in the window when left out, else the CPU.
    #[arg(long, value_name = "DEVICE", value_parser = device_key)]
    pub(super) device: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct TrustArg {
    /// Read the paths outside its folder that the project names, now and later. Without a terminal to ask on, a project
    /// from someone else is refused until this is given once.
    #[arg(long)]
    pub(super) trust_paths: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct BadRowsArg {
    /// Leave out rows that cannot be read, and say which, instead of stopping at them.
    #[arg(long)]
    pub(super) skip_bad_rows: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct InputArgs {
    /// CSV, TSV, JSON or Parquet file, or one of tagged words; a .txt file holds one text per line.
    #[arg(value_name = "INPUT")]
    pub(super) path: PathBuf,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
    /// Column of the text; guessed when left out.
    #[arg(long, value_name = "NAME")]
    pub(super) column: Option<String>,
    #[command(flatten)]
    pub(super) bad_rows: BadRowsArg,
}

fn device_key(text: &str) -> Result<String, String> {
    let ordinal = text.strip_prefix("cuda:").map(str::parse::<u16>);
    match (text, ordinal) {
        ("cpu" | "cuda", _) | (_, Some(Ok(_))) => Ok(text.to_owned()),
        _ => Err("use cpu, cuda or cuda:N".to_owned()),
    }
}

/// A contiguous block of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    index: usize,
    of: usize,
}

impl Shard {
    /// The rows of the block.
    pub(super) fn range(self, rows: usize) -> std::ops::Range<usize> {
        let bound = |index: usize| (index as u128 * rows as u128 / self.of as u128) as usize;
        bound(self.index)..bound(self.index + 1)
    }
}

impl CellsArg {
    /// How texts are written.
    pub(super) const fn cells(&self) -> Cells {
        if self.for_spreadsheet { Cells::ForSpreadsheet } else { Cells::AsTheyAre }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, of)) if index < of => Ok(Self { index, of }),
            _ => Err("use I/N with I from 0 to N-1, as in 0/4".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn shards_end_to_end_are_the_whole() {
        for (rows, of) in [(0, 3), (2, 3), (10, 3), (12, 4), (7, 1)] {
            let blocks = (0..of).map(|index| Shard { index, of }.range(rows));
            let covered: Vec<usize> = blocks.clone().flatten().collect();
            assert_eq!(covered, (0..rows).collect::<Vec<_>>());
            let sizes: Vec<usize> = blocks.map(|block| block.len()).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        }
        for wrong in ["4/4", "1", "/", "-1/2", "0/0", "a/b"] {
            assert!(Shard::from_str(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_word_alone_is_a_project_and_commands_are_commands() {
        let project = Args::try_parse_from(["frostline", "my-project"]).unwrap();
        assert_eq!(project.project, Some("my-project".into()));
        let train = Args::try_parse_from(["frostline", "train", "p", "--device", "cuda:1"]).unwrap();
        assert!(
            matches!(train.command, Some(Command::Train(train)) if train.device.device.as_deref() == Some("cuda:1"))
        );
        for wrong in [
            &["frostline", "trian", "p"][..],
            &["frostline", "train", "p", "--device", "gpu"],
            &["frostline", "similar", "m", "one text"],
            &["frostline", "init", "p", "--data", "a.csv", "--preset", "warm"],
        ] {
            assert_eq!(Args::try_parse_from(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }
}
