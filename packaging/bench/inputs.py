"""Makes the benchmark's inputs of a data set's folder (train.csv, valid.csv, test.csv): the same rows for everyone.

    python inputs.py --data DIR --to DIR [--sentences FILE] [--most N] [--stsb FILE]
"""

import argparse
import csv
import json
from pathlib import Path

from common import emit

TEXT = "text"
OUT_OF_SCOPE = "oos"


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_lines(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def sentences_of(path, rows):
    """The sentences of a JSON file (a list, or an object that holds one as `sentences`), else the rows' texts."""
    if path is None:
        return [row[TEXT] for row in rows]
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    return found["sentences"] if isinstance(found, dict) else found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--sentences")
    parser.add_argument("--most", type=int, help="so many sentences at most")
    parser.add_argument("--stsb", help="a CSV file of sentence1, sentence2 and score")
    options = parser.parse_args()

    splits = {split: read_csv(options.data / f"{split}.csv") for split in ("train", "valid", "test")}
    tasks = [column for column in splits["train"][0] if column != TEXT]
    for row in splits["test"]:
        row["in_scope"] = all(row[task] != OUT_OF_SCOPE for task in tasks)
    for split, rows in splits.items():
        write_lines(options.to / f"{split}.jsonl", rows)
    in_scope = [row for row in splits["test"] if row["in_scope"]]
    write_lines(options.to / "test_in_scope.jsonl", in_scope)

    sentences = sentences_of(options.sentences, splits["train"] + splits["test"])[: options.most]
    write_lines(options.to / "sentences.jsonl", [{TEXT: sentence} for sentence in sentences])
    write_lines(options.to / "one.jsonl", [{TEXT: "A sentence."}])
    pairs = read_csv(options.stsb) if options.stsb else []
    # Both sides in one file, so that one start of the program embeds them.
    write_lines(options.to / "pairs.jsonl", [{TEXT: row[side]} for side in ("sentence1", "sentence2") for row in pairs])
    write_lines(options.to / "scores.jsonl", [{"score": float(row["score"])} for row in pairs])
    emit(
        event="inputs",
        tasks=tasks,
        train=len(splits["train"]),
        valid=len(splits["valid"]),
        test=len(splits["test"]),
        in_scope=len(in_scope),
        sentences=len(sentences),
        pairs=len(pairs),
    )


if __name__ == "__main__":
    main()
