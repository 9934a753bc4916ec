"""Pruning, under the names that PyTorch users know (torch.nn.utils.prune).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face

if TYPE_CHECKING:
    from tinytorch.compression import (
        custom_from_mask as custom_from_mask,
        global_unstructured as global_unstructured,
        is_pruned as is_pruned,
        l1_unstructured as l1_unstructured,
        remove as remove,
    )

__getattr__, __dir__ = face(__name__)
