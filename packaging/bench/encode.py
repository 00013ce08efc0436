"""Encodes sentences with sentence-transformers, the peer of `frostline embed`.

It says when its first embedding was there, counted from the start of the process, and how many sentences a second
`encode()` did, imports and loading left out. Texts are cut where the model's own settings say.
"""

import argparse
import os
import time

from common import Meter, emit, read_lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--sentences", help="JSON Lines with a text; without it, the first embedding is all")
    parser.add_argument("--backend", choices=["torch", "openvino"], default="torch")
    parser.add_argument("--prepare", metavar="DIR", help="write the model for this backend and stop")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(options.threads)
    settings = {}
    if options.backend == "openvino":
        precision = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": str(options.threads)}
        settings = {"ov_config": precision, "export": bool(options.prepare)}
    model = SentenceTransformer(options.model, device="cpu", backend=options.backend, model_kwargs=settings)
    if options.prepare:
        model.save_pretrained(options.prepare)
        return
    model.encode(["A sentence."], show_progress_bar=False)
    first = time.time() - float(os.environ.get("BENCH_STARTED", time.time()))
    result = {"event": "encoded", "first_embedding_seconds": round(first, 3)}
    if options.sentences:
        texts = [row["text"] for row in read_lines(options.sentences)]
        # The first calls choose kernels and make buffers.
        model.encode(texts[: 2 * options.batch], batch_size=options.batch, show_progress_bar=False)
        with Meter() as meter:
            model.encode(texts, batch_size=options.batch, show_progress_bar=False)
        result |= {
            "rows_per_second": round(len(texts) / meter.seconds, 3),
            "seconds": round(meter.seconds, 3),
            "others": meter.others,
        }
    emit(**result)


if __name__ == "__main__":
    main()
