"""A GPT that writes: it reads a million characters, and then writes by itself.

Without data it reads the Python standard library's own source; `make data NAME=shakespeare` downloads Shakespeare's
plays, and DATA= says where they are. ARGS= may hold a seed, and "fresh", which starts an interrupted run again from the
beginning.

Nine tenths of the text are to learn from. Of the rest, every second stretch is read after every hundred steps. The
verdict is on the others, which your code does not get before the training has ended; the dojo computes the loss from
the model's logits. The model may not see what it predicts, and has to write what its logits say.
"""

import math
import time

import numpy as np

from dojo.datasets import downloads, stdlib
from dojo.student import verdicts
from tinytorch.dataloader import DataLoader, Dataset, RandomSampler
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, tensor
from tinytorch.tokenization import CharTokenizer
from tinytorch.training import Callback, ModelCheckpoint, OneCycleLR, Trainer, evaluating, save
from tinytorch.transformers import GPT, GPTConfig, generate, next_token_loss, stream

LAYERS, HEADS, FEATURES, CONTEXT = 4, 4, 128, 64
BATCH, LR = 32, 3e-3
STEPS = 100  # of an epoch: after each the model is validated, saved, and writes a line
WINDOWS = 512  # stretches of the text to validate on, and as many for the verdict
CHARACTERS = 1_000_000  # of Python's standard library
ALOUD = 600  # characters that it writes at the end
PLANS = {  # `passed` is in nats a character
    "shakespeare": {"epochs": 20, "passed": 1.80, "prompt": "ROMEO:\n"},
    "stdlib": {"epochs": 10, "passed": 1.60, "prompt": "def "},  # the reference reaches about 1.5
}


class Windows(Dataset):
    """Every stretch of a text, `length` characters long, and the same stretch one character later."""

    def __init__(self, ids, length):
        self.ids, self.length = np.asarray(ids), length

    def __len__(self):
        return len(self.ids) - self.length

    def __getitem__(self, start):
        return self.ids[start : start + self.length], self.ids[start + 1 : start + self.length + 1]

    def __getitems__(self, starts):
        places = np.asarray(starts)[:, None] + np.arange(self.length + 1)  # (B, T + 1)
        rows = self.ids[places]
        return rows[:, :-1], rows[:, 1:]  # (B, T) each


def rows_of(ids, count):
    """`count` stretches of CONTEXT + 1 tokens, evenly from all of a text: (count, CONTEXT + 1)."""
    starts = np.linspace(0, len(ids) - CONTEXT - 1, count).astype(int)
    return np.asarray(ids)[starts[:, None] + np.arange(CONTEXT + 1)]


def batches_of(rows):
    """The rows as batches to validate on, 64 at a time: texts, and the same one character later."""
    return [(Tensor(rows[i : i + 64, :-1]), Tensor(rows[i : i + 64, 1:])) for i in range(0, len(rows), 64)]


# Training -----------------------------------------------------------------------------------------------


class Watched(Callback):
    """Reports every batch to the progress bar, and every epoch, with a line that the model writes, to the terminal."""

    def __init__(self, step, say, write):
        self.step, self.say, self.write, self.loss = step, say, write, 0.0

    def on_step_end(self, trainer, loss, samples):
        self.loss = 0.95 * self.loss + 0.05 * loss if self.loss else loss
        self.step(f"step {trainer.scheduler.last_epoch}, loss {self.loss:.3f}", samples * CONTEXT)

    def on_epoch_end(self, trainer):
        last = {name: values[-1] for name, values in trainer.history.items()}
        speed = STEPS * BATCH * CONTEXT / last["seconds"]
        self.say(
            f"step {trainer.epoch * STEPS}: loss {last['train_loss']:.3f} while learning, {last['val_loss']:.3f} on "
            f"text that it never saw, {speed:,.0f} tokens/s\n    {self.write(trainer.model, trainer.epoch)!r}"
        )


