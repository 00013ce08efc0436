"""The multi-task loop that most people write, and the peer of `frostline train`.

An encoder from transformers, the masked mean of its token states, a linear head for each task; batches of a
DataLoader, padded to their longest text; Adam on the sum of the cross-entropies. Frozen parts are computed anew in
every epoch and keep their dropout, as `model.train()` leaves it.

It times some steps and says how many rows a second they did, or, with `--evaluate`, trains for the stated epochs
and says how many test rows it gets right.
"""

import argparse
import time

from common import Meter, emit, median_rate, read_lines

WINDOW = 8


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True, help="JSON Lines of a text and a label for each task")
    parser.add_argument("--tasks", required=True, help="names of the labels, with commas between")
    parser.add_argument("--mode", choices=["full", "top2", "frozen"], default="full")
    parser.add_argument("--fused", action="store_true", help="Adam in one pass over the parameters")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=48, help="steps that are timed")
    parser.add_argument("--warm-steps", type=int, default=3, help="steps before those")
    parser.add_argument("--evaluate", help="JSON Lines of test rows; trains for whole epochs first")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--lr-heads", type=float, default=1e-3)
    return parser.parse_args()


def main():
    options = arguments()
    import torch
    from torch import nn
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    tasks = options.tasks.split(",")
    rows = read_lines(options.train)
    classes = {task: sorted({row[task] for row in rows if row.get(task)}) for task in tasks}
    tokenizer = AutoTokenizer.from_pretrained(options.model)

    class MultiTask(nn.Module):
        """One encoder under a head for each task."""

        def __init__(self):
            super().__init__()
            self.encoder = AutoModel.from_pretrained(options.model)
            width = self.encoder.config.hidden_size
            self.heads = nn.ModuleList(nn.Linear(width, len(classes[task])) for task in tasks)

        def forward(self, inputs):
            states = self.encoder(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1)
            mean = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1e-9)
            return [head(mean) for head in self.heads]

    def collate(batch):
        texts = [row["text"] for row in batch]
        inputs = tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
        position = {task: {name: index for index, name in enumerate(classes[task])} for task in tasks}
        labels = [torch.tensor([position[task].get(row.get(task), -100) for row in batch]) for task in tasks]
        return inputs, labels

    model = MultiTask()
    if options.mode != "full":
        model.encoder.requires_grad_(False)
    if options.mode == "top2":
        model.encoder.encoder.layer[-2:].requires_grad_(True)
    groups = [
        {"params": [p for p in model.encoder.parameters() if p.requires_grad], "lr": options.lr},
        {"params": list(model.heads.parameters()), "lr": options.lr_heads},
    ]
    optimizer = torch.optim.Adam([group for group in groups if group["params"]], fused=options.fused or None)
    loader = torch.utils.data.DataLoader(rows, batch_size=options.batch, shuffle=True, collate_fn=collate)
    loss_of = nn.CrossEntropyLoss()

    def train_step(inputs, labels):
        loss = sum(loss_of(logits, wanted) for logits, wanted in zip(model(inputs), labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def time_steps():
        """Seconds and rows of each timed step, the making of its batch included."""
        model.train()
        seconds, counts, meter = [], [], Meter()
        batches = iter(loader)
        for step in range(options.warm_steps + options.steps):
            if step == options.warm_steps:
                meter.__enter__()
            started = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                # More steps were asked for than an epoch has.
                batches = iter(loader)
                batch = next(batches)
            train_step(*batch)
            if step >= options.warm_steps:
                seconds.append(time.perf_counter() - started)
                counts.append(len(batch[1][0]))
        meter.__exit__()
        emit(
            event="trained",
            rows_per_second=round(median_rate(seconds, counts, WINDOW), 3),
            train_rows=len(rows),
            steps=len(seconds),
            seconds=round(meter.seconds, 3),
            others=meter.others,
        )

    def evaluate():
        """Whole epochs at a rate that rises for a tenth of the steps and then falls to 0; then the test rows."""
        total = options.epochs * len(loader)
        warm = max(1, total // 10)
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / warm, (total - step) / max(1, total - warm))
        )
        for _ in range(options.epochs):
            model.train()
            for batch in loader:
                train_step(*batch)
                rate.step()
        model.eval()
        test = read_lines(options.evaluate)
        right = [[] for _ in tasks]
        with torch.inference_mode():
            for start in range(0, len(test), 64):
                inputs, labels = collate(test[start : start + 64])
                for hits, logits, wanted in zip(right, model(inputs), labels):
                    hits.extend((logits.argmax(dim=1) == wanted).tolist())
        in_scope = [index for index, row in enumerate(test) if row["in_scope"]]
        emit(
            event="evaluated",
            accuracy={task: sum(hits) / len(hits) for task, hits in zip(tasks, right)},
            accuracy_in_scope={
                task: sum(hits[index] for index in in_scope) / max(1, len(in_scope))
                for task, hits in zip(tasks, right)
            },
        )

    if options.evaluate:
        evaluate()
    else:
        time_steps()


if __name__ == "__main__":
    main()
