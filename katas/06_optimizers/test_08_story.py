"""A narrow valley: a thousand times steeper across than along. One step size for both is too little or too much."""

import numpy as np

from tinytorch.layers import Parameter
from tinytorch.optimizers import SGD, Adam
from tinytorch.tensor import Tensor

STEEPNESS = np.array([1.0, 1000.0], np.float32)


def distance_after_200_steps(optimizer, point):
    """How far the point is from the bottom of STEEPNESS * p * p / 2, at 0. It began at a distance of 1.4."""
    for _ in range(200):
        optimizer.zero_grad()
        point.grad = Tensor(STEEPNESS * point.data)
        optimizer.step()
    return float(np.linalg.norm(point.data.astype(np.float64)))


def start():
    return Parameter(np.ones(2, np.float32))


def test_plain_descent_crawls_or_explodes():
    """SGD in the valley is only half-way down after 200 steps with lr 0.0019, and lost with lr 0.0021."""
    point = start()
    crawling = distance_after_200_steps(SGD([point], lr=0.0019), point)
    assert 0.5 < crawling < 0.8, f"with lr=0.0019 the point is {crawling:.3g} away, expected about 0.68"
    point = start()
    exploding = distance_after_200_steps(SGD([point], lr=0.0021), point)
    assert exploding > 1e6, f"with lr=0.0021 the point is {exploding:.3g} away, expected more than 1e6"


def test_momentum_gathers_speed_along_the_valley():
    """With momentum 0.9 and lr 0.003 what goes to and fro cancels out, and what goes along adds up: 0.01 away."""
    point = start()
    distance = distance_after_200_steps(SGD([point], lr=0.003, momentum=0.9), point)
    assert distance < 0.01, f"the point is {distance:.3g} away, expected less than 0.01"


def test_adam_does_not_feel_the_steepness():
    """Adam with lr 0.1 divides by the usual size of each slope: both coordinates arrive, side by side."""
    point = start()
    distance = distance_after_200_steps(Adam([point], lr=0.1), point)
    assert distance < 0.01, f"the point is {distance:.3g} away, expected less than 0.01"
    along, across = point.data
    assert abs(along - across) < 1e-3, (
        f"the coordinates are {along:.3g} and {across:.3g}, expected about the same"
    )
