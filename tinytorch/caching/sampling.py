"""The draws of many rows in one call: each row with options and a generator of its own.

kata 14's `sample` has one temperature for all its rows, and one generator. A batch of strangers has one of each for
every row, and to call `sample` for each of 32 rows costs as much as the whole model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytorch.dispatch import Array
from tinytorch.tensor import Tensor


def keep_rows(scores: Array, top_k: Array, top_p: Array) -> Array:
    """keep_top_k and then keep_top_p of each row (R, V), with a top_k and a top_p for each, arrays (R,).

    What is left out becomes -inf. Equal scores are treated as in kata 14: those that equal the smallest of the top_k
    stay too, and for top_p the one with the lower id counts as more probable. A top_p of 1 keeps all.
    """
    raise NotImplementedError("kata 16: keep_rows")


def sample_rows(
    logits: Tensor,
    temperature: Sequence[float],
    top_k: Sequence[int | None],
    top_p: Sequence[float | None],
    generators: Sequence[Any],
) -> Tensor:
    """One id for each row of logits (R, V), as `sample` draws it for that row alone: (R,), int64.

    Each option is a sequence of R, one for each row, as sample takes it: a temperature of 0 gives the id of the largest
    logit, and None leaves a filter out. Row r draws one number, from generators[r] (None: the default generator of the
    device), and at temperature 0 none. So it does not depend on the other rows.

    Raises:
        ValueError: an option makes no sense (as check_sampling), or the largest logit of a row is nan, inf or -inf (the
            message says which). Then nothing has been drawn.
    """
    raise NotImplementedError("kata 16: sample_rows")
