"""What a milestone's verdict rests on: the numbers, and the checks that refuse a model."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dojo.student import verdicts
from dojo.student.verdicts import Array, Refused


class Weight:
    def __init__(self, data: Array) -> None:
        self.data = data


class Model:
    """One matrix, one vector and one buffer: x @ matrix, and logits for a text by a running sum."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.matrix, self.vector = Weight(random.normal(size=(5, 5))), Weight(np.zeros(5))
        self.statistics = Weight(np.zeros(5))

    def named_parameters(self) -> Iterator[tuple[str, Weight]]:
        yield from {"matrix": self.matrix, "vector": self.vector}.items()

    def state_dict(self) -> dict[str, Weight]:
        return {**dict(self.named_parameters()), "statistics": self.statistics}

    def ask(self, x: Array) -> Array:
        return np.asarray(x @ self.matrix.data)

    def read(self, ids: Array) -> Array:
        """(B, T) -> (B, T, 5): the matrix's rows, added up from the first token on."""
        return self.matrix.data[ids].cumsum(1)


X = np.random.default_rng(1).normal(size=(20, 5))
IDS = np.random.default_rng(2).integers(0, 5, (3, 8))


# Numbers ------------------------------------------------------------------------------------------------


def test_cross_entropy_is_what_is_missing_to_certainty() -> None:
    odds = np.array([[[1.0, 3.0], [1.0, 1.0]]])
    assert_allclose(
        verdicts.cross_entropy(np.log(odds), np.array([[1, 0]])), (-math.log(0.75) - math.log(0.5)) / 2
    )
    assert_allclose(verdicts.cross_entropy(np.array([[0, 1000]], np.float32), np.array([0])), 1000)


def test_binary_cross_entropy_does_not_overflow() -> None:
    logits = np.array([[0], [1000], [1000], [-1000]], np.float32)
    targets = np.array([[1], [0], [1], [0]], np.float32)
    assert_allclose(verdicts.binary_cross_entropy(logits, targets), (math.log(2) + 1000) / 4)


def test_accuracy_is_the_share_of_largest_logits() -> None:
    assert verdicts.accuracy(np.array([[1.0, 2], [3, 1], [0, 0]]), np.array([1, 1, 0])) == pytest.approx(
        2 / 3
    )


@pytest.mark.parametrize("yours", [0.0, 0.9, 1.1, math.nan, math.inf])
def test_another_number_than_the_counted_one_is_refused(yours: float) -> None:
    verdicts.agrees(1.0 + 1e-4, 1.0, "The loss", "the loss")
    with pytest.raises(Refused, match=r"The loss is .* by your code, and 1 counted .* Look at cross_entropy"):
        verdicts.agrees(yours, 1.0, "The loss", "cross_entropy")


# Weights ------------------------------------------------------------------------------------------------


def test_a_matrix_that_has_not_moved_is_refused() -> None:
    model, other = Model(), Model()
    before, both = verdicts.weights(model), verdicts.weights(model, other)
    model.vector.data += 1
    with pytest.raises(Refused, match=r"what they were before: matrix\. "):
        verdicts.moved(before, model)
    model.matrix.data[0, 0] += 1
    verdicts.moved(before, model)
    with pytest.raises(Refused, match=r"what they were before: 1\.matrix\. "):
        verdicts.moved(both, model, other)


@pytest.mark.parametrize("name", ["matrix", "vector", "statistics"])
def test_what_changes_while_the_model_is_asked_is_refused(name: str) -> None:
    model = Model()

    def ask(x: Array) -> Array:
        getattr(model, name).data += 1e-6
        return model.ask(x)

    with pytest.raises(Refused, match=f"While the model was asked, these changed: {name}"):
        verdicts.answers(ask, X, model)


def test_validation_data_are_read_and_not_learned_from() -> None:
    model = Model()
    data = verdicts.Untouched([1, 2], model)
    assert len(data) == 2 and list(data) == [1, 2] and list(data) == [1, 2]
    with pytest.raises(Refused, match="While the validation data were read, these changed: vector"):
        for _ in data:
            model.vector.data += 1


# Answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 7, 20, 500])
def test_answers_are_put_together(batch: int) -> None:
    model = Model()
    assert_allclose(verdicts.answers(model.ask, X, model, batch=batch), model.ask(X))


