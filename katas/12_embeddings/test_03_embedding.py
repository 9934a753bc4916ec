"""The rows as a module: Embedding."""

import numpy as np
import pytest
from hypothesis import given

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.strategies import arrays, shapes
from tinytorch.embeddings import Embedding
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, rand


def test_an_embedding_has_a_row_for_each_id():
    """Embedding(5, 3) has one parameter, weight (5, 3), float32, and num_embeddings, embedding_dim and padding_idx."""
    layer = Embedding(5, 3)
    assert_equal({name: p.shape for name, p in layer.named_parameters()}, {"weight": (5, 3)})
    assert_equal(str(layer.weight.dtype), "float32", "the dtype")
    assert_equal(
        (layer.num_embeddings, layer.embedding_dim, layer.padding_idx),
        (5, 3, None),
        "(num_embeddings, embedding_dim, padding_idx)",
    )
    assert_equal(repr(layer), "Embedding(5, 3)", "repr(layer)")


def test_rows_are_drawn():
    """The weight is normally distributed with mean 0 and deviation 1; a seed gives the same numbers again."""
    manual_seed(0)
    weight = Embedding(200, 100).weight.data
    assert_close(float(weight.mean()), 0.0, "the mean", atol=0.03)
    assert_close(float(weight.std()), 1.0, "the deviation", atol=0.03)
    inside = float((abs(weight) < 1).mean())
    assert_close(inside, 0.683, "the part that lies within one deviation, 68.3% for a normal one", atol=0.02)
    manual_seed(0)
    assert_close(Embedding(200, 100).weight, weight, "the weight after the same seed")


def test_rows_are_drawn_anew():
    """reset_parameters() writes other numbers into the same weight."""
    layer = Embedding(5, 3)
    weight, before = layer.weight, layer.weight.data.copy()
    layer.reset_parameters()
    assert layer.weight is weight, "the weight is another object: an optimizer would lose it"
    assert not np.array_equal(before, weight.data), "reset_parameters() drew the same numbers"


@given(ids=arrays(shapes(max_dims=2), np.int64, 0, 4))
def test_an_embedding_looks_up(ids):
    """Embedding(5, 3)(ids) gives the row of its weight for each id: (...) -> (..., 3)."""
    layer = Embedding(5, 3)
    assert_close(layer(Tensor(ids)), layer.weight.data[ids], "the result")


def test_an_embedding_refuses_ids_outside():
    """The ids -1 and 5 are an IndexError with the id and the 5 rows."""
    for bad in (-1, 5):
        with raises(IndexError, bad, 5):
            Embedding(5, 3)(Tensor(np.array([0, bad])))


@pytest.mark.parametrize("padding_idx", [0, 3, -1, -5])
def test_the_row_of_padding_is_zero(padding_idx):
    """Only the row of padding_idx is 0, also after reset_parameters(); layer.padding_idx is counted from the front."""
    layer = Embedding(5, 3, padding_idx)
    assert_equal(layer.padding_idx, padding_idx % 5, "layer.padding_idx")
    assert_equal(repr(layer), f"Embedding(5, 3, padding_idx={padding_idx % 5})", "repr(layer)")
    for when in ("", " after reset_parameters()"):
        zero = [i for i in range(5) if not layer.weight.data[i].any()]
        assert_equal(zero, [padding_idx % 5], f"the list of rows that are 0{when}")
        layer.reset_parameters()


def test_padding_stays_zero_while_others_learn():
    """After a step of SGD the row of padding is still 0, although it was looked up; the row of id 1 has changed."""
    layer = Embedding(3, 2, padding_idx=0)
    before = layer.weight.data.copy()
    layer(Tensor(np.array([[1, 0, 0]]))).sum().backward()
    SGD(layer.parameters(), lr=0.5).step()
    expected = before - np.array([[0, 0], [0.5, 0.5], [0, 0]], np.float32)
    assert_close(layer.weight, expected, "the weight after the step")


def test_padding_of_an_embedding_is_a_row():
    """Embedding(5, 3, padding_idx=5) is an IndexError with both numbers; so is padding_idx=-6."""
    for bad in (5, -6):
        with raises(IndexError, bad, 5):
            Embedding(5, 3, padding_idx=bad)


# Given rows

ROWS = np.array([[1, 2], [3, 4], [5, 6]], np.float32)


def test_pretrained_rows_are_used_as_they_are():
    """Embedding.from_pretrained(rows), with rows (3, 2), uses these rows as its weight, in the same memory."""
    rows = Tensor(ROWS.copy())
    layer = Embedding.from_pretrained(rows)
    assert_equal((layer.num_embeddings, layer.embedding_dim), (3, 2), "(num_embeddings, embedding_dim)")
    assert_close(layer(Tensor(np.array([2, 0]))), ROWS[[2, 0]], "the lookup of ids 2 and 0")
    rows.data[2] = 7.0
    assert_close(layer.weight, rows.data, "the weight, after the rows were changed")
    assert_equal([name for name, _ in layer.named_parameters()], ["weight"], "the list of parameters")


def test_pretrained_rows_are_frozen():
    """The weight does not require grad, unless freeze=False."""
    frozen = Embedding.from_pretrained(Tensor(ROWS.copy()))
    assert_equal(frozen.weight.requires_grad, False, "weight.requires_grad")
    thawed = Embedding.from_pretrained(Tensor(ROWS.copy()), freeze=False)
    assert_equal(thawed.weight.requires_grad, True, "weight.requires_grad with freeze=False")


@pytest.mark.parametrize("freeze", [True, False])
def test_pretrained_rows_of_another_layer_go_on_learning(freeze):
    """Embedding.from_pretrained(other.weight) makes a new Parameter: `other` learns as before, with any freeze."""
    other = Embedding(3, 2)
    other.weight.requires_grad = freeze
    layer = Embedding.from_pretrained(other.weight, freeze)
    assert_equal(other.weight.requires_grad, freeze, f"other.weight.requires_grad after freeze={freeze}")
    assert layer.weight is not other.weight, "the weight is the other layer's Parameter itself"


def test_from_pretrained_of_a_subclass():
    """If Named is a subclass of Embedding, Named.from_pretrained(rows) is a Named."""

    class Named(Embedding):
        pass

    layer = Named.from_pretrained(Tensor(ROWS.copy()))
    assert_equal(type(layer).__name__, "Named", "the class of Named.from_pretrained(rows)")


def test_pretrained_padding_keeps_its_value():
    """With padding_idx=-1 and three pretrained rows, row 2 keeps its value and gets no gradient."""
    layer = Embedding.from_pretrained(Tensor(ROWS.copy()), freeze=False, padding_idx=-1)
    assert_equal(layer.padding_idx, 2, "layer.padding_idx")
    assert_close(layer.weight, ROWS, "the weight")
    layer(Tensor(np.array([2, 0]))).sum().backward()
    assert_close(layer.weight.grad, np.array([[1, 1], [0, 0], [0, 0]], np.float32), "its gradient")


def test_pretrained_rows_draw_nothing():
    """from_pretrained draws nothing from the generator: the next numbers are the same as without it."""
    manual_seed(0)
    expected = rand(3).data
    manual_seed(0)
    Embedding.from_pretrained(Tensor(ROWS.copy()), padding_idx=0)
    assert_close(rand(3), expected, "rand(3) drawn after from_pretrained")


def test_pretrained_rows_are_a_matrix():
    """Rows whose shape is not (V, D) are a ValueError with the shape."""
    for shape in ((3,), (2, 3, 4)):
        with raises(ValueError, shape):
            Embedding.from_pretrained(Tensor(np.ones(shape, np.float32)))
