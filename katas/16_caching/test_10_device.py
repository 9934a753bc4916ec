"""The same on a GPU, or on its strict stand-in."""

import numpy as np

from dojo.spec import assert_close, assert_equal, on_device, refuses_to_mix
from tinytorch.caching import (
    KVCache,
    PagedCache,
    PagePool,
    PrefixCache,
    Request,
    can_decode,
    generate_all,
    sample_rows,
)
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig, generate


def config():
    return GPTConfig(vocab_size=7, block_size=12, n_layer=2, n_head=2, n_embd=4, tie_weights=False)


def model_of():
    manual_seed(0)
    model = GPT(config())
    for parameter in model.parameters():
        parameter.data *= 50
    return model


def test_a_cache_stays_on_the_device(device):
    """KVCache(..., device="cuda") lies on the GPU; keys from there stay there, in rows of unequal length too."""
    keys = np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2)
    cache = KVCache(config(), 2, device=device)
    put = Tensor(on_device(keys, device))
    for layer in (0, 1):
        key, _ = cache.update(layer, put, put)
    assert type(key.data) is type(put.data), "the keys left the device"
    cache.truncate([1, 3])
    assert type(cache.length) is type(put.data), "the lengths of the rows are not on the device"
    one = Tensor(on_device(keys[:, :, :1], device))
    key, _ = cache.update(0, one, one)
    assert_close(key.data[0, :, :2], np.concatenate([keys[0, :, :1], keys[0, :, :1]], 1), "the keys of row 0")


def test_keys_from_elsewhere_are_refused(device):
    """Keys on the CPU for a cache on a GPU are an error that names both devices."""
    cache, keys = KVCache(config(), device=device), Tensor(np.ones((1, 2, 1, 2), np.float32))
    with refuses_to_mix(device):
        cache.update(0, keys, keys)


def test_rows_draw_on_the_device(device):
    """sample_rows of logits on a GPU gives ids there, as on the CPU, with a generator or with the device's own."""
    logits = np.random.default_rng(0).standard_normal((3, 9)).astype(np.float32)
    options = [[0.0, 1.0, 0.7], [None, 3, None], [0.9, None, None]]
    found = [
        sample_rows(
            Tensor(on_device(logits, place)), *options, [np.random.default_rng(row) for row in range(3)]
        )
        for place in ("cpu", device)
    ]
    put = on_device(logits, device)
    assert type(found[1].data) is type(put), "the ids left the device"
    assert_close(found[1], found[0].data, "the ids")
    own = sample_rows(Tensor(put), *options, [None] * 3)
    assert type(own.data) is type(put), "the ids left the device"


def test_the_kernel_is_for_the_cpu(device):
    """can_decode is False for a cache on a GPU: the kernel is written for NumPy, and so for the CPU alone."""
    model, ids = model_of().to(device), Tensor(on_device(np.array([[1]]), device))
    assert_equal(can_decode(model, ids, KVCache(config(), device=device)), device == "cpu", "can_decode")


def test_a_crowd_writes_on_the_device(device):
    """A batch with a prefix cache writes on a GPU what it writes on the CPU, beyond block_size too."""
    texts = {}
    for place in ("cpu", device):
        model = model_of().to(place)
        requests = [Request([1, 5, 2, *rest], 12, temperature=0) for rest in ([3], [4, 0], [])]
        texts[place] = generate_all(model, requests, 2, PrefixCache(config(), 2, device=place))
    assert_equal(texts[device], texts["cpu"], "the list of texts")


def test_pages_stay_on_the_device(device):
    """A text in pages on a GPU is written as on the CPU."""
    texts = {}
    for place in ("cpu", device):
        model, ids = model_of().to(place), Tensor(on_device(np.array([[1, 5, 2]]), place))
        cache = PagedCache(PagePool(config(), 6, 2, device=place))
        texts[place] = generate(model, ids, 6, temperature=0, cache=cache)
    assert_close(texts[device], texts["cpu"].data, "the text")
