"""Quantization (torch.ao). Given: a face, which only re-exports."""

from tinytorch.ao import quantization as quantization
