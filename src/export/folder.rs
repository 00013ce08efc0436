//! The exported folder: encoder, pooling, heads and model card, as sentence-transformers, transformers and
//! inference servers load them; and a folder per task whose `encode()` gives that task's logits.
//!
//! It is written beside its place, read back, tried against the model in memory, and only then put there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tch::Tensor;

use super::destination::{self, HEADS, Staged};
use super::error::ExportError;
use super::layout::{self, Module};
use super::load::load_exported;
use super::report::ExportReport;
use super::verify::{self, Side};
use super::written::{self, Written};
use crate::data::task::TaskKind;
use crate::files::regular_file;
use crate::model::dense::{self, DenseActivation, DenseSpec};
use crate::model::files::safetensors;
use crate::model::heads::HeadSpec;
use crate::model::summary::{Group, Prompt};
use crate::model::{Model, ModelError};
use crate::text::encoder_dir::encoder_dir;
use crate::text::tokenizer::{Tokenizer, TokenizerError, json_of};

const WEIGHTS: &str = "model.safetensors";

/// What to export, and where to.
#[derive(Clone, Copy)]
pub struct ExportRequest<'a> {
    /// The model with its tuned weights and its heads.
    pub model: &'a Model,
    /// The folder that the pretrained model came from; its tokenizer is copied unchanged.
    pub base: &'a Path,
    /// The folder to write: a new one, an empty one, or an earlier export, which is replaced, and kept under another name
    /// where it holds anything that the export did not write.
    pub to: &'a Path,
    /// Tokens at which the exported encoder cuts a text.
    pub max_seq_length: usize,
    /// What is put before every text, where anything is.
    pub prompt: Option<&'a Prompt>,
    /// Text of README.md; see [`model_card`](super::card::model_card).
    pub card: &'a str,
    /// Tasks whose heads never trained: what they predict is random, and the folder says so.
    pub untrained: &'a [String],
}

/// Writes the folder, reads it back, and says how far what was read is from what was meant.
///
/// # Errors
/// When the place is taken or cannot be written, when the weights are no numbers, or when what was written does
/// not load or computes something else. Then nothing has changed at that place.
pub fn write_folder(request: &ExportRequest<'_>) -> Result<ExportReport, ExportError> {
    write_folder_until(request, &AtomicBool::new(false))
}

/// The same, given up before the next file once `stop` is set.
///
/// # Errors
/// As [`write_folder`], and when it was stopped.
pub fn write_folder_until(
    request: &ExportRequest<'_>,
    stop: &AtomicBool,
) -> Result<ExportReport, ExportError> {
    let model = request.model;
    let max_seq_length = request.max_seq_length.min(model.summary.max_positions);
    all_finite(model)?;
    let tokenizer = tokenizer_files(request.base)?;
    let staged = Staged::beside(request.to, request.base)?;
    let mut writer = Writer { staged, written: Written::default(), stop };

    let normalize = model.summary.normalize.then_some(Module::Normalize);
    let embedding =
        || std::iter::once(Module::Pooling).chain(model.summary.dense.iter().map(|_| Module::Dense));
    let behind: Vec<Module> = embedding().chain(normalize).collect();
    write_encoder(&mut writer, "", request, &tokenizer, &behind, max_seq_length)?;
    writer.bytes("README.md", request.card.as_bytes())?;
    write_heads(&mut writer, model, request.untrained)?;
    for (head, folder) in model.heads.iter().zip(task_folders(model)) {
        let at = format!("tasks/{folder}/");
        if !layout::has_folder(&head.spec, model.family) {
            continue;
        }
        if head.spec.kind == TaskKind::TokenLabels {
            write_token_classifier(&mut writer, &at, model, &head.spec, &tokenizer)?;
            continue;
        }
        let layers = head.spec.hidden_units.iter().map(|_| Module::Dense).chain([Module::Dense]);
        let behind: Vec<Module> = embedding().chain(layers).collect();
        write_encoder(&mut writer, &at, request, &tokenizer, &behind, max_seq_length)?;
        write_head(&mut writer, &at, model, &head.spec)?;
    }

    writer.list()?;

    let written = writer.staged.dir();
    let (read_back, _) = load_exported(&written, model.device)?;
    let prompt = request.prompt.map_or("", |prompt| &prompt.text);
    let meant = Side { model, tokenizer: Tokenizer::load(request.base)?.with_prompt(prompt), max_seq_length };
    let difference = verify::compare(&meant, &Side::of_folder(&read_back, &written)?)?.accept()?;
    writer.goes_on()?;
    let files = writer.written.sizes();
    let (dir, kept) = writer.staged.put()?;
    Ok(ExportReport {
        dir,
        files,
        probes: difference.probes,
        max_difference: difference.embeddings,
        max_logit_difference: difference.logits,
        kept,
    })
}

