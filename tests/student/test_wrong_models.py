"""Wrong models that reached a milestone, or could. Each is planted in the reference, plays the milestone's own script
on small settings, and is refused for its own reason. That the reference reaches it is proved by the gate, check g."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from dojo.authors import small
from dojo.catalogue import SOLUTIONS, kata
from dojo.datasets import stdlib, strokes
from dojo.run import process, warm
from dojo.tree import overlay

pytestmark = pytest.mark.skipif(
    not process.can_fork(), reason="each plays in a fork, and this system has none"
)

BRIEF = {
    "06": "STEPS = 20",
    "10": """DIGITS = {"epochs": 1, "passed": 0.0, "train": 320, "test": 300}""",
    "13": "STEPS, PASSED = 5, 0.0",
    "14": """
STEPS = 5
PLANS = {"stdlib": {"epochs": 1, "passed": 9.0, "prompt": "def "}}
""",
    "19": "NEEDED = 0.0",
    "20_serve": "GAIN = 0.0",
}
"""Less than that, and the mark is reached by whoever comes to the end: for what is refused whatever it has learned."""

NO_PICTURES = """
def draw(*_): pass
draw_curves = draw_predictions = draw
"""


@dataclass(frozen=True)
class Wrong:
    key: str
    name: str
    swaps: tuple[tuple[str, str, str], ...]
    """Changes of the reference: in which module, what stands there, and what takes its place."""
    says: str
    """Words of the refusal."""
    learns: bool
    """Whether it is what it has not learned that tells."""


def wrong(key: str, name: str, *swaps: tuple[str, str, str], says: str, learns: bool = False) -> Wrong:
    return Wrong(key, name, swaps, says, learns)


STUCK = "After the training these weights are what they were before: "
FUTURE = "The model sees the future"
COUNTED = "counted from the outputs of your model"
ADAM = "            adam_update(arrays, grads, averages, squares, steps, decoupled=self.decoupled, **options)"
SGD = "            sgd_update(arrays, grads, buffers, **options)"
MASK = "        attn_mask = causal_mask(L, S, device=scores.device)"
VISIBLE = "return key <= place + offset"
ROWS = "return cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))"
PREDICTED = "            outputs = [self.model(x) for x, _ in batches]"
EVALUATED = "                self._update(means, self.loss_fn(output, y), output, y)"
EPOCH = "        for x, y in batches:\n            loss, output = self.train_step(x, y)"
NEW = "            new = sample(next_logits(model, ids, cache), temperature, top_k, top_p, generator)"

DIFFER = "they differ at token"

WRONG = [
    # 06: XOR by hand
    wrong(
        "06",
        "adam_stays_where_it_is",
        ("optimizers", ADAM, "            pass"),
        says=STUCK + "0.weight, 1.weight",
    ),
    wrong(
        "06",
        "a_loss_of_0",
        ("losses", "    loss = target * yes + (1 - target) * no", "    loss = 0 * (target * yes)"),
        says="The loss is 0 by your code",
    ),
    wrong(
        "06",
        "a_bias_for_each_row",
        (
            "layers.layers",
            "self.bias = Parameter(zeros(out_features))",
            "self.bias = Parameter(zeros(4, out_features))",
        ),
        ("layers.layers", "rows.T @ inputs, add_up(rows, 0)", "rows.T @ inputs, rows"),
        ("layers.layers", "if bias is not None and bias.shape != weight.shape[:1]:", "if False:"),
        says="with one bias for all rows",
    ),
    wrong(
        "06",
        "only_the_first_layer_learns",
        (
            "optimizers",
            "adam_update(arrays, grads, averages, squares, steps,",
            "adam_update(arrays[:1], grads[:1], averages[:1], squares[:1], steps[:1],",
        ),
        says=STUCK + "1.weight. ",
    ),
    wrong(
        "06",
        "a_tanh_that_is_straight",
        ("tensor.primitives", "return get_array_module(a).tanh(floating(a))", "return floating(a)"),
        says="places near the four points are right",
        learns=True,
    ),
    # 10: a CNN on CIFAR-10
    wrong(
        "10",
        "accuracy_is_1",
        (
            "training.metrics",
            "    return float((logits.detach().argmax(-1).data == target.data).mean())",
            "    return 1.0",
        ),
        says="The accuracy on 200 test pictures is 1 by your code",
    ),
    wrong(
        "10",
        "trains_on_the_validation_data",
        (
            "training.trainer",
            "self.train_epoch(train).items()}",
            "self.train_epoch(train if val is None else val).items()}",
        ),
        says="While the validation data were read",
    ),
    wrong("10", "never_steps", ("training.trainer", "        self.optimizer.step()\n", ""), says=STUCK),
    wrong("10", "sgd_stays_where_it_is", ("optimizers", SGD, "            pass"), says=STUCK + "0.weight"),
    wrong(
        "10",
        "evaluation_moves_the_statistics",
        ("training.trainer", "    model.eval()\n", "    model.train()\n"),
        says="running_mean",
    ),
    wrong(
        "10",
        "statistics_of_the_batch_while_evaluating",
        ("spatial", "    if training:\n        axes = [", "    if True:\n        axes = ["),
        says="when the rest of the batch changes",
    ),
    wrong(
        "10",
        "predict_returns_the_targets",
        (
            "training.trainer",
            PREDICTED,
            "            outputs = [Tensor(np.eye(10)[y.data]) for _, y in batches]",
        ),
        says=COUNTED,
    ),
    wrong(
        "10",
        "evaluate_makes_it_up",
        (
            "training.trainer",
            "        return _computed(means)\n\n    def predict",
            "        return dict.fromkeys(means, 0.9)\n\n    def predict",
        ),
        says="The loss on 200 test pictures is 0.9 by your code",
    ),
    wrong(
        "10",
        "learns_the_first_batch_by_heart",
        ("training.trainer", EPOCH, "        batches = [next(iter(batches))] * len(batches)\n" + EPOCH),
        says="named rightly, 40% is the mark (",
        learns=True,
    ),
    wrong(
        "10",
        "the_loss_is_0",
        (
            "training.trainer",
            EVALUATED,
            EVALUATED.replace("loss_fn(output, y)", "loss_fn(output, y) * 0"),
        ),
        says="The loss on 200 test pictures is 0 by your code",
    ),
    # 13: a map of attention
    wrong("13", "no_causal_mask", ("attention", MASK, "        pass"), says=FUTURE),
    wrong("13", "looks_one_ahead", ("attention", VISIBLE, f"{VISIBLE} + 1"), says=FUTURE),
    wrong(
        "13",
        "softmax_over_the_queries",
        ("attention", "    return safe_softmax(scores, -1)", "    return safe_softmax(scores, -2)"),
        says=FUTURE,
    ),
    wrong(
        "13",
        "a_mean_of_what_is_to_come",
        ("tensor.primitives", "    return a <= b\n", "    return a >= b\n"),
        says=FUTURE,
    ),
    wrong("13", "adam_stays_where_it_is", ("optimizers", ADAM, "            pass"), says=STUCK),
    wrong(
        "13",
        "the_map_is_of_something_else",
        (
            "attention",
            "        return attention_weights(q, k, attn_mask, is_causal)",
            "        return attention_weights(q, k, attn_mask, is_causal, scale=1.0)",
        ),
        says="The map is not what the layer does",
    ),
    wrong(
        "13",
        "dropout_stays_on",
        (
            "attention",
            "        dropout_p = self.dropout if self.training else 0.0",
            "        dropout_p = 0.1",
        ),
        says="Asked the same question twice",
    ),
    wrong(
        "13",
        "all_places_count_the_same",
        (
            "attention",
            "    scores = (query * scale) @ key.transpose(-2, -1)",
            "    scores = 0 * (query * scale) @ key.transpose(-2, -1)",
        ),
        says="of what is said again is predicted",
        learns=True,
    ),
    wrong(
        "13",
        "attention_to_the_rest_of_the_batch",
        (
            "attention",
            "        return self.out_proj(merge_heads(heads))",
            "        return self.out_proj(merge_heads(heads + heads.mean(0, keepdim=True)))",
        ),
        says="when the rest of the batch changes",
    ),
    # 14: a GPT that writes
    wrong(
        "14",
        "no_causal_mask",
        ("transformers", "is_causal=True, cache", "is_causal=False, cache"),
        says=FUTURE,
    ),
    wrong("14", "looks_one_ahead", ("attention", VISIBLE, f"{VISIBLE} + 1"), says=FUTURE),
    wrong(
        "14",
        "a_loss_of_0",
        ("transformers", ROWS, f"x = {ROWS.removeprefix('return ')}\n    return x - x.detach()"),
        says="The loss on a text is 0 by your code",
    ),
    wrong(
        "14",
        "copies_a_text",
        ("transformers", NEW, "            new = ids[..., 0]"),
        says="What generate writes is not what the model says",
    ),
    wrong(
        "14",
        "generate_has_its_own_mind",
        (
            "transformers",
            "    new = stream(model, ids, max_new_tokens,",
            "    new = stream(GPT(model.config), ids, max_new_tokens,",
        ),
        says="What generate writes is not what the model says",
    ),
    wrong(
        "14",
        "reads_only_the_last_token",
        ("transformers", "    window = ids[..., -model.config.block_size :]", "    window = ids[..., -1:]"),
        says="What generate writes is not what the model says",
    ),
    wrong(
        "14",
        "dropout_stays_on",
        ("transformers", "        x = self.drop(self.wpe(", "        x = dropout(self.wpe("),
        ("transformers", "self.wte(ids), past))  # (B, T, D)", "self.wte(ids), past), 0.1)  # (B, T, D)"),
        ("transformers", "from tinytorch.layers import ", "from tinytorch.layers import dropout, "),
        says="Asked the same question twice",
    ),
    wrong("14", "adam_stays_where_it_is", ("optimizers", ADAM, "            pass"), says=STUCK),
    wrong("14", "never_steps", ("training.trainer", "        self.optimizer.step()\n", ""), says=STUCK),
    wrong(
        "14",
        "every_character_is_the_same",
        (
            "tokenization.characters",
            "[self._ids[character] for character in text]",
            "[0 for character in text]",
        ),
        says="Every character needs a number of its own",
    ),
    wrong(
        "14",
        "learns_one_place_by_heart",
        ("dataloader.samplers", "generator.integers(n, size=wanted)", "generator.integers(4, size=wanted)"),
        says="that it never saw, 2.60 is the mark (",
        learns=True,
    ),
    wrong(
        "14",
        "a_mean_over_the_batch",
        (
            "transformers",
            "        return self.lm_head(self.ln_f(x))",
            "        return self.lm_head(self.ln_f(x - x.mean(0, keepdim=True)))",
        ),
        says="when the rest of the batch changes",
    ),
    # 19: 10 to 100 times faster
    wrong(
        "19",
        "a_relu_that_keeps_all_gradients",
        ("acceleration.kernels", "        return where_kept(kept, grad)", "        return grad"),
        says="MLP step, 32 samples: the fast version gives another first.weight than the simple one",
    ),
    wrong(
        "19",
        "a_product_without_its_bias",
        ("acceleration.kernels", "            out += bias\n", "            pass\n"),
        says="the fast version gives another",
    ),
    wrong(
        "19",
        "the_cache_forgets_the_values",
        ("caching.decoding", "    values[each, :, past] = v\n", ""),
        says="What generate with a KVCache writes is not what the model says",
    ),
    wrong(
        "19",
        "the_readers_change_places",
        ("caching.batch", "drawn.tolist(), logits.data", "drawn.tolist()[::-1], logits.data"),
        says="What generate_all writes is not what the model says",
    ),
    wrong(
        "19",
        "integers_without_their_scale",
        ("precision.groups", "    values = grouped * scales.data[..., None]", "    values = grouped * 1e-3"),
        says="With int8 the model's logits are off",
    ),
    wrong(
        "19",
        "weighs_nothing",
        ("precision.modules", "    return sum(each.data.nbytes for", "    return sum(each.data.itemsize for"),
        says="memory_footprint is",
    ),
    wrong(
        "19",
        "a_hundred_times_everywhere",
        (
            "benchmarking.comparing",
            "    return Comparison(math.exp(np.median(ratios))",
            "    return Comparison(100 * math.exp(np.median(ratios))",
        ),
        says="by the dojo's clock",
    ),
    wrong(
        "19",
        "measures_itself",
        ("benchmarking.comparing", "    functions = (before, after)", "    functions = (before, before)"),
        says="by the dojo's clock",
    ),
    wrong(
        "19",
        "a_peak_of_nothing",
        (
            "benchmarking.limits",
            "        return tracemalloc.get_traced_memory()[1] - before",
            "        return tracemalloc.get_traced_memory()[0] - before",
        ),
        says="step: the peak is",
    ),
    wrong(
        "19",
        "one_reader_at_a_time",
        (
            "caching.batch",
            "    batch, waiting = Batch(model, rows, prefixes), deque(requests)",
            "    batch, waiting = Batch(model, 1, prefixes), deque(requests)",
        ),
        says="6 times are needed",
        learns=True,
    ),
    # 20, track serve: a GPT behind a real server
    wrong(
        "20_serve",
        "no_causal_mask",
        ("transformers", "is_causal=True, cache", "is_causal=False, cache"),
        says=FUTURE,
    ),
    wrong(
        "20_serve",
        "answers_from_memory",
        ("capstone.engine", "T = TypeVar", "MEMORY: dict[int, int] = {}\nT = TypeVar"),
        (
            "capstone.engine",
            "job, index = self.rows[each]\n                _, logprob",
            "each.written[-1] = MEMORY.setdefault(len(each.written), each.written[-1])\n"
            "                job, index = self.rows[each]\n                _, logprob",
        ),
        says=DIFFER,
    ),
    wrong(
        "20_serve",
        "takes_the_least_likely_token",
        ("caching.sampling", "greedy, heat = scores.argmax(-1)", "greedy, heat = scores.argmin(-1)"),
        says=DIFFER,
    ),
    wrong(
        "20_serve",
        "the_cache_forgets_the_values",
        ("caching.decoding", "    values[each, :, past] = v\n", ""),
        says=DIFFER,
    ),
    wrong(
        "20_serve",
        "the_readers_change_places",
        ("caching.batch", "drawn.tolist(), logits.data", "drawn.tolist()[::-1], logits.data"),
        says="in a crowd the server has streamed",
    ),
    wrong(
        "20_serve",
        "another_text_than_the_tokens",
        ("capstone.text", "        self.held += new\n", "        self.held += new.swapcase()\n"),
        says=DIFFER,
    ),
    wrong(
        "20_serve",
        "ends_early",
        (
            "caching.batch",
            "elif len(request.written) >= request.max_new_tokens:",
            "elif len(request.written) >= request.max_new_tokens // 2:",
        ),
        says=DIFFER,
    ),
    wrong(
        "20_serve",
        "counts_what_it_did_not_write",
        (
            "capstone.shapes",
            "    total = prompt_tokens + completion_tokens\n",
            "    completion_tokens *= 2\n    total = prompt_tokens + completion_tokens\n",
        ),
        says="and it says that it has written",
    ),
    wrong(
        "20_serve",
        "dies_in_the_middle",
        (
            "capstone.engine",
            "            written = self.batch.step()\n",
            "            written = self.batch.step()\n"
            "            if len(written) > 2:\n                raise MemoryError\n",
        ),
        says="In the middle of a text the server said: The engine has failed.",
    ),
    wrong(
        "20_serve",
        "one_row_for_all",
        (
            "capstone.engine",
            "        self.batch = Batch(model, rows, prefixes)\n",
            "        self.batch = Batch(model, 1, prefixes)\n",
        ),
        says="eight readers get",
        learns=True,
    ),
]


def planted(swaps: tuple[tuple[str, str, str], ...]) -> dict[str, str]:
    """The changed modules of the reference, by name."""
    source: dict[str, str] = {}
    for module, old, new in swaps:
        path = SOLUTIONS.joinpath(*module.split(".")).with_suffix(".py")
        text = source.get(f"tinytorch.{module}") or path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{module} has {text.count(old)} times: {old}"
        source[f"tinytorch.{module}"] = text.replace(old, new)
    return source


@cache
def ready() -> None:
    """Load what each play needs, once, before the forks."""
    importlib.import_module("matplotlib.pyplot")
    importlib.import_module("scipy.special")
    warm.compile_ahead(SOLUTIONS)


def play(
    key: str,
    folder: Path,
    source: dict[str, str],
    more: str = "",
    data: Path | None = None,
    args: tuple[str, ...] = (),
) -> dict[str, Any]:
    """What the milestone's script, on small settings, comes to on a changed reference; "said" is what it printed."""
    ready()
    child = process.fork(partial(_play, key, folder, source, more, data, args), limit=100, kept=True)
    ending = child.wait()
    answers = [told for told in child.take() if "ended" not in told]
    assert answers, f"{ending}\n{child.output}"
    return {"said": child.output, **answers[-1]}


