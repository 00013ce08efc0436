"""Spearman's correlation of the pairs' scores with the cosines of their embeddings, as written by `frostline embed`.

    python spearman.py EMBEDDINGS.npy SCORES.jsonl
"""

import sys

import numpy as np
from scipy.stats import spearmanr

from common import emit, read_lines


def main():
    embeddings = np.load(sys.argv[1]).astype(np.float64)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    first, second = np.split(embeddings, 2)
    scores = [row["score"] for row in read_lines(sys.argv[2])]
    emit(event="correlated", spearman=round(float(spearmanr((first * second).sum(axis=1), scores).statistic), 6))


if __name__ == "__main__":
    main()
