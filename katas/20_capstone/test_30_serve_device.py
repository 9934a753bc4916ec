"""On a GPU, or on its strict stand-in: the engine writes there what it writes on the CPU."""

import numpy as np

from dojo.spec import assert_close, assert_equal, on_device, to_numpy
from tinytorch.caching import PrefixCache, Request
from tinytorch.capstone import Bundle, Engine, Job, load_bundle, save_bundle, score_tokens
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.tokenization import CharTokenizer
from tinytorch.transformers import GPT, GPTConfig

PROMPTS = ([1, 5, 2], [1, 5, 3, 4], [7])
LETTERS = "abcdefghijk"


def model():
    """A GPT in float64 whose logits differ much, so that its text does not depend on rounding."""
    manual_seed(3)
    made = GPT(GPTConfig(vocab_size=11, block_size=16, n_layer=2, n_head=2, n_embd=8, tie_weights=False))
    for parameter in made.parameters():
        parameter.data *= 50
    return made.to(np.float64)


def test_scores_of_a_device(device):
    """Logits on a GPU give the numbers of those on the CPU: tokens and logarithms, as Python's numbers."""
    logits = np.random.default_rng(0).standard_normal((3, 7))
    found, expected = (score_tokens(on_device(logits, place), [2, 0, 6], 3) for place in (device, "cpu"))
    for row, (mine, right) in enumerate(zip(found, expected, strict=True)):
        assert_equal(mine.token, right.token, f"the token of row {row}")
        assert_equal(type(mine.logprob), float, f"the type of the logarithm of row {row}")
        assert_close(mine.logprob, right.logprob, f"the logarithm of row {row}", rtol=1e-6)
        assert_equal(
            [token for token, _ in mine.top], [token for token, _ in right.top], f"row {row}, the top"
        )


def test_the_engine_writes_on_the_device(device):
    """An Engine whose model and prefixes are on a GPU writes what it writes on the CPU, with the same logprobs."""
    texts = {}
    for place in ("cpu", device):
        gpt = model().to(place)
        engine = Engine(gpt, rows=2, prefixes=PrefixCache(gpt.config, 2, np.float64, place))
        job = Job([Request(list(ids), 6, temperature=0) for ids in PROMPTS], logprobs=2)
        engine.submit(job)
        told = []
        while engine.busy:
            told += engine.step()
        texts[place] = [(each.index, each.token, each.finish_reason) for each in told]
        assert all(each.logprob <= 0 for each in told), "a logarithm of a probability is above 0"
    assert_equal(texts[device], texts["cpu"], "the list of events")


def test_a_bundle_of_a_model_on_a_gpu(device, tmp_path):
    """A bundle saved with its model on a GPU is loaded on the CPU, with the same weights; the model stays there."""
    gpt = model().to(np.float32).to(device)
    tokenizer = CharTokenizer(LETTERS)
    save_bundle(Bundle(gpt, tokenizer, {"name": "small"}), tmp_path / "bundle")
    found = load_bundle(tmp_path / "bundle").model
    for name, value in gpt.state_dict().items():
        assert type(value.data) is type(on_device(np.ones(1), device)), f"{name} left the device"
        back = found.state_dict()[name]
        assert type(back.data) is np.ndarray, f"{name} of the loaded model is not on the CPU"
        assert_close(back, to_numpy(value), name, rtol=0, atol=0)
    ids = np.array([[1, 5, 2]])
    logits = gpt(Tensor(on_device(ids, device)))
    assert_close(logits, to_numpy(found(Tensor(ids))), "the logits on the device", rtol=1e-3, atol=1e-3)
