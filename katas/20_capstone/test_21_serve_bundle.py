"""A bundle: five files that are what they were when they were written, or one sentence that says what is wrong."""

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.child import in_child
from tinytorch.capstone import Bundle, BundleError, check_files, load_bundle, save_bundle
from tinytorch.precision import QuantizedEmbedding, QuantizedLinear, quantize_dynamic, save_model
from tinytorch.setup import manual_seed
from tinytorch.tensor import tensor
from tinytorch.tokenization import BPETokenizer, CharTokenizer
from tinytorch.transformers import GPT, GPTConfig

FILES = ["card.json", "config.json", "model.safetensors", "tokenizer.json"]
CONFIG = {
    "vocab_size": 259,
    "block_size": 16,
    "n_layer": 1,
    "n_head": 2,
    "n_embd": 8,
    "dropout": 0.0,
    "bias": True,
    "tie_weights": True,
}
CARD = {"name": "tiny", "license": "none", "trained_on": ["näive", 3, None]}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def listed(folder, **changes):
    """Write the manifest of a folder, with changes: the version, the format, or other files."""
    files = {name: digest(folder / name) for name in FILES if (folder / name).is_file()}
    manifest = {"format": "tinytorch bundle", "version": 1, "files": files} | changes
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def four_files(folder):
    """A folder with four files of some bytes, and the manifest that fits them: check_files looks at nothing else."""
    folder.mkdir()
    for place, name in enumerate(FILES):
        (folder / name).write_bytes(bytes(range(40 + place)))
    return listed(folder)


def tokenizer():
    return BPETokenizer([(b"t", b"o"), (b" ", b"to")], ["<|end|>"])


def model(**changes):
    manual_seed(1)
    return GPT(GPTConfig(**CONFIG | changes))


