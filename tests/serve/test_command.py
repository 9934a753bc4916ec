"""`make serve` and `make bundle`, as a person types them: the real command, from the shell to the exit status."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dojo.catalogue import ROOT
from tests.serve.serving import FOREVER, bundle
from tests.small_repository import environment
from tinytorch.capstone import save_bundle
from tinytorch.training import load_with_metadata, save

PATIENCE = 20.0  # seconds


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "random"
    save_bundle(bundle(), folder)
    return folder


def make(*words: str) -> subprocess.Popen[str]:
    command = ["make", "--no-print-directory", f"PYTHON={sys.executable}", *words]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(IMPL="solutions"), **pipes, start_new_session=True
    )


@contextmanager
def serving(folder: Path, args: str = "") -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """The command, the address that it prints, and the number of the process that serves."""
    command = make("serve", "PORT=0", f"BUNDLE={folder}", f"ARGS={args}")
    try:
        assert command.stdout is not None
        line = command.stdout.readline()
        found = re.fullmatch(r"serving random at (http://127\.0\.0\.1:\d+) .*\n", line)
        if not found:
            raise AssertionError(f"{line!r}, {command.communicate(timeout=PATIENCE)}")
        children = (
            Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text(encoding="ascii").split()
        )
        assert len(children) == 1, "between make and the server there is no other process"
        yield command, found[1], int(children[0])
    finally:
        if command.poll() is None:
            os.killpg(command.pid, signal.SIGKILL)
        command.communicate()


def stream(address: str, tokens: int) -> Any:
    options = {"prompt": "a", "max_tokens": tokens, "stream": True}
    return httpx.stream("POST", f"{address}/v1/completions", json=options, timeout=PATIENCE, trust_env=False)


def test_sigterm_while_a_text_is_streamed(saved: Path) -> None:
    """What has begun is finished, and the exit status is 0."""
    with serving(saved) as (command, address, server), stream(address, 300) as answer:
        lines = answer.iter_lines()
        next(lines)
        os.kill(server, signal.SIGTERM)
        assert [line for line in lines if line][-1] == "data: [DONE]"
        _, log = command.communicate(timeout=PATIENCE)
        assert command.returncode == 0, log
        assert json.loads(log.splitlines()[-1])["event"] == "ended"


def test_a_text_that_does_not_end_in_time_is_cut_off(saved: Path) -> None:
    with serving(saved, f"--drain-seconds 0.3 --max-tokens {FOREVER}") as (command, address, server):
        with stream(address, FOREVER) as answer:
            lines = answer.iter_lines()
            next(lines)
            os.kill(server, signal.SIGTERM)
            *_, last = (line for line in lines if line)
            assert json.loads(last.removeprefix("data: "))["error"]["code"] == "cut"
            _, log = command.communicate(timeout=PATIENCE)
        assert "Error 1" in log and "Traceback" not in log, log  # make says the status of what it ran


def test_a_second_signal_ends_at_once(saved: Path) -> None:
    with serving(saved, f"--max-tokens {FOREVER}") as (command, address, server):
        with stream(address, FOREVER) as answer:
            lines = answer.iter_lines()
            next(lines)
            os.kill(server, signal.SIGTERM)
            while httpx.get(f"{address}/ready", trust_env=False).status_code != 503:
                time.sleep(0.01)
            began = time.monotonic()
            os.kill(server, signal.SIGTERM)
            _, log = command.communicate(timeout=PATIENCE)
            assert time.monotonic() < began + 2
        assert "Error 1" in log and "killed" in log, log


def test_a_port_that_is_taken(saved: Path) -> None:
    with serving(saved) as (_, address, _):
        second = make("serve", f"PORT={address.rpartition(':')[2]}", f"BUNDLE={saved}")
        out, log = second.communicate(timeout=PATIENCE)
    assert "Error 2" in log and "is in use; PORT=0 takes a free one" in log, (out, log)
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("PORT=99999",), "--port is 99999: a number from 0 to 65,535"),
        (("PORT=http",), "invalid int value"),
        (("ARGS=--rows 0",), "--rows is 0"),
        (("ARGS=--api-keys /nowhere",), "/nowhere"),
        (("HOST=999.1.1.1",), "cannot begin"),
        (("ARGS=--speed 9",), "--speed"),
    ],
)
def test_a_setting_that_is_wrong(saved: Path, words: tuple[str, ...], said: str) -> None:
    out, log = make("serve", f"BUNDLE={saved}", *words).communicate(timeout=PATIENCE)
    assert "Error 2" in log and said in log and "Traceback" not in log, (out, log)


def test_help_lists_every_setting_with_its_default(saved: Path) -> None:
    from dataclasses import fields

    from dojo.serve.settings import Settings, option

    out, _ = make("serve", "ARGS=--help").communicate(timeout=PATIENCE)
    for each in fields(Settings):
        assert option(each.name) in out


# Bundles ------------------------------------------------------------------------------------------------


def flip(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def edit(name: str, change: Callable[[Any], None]) -> Callable[[Path], None]:
    """Change a JSON file of a bundle, and its checksum with it."""

    def apply(folder: Path) -> None:
        from hashlib import sha256

        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if name == "manifest.json":
            change(manifest)
        else:
            content = json.loads((folder / name).read_text(encoding="utf-8"))
            change(content)
            (folder / name).write_text(json.dumps(content), encoding="utf-8")
            manifest["files"][name] = sha256((folder / name).read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    return apply


def tensors(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """Change the weights of a bundle, and their checksum with them."""

    def apply(folder: Path) -> None:
        path = folder / "model.safetensors"
        state, metadata = load_with_metadata(path)
        change(state)
        save(state, path, metadata)
        edit("manifest.json", lambda m: m["files"].update({path.name: _sum(path)}))(folder)

    return apply


def _sum(path: Path) -> str:
    from hashlib import sha256

    return sha256(path.read_bytes()).hexdigest()


def outside(folder: Path) -> None:
    (folder.parent / "secret.json").write_text("{}", encoding="utf-8")
    edit(
        "manifest.json", lambda m: m["files"].update({"../secret.json": _sum(folder.parent / "secret.json")})
    )(folder)


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "no folder": (shutil.rmtree, "is not there. `make bundle BUNDLE=/"),
    "a flipped byte": (flip, "model.safetensors"),
    "a file that is missing": (lambda folder: (folder / "card.json").unlink(), "card.json"),
    "another version": (edit("manifest.json", lambda m: m.update(version=2)), "version"),
    "a path that climbs out": (outside, "../secret.json"),
    "a tensor that is missing": (tensors(lambda state: state.pop("ln_f.weight")), "ln_f.weight"),
    "a wrong shape": (
        tensors(lambda state: state.update({"ln_f.weight": state["ln_f.weight"][:3]})),
        "ln_f.weight",
    ),
    "a tokenizer that does not fit": (edit("config.json", lambda c: c.update(vocab_size=9)), "9"),
    "a config that is none": (edit("config.json", lambda c: c.update(n_layer="two")), "n_layer"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_bundle_is_told_in_one_sentence_and_no_port_is_opened(
    saved: Path, tmp_path: Path, what: str
) -> None:
    damage, said = BROKEN[what]
    folder = shutil.copytree(saved, tmp_path / "broken")
    damage(folder)
    out, log = make("serve", "PORT=0", f"BUNDLE={folder}").communicate(timeout=PATIENCE)
    sentence, last = log.strip().splitlines()
    assert said in sentence and sentence.endswith("."), log
    assert "Error 2" in last and "serving" not in out


def test_a_tokenizer_that_cannot_write_a_chat(tmp_path: Path) -> None:
    from tinytorch.capstone import Bundle
    from tinytorch.tokenization import CharTokenizer
    from tinytorch.transformers import GPT, GPTConfig

    save_bundle(
        Bundle(GPT(GPTConfig(3, 8, 1, 1, 4)), CharTokenizer.train("abc"), {"name": "abc"}), tmp_path / "abc"
    )
    out, log = make("serve", "PORT=0", f"BUNDLE={tmp_path / 'abc'}").communicate(timeout=PATIENCE)
    assert "cannot write a chat" in log and "Error 2" in log and "serving" not in out, (out, log)


def test_a_bundle_is_shown(saved: Path) -> None:
    out, log = make("bundle", f"INSPECT={saved}").communicate(timeout=PATIENCE)
    assert not log
    for said in (
        "random",
        "2 layers, 2 heads, 16 features, context 64",
        "BPETokenizer, 270 tokens",
        "manifest.json",
    ):
        assert said in out


def test_a_bundle_is_trained_and_may_be_quantized_and_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "small"
    options = "--seconds 1 --bits 8"
    for force in ((), ("FORCE=1",)):
        out, log = make("bundle", f"BUNDLE={folder}", f"ARGS={options}", *force).communicate(timeout=240)
        assert f"tinytorch-small is in {folder}" in out, (out, log)
    assert [each.name for each in folder.parent.iterdir()] == ["small"]
    out, _ = make("bundle", f"INSPECT={folder}").communicate(timeout=PATIENCE)
    assert "4 layers, 4 heads, 128 features, context 256" in out
    assert (folder / "model.safetensors").stat().st_size < 1_300_000


def test_a_bundle_is_not_overwritten(saved: Path) -> None:
    out, log = make("bundle", f"BUNDLE={saved}").communicate(timeout=PATIENCE)
    assert "FORCE=1" in log and "Error 2" in log, (out, log)
    assert (saved / "manifest.json").is_file()


def test_the_skeleton_is_told_what_to_write_next(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "tinytorch").mkdir()
    words = ("serve", "PORT=0", f"BUNDLE={saved}", f"IMPL={ROOT / 'tinytorch'}")
    _, log = make(*words).communicate(timeout=PATIENCE)
    assert re.search(r"next: write `\w+(\.\w+)?` \(kata 20\), then `make serve` again\.", log), log
