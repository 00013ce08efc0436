"""How fast this machine multiplies matrices of an encoder layer's shapes in float32, and from that the time below
which no program can encode the sentences: every multiplication done once at that rate, nothing padded, and nothing
else computed at all.
"""

import argparse
import json
import statistics
import time

from common import Meter, emit, read_lines

TOKENS = 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--sentences", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="per shape and repeat")
    options = parser.parse_args()

    import torch
    from tokenizers import Tokenizer

    torch.set_num_threads(options.threads)
    with open(f"{options.model}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    width, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]

    # Query, key and value together; the attention's output; both halves of the feed-forward part.
    shapes = [(width, 3 * width), (width, width), (width, inner), (inner, width)]
    rates = []
    with torch.inference_mode(), Meter() as meter:
        for _ in range(options.repeats):
            seconds_per_layer = 0.0
            for wide, out in shapes:
                states, weights = torch.randn(TOKENS, wide), torch.randn(out, wide)
                torch.nn.functional.linear(states, weights)
                started, runs = time.perf_counter(), 0
                while time.perf_counter() - started < options.seconds:
                    torch.nn.functional.linear(states, weights)
                    runs += 1
                seconds_per_layer += (time.perf_counter() - started) / runs
            multiplications = sum(2.0 * TOKENS * wide * out for wide, out in shapes)
            rates.append(multiplications / seconds_per_layer)

    tokenizer = Tokenizer.from_file(f"{options.model}/tokenizer.json")
    tokenizer.no_padding()
    with open(f"{options.model}/sentence_bert_config.json", encoding="utf-8") as file:
        tokenizer.enable_truncation(json.load(file)["max_seq_length"])
    texts = [row["text"] for row in read_lines(options.sentences)]
    lengths = [len(encoded.ids) for encoded in tokenizer.encode_batch(texts)]
    in_layers = sum(lengths) * sum(2.0 * wide * out for wide, out in shapes)
    # Scores and their use: a product over all pairs of tokens each.
    in_attention = sum(4.0 * width * length * length for length in lengths)
    work = layers * (in_layers + in_attention)
    rate = statistics.median(rates)
    emit(
        event="multiplied",
        gflops=round(rate / 1e9, 2),
        gflops_lowest=round(min(rates) / 1e9, 2),
        gflops_highest=round(max(rates) / 1e9, 2),
        tokens=sum(lengths),
        tflop=round(work / 1e12, 4),
        floor_seconds=round(work / rate, 4),
        floor_rows_per_second=round(len(texts) * rate / work, 3),
        others=meter.others,
    )


if __name__ == "__main__":
    main()
