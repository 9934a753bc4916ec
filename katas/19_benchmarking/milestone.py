"""10 to 100 times faster: your models as you first wrote them, and as they are now, measured with your own tools.

"Before" is the composition, one sample and one reader at a time, with kernels off and nothing kept. "After" is all that
katas 15 to 17 have brought: kernels, batches, one flat buffer for the optimizer, a cache, int8 and int4. Both give the
same results, on inputs that are drawn afresh: the dojo checks that before anything is measured, and afterwards
measures again with a clock and a scale of its own.
"""

from functools import partial

import numpy as np

from dojo.student import verdicts
from tinytorch.acceleration import empty_cache, flatten
from tinytorch.activations import relu
from tinytorch.benchmarking import alternate, compare, format_time, peak_memory
from tinytorch.caching import KVCache, Request, generate_all
from tinytorch.dispatch import disabled
from tinytorch.layers import Linear, Module
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import AdamW
from tinytorch.precision import memory_footprint, quantize_dynamic
from tinytorch.setup import manual_seed
from tinytorch.spatial import Conv2d, max_pool2d
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig, generate, next_logits

ROWS, HIDDEN = 64, 256  # samples of the MLP and of the CNN, and what is in the middle of the MLP
PICTURES, CHANNELS, SIDE = 16, (32, 64), 32
LAYERS, HEADS, FEATURES, CONTEXT, WORDS = 4, 4, 128, 128, 65
TEXTS = 8  # of a training step of the GPT
READERS, PROMPT, NEW = 32, 16, 64  # tokens of a prompt, and of what is written after it
ROUNDS = {"quick": 14, "slow": 6}
NEEDED = 10  # times, of the MLP and of the readers


