"""Kata 20: a model is worth what it does for somebody else. Given: the names that the files beside this one define."""

from tinytorch.capstone.quantized import (
    QuantizedConv2d as QuantizedConv2d,
    fold_batch_norms as fold_batch_norms,
    quantize_network as quantize_network,
)
from tinytorch.capstone.trainer import (
    ParallelTrainer as ParallelTrainer,
    WeightAveraging as WeightAveraging,
    average_buffers as average_buffers,
    shares as shares,
    train_share as train_share,
)
