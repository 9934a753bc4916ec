"""Kata 18: smaller models. Given: the names that the files beside this one define."""

from tinytorch.compression.channels import (
    channel_scores as channel_scores,
    keep_entries as keep_entries,
    keep_inputs as keep_inputs,
    keep_outputs as keep_outputs,
    remove_channels as remove_channels,
)
from tinytorch.compression.costs import (
    count_macs as count_macs,
    load_sparse as load_sparse,
    save_sparse as save_sparse,
)
from tinytorch.compression.distillation import distill as distill, distillation_loss as distillation_loss
from tinytorch.compression.lora import (
    LoRALinear as LoRALinear,
    add_lora as add_lora,
    lora_state_dict as lora_state_dict,
    merge_and_unload as merge_and_unload,
)
from tinytorch.compression.low_rank import (
    factorize as factorize,
    low_rank as low_rank,
    rank_for_energy as rank_for_energy,
    replace_linears as replace_linears,
)
from tinytorch.compression.masks import (
    GradualPruning as GradualPruning,
    cubic_sparsity as cubic_sparsity,
    custom_from_mask as custom_from_mask,
    global_unstructured as global_unstructured,
    how_many as how_many,
    is_pruned as is_pruned,
    l1_unstructured as l1_unstructured,
    magnitude_mask as magnitude_mask,
    masked_forward as masked_forward,
    prunable as prunable,
    remove as remove,
    sparsity as sparsity,
)