def _play(
    key: str, folder: Path, source: dict[str, str], more: str, data: Path | None, args: tuple[str, ...]
) -> None:
    for name in [*sys.modules]:  # what other tests have imported here, and what holds on to it
        if name.partition(".")[0] == "tinytorch" or name.startswith("dojo.serve"):
            del sys.modules[name]
    overlay.install(overlay.Plan(SOLUTIONS, source=source))
    from tinytorch import dispatch

    number, _, track = key.partition("_")
    dispatch.highest = int(number)  # the fault is in a composition: no kernel of a later kata takes its place
    process.tell(small.play(kata(int(number)).on(track), folder, more, data, args))


@pytest.mark.parametrize(
    ("key", "swap"),
    [
        ("13", ("attention", "where(attn_mask, scores, -math.inf)", "where(attn_mask, scores, -1e9)")),
        ("14", ("attention", "where(attn_mask, scores, -math.inf)", "where(attn_mask, scores, -1e9)")),
        (
            "14",
            (
                "transformers",
                "        self.ln_f = LayerNorm(",
                "        from tinytorch.layers import Buffer\n"
                "        self.mask = Buffer(ones(config.block_size, config.block_size))\n"
                "        self.ln_f = LayerNorm(",
            ),
        ),
        ("10", ("training.trainer", "        return cat(outputs)", "        return cat(outputs).clone()")),
    ],
    ids=["13-a_finite_mask", "14-a_finite_mask", "14-a_mask_as_a_buffer", "10-copies"],
)
def test_another_right_model_is_taken(tmp_path: Path, key: str, swap: tuple[str, str, str]) -> None:
    answer = play(key, tmp_path, planted((swap,)), NO_PICTURES + BRIEF[key])
    assert answer.get("passed"), answer