def test_answers_may_differ_by_rounding() -> None:
    model, random = Model(), np.random.default_rng(0)
    verdicts.answers(lambda x: model.ask(x) + random.normal(scale=1e-6, size=x.shape), X, model)


ROWS = np.arange(20.0)[:, None]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda y: y * np.random.default_rng().uniform(0.5, 1.5, y.shape), "Asked the same question twice"),
        (lambda y: y - y.mean(0), "when the rest of the batch changes"),
        (lambda y: y + ROWS[: len(y)], "when the rest of the batch changes"),
        (lambda y: y * math.nan, "answers nan or inf"),
        (lambda y: np.where(y == y.max(), math.inf, y), "answers nan or inf"),
        (lambda y: y[1:], r"shape \(19, 5\)"),
        (lambda y: y[0], r"shape \(5,\)"),
        (lambda y: y.argmax(-1), "dtype int64"),
    ],
    ids=["chance", "means_of_the_batch", "place", "nan", "inf", "a_row_less", "one_answer", "integers"],
)
def test_answers_that_depend_on_more_than_the_question_are_refused(change: verdicts.Ask, says: str) -> None:
    model = Model()
    with pytest.raises(Refused, match=says):
        verdicts.answers(lambda x: change(model.ask(x)), X, model)


def test_a_causal_model_is_taken() -> None:
    verdicts.causal(Model().read, IDS, 5)


@pytest.mark.parametrize("ahead", [1, 3, 7])
def test_a_model_that_looks_ahead_is_refused(ahead: int) -> None:
    def ask(ids: Array) -> Array:
        sums = Model().read(ids)
        sums[:, :-ahead] += 0.01 * sums[:, ahead:]
        return sums

    with pytest.raises(Refused, match="sees the future"):
        verdicts.causal(ask, IDS, 5)


def written(model: Model, prompt: list[int], count: int, window: int) -> list[int]:
    ids = list(prompt)
    for _ in range(count):
        ids.append(int(model.read(np.array([ids[-window:]]))[0, -1].argmax()))
    return ids


def test_a_text_is_what_the_model_says() -> None:
    model = Model()
    text = written(model, [0, 3], 6, window=4)
    verdicts.writes_what_it_says(model.read, text, [0, 3], 4, "generate")
    for place in range(2, 8):
        wrong = [*text[:place], (text[place] + 1) % 5, *text[place + 1 :]]
        with pytest.raises(Refused, match="What generate writes is not what the model says"):
            verdicts.writes_what_it_says(model.read, wrong, [0, 3], 4, "generate")
    for wrong in ([0, 3], text[1:], []):
        with pytest.raises(Refused, match="does not begin with the prompt, or adds nothing to it"):
            verdicts.writes_what_it_says(model.read, wrong, [0, 3], 4, "generate")


# Speed and size -----------------------------------------------------------------------------------------


def test_the_same_up_to_rounding_is_taken() -> None:
    simple = {"a": X, "b": 1e-9 * X}  # b is little more than rounding errors of a
    verdicts.same(simple, {"a": X * (1 + 1e-6), "b": -1e-9 * X, "more": X}, "a step", "the kernel")


@pytest.mark.parametrize("fast", [{}, {"a": X + 0.1}, {"a": X[:-1]}, {"a": X * np.nan}, {"a": X[:, :1]}])
def test_something_else_is_refused(fast: dict[str, Array]) -> None:
    with pytest.raises(Refused, match="a step: the fast version gives another a than the simple one"):
        verdicts.same({"a": X}, fast, "a step", "the kernel")


def work(times: int) -> None:
    for _ in range(times):
        X @ X.T


def test_a_speed_is_measured_again() -> None:
    found = verdicts.times_faster(4.0, lambda: work(400), lambda: work(100), "work")
    assert 2 < found < 8
    with pytest.raises(Refused, match="work is 40 times faster by your code"):
        verdicts.times_faster(40.0, lambda: work(400), lambda: work(100), "work")


def test_bytes_are_counted_again() -> None:
    assert verdicts.peak(lambda: np.ones(10**6)) == pytest.approx(8e6, rel=0.01)
    model = Model()
    assert verdicts.nbytes(model) == 8 * (25 + 5 + 5)
    model.statistics = model.vector
    assert verdicts.nbytes(model) == 8 * (25 + 5)