def packed(folder, of=None, config=CONFIG, card=CARD, weights=None):
    """A bundle written by hand, as save_bundle would write it."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (of or tokenizer()).save(folder / "tokenizer.json")
    (folder / "card.json").write_text(json.dumps(card))
    save_model(weights or model(), folder / "model.safetensors")
    return listed(folder)


# Whole or not


def test_a_whole_folder_is_fine(tmp_path):
    """check_files(folder) returns None if the files are those of the manifest; the folder may be a text."""
    assert_equal(check_files(four_files(tmp_path / "b")), None, "what check_files gives")
    assert_equal(check_files(str(tmp_path / "b")), None, "what check_files gives for a path as text")


@pytest.mark.parametrize(
    "content", [None, "{", '["manifest"]', '{"version": 1}', '{"format": "zip", "version": 1}']
)
def test_a_folder_without_a_manifest_is_no_bundle(tmp_path, content):
    """Without a manifest.json, or if it is not JSON, not an object or of another format, it is a BundleError.

    The message names the folder.
    """
    folder = four_files(tmp_path / "somewhere")
    if content is None:
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_text(content)
    with raises(BundleError, "somewhere"):
        check_files(folder)
    with raises(BundleError, "nowhere"):
        check_files(tmp_path / "nowhere")


@pytest.mark.parametrize("version", [2, 0, "1", None, True, 1.0])
def test_another_version_is_refused(tmp_path, version):
    """A version other than the integer 1 is a BundleError that names both versions; true and 1.0 are none."""
    folder = listed(four_files(tmp_path / "b"), version=version)
    with raises(BundleError, 1, repr(version)):
        check_files(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_is_named(tmp_path, name):
    """A file that the manifest lists and that is not there is a BundleError that names it."""
    folder = four_files(tmp_path / "b")
    (folder / name).unlink()
    with raises(BundleError, name):
        check_files(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_found(tmp_path, name):
    """One bit that differs, anywhere in a file, is a BundleError that names the file."""
    folder = four_files(tmp_path / "b")
    whole = (folder / name).read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (folder / name).write_bytes(damaged)
        with raises(BundleError, name):
            check_files(folder)
    (folder / name).write_bytes(whole + b"\0")
    with raises(BundleError, name):
        check_files(folder)


@pytest.mark.parametrize("change", ["one less", "one more", "none", "a list", "a number", "no checksum"])
def test_the_manifest_lists_the_four_files(tmp_path, change):
    """A list of other files than the four, or one that is no object of checksums, is a BundleError."""
    folder = four_files(tmp_path / "b")
    files = {name: digest(folder / name) for name in FILES}
    if change == "one less":
        del files["card.json"]
    elif change == "one more":
        (folder / "more.json").write_text("{}")
        files["more.json"] = digest(folder / "more.json")
    elif change == "none":
        files = {}
    elif change == "a list":
        files = FILES
    elif change == "a number":
        files = 4
    else:
        files["card.json"] = None
    with raises(BundleError):
        check_files(listed(folder, files=files))


@pytest.mark.parametrize("way", ["..", "absolute", "link", "link into b2"])
def test_no_path_leads_out_of_the_folder(tmp_path, way):
    """A file that lies outside of the folder is a BundleError that names it, though its checksum is right.

    The folder b2 is not in the folder b, though its path begins with the same letters.
    """
    outside = tmp_path / "b2" / "card.json" if way == "link into b2" else tmp_path / "card.json"
    outside.parent.mkdir(exist_ok=True)
    outside.write_text("secret")
    folder = four_files(tmp_path / "b")
    files = {name: digest(folder / name) for name in FILES if name != "card.json"}
    name = {"..": "../card.json", "absolute": str(outside)}.get(way, "card.json")
    if name == "card.json":
        (folder / "card.json").unlink()
        (folder / "card.json").symlink_to(outside)
    files[name] = digest(outside)
    with raises(BundleError, name):
        check_files(listed(folder, files=files))


def test_what_lies_outside_is_not_read(tmp_path):
    """A link that leads out of the folder is refused before it is followed: nothing opens the file that it leads to."""
    folder = four_files(tmp_path / "b")
    (folder / "card.json").rename(tmp_path / "card.json")
    (folder / "card.json").symlink_to(tmp_path / "card.json")

    def run():
        opened = []
        sys.addaudithook(lambda event, args: event == "open" and opened.append(Path(str(args[0])).name))
        with raises(BundleError, "card.json"):
            check_files(folder)
        return {"opened": np.array(opened)}

    assert "card.json" not in in_child(run)["opened"].tolist(), "the file outside of the folder was opened"


# Loading


def test_a_bundle_is_loaded(tmp_path):
    """load_bundle gives the model, the tokenizer and the card that are in the files."""
    found = load_bundle(packed(tmp_path / "b"))
    ids = tensor([[3, 1, 4, 1, 5]])
    assert isinstance(found, Bundle), f"load_bundle gives {found!r}"
    assert_close(found.model(ids).data, model()(ids).data, "the logits of the model")
    assert_equal(found.model.config, GPTConfig(**CONFIG), "the config of the model")
    assert_equal(found.tokenizer.encode(" to be"), tokenizer().encode(" to be"), "the ids of ' to be'")
    assert_equal(found.card, CARD, "the card")


def test_a_loaded_model_is_in_eval_mode(tmp_path):
    """The model that load_bundle gives is in eval mode: nobody wants dropout in an answer."""
    found = load_bundle(packed(tmp_path / "b", config=CONFIG | {"dropout": 0.5}))
    assert_equal(found.model.training, False, "training of the model")


def test_a_model_of_characters_is_loaded(tmp_path):
    """The tokenizer may be a CharTokenizer: its file says so."""
    config = CONFIG | {"vocab_size": 4}
    found = load_bundle(packed(tmp_path / "b", CharTokenizer("abcé"), config, weights=model(vocab_size=4)))
    assert_equal(found.tokenizer.encode("éa"), [3, 0], "the ids of 'éa'")


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_bundle_is_not_loaded(tmp_path, name):
    """load_bundle checks the files first: a damaged one is a BundleError that names it."""
    folder = packed(tmp_path / "b")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content + b" ")
    with raises(BundleError, name):
        load_bundle(folder)


def test_the_config_has_exactly_its_entries(tmp_path):
    """An entry of config.json that is missing, that is too much, or of another type is a BundleError.

    The message names the file. True is no number here, and a number is no truth; but 0 is as good as 0.0.
    """
    load_bundle(packed(tmp_path / "fine", config=CONFIG | {"dropout": 0}))
    wrong = [
        {name: value for name, value in CONFIG.items() if name != "n_head"},
        CONFIG | {"n_heads": 2},
        CONFIG | {"n_layer": "1"},
        CONFIG | {"n_layer": True},
        CONFIG | {"bias": 1},
        CONFIG | {"block_size": 16.0},
        [CONFIG],
        CONFIG | {"n_head": 3},
    ]
    for number, config in enumerate(wrong):
        with raises(BundleError, "config.json"):
            load_bundle(packed(tmp_path / str(number), config=config))


def test_the_tokenizer_has_to_fit_the_model(tmp_path):
    """A tokenizer with another number of tokens than the model is a BundleError that names both numbers."""
    with raises(BundleError, 257, 259):
        load_bundle(packed(tmp_path / "b", BPETokenizer((), ["<|end|>"])))


@pytest.mark.parametrize("content", ['{"model": {"type": "Unigram"}}', "[]", "{}", '"BPE"'])
def test_a_tokenizer_that_is_not_understood_is_refused(tmp_path, content):
    """A tokenizer.json that kata 11 does not read is a BundleError that names the file."""
    folder = packed(tmp_path / "b")
    (folder / "tokenizer.json").write_text(content)
    with raises(BundleError, "tokenizer.json"):
        load_bundle(listed(folder))


@pytest.mark.parametrize("card", [{}, {"name": 7}, ["name"], "name"])
def test_a_card_has_a_name(tmp_path, card):
    """A card.json that is no object with a text as "name" is a BundleError that names the file."""
    with raises(BundleError, "card.json"):
        load_bundle(packed(tmp_path / "b", card=card))


@pytest.mark.parametrize("fault", ["missing", "shape", "unexpected", "no safetensors"])
def test_weights_that_do_not_fit_are_refused(tmp_path, fault):
    """A tensor that is missing, of another shape, or not in the model is a BundleError that names it.

    A file that is no safetensors file is one too. A plain KeyError or ValueError of kata 17 would tell a stranger
    little.
    """
    folder = packed(tmp_path / "b")
    path = folder / "model.safetensors"
    arrays = {name: each.data for name, each in model().state_dict().items() if name != "lm_head.weight"}
    if fault == "missing":
        del arrays["ln_f.weight"]
    elif fault == "shape":
        arrays["ln_f.weight"] = np.ones(9, np.float32)
    elif fault == "unexpected":
        arrays["ln_f.more"] = np.ones(8, np.float32)
    tied = {"tied": json.dumps({"lm_head.weight": "wte.weight"})}
    path.write_bytes(b"weights" if fault == "no safetensors" else safetensors.numpy.save(arrays, tied))
    names = {"unexpected": "ln_f.more", "no safetensors": "model.safetensors"}
    with raises(BundleError, names.get(fault, "ln_f.weight")):
        load_bundle(listed(folder))


# Saving


def test_a_bundle_comes_back(tmp_path):
    """What save_bundle writes, load_bundle gives back; the model that was saved stays as it is."""
    bundle = Bundle(model().train(), tokenizer(), CARD)
    assert_equal(save_bundle(bundle, tmp_path / "b"), None, "what save_bundle gives")
    found, ids = load_bundle(tmp_path / "b"), tensor([[3, 1, 4, 1, 5]])
    assert_close(found.model(ids).data, model()(ids).data, "the logits of the model")
    assert_equal(found.tokenizer.encode("to<|end|>"), tokenizer().encode("to<|end|>"), "the ids")
    assert_equal(found.card, CARD, "the card")
    assert_equal(bundle.model.training, True, "training of the model that was saved")


def test_a_bundle_is_five_files(tmp_path):
    """A bundle is config.json, tokenizer.json, card.json, model.safetensors and manifest.json, and no other file."""
    save_bundle(Bundle(model(), tokenizer(), CARD), tmp_path / "b")
    folder = tmp_path / "b"
    assert_equal(sorted(os.listdir(folder)), sorted([*FILES, "manifest.json"]), "the files of the bundle")
    assert_equal(json.loads((folder / "config.json").read_text("utf-8")), CONFIG, "config.json")
    assert_equal(json.loads((folder / "card.json").read_text("utf-8")), CARD, "card.json")
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    assert_close(weights["wte.weight"], model().wte.weight.data, "wte.weight in model.safetensors")


def test_others_can_read_a_bundle(tmp_path):
    """The folder of a bundle has the permissions of any new folder; one of tempfile.mkdtemp is closed to others."""
    save_bundle(Bundle(model(), tokenizer(), CARD), tmp_path / "b")
    (tmp_path / "new").mkdir()
    modes = [oct((tmp_path / name).stat().st_mode & 0o777) for name in ("b", "new")]
    assert_equal(modes[0], modes[1], "the permissions of the bundle's folder")


def test_the_manifest_has_version_and_checksums(tmp_path):
    """The manifest has the format, the version 1, and the SHA-256 of each of the four other files."""
    save_bundle(Bundle(model(), tokenizer(), CARD), tmp_path / "b")
    expected = {name: digest(tmp_path / "b" / name) for name in FILES}
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert_equal(manifest, {"format": "tinytorch bundle", "version": 1, "files": expected}, "the manifest")


@pytest.mark.parametrize(("bits", "group_size"), [(8, None), (4, 4)])
def test_a_bundle_may_be_quantized(tmp_path, bits, group_size):
    """With bits and group_size the model is written as quantize_dynamic gives it, and is loaded as that."""
    whole = model(n_embd=32)
    save_bundle(Bundle(whole, tokenizer(), CARD), tmp_path / "whole")
    save_bundle(Bundle(whole, tokenizer(), CARD), tmp_path / "small", bits, group_size)
    found = load_bundle(tmp_path / "small").model
    right, ids = quantize_dynamic(whole, bits, group_size), tensor([[3, 1, 4, 1, 5]])
    assert_close(found(ids).data, right(ids).data, "the logits of the quantized model")
    assert isinstance(found.wte, QuantizedEmbedding), f"wte is a {type(found.wte).__name__}"
    assert isinstance(found.lm_head, QuantizedLinear), f"lm_head is a {type(found.lm_head).__name__}"
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("small", "whole")]
    assert sizes[0] < 0.7 * sizes[1], f"{sizes[0]} bytes quantized, and {sizes[1]} not"
    assert type(whole.wte).__name__ == "Embedding", "the model that was given has been changed"


def test_a_bundle_is_never_changed(tmp_path):
    """If the folder exists, even as a file or as a link that leads nowhere, it is a FileExistsError that names it.

    What is there stays.
    """
    save_bundle(Bundle(model(), tokenizer(), CARD), tmp_path / "mine")
    before = {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    (tmp_path / "note").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("mine", "note", "link"):
        with raises(FileExistsError, name):
            save_bundle(Bundle(model(), tokenizer(), CARD | {"name": "other"}), tmp_path / name)
    after = {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    assert before == after, "the bundle that was there has changed"
    assert_equal((tmp_path / "note").read_text(), "mine", "the file that was there")
    assert_equal(sorted(os.listdir(tmp_path)), ["link", "mine", "note"], "what lies beside them")


class Watching(BPETokenizer):
    """A tokenizer that notes where it is saved, and whether the bundle's folder is there by then."""

    def save(self, path):
        self.seen, self.path = self.folder.exists(), Path(path)
        super().save(path)