def trainer_for(vocab_size, steps):
    """A GPT, and the recipe for so many steps."""
    model = GPT(GPTConfig(vocab_size, CONTEXT, LAYERS, HEADS, FEATURES))
    optimizer = AdamW(model.parameters(), lr=LR, betas=(0.9, 0.95), weight_decay=0.1)
    scheduler = OneCycleLR(optimizer, max_lr=LR, total_steps=steps, pct_start=0.1)
    return Trainer(model, next_token_loss, optimizer, scheduler, "step", clip_grad_norm=1.0)


def seconds_a_step(report, vocab_size, rows):
    """How long a step of the training takes on this machine."""
    trainer = trainer_for(vocab_size, 1_000_000)
    x, y = Tensor(rows[:BATCH, :-1]), Tensor(rows[:BATCH, 1:])
    return report.measure(lambda: trainer.train_step(x, y))


def learn(tokenizer, train, shown, epochs, prompt, pace, report, run, fresh):
    """Train a GPT, or resume a run that was interrupted. Gives the trainer."""
    trainer = trainer_for(tokenizer.vocab_size, epochs * STEPS)
    before = verdicts.weights(trainer.model)
    check(trainer, shown[:16], prompt)  # a fault is found before the training
    folder = report.checkpoints(run, fresh)
    if trainer.resume(folder):
        report.say(
            f"Resumed after step {trainer.epoch * STEPS}; ARGS=fresh would start again from the beginning."
        )
    size = sum(parameter.numel() for parameter in trainer.model.parameters())
    report.say(
        f"{size:,} parameters, {tokenizer.vocab_size} different characters, {len(train):,} of them to learn from. "
        f"Before the first step each is as likely as any other: a loss of {math.log(tokenizer.vocab_size):.2f}."
    )
    left = epochs - trainer.epoch
    report.foretell(
        pace * left * (STEPS + len(shown) / BATCH / 3)
    )  # a validation batch needs no backward pass

    def write(model, epoch):
        """A line of text, from a generator of its own: the run draws the same numbers, watched or not."""
        ids = generate(model, tensor(prompt), 70, temperature=0.8, generator=np.random.default_rng(epoch))
        return tokenizer.decode(ids)

    windows = Windows(train, CONTEXT)
    anywhere = RandomSampler(windows, replacement=True, num_samples=STEPS * BATCH)  # drawn again each epoch
    batches = DataLoader(windows, BATCH, sampler=anywhere)
    tokens = STEPS * BATCH * CONTEXT
    with report.progress(tokens * epochs, "training", "tokens", tokens * trainer.epoch) as step:
        trainer.callbacks += [Watched(step, report.say, write), ModelCheckpoint(folder)]
        trainer.fit(batches, verdicts.Untouched(batches_of(shown), trainer.model), epochs)
    verdicts.moved(before, trainer.model)
    return trainer


# The verdict --------------------------------------------------------------------------------------------


def asking(model):
    """A function from texts (B, T) to the model's logits (B, T, V)."""

    def ask(ids):
        with evaluating(model):
            return model(Tensor(ids)).data

    return ask


def numbers(tokenizer, characters):
    """The number of each character. A tokenizer that does not keep them apart is refused."""
    number = {character: i for i, character in enumerate(tokenizer.vocab)}
    ids = tokenizer.encode(characters)
    if len(set(ids)) < len(characters) or ids != [number.get(character) for character in characters]:
        raise verdicts.Refused(
            "Every character needs a number of its own, its place in the tokenizer's vocab. That is not what encode "
            f"gives for {characters[-8:]!r}: {ids[-8:]}."
        )
    return number


def loss_of(model, rows):
    """The loss on rows of CONTEXT + 1 tokens, computed by the dojo. The model gets the texts without the targets."""
    logits = verdicts.answers(asking(model), rows[:, :-1], model, batch=64)
    return verdicts.cross_entropy(logits, rows[:, 1:])


def check(trainer, rows, prompt):
    """Refuse a model that sees the future or does not write what its logits say, and a loss unlike the dojo's."""
    model = trainer.model
    ask = asking(model)
    counted = loss_of(model, rows)
    verdicts.causal(ask, rows[:8, :-1], model.config.vocab_size)
    yours = trainer.evaluate(batches_of(rows))["loss"]
    verdicts.agrees(yours, counted, "The loss on a text", "next_token_loss and Trainer.evaluate")

    begun = tensor(prompt)
    written = generate(model, begun, 8, temperature=0).data
    verdicts.writes_what_it_says(ask, written, prompt, CONTEXT, "generate")
    written = [*prompt, *(new.item() for new in stream(model, begun, 8, temperature=0))]
    verdicts.writes_what_it_says(ask, written, prompt, CONTEXT, "stream")


