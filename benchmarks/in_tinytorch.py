"""The reference, and what the workloads ask for besides: kata 14's GPT, kata 16's cache."""

from __future__ import annotations

import ctypes
import functools
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.workloads import Step
from dojo.tree import overlay


@functools.cache
def use_the_reference() -> None:
    """Let `tinytorch` be the reference."""
    overlay.install(overlay.plan_for("solutions", None))


@functools.cache
def library(accelerated: bool = True, device: str = "cpu") -> Any:
    """tinytorch as the workloads know it, with kernels or as it is composed, on the device."""
    use_the_reference()
    import tinytorch
    from tinytorch import dispatch, transformers

    dispatch.mode.accelerated = accelerated  # for the whole process, as `with disabled():` does for a block

    def cache(sizes: Any) -> Any:
        try:
            from tinytorch.caching import KVCache
        except ModuleNotFoundError as error:
            raise NotImplementedError(str(error)) from error
        return KVCache(transformers.GPTConfig(**sizes._asdict()), device=device)

    def generate(model: Any, ids: Any, tokens: int, cache: Any) -> Any:
        return transformers.generate(model, ids, tokens, cache=cache)

    return SimpleNamespace(
        nn=tinytorch.nn,
        optim=tinytorch.optim,
        device=device,
        tensor=functools.partial(tinytorch.tensor, device=device),
        no_grad=tinytorch.no_grad,
        GPT=lambda sizes: transformers.GPT(transformers.GPTConfig(**sizes._asdict())),
        cache=cache,
        generate=generate,
    )


def shared(make: Callable[..., Step], sizes: dict[str, Any], steps: int = 3) -> float:
    """CPU time of a training step, the best of some, in the slower one of two processes with a batch of these sizes.

    After each backward they average their gradients, as kata 19's fit_parallel does.
    """
    lib = library()
    from tinytorch.benchmarking import average_gradients, spawn

    def averaging(kind: Any, group: Any) -> Any:
        class Averaging(kind):  # type: ignore[misc]
            def step(self) -> None:
                average_gradients(
                    [each for options in self.param_groups for each in options["params"]], group
                )
                super().step()

        return Averaging

    def measured(group: Any) -> float:
        kinds = {kind: averaging(getattr(lib.optim, kind), group) for kind in ("SGD", "Adam", "AdamW")}
        step = make(SimpleNamespace(**{**vars(lib), "optim": SimpleNamespace(**kinds)}), **sizes)
        step()
        group.barrier()
        moments = [time.process_time()]
        for _ in range(steps):
            step()
            moments.append(time.process_time())
        return min(after - before for before, after in itertools.pairwise(moments))

    return max(spawn(measured, 2))


def about() -> dict[str, str]:
    """NumPy, and its BLAS with the kernels that it chose for this processor."""
    import numpy as np

    from tinytorch import setup

    return {"numpy": np.__version__, "BLAS": setup.blas_name(), "BLAS kernel": blas_kernel()}


def blas_kernel() -> str:
    """The processor for which NumPy's OpenBLAS picked its kernels, such as "SkylakeX"; "unknown" for another BLAS."""
    import numpy as np

    folder = Path(np.__file__).parent
    for file in [*folder.parent.glob("numpy.libs/*openblas*"), *folder.glob(".dylibs/*openblas*")]:
        library = ctypes.CDLL(str(file))
        for name in ("scipy_openblas_get_corename64_", "openblas_get_corename64_", "openblas_get_corename"):
            if hasattr(library, name):
                ask = getattr(library, name)
                ask.restype = ctypes.c_char_p
                return str(ask().decode())
    return "unknown"
