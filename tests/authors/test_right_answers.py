"""Right answers that are not the reference's: planted like a mistake, they must stay green."""

from __future__ import annotations

import functools
import json
import subprocess
import sys

import pytest

from dojo.authors.gate import spec_ids
from dojo.catalogue import ROOT, SOLUTIONS
from dojo.run import warm
from dojo.run.jobs import Job
from dojo.tree.mistakes import Mistake, mistake
from dojo.tree.overlay import Plan


def right(place: str, spec: str, *swaps: tuple[str, str]) -> Mistake:
    """The reference's function with these swaps, which is right, too: `spec` has to see it so."""

    def answer() -> None:
        """It is right."""

    return mistake(place, spec=spec, says="", swap=list(swaps))(answer)


RIGHT = [
    right(
        "layers.uniform_",
        "test_random_modules_draw_on_the_device",
        (
            "a + (b - a) * default_generator(tensor.device).random(tensor.shape)",
            "default_generator(tensor.device).uniform(a, b, tensor.shape)",
        ),
    ),
    right(
        "autograd.gather_backward",
        "test_gather_backward",
        (
            "places[dim] = index",
            """places = np.array(list(np.ndindex(*index.shape))).T
    places[dim] = index.reshape(-1)""",
        ),
        ("xp.add.at(result, tuple(places), grad)", "xp.add.at(result, tuple(places), grad.reshape(-1))"),
    ),
    right(
        "autograd.Function.apply",
        "test_forward_gives_an_array",
        ("the forward of {cls.__name__} works on arrays, and gave a", "forward works on arrays, and gave a"),
    ),
    right(
        "autograd._gradients",
        "test_backward_gives_one_gradient_an_argument",
        ("the backward of {cls.__name__} gave", "backward gave"),
    ),
    # PyTorch's own: one multiplication and one addition for each entry.
    *(
        right(
            "spatial.batch_norm",
            spec,
            ("out = deviation * scale", "shift = -(x - deviation)"),
            (
                "if bias is not None:\n        out = out + reshape(bias, channels)",
                "shift = shift * scale if bias is None else shift * scale + reshape(bias, channels)\n"
                "    out = x * scale + shift",
            ),
        )
        for spec in (
            "test_a_constant_channel_becomes_zero",
            "test_a_large_mean_does_not_hide_the_variance",
            "test_every_channel_is_normalised_alone",
        )
    ),
    right(
        "tokenization.train_merges",
        "test_training_does_not_rescan_the_words",
        (
            "heap = [(-count, pair) for pair, count in counts.items()]\n    heapq.heapify(heap)\n",
            "",
        ),
        ("while heap and len(vocab)", "while counts and len(vocab)"),
        (
            "count, best = heapq.heappop(heap)",
            "best = max(counts, key=lambda pair: (counts[pair], -pair[0], -pair[1]))\n        count = -counts[best]",
        ),
        (
            """        if -count != counts[best]:  # merges since then took some away, and never add any
            heapq.heappush(heap, (-counts[best], best))
            continue
""",
            "",
        ),
        (
            """        for pair in born:
            heapq.heappush(heap, (-counts[pair], pair))
""",
            "",
        ),
    ),
    # A mean of two passes, whose terms are added in another order.
    right(
        "transformers.layer_norm",
        "test_far_from_zero_the_deviations_count",
        (
            "deviation = x - mean(x, axes, keepdim=True)",
            "deviation = x - Tensor(np.add.accumulate(x.data, axis=-1)[..., -1:] / np.float32(x.shape[-1]))",
        ),
        ("axes = normalized_axes", "import numpy as np\n    axes = normalized_axes"),
    ),
]


def name_of(answer: Mistake) -> str:
    return f"{answer.kata.id}-{answer.spec}-{answer.function}"


def judge() -> None:
    """Print which states the named specs have, answer by answer."""
    warm.preload()
    found = {}
    for each in RIGHT:
        results = (
            warm.start(Job(spec_ids(each.kata, each.spec), Plan(SOLUTIONS, source=each.plant())))
            .wait()
            .results
        )
        found[name_of(each)] = [f"{result.state}: {result.text}" for result in results]
    print(json.dumps(found))


@functools.cache
def judged() -> dict[str, list[str]]:
    """In a process of its own: its forks know no tinytorch yet."""
    command = [sys.executable, "-c", "from tests.authors.test_right_answers import judge; judge()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("answer", RIGHT, ids=name_of)
def test_a_right_answer_is_green(answer: Mistake) -> None:
    states = judged()[name_of(answer)]
    assert states, "no spec ran"
    wrong = [each for each in states if not each.startswith("green")]
    assert not wrong, "\n".join(wrong)