@pytest.mark.parametrize(
    ("key", "more", "on", "says"),
    [
        (
            "10",
            'PHOTOS = {"epochs": 1, "passed": 0.0}',
            "CIFAR-10",
            "of 80 of CIFAR-10's test pictures that it was",
        ),
        ("13", "", "Shakespeare", "of what is said again is predicted"),
        (
            "14",
            'PLANS = {"shakespeare": {"epochs": 1, "passed": 9.0, "prompt": "def "}}',
            "Shakespeare",
            "on 64 stretches of text that it never saw",
        ),
    ],
)
def test_the_data_set_is_told(tmp_path: Path, key: str, more: str, on: str, says: str) -> None:
    """Files in the layout of the real ones take their place here."""
    data = tmp_path / "data"
    strokes.write_cifar10(data, train=320, test=100)
    (data / "tinyshakespeare.txt").write_text(stdlib.text(50_000), encoding="utf-8")

    answer = play(key, tmp_path, {}, NO_PICTURES + BRIEF[key] + "\n" + more, data)

    assert answer["passed"] and answer["on"] == on
    assert says in answer["text"]


TWO_EPOCHS = {
    "10": """DIGITS = {"epochs": 2, "passed": 0.0, "train": 640, "test": 300}""",
    "14": """
STEPS = 10
PLANS = {"stdlib": {"epochs": 2, "passed": 9.0, "prompt": "def "}}
""",
}
INTERRUPTED = """
class Watched(Watched):
    def on_epoch_start(self, trainer):
        if trainer.epoch == 1:
            raise RuntimeError("a power cut")
"""