/// A folder that sentence-transformers loads: at the top with the weights themselves, below it with a second
/// name for them.
fn write_encoder(
    writer: &mut Writer<'_>,
    at: &str,
    request: &ExportRequest<'_>,
    tokenizer: &TokenizerFiles,
    behind: &[Module],
    max_seq_length: usize,
) -> Result<(), ExportError> {
    let (model, summary) = (request.model, &request.model.summary);
    writer.json(&format!("{at}config.json"), &layout::config(&model.config, model.family.architecture))?;
    if at.is_empty() {
        writer.tensors(WEIGHTS, &encoder_tensors(model))?;
    } else {
        writer.second_name(&format!("{at}{WEIGHTS}"), WEIGHTS)?;
    }
    write_tokenizer(writer, at, tokenizer)?;
    writer.json(&format!("{at}modules.json"), &layout::modules(behind))?;
    writer.json(
        &format!("{at}sentence_bert_config.json"),
        &layout::sentence_bert(max_seq_length, summary.origin.lower_case),
    )?;
    writer.json(
        &format!("{at}config_sentence_transformers.json"),
        &layout::sentence_transformers(&summary.origin.prompts, request.prompt),
    )?;
    for (index, module) in (1..).zip(behind) {
        let folder = format!("{at}{}", layout::module_folder(index, *module));
        match module {
            Module::Pooling => {
                let config = layout::pooling(summary.pooling, summary.hidden);
                writer.json(&format!("{folder}/config.json"), &config)?;
            }
            // Has no settings; the folder is what its reader looks for.
            Module::Normalize => {
                writer.folder(&folder)?;
                writer.written.folder(&folder);
            }
            Module::Dense => {}
        }
    }
    for (index, spec) in summary.dense.iter().enumerate() {
        let (weight, bias) = dense::tensors_of(&model.params, index)?;
        write_dense(writer, at, FIRST_DENSE + index, spec, &weight, bias.as_ref())?;
    }
    Ok(())
}

/// The heads' tensors by the names of the plan, and what they mean.
fn write_heads(writer: &mut Writer<'_>, model: &Model, untrained: &[String]) -> Result<(), ExportError> {
    let specs: Vec<&HeadSpec> = model.heads.iter().map(|head| &head.spec).collect();
    let summary = &model.summary;
    let config = layout::heads(&specs, &task_folders(model), untrained, summary, model.family);
    writer.json(&format!("{HEADS}/config.json"), &config)?;
    let heads = model.params.iter().filter(|param| matches!(param.group, Group::Head(_)));
    let tensors: Vec<(String, &Tensor)> = heads.map(|param| (param.name.clone(), &param.tensor)).collect();
    if tensors.is_empty() { Ok(()) } else { writer.tensors(&format!("{HEADS}/{WEIGHTS}"), &tensors) }
}

fn write_tokenizer(writer: &mut Writer<'_>, at: &str, tokenizer: &TokenizerFiles) -> Result<(), ExportError> {
    tokenizer.iter().try_for_each(|(name, bytes)| writer.bytes(&format!("{at}{name}"), bytes))
}

/// The place of the first module behind the encoder and the pooling.
const FIRST_DENSE: usize = 2;