def write_aloud(model, tokenizer, prompt, count, seed, say):
    """Write `count` characters after the prompt, line by line as they come. Gives the text, and tokens per second."""
    text = line = tokenizer.decode(prompt)
    began = time.monotonic()
    generator = np.random.default_rng(seed)
    for new in stream(model, tensor(prompt), count, temperature=0.8, generator=generator):
        character = tokenizer.vocab[new.item()]
        text, line = text + character, line + character
        if character == "\n":
            say(line.removesuffix("\n"))
            line = ""
    say(line)
    return text, count / (time.monotonic() - began)


def draw_curves(history, reached, path):
    """Draw the losses after every epoch."""
    import matplotlib.pyplot as plt

    steps = [STEPS * (epoch + 1) for epoch in range(len(history["train_loss"]))]
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(steps, history["train_loss"], "o-", label="while learning")
    axes.plot(steps, history["val_loss"], "o-", label="text that it never saw")
    axes.axhline(reached, color="grey", linestyle="--", label=f"{reached:.2f}, the mark")
    axes.set(title="A GPT learns to write", xlabel="step", ylabel="loss, nats a character")
    axes.legend()
    figure.savefig(path, dpi=120)


def main(report):
    """Find a text, learn it, write, and measure the loss on text that was never seen."""
    words = list(report.args)
    seed = int(next((word for word in words if word.isdecimal()), 0))
    root = downloads.find("shakespeare", report.data)
    name = "shakespeare" if root else "stdlib"
    report.on = "Shakespeare" if root else "Python's standard library"
    if root:
        text = (root / "tinyshakespeare.txt").read_text(encoding="utf-8")
    else:
        report.say(
            "The text is Python's own standard library. `make data NAME=shakespeare` downloads another."
        )
        text = stdlib.text(CHARACTERS)
    characters = "".join(sorted(set(text)))
    tokenizer = CharTokenizer.train(characters)  # each once: that tells nothing of the end of the text
    number = numbers(tokenizer, characters)
    train, rest = stdlib.split(text)
    rows = rows_of([number[character] for character in rest], 2 * WINDOWS)
    shown, hidden = rows[::2], rows[1::2]
    plan = PLANS[name]
    epochs, mark, prompt = plan["epochs"], plan["passed"], tokenizer.encode(plan["prompt"])
    train = tokenizer.encode(train)
    pace = seconds_a_step(report, tokenizer.vocab_size, shown)
    manual_seed(seed)
    run = f"{name}_seed{seed}"
    trainer = learn(tokenizer, train, shown, epochs, prompt, pace, report, run, fresh="fresh" in words)
    model = trainer.model

    draw_curves(trainer.history, mark, report.figure("curves"))
    models = report.folder("models")
    save(model.state_dict(), models / f"{name}.safetensors")
    tokenizer.save(models / f"{name}.tokenizer.json")
    check(trainer, shown, prompt)
    report.say("\nAnd now it writes:\n")
    written, speed = write_aloud(model, tokenizer, prompt, ALOUD, seed, report.say)
    (models / f"{name}.sample.txt").write_text(written, encoding="utf-8")
    report.say(f"\nThis text, the weights and the tokenizer are in {models.name}/ beside the picture.")

    loss = loss_of(model, hidden)
    steps, seconds = epochs * STEPS, sum(trainer.history["seconds"])
    learning = trainer.history["train_loss"][-1]
    return report.verdict(
        loss <= mark,
        f"a loss of {loss:.3f} nats a character on {len(hidden)} stretches of text that it never saw, {mark:.2f} is "
        f"the mark ({learning:.3f} while learning); {steps:,} steps in {seconds / 60:.1f} minutes, "
        f"{steps * BATCH * CONTEXT / seconds:,.0f} tokens a second while learning, {speed:,.0f} while writing",
    )