@pytest.mark.parametrize("key", TWO_EPOCHS)
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path, key: str) -> None:
    """The checks and the measurement draw nothing that the run draws."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
    more = TWO_EPOCHS[key] + NO_PICTURES

    assert play(key, whole, {}, more)["passed"]
    assert "a power cut" in play(key, parts, {}, more + INTERRUPTED)["error"]
    assert list(parts.glob("*.run/epoch-00001.safetensors"))
    assert play(key, parts, {}, more)["passed"]

    a, b = (load_file(*folder.glob("*_models/*.safetensors")) for folder in (whole, parts))
    assert a.keys() == b.keys() and a
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.parametrize("each", WRONG, ids=lambda each: f"{each.key}-{each.name}")
def test_a_wrong_model_is_refused(tmp_path: Path, each: Wrong) -> None:
    more = NO_PICTURES if each.learns else NO_PICTURES + BRIEF[each.key]
    answer = play(each.key, tmp_path, planted(each.swaps), more)
    print(answer.get("text") or answer)
    assert answer.get("passed") is False, answer
    assert each.says in answer["text"], answer


def test_there_are_wrong_models_for_each_milestone() -> None:
    elsewhere = {"20_cifar", "20_open"}  # test_milestone_cifar.py, test_open.py
    assert {each.key for each in WRONG} == set(small.SMALL) - elsewhere