/// A Dense module as the one at a place.
fn write_dense(
    writer: &mut Writer<'_>,
    at: &str,
    place: usize,
    spec: &DenseSpec,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<(), ExportError> {
    let folder = format!("{at}{}", layout::module_folder(place, Module::Dense));
    writer.json(&format!("{folder}/config.json"), &layout::dense(spec))?;
    let mut tensors = vec![("linear.weight".to_owned(), weight)];
    tensors.extend(bias.map(|bias| ("linear.bias".to_owned(), bias)));
    writer.tensors(&format!("{folder}/{WEIGHTS}"), &tensors)
}

/// One head as the last modules of its task's folder.
fn write_head(writer: &mut Writer<'_>, at: &str, model: &Model, spec: &HeadSpec) -> Result<(), ExportError> {
    let name = format!("heads.{}", spec.task);
    let input = model.summary.head_input(spec.kind);
    let mut place = FIRST_DENSE + model.summary.dense.len();
    let mut layer =
        |[input, output]: [usize; 2], weight: &Tensor, bias: &Tensor, activation: DenseActivation| {
            let spec = DenseSpec { input, output, bias: true, activation };
            write_dense(writer, at, place, &spec, weight, Some(bias))?;
            place += 1;
            Ok::<(), ExportError>(())
        };
    if let Some(units) = spec.hidden_units {
        let weight = model.params.get(&format!("{name}.hidden.weight"))?;
        let bias = model.params.get(&format!("{name}.hidden.bias"))?;
        layer([input, units], &weight, &bias, DenseActivation::Tanh)?;
    }
    let (mut weight, mut bias) =
        (model.params.get(&format!("{name}.weight"))?, model.params.get(&format!("{name}.bias"))?);
    if spec.kind == TaskKind::Score {
        // `encode()` is to give the number as the data has it.
        let _guard = tch::no_grad_guard();
        let scaled = |tensor: &Tensor| tensor.f_mul_scalar(spec.scale.factor).map_err(ModelError::from);
        (weight, bias) = (scaled(&weight)?, scaled(&bias)?);
        bias = bias.f_add_scalar(spec.scale.offset).map_err(ModelError::from)?;
    }
    let shape = [spec.hidden_units.unwrap_or(input), spec.outputs()];
    layer(shape, &weight, &bias, DenseActivation::Identity)?;
    writer.json(&format!("{at}labels.json"), &layout::labels(spec))
}

/// A head on tokens with its encoder, as transformers' classifiers of tokens load it.
fn write_token_classifier(
    writer: &mut Writer<'_>,
    at: &str,
    model: &Model,
    spec: &HeadSpec,
    tokenizer: &TokenizerFiles,
) -> Result<(), ExportError> {
    let config = layout::token_classifier(&model.config, model.family.architecture, &spec.classes);
    writer.json(&format!("{at}config.json"), &config)?;
    let encoder =
        model.params.iter().filter(|param| matches!(param.group, Group::Embeddings | Group::Layer(_)));
    let mut tensors: Vec<(String, &Tensor)> =
        encoder.map(|param| (format!("{}{}", model.family.prefix, param.name), &param.tensor)).collect();
    let name = format!("heads.{}", spec.task);
    let (weight, bias) =
        (model.params.get(&format!("{name}.weight"))?, model.params.get(&format!("{name}.bias"))?);
    tensors.push(("classifier.weight".to_owned(), &weight));
    tensors.push(("classifier.bias".to_owned(), &bias));
    writer.tensors(&format!("{at}{WEIGHTS}"), &tensors)?;
    write_tokenizer(writer, at, tokenizer)
}

/// Everything but what has a folder of its own: readers would report heads and Dense modules as unexpected.
fn encoder_tensors(model: &Model) -> Vec<(String, &Tensor)> {
    let prefix = if model.family.prefix_on_export { model.family.prefix } else { "" };
    let apart = |group| matches!(group, Group::Dense | Group::Head(_) | Group::LossWeight(_));
    let encoder = model.params.iter().filter(|param| !apart(param.group));
    encoder.map(|param| (format!("{prefix}{}", param.name), &param.tensor)).collect()
}

fn task_folders(model: &Model) -> Vec<String> {
    let names: Vec<&str> = model.heads.iter().map(|head| head.spec.task.as_str()).collect();
    layout::task_folders(&names)
}

/// A tokenizer's files, by name.
type TokenizerFiles = Vec<(String, Vec<u8>)>;

/// The files beside the pretrained encoder, unchanged; and a tokenizer.json where it has only those of older
/// models, for what is exported has to open in servers that know nothing else.
fn tokenizer_files(base: &Path) -> Result<TokenizerFiles, ExportError> {
    let dir = encoder_dir(base);
    let json = match json_of(&dir) {
        Ok((_, json)) => json,
        Err(TokenizerError::Missing { .. }) => return Err(ExportError::NoTokenizer(base.to_owned())),
        Err(other) => return Err(other.into()),
    };
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |reason| ExportError::Read { path, reason }
    };
    let mut files = vec![("tokenizer.json".to_owned(), json)];
    for entry in fs::read_dir(&dir).map_err(unreadable(&dir))? {
        let path = entry.map_err(unreadable(&dir))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Folders from a hub's cache hold links to files.
        if path.is_file() && destination::is_of_tokenizer(&name) && name != "tokenizer.json" {
            files.push((name, regular_file::read(&path).map_err(unreadable(&path))?));
        }
    }
    files.sort();
    Ok(files)
}

