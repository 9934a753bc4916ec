"""Whole arrays at once, without a loop over entries: a photograph, a search, a living world."""

import math

import numpy as np

from dojo.spec import assert_close, assert_equal
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, matmul, ones, pad, randn, stack, tensor, zeros


def photograph():
    """(3, 8, 12): three colours, a bright disc left of the middle, and light that falls off to the right."""
    y, x = np.mgrid[:8, :12]
    disc = (x - 3) ** 2 + (y - 4) ** 2 < 6
    return np.stack([disc * (c + 1) * 60 + 10 * c + x for c in range(3)]).astype(np.uint8)


def test_a_photograph_is_made_ready():
    """A photograph is mirrored at its diagonal, cropped, standardised and framed: six lines, no loop."""
    photo = photograph()
    x = Tensor(photo)
    mirrored = x.transpose(1, 2)  # (3, 12, 8)
    cropped = mirrored[:, 2:10, :]  # (3, 8, 8)
    light = cropped.to(np.float32) / 255
    centred = light - light.mean((1, 2), keepdim=True)
    ready = centred / (centred * centred).mean((1, 2), keepdim=True).sqrt()
    framed = pad(ready, (1, 1, 1, 1))  # (3, 10, 10)

    assert_equal(framed.shape, (3, 10, 10), "the shape of the result")
    expected = np.zeros((3, 10, 10), np.float32)
    for c in range(3):
        pixels = [[float(photo[c, j, i + 2]) / 255 for j in range(8)] for i in range(8)]
        flat = [p for row in pixels for p in row]
        mean = sum(flat) / 64
        spread = math.sqrt(sum((p - mean) ** 2 for p in flat) / 64)
        for i in range(8):
            for j in range(8):
                expected[c, i + 1, j + 1] = (pixels[i][j] - mean) / spread
    assert_close(framed, expected, "the photograph", rtol=1e-4, atol=1e-5)
    assert_close(Tensor(photo), photograph(), "the original photograph")


def test_the_nearest_neighbour_says_what_a_point_is():
    """All distances between two sets of points by broadcasting, the nearest by argmax, and its label by an index."""
    generator = np.random.default_rng(0)
    known = np.concatenate([generator.normal(m, 1, (20, 2)) for m in ((-2, 0), (2, 0), (0, 3))]).astype(
        np.float32
    )
    labels = np.repeat(np.arange(3), 20)
    asked = generator.normal(0, 2, (15, 2)).astype(np.float32)

    difference = Tensor(asked).unsqueeze(1) - Tensor(known)  # (15, 1, 2) - (60, 2) -> (15, 60, 2)
    distances = (difference * difference).sum(-1)  # (15, 60)
    nearest = (-distances).argmax(1)  # (15,)
    found = Tensor(labels)[nearest]

    expected = []
    for point in asked.tolist():
        best = min(range(60), key=lambda i, point=point: math.dist(point, known[i].tolist()))
        expected.append(labels[best])
    assert_close(found, np.array(expected), "the labels of the nearest points")


def test_the_distances_are_a_matrix_product():
    """|a - b|**2 = |a|**2 - 2 a.b + |b|**2: the same distances without an array of all differences."""
    a = np.arange(12, dtype=np.float32).reshape(4, 3) % 5
    b = np.arange(15, dtype=np.float32).reshape(5, 3) % 7
    x, y = Tensor(a), Tensor(b)
    squares = (x * x).sum(1, keepdim=True) - 2 * matmul(x, y.T) + (y * y).sum(1)
    expected = [
        [sum((p - q) ** 2 for p, q in zip(u, v, strict=True)) for v in b.tolist()] for u in a.tolist()
    ]
    assert_close(squares, expected, "the squared distances")


def test_a_glider_crosses_the_world():
    """Conway's game of life: a cell is born with 3 neighbours and lives on with 2 or 3. Eight slices count them all."""
    world = zeros(8, 8, dtype=np.int64)
    glider = tensor([[0, 1, 0], [0, 0, 1], [1, 1, 1]])
    world[1:4, 1:4] = glider
    for _ in range(4):
        around = pad(world, (1, 1, 1, 1))
        shifted = [around[i : i + 8, j : j + 8] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
        neighbours = stack(shifted).sum(0)
        world = ((neighbours == 3) | (neighbours + world == 3)).to(np.int64)
    moved = np.zeros((8, 8), np.int64)
    moved[2:5, 2:5] = [[0, 1, 0], [0, 0, 1], [1, 1, 1]]
    assert_close(world, moved, "the world after four generations: the glider, one down and one to the right")


def test_numbers_are_drawn_and_looked_at():
    """Random numbers are printed, and given to NumPy, where no two of them are alike."""
    manual_seed(0)
    x = randn(3, 4)
    shown = repr(x)
    assert shown.startswith("tensor([["), f"print(x) shows {shown}"
    assert_equal(len(set(x.numpy().ravel().tolist())), 12, "how many different numbers were drawn")


def test_a_layer_of_neurons_is_one_product():
    """32 images through 10 neurons: each neuron weighs all pixels and adds its bias. One matmul, one broadcast sum."""
    generator = np.random.default_rng(1)
    images, weight = generator.integers(0, 3, (32, 4, 4)), generator.integers(-2, 3, (10, 16))
    bias = ones(10) * 0.5
    out = Tensor(images).to(np.float32).reshape(32, -1) @ Tensor(weight).to(np.float32).T + bias
    expected = np.zeros((32, 10), np.float32)
    for n in range(32):
        for neuron in range(10):
            expected[n, neuron] = 0.5 + sum(
                int(p) * int(w) for p, w in zip(images[n].flat, weight[neuron], strict=True)
            )
    assert_close(out, expected, "what the neurons say")
