"""Kata 20: a system for somebody else. Given: the names that the files define."""

from tinytorch.capstone.trainer import (
    ParallelTrainer as ParallelTrainer,
    WeightAveraging as WeightAveraging,
    average_buffers as average_buffers,
    shares as shares,
    train_share as train_share,
)