fn all_finite(model: &Model) -> Result<(), ExportError> {
    for param in &model.params {
        if !safetensors::finite(&param.tensor)? {
            return Err(ExportError::NotFinite(param.name.clone()));
        }
    }
    Ok(())
}

/// Writes files into the folder beside the place, and names those at the place when one cannot be written.
struct Writer<'a> {
    staged: Staged,
    written: Written,
    stop: &'a AtomicBool,
}

impl Writer<'_> {
    fn goes_on(&self) -> Result<(), ExportError> {
        if self.stop.load(Ordering::Relaxed) { Err(ExportError::Stopped) } else { Ok(()) }
    }

    fn json(&mut self, relative: &str, value: &Value) -> Result<(), ExportError> {
        self.bytes(relative, format!("{value:#}\n").as_bytes())
    }

    fn bytes(&mut self, relative: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.path_of(relative)?;
        let done = File::create_new(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        done.map_err(|error| self.cannot(relative, &error))?;
        self.written.bytes(relative, bytes);
        Ok(())
    }

    fn tensors(&mut self, relative: &str, tensors: &[(String, &Tensor)]) -> Result<(), ExportError> {
        let path = self.path_of(relative)?;
        match safetensors::write(&path, tensors) {
            Ok(()) => {}
            Err(ModelError::Io { source, .. }) => return Err(self.cannot(relative, &source)),
            Err(other) => return Err(other.into()),
        }
        let added = self.written.file(relative, &path);
        added.map(drop).map_err(|error| self.cannot(relative, &error))
    }

    /// A hard link to a file that is there already, or a copy where the disk knows no links.
    fn second_name(&mut self, relative: &str, of: &str) -> Result<(), ExportError> {
        let (path, first) = (self.path_of(relative)?, self.staged.dir().join(of));
        if fs::hard_link(&first, &path).is_err() {
            fs::copy(&first, &path).map_err(|error| self.cannot(relative, &error))?;
        }
        self.written.second_name(relative, of);
        Ok(())
    }

    /// The list of what was written, by which the next export knows what it may replace.
    fn list(&mut self) -> Result<(), ExportError> {
        let list = self.written.to_json().map_err(|error| self.cannot(written::LIST, &error.into()))?;
        self.bytes(written::LIST, &list)
    }

    fn folder(&self, relative: &str) -> Result<(), ExportError> {
        let made = fs::create_dir_all(self.staged.dir().join(relative));
        made.map_err(|error| self.cannot(relative, &error))
    }

    fn path_of(&self, relative: &str) -> Result<PathBuf, ExportError> {
        self.goes_on()?;
        if let Some((folder, _)) = relative.rsplit_once('/') {
            self.folder(folder)?;
        }
        Ok(self.staged.dir().join(relative))
    }

    fn cannot(&self, relative: &str, error: &io::Error) -> ExportError {
        ExportError::write(&self.staged.shown(relative), error)
    }
}
