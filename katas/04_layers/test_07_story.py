"""A signal through twenty layers: it dies, explodes, or arrives."""

import numpy as np

from dojo.spec import assert_close, assert_equal
from tinytorch.layers import Linear, ReLU, Sequential, init
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor


def deep_network(std=None):
    """Twenty layers of 256, their weights drawn with one standard deviation, or by kaiming_normal_."""
    manual_seed(0)
    parts = []
    for _ in range(20):
        layer = Linear(256, 256, bias=False)
        if std is None:
            init.kaiming_normal_(layer.weight, nonlinearity="relu")
        else:
            init.normal_(layer.weight, std=std)
        parts += [layer, ReLU()]
    return Sequential(*parts)


def test_kaiming_keeps_a_signal_alive():
    """Weights of deviation 0.01 lose a signal in twenty layers, those of 1 make it explode, kaiming's keep its size."""
    x = Tensor(np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32))
    sizes = {}
    for name, std in {"0.01": 0.01, "kaiming": None, "1": 1.0}.items():
        sizes[name] = float((deep_network(std)(x).data.astype(np.float64) ** 2).mean() ** 0.5)
    assert sizes["0.01"] < 1e-9, f"deviation 0.01 leaves a signal of size {sizes['0.01']:.3g}"
    assert sizes["1"] > 1e9, f"deviation 1 makes a signal of size {sizes['1']:.3g}"
    assert 0.3 < sizes["kaiming"] < 3, (
        f"kaiming makes a signal of size {sizes['kaiming']:.3g}, expected about 1"
    )


def test_a_model_is_a_tree_that_knows_its_names():
    """A model of three layers lists its 12,834 parameters; another model that loads them gives the same output."""
    one = Sequential(Linear(64, 128), ReLU(), Sequential(Linear(128, 32), ReLU()), Linear(32, 12))
    names = [name for name, _ in one.named_parameters()]
    assert_equal(names, ["0.weight", "0.bias", "2.0.weight", "2.0.bias", "3.weight", "3.bias"])
    assert_equal(sum(p.numel() for p in one.parameters()), 64 * 128 + 128 + 128 * 32 + 32 + 32 * 12 + 12)
    two = Sequential(Linear(64, 128), ReLU(), Sequential(Linear(128, 32), ReLU()), Linear(32, 12))
    two.load_state_dict(one.state_dict())
    x = Tensor(np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64))
    assert_close(two(x), one(x).data, "the output of the second model", atol=1e-6)
