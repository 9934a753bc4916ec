"""On a GPU, or on its strict stand-in: scores, an engine, and a bundle of a model that is there."""

import numpy as np

from dojo.spec import assert_close, assert_equal, on_device
from tinytorch.caching import Request
from tinytorch.capstone import Bundle, Engine, Job, load_bundle, save_bundle, score_tokens
from tinytorch.setup import manual_seed
from tinytorch.tokenization import BPETokenizer
from tinytorch.transformers import GPT, GPTConfig


def model():
    """A GPT whose logits differ much, so that its text does not depend on rounding."""
    manual_seed(3)
    made = GPT(GPTConfig(vocab_size=259, block_size=16, n_layer=2, n_head=2, n_embd=8))
    for parameter in made.parameters():
        parameter.data *= 20
    return made


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


def test_an_engine_writes_on_the_device(device):
    """With a model on a GPU an engine writes the text that it writes on the CPU; tokens and logprobs are Python's."""
    written = []
    for place in (device, "cpu"):
        job = Job([Request(prompt, 5, temperature=0) for prompt in ([1, 5, 2], [3])], logprobs=1)
        engine = Engine(model().to(place), 2)
        engine.submit(job)
        written.append([event for _ in range(5) for event in engine.step()])
    there, here = ([(event.index, event.token) for event in events] for events in written)
    assert_equal(there, here, "the choices and tokens of the events")
    assert_equal({type(event.logprob) for event in written[0]}, {float}, "the types of the logprobs")


def test_a_model_on_the_device_is_saved(tmp_path, device):
    """A model on a GPU is saved, and stays there; load_bundle gives the same weights on the CPU."""
    there = model().to(device)
    tokenizer = BPETokenizer([(b"t", b"o"), (b" ", b"to")], ["<|end|>"])
    save_bundle(Bundle(there, tokenizer, {"name": "tiny"}), tmp_path / "b")
    on, kept = type(on_device(np.zeros(1), device)), there.state_dict()
    loaded = load_bundle(tmp_path / "b").model.state_dict()
    for name, value in model().state_dict().items():
        assert_equal(type(kept[name].data), on, f"after save_bundle, the type of {name}")
        assert_equal(type(loaded[name].data), np.ndarray, f"the type of {name} that was loaded")
        assert_close(loaded[name], value, name)
