"""The reference beside PyTorch and tokenizers: where one is not installed, the files that need it are skipped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

PEERS = {"test_huggingface.py": "transformers", "test_kata_11.py": "tokenizers"}
"""What each file compares with, where that is not PyTorch."""


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    return Comparison.from_parent(parent, path=module_path)


class Comparison(pytest.Module):
    """A file that is imported only where its peer is installed."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        peer = PEERS.get(self.path.name, "torch")
        pytest.importorskip(peer, reason=f"{peer} is not installed")
        return super().collect()
