"""A matrix as the product of two thin ones, and when that pays."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, peak, raises
from tinytorch.compression import factorize, low_rank, rank_for_energy, replace_linears
from tinytorch.layers import Linear, Module, Parameter, ReLU, Sequential
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, zeros
from tinytorch.transformers import GPT, GPTConfig


def matrix(rows, columns, singular_values, seed=0):
    """A matrix with these singular values, in random directions."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((rows, rows)))[0][:, : len(singular_values)]
    right = np.linalg.qr(rng.standard_normal((columns, columns)))[0][: len(singular_values)]
    return left * np.array(singular_values) @ right


@pytest.mark.parametrize(
    ("energy", "rank"), [(0.0, 1), (0.6, 1), (0.65, 2), (0.95, 2), (0.96, 3), (0.98, 3), (0.999, 4), (1.0, 4)]
)
def test_the_rank_that_holds_an_energy(energy, rank):
    """The squares of 8, 6, 2 and 1 are 64, 36, 4 and 1, 105 in all: 95 % of it need two of them, 96 % three."""
    weight = Tensor(matrix(5, 4, [8, 6, 2, 1]))
    assert_equal(rank_for_energy(weight, energy), rank, f"the rank for an energy of {energy}")


def test_a_matrix_of_zeros_has_a_rank_all_the_same():
    """The rank for any energy of a matrix of zeros is 1."""
    assert_equal(rank_for_energy(zeros(3, 5), 0.9), 1, "the rank")


@pytest.mark.parametrize("energy", [-0.1, 1.1])
def test_an_energy_is_a_share(energy):
    """An energy that is not between 0 and 1 is a ValueError with the number."""
    with raises(ValueError, energy):
        rank_for_energy(zeros(3, 3), energy)


def test_a_kernel_has_no_rank():
    """A weight that does not have two axes is a ValueError with its shape."""
    for refused in (lambda w: rank_for_energy(w, 0.5), lambda w: factorize(w, 1)):
        with raises(ValueError, (4, 3, 2, 2)):
            refused(zeros(4, 3, 2, 2))


def test_a_matrix_of_rank_1_is_a_product():
    """[[2, 4], [3, 6]] is a column times a row, and factorize with rank 1 finds them again."""
    left, right = factorize(Tensor(np.array([[2.0, 4.0], [3.0, 6.0]])), 1)
    assert_equal((left.shape, right.shape), ((2, 1), (1, 2)), "the shapes of the factors")
    assert_close(left.data @ right.data, np.array([[2.0, 4.0], [3.0, 6.0]]), "their product")


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), rank=st.integers(1, 6), seed=st.integers(0, 100))
def test_no_other_factors_come_nearer(rows, columns, rank, seed):
    """The squared error is the sum of the squares of the singular values that are left out: less is not possible."""
    smaller = min(rows, columns)
    rank = min(rank, smaller)
    values = np.sort(np.random.default_rng(seed).random(smaller) + 0.1)[::-1]
    weight = matrix(rows, columns, values, seed)
    left, right = factorize(Tensor(weight), rank)
    assert_equal((left.shape, right.shape), ((rows, rank), (rank, columns)), "the shapes of the factors")
    error = ((left.data @ right.data - weight) ** 2).sum()
    assert_close(error, (values[rank:] ** 2).sum(), "the squared error", atol=1e-9)


def test_both_factors_are_of_one_size():
    """Each factor takes the root of the singular values: their norms are equal, so both learn at one rate later."""
    left, right = factorize(Tensor(matrix(6, 4, [100, 50, 1])), 2)
    sizes = np.linalg.norm(left.data), np.linalg.norm(right.data)
    assert_close(sizes[0], sizes[1], f"the norm of the left factor, beside {sizes[1]:.4g} of the right one,")


def test_a_tall_matrix_needs_no_square_one():
    """Decomposing (1000, 4) takes less memory than a tenth of (1000, 1000): only four singular vectors are needed."""
    weight = Tensor(np.random.default_rng(0).standard_normal((1000, 4)).astype(np.float32))
    factorize(weight, 2)
    found, square = peak(lambda: factorize(weight, 2)), 1000 * 1000 * 4
    assert found < square / 10, f"it took {found:,} bytes, and a square matrix has {square:,}"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_factors_have_the_weight_s_dtype(dtype):
    """A weight of float16 has factors of float16, though no library decomposes float16; nothing is recorded."""
    weight = Parameter(matrix(4, 3, [3, 2, 1]).astype(dtype))
    for factor in factorize(weight, 3):
        assert_equal(factor.dtype, np.dtype(dtype), "the dtype of a factor")
        assert factor.requires_grad is False, "a factor is recorded"


@pytest.mark.parametrize("rank", [0, 4])
def test_a_rank_out_of_range_is_refused(rank):
    """A matrix (3, 5) has a rank from 1 to 3: others are a ValueError with the number."""
    with raises(ValueError, rank):
        factorize(zeros(3, 5), rank)