class MLP(Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Linear(784, HIDDEN), Linear(HIDDEN, 10)

    def forward(self, x):
        return self.second(relu(self.first(x)))


class CNN(Module):
    def __init__(self):
        super().__init__()
        a, b = CHANNELS
        self.convs = [Conv2d(3, a, 3, padding=1), Conv2d(a, a, 3, padding=1), Conv2d(a, b, 3, padding=1)]
        for number, conv in enumerate(self.convs):
            setattr(self, f"conv{number}", conv)
        self.head = Linear(b * (SIDE // 4) ** 2, 10)

    def forward(self, x):
        x = relu(self.conv1(relu(self.conv0(x))))
        x = max_pool2d(relu(self.conv2(max_pool2d(x, 2))), 2)
        return self.head(x.reshape(len(x), -1))


def gpt():
    manual_seed(0)
    return GPT(GPTConfig(vocab_size=WORDS, block_size=CONTEXT, n_layer=LAYERS, n_head=HEADS, n_embd=FEATURES))


def talkative():
    """A GPT whose weights are so large that what it writes depends on all that stands before."""
    model = gpt()
    for each in model.parameters():
        if each.ndim > 1:
            each.data *= 6
    return model


# Before and after ---------------------------------------------------------------------------------------


def learn(model, parts, optimizer=None):
    """One step: the gradients of the mean loss over all parts of a batch, added up part by part."""
    model.zero_grad()
    for loss, share in parts:
        (loss() * share).backward()
    if optimizer is not None:
        optimizer.step()
    return {name: each.grad.data for name, each in model.named_parameters()}


def classify(model, x, y, size):
    """A step of a classifier, on `size` samples at a time."""

    def loss(start):
        return cross_entropy(model(Tensor(x[start : start + size])), Tensor(y[start : start + size]))

    return partial(learn, model, [(partial(loss, start), size / len(x)) for start in range(0, len(x), size)])


def slowly(function):
    """The function with all kernels off."""

    def run():
        with disabled():
            return function()

    return run


def mlp_step(random):
    """A step of the MLP: one sample at a time and composed, or all at once and with kernels."""
    manual_seed(0)
    model = MLP()
    x, y = random.standard_normal((ROWS, 784)).astype(np.float32), random.integers(0, 10, ROWS)
    return slowly(classify(model, x, y, 1)), classify(model, x, y, ROWS)


def cnn_step(random):
    """A step of the CNN: composed, or with kernels."""
    manual_seed(0)
    model = CNN()
    x = random.standard_normal((PICTURES, 3, SIDE, SIDE)).astype(np.float32)
    step = classify(model, x, random.integers(0, 10, PICTURES), PICTURES)
    return slowly(step), step


def gpt_step(random):
    """A step of the GPT with AdamW: composed, or with kernels and one flat buffer. Each has a model of its own."""
    ids = random.integers(0, WORDS, (TEXTS, CONTEXT + 1))
    steps = []
    for flat in (False, True):
        model = gpt()
        optimizer = AdamW(model.parameters(), lr=1e-3)
        if flat:
            flatten(optimizer)
        loss = partial(model.loss, Tensor(ids[:, :-1]), Tensor(ids[:, 1:]))
        steps.append(partial(learn, model, [(loss, 1.0)], optimizer))
    return slowly(steps[0]), steps[1]


def alone(model, prompts):
    """Write after each prompt (N, PROMPT), one reader after the other; each token reads the whole text again."""
    return [generate(model, Tensor(each), NEW, temperature=0).data.tolist() for each in prompts]


def cached(model, prompts):
    """The same with a cache: each token is read once."""
    return [
        generate(model, Tensor(each[None]), NEW, temperature=0, cache=KVCache(model.config)).data[0].tolist()
        for each in prompts
    ]


def all_at_once(model, prompts):
    """The same for all readers in one batch."""
    requests = [Request(each.tolist(), NEW, temperature=0) for each in prompts]
    written = generate_all(model, requests, rows=len(prompts))
    return [[*each.tolist(), *new] for each, new in zip(prompts, written, strict=True)]


# What is checked ----------------------------------------------------------------------------------------


def check_texts(model, texts, prompts, who):
    """Refuse texts that are not what the composed model says, at temperature 0."""

    def ask(rows):
        with disabled():
            return np.stack([next_logits(model, Tensor(rows)).data], 1)

    for text, prompt in zip(texts, prompts, strict=True):
        verdicts.writes_what_it_says(ask, text, prompt, CONTEXT, who)
        if len(text) != PROMPT + NEW:
            raise verdicts.Refused(f"{who} writes {len(text) - PROMPT} tokens, and {NEW} were asked for.")


def check_small(model, small, bits, ids):
    """Refuse a quantized model that says something else than the model, and weighs more than its bits allow."""
    said, now = model(Tensor(ids)).data, small(Tensor(ids)).data
    off = np.abs(now - said).max() / np.abs(said).max()
    if not off <= {8: 0.05, 4: 0.5}[bits]:
        raise verdicts.Refused(
            f"With int{bits} the model's logits differ by up to {off:.0%} of the largest. Look at quantize_dynamic."
        )
    for each in (model, small):
        verdicts.agrees(memory_footprint(each), verdicts.nbytes(each), "memory_footprint", "memory_footprint")


# Measured -----------------------------------------------------------------------------------------------


def measured(rows, step):
    """A list of (name, times of before, times of after, Comparison, ratio that the dojo finds)."""
    found = []
    for name, (before, after), pace in rows:
        times = alternate(before, after, rounds=ROUNDS[pace], min_block=0.002)
        comparison = compare(*times)
        counted = verdicts.times_faster(comparison.ratio, before, after, name)
        found.append((name, np.median(times[0]), np.median(times[1]), comparison, counted))
        step(f"{name}: {comparison.ratio:.3g}")
    return found


def weighed(name, before, after):
    """(name, bytes of before, bytes of after) at the most, and the dojo's scale says the same."""
    peaks = []
    for each in (before, after):
        each()  # what is made once, such as the state of an optimizer, is not part of a step
        empty_cache()
        peaks.append(peak_memory(each))
        empty_cache()
        verdicts.agrees(peaks[-1], verdicts.peak(each), f"{name}: the peak", "peak_memory", within=0.1)
    return name, *peaks


def draw(times, sizes, path):
    """Two panels: how many times faster, with intervals, and how many times smaller."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3.5), layout="constrained")
    names = [name for name, *_ in times]
    ratios = np.array([[c.ratio, c.low, c.high] for *_, c, _ in times]).T
    left.barh(names, ratios[0], xerr=np.abs(ratios[1:] - ratios[0]), color="tab:blue", capsize=3)
    left.set(xscale="log", xlabel="times faster, CPU time (with its 95 % interval)")
    names, before, after = zip(*sizes, strict=True)
    right.barh(names, np.array(before) / np.array(after), color="tab:orange")
    right.set(xlabel="times fewer bytes")
    left.set_xticks([1, 3, 10, 30, 100], [1, 3, 10, 30, 100])
    sizes = np.array(before) / np.array(after)
    for panel, values, ends in ((left, ratios[0], ratios[2]), (right, sizes, sizes)):
        panel.invert_yaxis()
        panel.axvline(1, color="black", linewidth=0.8)
        for place, (value, end) in enumerate(zip(values, ends, strict=True)):
            panel.annotate(f"{value:.2g}", (end, place), (8, 0), textcoords="offset points", va="center")
    left.set_xlim(0.8, 2 * ratios[2].max())
    right.set_xlim(0, 1.2 * sizes.max())
    figure.savefig(path, dpi=110)


def main(report):
    report.on = "inputs drawn afresh"
    random = np.random.default_rng()
    writer, prompts = talkative(), random.integers(0, WORDS, (READERS, PROMPT))
    rows = [
        (f"MLP step, {ROWS} samples", mlp_step(random), "quick"),
        (f"CNN step, {PICTURES} pictures", cnn_step(random), "quick"),
        (f"GPT step, {TEXTS} x {CONTEXT} tokens", gpt_step(random), "quick"),
        (
            f"GPT writes {NEW} tokens",
            (slowly(partial(alone, writer, prompts[:1])), partial(cached, writer, prompts[:1])),
            "quick",
        ),
        (
            f"GPT writes for {READERS} readers",
            (slowly(partial(alone, writer, prompts)), partial(all_at_once, writer, prompts)),
            "slow",
        ),
    ]
    report.say("Is it the same? The fast one against the simple one, on inputs drawn afresh.")
    for name, (before, after), _ in rows[:3]:
        verdicts.same(before(), after(), name, "the kernels of kata 15")
    check_texts(writer, cached(writer, prompts[:2]), prompts[:2], "generate with a KVCache")
    check_texts(writer, all_at_once(writer, prompts)[::8], prompts[::8], "generate_all")
    sizes = []
    for bits, group in ((8, None), (4, 32)):
        small = quantize_dynamic(writer, bits, group)
        check_small(writer, small, bits, prompts)
        sizes.append((f"GPT, int{bits}", memory_footprint(writer), memory_footprint(small)))

    with report.progress(len(rows), "measuring, in turns") as step:
        times = measured(rows, step)
    sizes += [weighed(f"peak of a {name[:3]} step", *pair) for name, pair, _ in rows[1:3]]

    report.say(f"{'':<28}{'before':>10}{'after':>10}  times faster")
    for name, before, after, found, _ in times:
        report.say(
            f"{name:<28}{format_time(before):>10}{format_time(after):>10}  "
            f"{found.ratio:.3g} ({found.low:.3g} to {found.high:.3g}): {found.verdict}"
        )
    for name, before, after in sizes:
        report.say(
            f"{name:<28}{before / 1e6:>7.3g} MB{after / 1e6:>7.3g} MB  {before / after:.3g} times smaller"
        )
    draw(times, sizes, report.figure("speed"))
    mlp, readers = times[0][-1], times[-1][-1]
    return report.verdict(
        min(mlp, readers) >= NEEDED,
        f"a step of the MLP is {mlp:.3g} times faster, and writing for {READERS} readers {readers:.3g} times "
        f"({NEEDED} times are needed, by the dojo's own clock)",
    )
