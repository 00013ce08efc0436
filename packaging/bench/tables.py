"""Makes a large table, the same as CSV and as Parquet: a text, some with line ends inside quotes, and two labels.

    python tables.py --to DIR --rows N

What is there already is left as it is: the rows come from a fixed seed.
"""

import argparse
import csv
import os
import random
from pathlib import Path

from common import emit

ROWS_AT_A_TIME = 100_000
TOPICS = ["account", "billing", "delivery", "product", "returns", "service", "travel", "weather"]
TONES = ["negative", "neutral", "positive", ""]


def vocabulary(draw):
    """Words of 2 to 11 letters, a few with letters beyond ASCII; short ones come first and are drawn more often."""
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(draw.choices(letters, k=2 + index // 2000)) for index in range(20_000)]
    return words[:-100] + [word + "é" for word in words[-100:]]


def texts(draw, words, weights, count):
    """Sentences of 5 to 58 words. One in 50 has quotes and a line end in it, one in 10 a comma."""
    for _ in range(count):
        chosen = draw.choices(words, cum_weights=weights, k=draw.randint(5, 58))
        kind = draw.randrange(50)
        if kind == 0:
            yield f'{" ".join(chosen)}\nHe said "{chosen[0]}".'
        elif kind <= 5:
            yield f'{chosen[0]}, {" ".join(chosen[1:])}.'
        else:
            yield " ".join(chosen) + "."


def batches(rows):
    draw = random.Random(1)
    words = vocabulary(draw)
    total, weights = 0.0, []
    for rank in range(len(words)):
        total += 1 / (rank + 10)
        weights.append(total)
    for start in range(0, rows, ROWS_AT_A_TIME):
        count = min(ROWS_AT_A_TIME, rows - start)
        yield [list(texts(draw, words, weights, count)), draw.choices(TOPICS, k=count), draw.choices(TONES, k=count)]


def make(rows, as_csv, as_parquet):
    import pyarrow
    import pyarrow.parquet

    names = ["text", "topic", "tone"]
    schema = pyarrow.schema([(name, pyarrow.string()) for name in names])
    # Finished files alone have the names that are looked for.
    drafts = [as_csv.with_suffix(".csv.part"), as_parquet.with_suffix(".parquet.part")]
    with open(drafts[0], "w", newline="", encoding="utf-8") as file:
        with pyarrow.parquet.ParquetWriter(drafts[1], schema) as parquet:
            rows_to = csv.writer(file, lineterminator="\n")
            rows_to.writerow(names)
            for columns in batches(rows):
                rows_to.writerows(zip(*columns))
                parquet.write_table(pyarrow.table(dict(zip(names, columns)), schema=schema))
    for draft, path in zip(drafts, [as_csv, as_parquet]):
        os.replace(draft, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--rows", type=int, required=True)
    options = parser.parse_args()

    options.to.mkdir(parents=True, exist_ok=True)
    paths = [options.to / f"table-{options.rows}.{ending}" for ending in ("csv", "parquet")]
    if not all(path.exists() for path in paths):
        make(options.rows, *paths)
    emit(
        event="tables",
        csv=str(paths[0]),
        csv_bytes=paths[0].stat().st_size,
        parquet=str(paths[1]),
        parquet_bytes=paths[1].stat().st_size,
    )


if __name__ == "__main__":
    main()