def test_a_bundle_appears_whole(tmp_path):
    """The folder is not there before it is whole: its files are written into another one, and nothing else is left."""
    watching = Watching([(b"t", b"o"), (b" ", b"to")], ["<|end|>"])
    watching.folder = tmp_path / "b"
    save_bundle(Bundle(model(), watching, CARD), tmp_path / "b")
    assert_equal(watching.seen, False, "whether the folder was there while its files were written")
    beside = watching.path.is_relative_to(tmp_path)
    assert_equal(beside, True, "whether the files were written into a folder beside it")
    assert_equal(os.listdir(tmp_path), ["b"], "what is in the folder around it")


def test_what_nobody_could_load_is_not_saved(tmp_path):
    """What load_bundle would refuse is a BundleError of save_bundle, and leaves nothing behind."""
    for bundle in (
        Bundle(model(), BPETokenizer((), ["<|end|>"]), CARD),
        Bundle(model(), tokenizer(), {"title": "no name"}),
        Bundle(model().to(np.float64), tokenizer(), CARD),
    ):
        with raises(BundleError):
            save_bundle(bundle, tmp_path / "b")
        assert_equal(os.listdir(tmp_path), [], "what is left in the folder around it")


def test_an_error_leaves_nothing_behind(tmp_path):
    """After an error in the middle of writing there is no folder, and nothing beside it: an interrupt too."""

    class Broken(BPETokenizer):
        def save(self, path):
            super().save(path)
            raise KeyboardInterrupt("in the middle")

    with raises(KeyboardInterrupt):
        save_bundle(Bundle(model(), Broken([(b"t", b"o"), (b" ", b"to")], ["<|end|>"]), CARD), tmp_path / "b")
    assert_equal(os.listdir(tmp_path), [], "what is left in the folder around it")
