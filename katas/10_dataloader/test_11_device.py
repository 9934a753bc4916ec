"""The same on a GPU, or on its strict stand-in: data on it are collated there."""

import numpy as np
import pytest

from dojo.spec import assert_close, on_device
from tinytorch.dataloader import (
    Compose,
    DataLoader,
    ImageDataset,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    TensorDataset,
    ToDtype,
    default_collate,
    default_convert,
    drawing_from,
)
from tinytorch.tensor import Tensor

PICTURES = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
LABELS = np.array([7, 8])


def there(value, device, what):
    """The value, which must be a Tensor on the device."""
    assert isinstance(value, Tensor), f"{what} is a {type(value).__name__}"
    assert type(value.data) is type(on_device(LABELS, device)), f"{what} left the device"
    return value


def test_samples_are_put_together_on_their_device(device):
    """Arrays and Tensors on a GPU become a batch there; nothing is copied to the CPU."""
    arrays = [on_device(picture, device) for picture in PICTURES]
    assert_close(
        there(default_collate(arrays), device, "the batch of arrays"), PICTURES, "the batch of arrays"
    )
    batch = default_collate([Tensor(array) for array in arrays])
    assert_close(there(batch, device, "the batch of Tensors"), PICTURES, "the batch of Tensors")
    converted = default_convert({"x": arrays[1]})["x"]
    assert_close(there(converted, device, "the converted array"), PICTURES[1], "the converted array")


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_dataset_on_the_device(device, num_workers):
    """A loader over Tensors or pictures on a GPU, whose indices come from the CPU, gives batches there."""
    pictures, labels = on_device(PICTURES, device), on_device(LABELS, device)
    for dataset in (TensorDataset(Tensor(pictures), Tensor(labels)), ImageDataset(pictures, labels)):
        name = type(dataset).__name__
        x, y = next(iter(DataLoader(dataset, 2, sampler=[1, 0], num_workers=num_workers)))
        assert_close(
            there(x, device, f"a batch of {name}"), PICTURES[[1, 0]], f"the array of pictures of {name}"
        )
        assert_close(
            there(y, device, f"the array of labels of {name}"),
            LABELS[[1, 0]],
            f"the array of labels of {name}",
        )
    sample = TensorDataset(Tensor(pictures), Tensor(labels))[1]
    assert_close(there(sample[0], device, "a sample"), PICTURES[1], "a sample")


@pytest.mark.parametrize("many", [False, True], ids=["one picture", "many"])
def test_pictures_are_transformed_on_the_device(device, many):
    """Every transform works on the GPU as on the CPU; random numbers come from the CPU's generator."""
    transform = Compose(
        [
            RandomCrop((3, 4), padding=1),
            RandomHorizontalFlip(),
            ToDtype(np.float32, scale=True),
            Normalize([0.5, 0.25, 0.5], [0.5, 0.5, 0.25]),
        ]
    )
    pictures = PICTURES if many else PICTURES[0]
    with drawing_from(np.random.default_rng(0)):
        expected = transform(pictures)
    with drawing_from(np.random.default_rng(0)):
        found = transform(on_device(pictures, device))
    assert type(found) is type(on_device(pictures, device)), "the pictures left the device"
    assert_close(found, expected, "the array of pictures")
