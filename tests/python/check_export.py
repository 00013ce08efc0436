"""Opens an exported folder the way its users do, and compares with what Frostline computed.

    python check_export.py FOLDER EXPECTED.json

EXPECTED.json: `probes`, `embeddings` [probe][hidden], and per task in `tasks`: `name`, `folder`, `classes` and
`logits` [probe][class]. Prints the largest differences; fails where one is above the tolerance.
"""

import json
import os
import re
import sys
import warnings
from pathlib import Path

# Nothing may come from a hub: the folder has to be enough.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

import numpy as np
import sentence_transformers
import torch
import transformers
from safetensors import safe_open
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoModelForTokenClassification, AutoTokenizer, pipeline

TOLERANCE = 1e-5
failures = []


def compare(what, found, expected):
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        failures.append(f"{what}: shape {found.shape}, expected {expected.shape}")
        return
    difference = float(np.abs(found - expected).max())
    print(f"{what}: largest difference {difference:.2e}")
    if not difference <= TOLERANCE:
        failures.append(f"{what}: {difference:.2e} is above {TOLERANCE:.0e}")


def check(what, condition):
    if not condition:
        failures.append(what)


def encode(folder, probes):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = SentenceTransformer(str(folder), device="cpu")
    own = [str(w.message) for w in caught if "sentence" in str(w.message).lower()]
    check(f"{folder.name}: warnings {own}", not own)
    return model, model.encode(probes, batch_size=8, show_progress_bar=False)


def plain_transformers(folder, expected):
    model, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    missing = [key for key in info["missing_keys"] if not key.startswith("pooler.")]
    check(f"AutoModel: missing {missing}", not missing)
    check(f"AutoModel: unexpected {info['unexpected_keys']}", not info["unexpected_keys"])
    check("AutoModel: the weights are not float32", next(model.parameters()).dtype == torch.float32)
    length = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    tokens = AutoTokenizer.from_pretrained(folder)(
        expected["probes"], padding=True, truncation=True, max_length=length, return_tensors="pt"
    )
    inputs = {key: value for key, value in tokens.items() if key in ("input_ids", "attention_mask")}
    with torch.no_grad():
        hidden = model.eval()(**inputs).last_hidden_state
    modules = json.loads((folder / "modules.json").read_text())
    by_hand = json.loads((folder / "1_Pooling/config.json").read_text())["pooling_mode_mean_tokens"]
    if not by_hand or any(module["type"].endswith(".Dense") for module in modules):
        return
    keep = inputs["attention_mask"].unsqueeze(-1).float()
    mean = (hidden * keep).sum(1) / keep.sum(1).clamp(min=1e-9)
    if (folder / "2_Normalize").exists():
        mean = torch.nn.functional.normalize(mean, dim=1)
    compare("transformers, mean pooling by hand", mean, expected["embeddings"])


def token_classifier(folder, task, probes):
    model, info = AutoModelForTokenClassification.from_pretrained(folder, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys"):
        check(f"{task['name']}: {kind} {info[kind]}", not info[kind])
    check(f"{task['name']}: classes", [model.config.id2label[i] for i in range(model.num_labels)] == task["classes"])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    length = json.loads((folder.parent.parent / "sentence_bert_config.json").read_text())["max_seq_length"]
    for probe, logits in zip(probes, task["logits"]):
        # One at a time: what stands at padded places is nobody's business.
        tokens = tokenizer(probe, truncation=True, max_length=length, return_tensors="pt")
        inputs = {key: value for key, value in tokens.items() if key in ("input_ids", "attention_mask")}
        with torch.no_grad():
            found = model.eval()(**inputs).logits[0]
        expected = np.asarray(logits).reshape(-1, model.num_labels)[: len(found)]
        compare(f"logits of {task['name']}, {len(found)} tokens", found, expected)


def no_classifier(folder):
    """These folders are no classifiers of transformers: it has to refuse them, not to answer with random weights."""
    try:
        answer = pipeline("text-classification", str(folder), device="cpu")(["a text"])
    except Exception as error:
        print(f"text-classification on {folder.name}: refused, {error}")
    else:
        failures.append(f"text-classification on {folder.name} answers {answer}")


def model_card(folder):
    """The examples in README.md run as they stand."""
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.S)
    check("README.md: no examples", len(blocks) == 2)
    names = {}
    for block in blocks:
        exec(block.replace("path/to/this/folder", folder.as_posix()), names)
    similarity = names["model"].similarity(names["embeddings"], names["embeddings"])
    check("README.md: similarity of two sentences", tuple(similarity.shape) == (2, 2))
    return names


def main():
    folder, expected = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text("utf-8"))
    print(f"sentence-transformers {sentence_transformers.__version__}, transformers {transformers.__version__}")
    with safe_open(folder / "model.safetensors", "pt") as weights:
        check("metadata of model.safetensors", weights.metadata() == {"format": "pt"})

    _, embeddings = encode(folder, expected["probes"])
    compare("embeddings", embeddings, expected["embeddings"])
    plain_transformers(folder, expected)
    no_classifier(folder)
    for task in expected["tasks"]:
        if not task["folder"]:
            continue
        if task["type"] == "token_classification":
            token_classifier(folder / task["folder"], task, expected["probes"])
            continue
        _, logits = encode(folder / task["folder"], expected["probes"])
        compare(f"logits of {task['name']}", logits, task["logits"])
        no_classifier(folder / task["folder"])
        labels = json.loads((folder / task["folder"] / "labels.json").read_text("utf-8"))
        check(f"{task['name']}: classes", labels["classes"] == task["classes"])

    names = model_card(folder)
    all_linear = all(task["linear"] and task["type"] == "single_label_classification" for task in expected["tasks"])
    for task in expected["tasks"] if all_linear else []:
        # The card's way: the heads' tensors on the pooled embedding, of its own two sentences and of ours.
        model, heads = names["model"], names["heads"]
        pooled = SentenceTransformer(modules=[m for m in model if type(m).__name__ != "Normalize"]).encode(expected["probes"])
        logits = pooled @ heads[f"heads.{task['name']}.weight"].T + heads[f"heads.{task['name']}.bias"]
        compare(f"logits of {task['name']} through heads/", logits, task["logits"])
        check(f"{task['name']}: classes of the card", names["tasks"][task["name"]] == task["classes"])

    for failure in failures:
        print(f"FAILED {failure}")
    sys.exit(1 if failures else 0)


main()
