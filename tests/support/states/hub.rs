//! States of the hub's card on the Model page.

use std::sync::Arc;

use frostline::hub::{CachedModel, Checksum, HubName, Progress, RemoteFile, RemoteModel};
use frostline::session::state::{Download, DownloadEnd, HubView, Loadable, State};

pub(crate) const COMMIT: &str = "9a3225965996d404b775526de6dbfe85d3368642";

fn name(text: &str) -> HubName {
    text.parse().expect("a name")
}

/// A model of 438 MB, so many bytes of whose weights are in the cache.
pub(crate) fn offer(cached: u64) -> RemoteModel {
    let small = Checksum::GitBlob(COMMIT.into());
    let mut files: Vec<RemoteFile> = [
        ("README.md", 10_600),
        ("modules.json", 349),
        ("config_sentence_transformers.json", 116),
        ("config.json", 571),
        ("sentence_bert_config.json", 53),
        ("tokenizer.json", 466_021),
        ("tokenizer_config.json", 363),
        ("special_tokens_map.json", 239),
        ("vocab.txt", 231_536),
        ("1_Pooling/config.json", 190),
    ]
    .map(|(name, bytes)| RemoteFile { name: name.into(), bytes, checksum: small.clone(), cached: 0 })
    .to_vec();
    let checksum =
        Checksum::Sha256("78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658".into());
    files.push(RemoteFile { name: "model.safetensors".into(), bytes: 437_967_672, checksum, cached });
    RemoteModel {
        name: name("sentence-transformers/all-mpnet-base-v2"),
        commit: COMMIT.into(),
        files,
        licence: Some("apache-2.0".into()),
        gated: false,
        private: false,
        has_modules: true,
    }
}

fn models() -> Vec<CachedModel> {
    let model = |text: &str, bytes, licence: Option<&str>, missing: &[&str]| CachedModel {
        name: name(text),
        folder: format!("/home/kim/.cache/huggingface/hub/{text}").into(),
        bytes,
        licence: licence.map(str::to_owned),
        missing: missing.iter().map(|file| (*file).to_owned()).collect(),
    };
    vec![
        model("BAAI/bge-small-en-v1.5", 134_462_000, Some("mit"), &[]),
        model("distilbert/distilbert-base-multilingual-cased", 542_100_000, None, &[]),
        model("intfloat/e5-large-v2", 712_000, Some("mit"), &["model.safetensors"]),
    ]
}

fn with(state: State, offer: RemoteModel, download: Option<Download>) -> State {
    let models = Loadable::Ready(Arc::new(models()));
    State { hub: HubView { offer: Loadable::Ready(Arc::new(offer)), download, models }, ..state }
}

/// A look-up found a model, and some are in the cache.
pub(crate) fn found(state: State) -> State {
    with(state, offer(0), None)
}

/// The model is in the cache already.
pub(crate) fn whole(state: State) -> State {
    let mut offer = offer(0);
    for file in &mut offer.files {
        file.cached = file.bytes;
    }
    with(state, offer, None)
}

/// Its download goes on.
pub(crate) fn downloading(state: State) -> State {
    let offer = offer(0);
    let progress = Progress {
        done: 180_123_456,
        total: offer.bytes(),
        bytes_per_second: 11_200_000.0,
        file: "model.safetensors".into(),
        waiting: false,
    };
    with(state, offer.clone(), Some(Download { offer: Arc::new(offer), progress, end: None }))
}

/// It broke off.
pub(crate) fn failed(state: State) -> State {
    let offer = offer(180_123_456);
    let reason = "the connection broke at model.safetensors again and again (it ended after 180123456 of 437967672 \
                  bytes). What was fetched is kept: download again to go on";
    let (progress, end) = (Progress::default(), Some(DownloadEnd::Failed(reason.into())));
    with(state, offer.clone(), Some(Download { offer: Arc::new(offer), progress, end }))
}