def test_a_layer_becomes_two():
    """Linear(16, 8) of rank 2 becomes Linear(16, 2, bias=False) and Linear(2, 8): 56 numbers for 136, and no other."""
    layer = Linear(16, 8)
    layer.weight.data[...] = matrix(8, 16, [3, 2])
    thin = low_rank(layer, 2)
    shapes = [each.shape for each in thin.parameters()]
    assert_equal(shapes, [(2, 16), (8, 2), (8,)], "the shapes of the parameters")
    x = Tensor(np.random.default_rng(1).standard_normal((5, 16)).astype(np.float32))
    assert_close(thin(x), layer(x).data, "the output", atol=1e-5)
    assert all(each.requires_grad for each in thin.parameters()), "a parameter of the two layers cannot learn"


def test_the_bias_is_a_copy():
    """The bias is copied, so that the old layer stays what it was; a layer without one stays without."""
    layer = Linear(16, 8)
    thin = low_rank(layer, 2)
    next(p for p in thin.parameters() if p.shape == (8,)).data[...] = 100.0
    assert (layer.bias.data != 100).all(), "the old layer's bias has changed with the new one's"
    names = [name.rpartition(".")[2] for name, _ in low_rank(Linear(16, 8, bias=False), 2).named_parameters()]
    assert_equal(names, ["weight", "weight"], "the parameters of a layer without a bias")


def test_the_two_layers_have_the_layer_s_dtype():
    """low_rank of a Linear in float64 has all its parameters in float64."""
    thin = low_rank(Linear(16, 8).to(np.float64), 2)
    for name, parameter in thin.named_parameters():
        assert_equal(parameter.dtype, np.dtype(np.float64), f"the dtype of {name}")


@pytest.mark.parametrize(("inputs", "outputs", "rank"), [(6, 3, 2), (4, 4, 2), (4, 4, 100), (1, 5, 1)])
def test_a_layer_that_would_grow_stays(inputs, outputs, rank):
    """rank * (in + out) weights that are not fewer than in * out save nothing: low_rank returns the layer itself."""
    layer = Linear(inputs, outputs)
    assert low_rank(layer, rank) is layer, f"({inputs}, {outputs}) of rank {rank} is another module"


def test_a_layer_of_rank_0_is_refused():
    """low_rank(layer, 0) is a ValueError with the number."""
    with raises(ValueError, 0):
        low_rank(Linear(8, 8), 0)


class Block(Module):
    def __init__(self):
        self.up, self.down = Linear(8, 16), Linear(16, 8)


def test_every_linear_is_replaced():
    """replace_linears(model, change) puts change(layer) in the place of every Linear, however deep in the tree."""
    model = Sequential(Linear(8, 8), ReLU(), Block())
    replace_linears(model, lambda layer: low_rank(layer, 1))
    kinds = [type(each).__name__ for each in (model[0], model[1], model[2].up, model[2].down)]
    assert_equal(kinds, ["Sequential", "ReLU", "Sequential", "Sequential"], "the classes of the layers")


def test_linears_are_replaced_by_name():
    """With target_modules only layers of these names are replaced, in every block."""
    model = Sequential(Block(), Block())
    replace_linears(model, lambda layer: low_rank(layer, 1), ["down"])
    for block in model:
        assert_equal([type(block.up), type(block.down)], [Linear, Sequential], "the classes of up and down")


class Projections(Module):
    def __init__(self):
        self.proj, self.q_proj, self.proj_out = Linear(8, 8), Linear(8, 8), Linear(8, 8)


def test_a_name_is_the_whole_name():
    """ "proj" means proj alone, and neither q_proj nor proj_out."""
    model = Projections()
    replace_linears(model, lambda layer: low_rank(layer, 1), ["proj"])
    kinds = [type(each) for each in (model.proj, model.q_proj, model.proj_out)]
    assert_equal(kinds, [Sequential, Linear, Linear], "the classes of proj, q_proj and proj_out")


def test_a_layer_in_two_places_is_changed_once():
    """A Linear that is called twice in a model is one layer: afterwards both places have the same new one."""
    shared = Linear(8, 8)
    model = Sequential(shared, ReLU(), shared)
    replace_linears(model, lambda layer: low_rank(layer, 1))
    assert model[0] is model[2] and model[0] is not shared, "the two places have different layers"


def test_names_that_do_not_exist_are_refused():
    """If no Linear has one of the names, it is a ValueError that names them."""
    with raises(ValueError, "q_porj"):
        replace_linears(Sequential(Block()), lambda layer: layer, ["q_porj"])


def test_a_gpt_with_thin_matrices():
    """Where the weights of a GPT have a rank of 2, its logits are the same with two thin matrices for each."""
    manual_seed(0)
    model = GPT(GPTConfig(vocab_size=7, block_size=6, n_layer=2, n_head=2, n_embd=16))
    names = {"q_proj", "k_proj", "v_proj", "out_proj"}
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in names:
            module.weight.data[...] = matrix(16, 16, [1, 0.5], len(name))
    ids = Tensor(np.array([[1, 5, 2, 0]]))
    before, size = model(ids).data, sum(p.numel() for p in model.parameters())
    replace_linears(model, lambda layer: low_rank(layer, 2), names)
    assert_close(model(ids), before, "the logits", atol=1e-4)
    assert_equal(
        sum(p.numel() for p in model.parameters()), size - 2 * 4 * (256 - 64), "the number of weights"
    )
