"""The graph of one step of XOR: every Node that your tape recorded, with the shapes that go from one to the next.

`dojo.draw_graph(loss)` draws that of any Tensor of yours.
"""

import numpy as np

import dojo
from tinytorch.dispatch import disabled
from tinytorch.layers import Linear, Sequential, Tanh
from tinytorch.losses import binary_cross_entropy_with_logits
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor

POINTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TRUTH = np.array([[0], [1], [1], [0]], np.float32)


def draw() -> str:
    manual_seed(0)
    model = Sequential(Linear(2, 8), Tanh(), Linear(8, 1))
    with disabled():  # the compositions of katas 02 to 06, also where kata 15 has put kernels in their place
        loss = binary_cross_entropy_with_logits(model(Tensor(POINTS)), Tensor(TRUTH))
    return dojo.draw_graph(loss, names=dict(model.named_parameters()))
