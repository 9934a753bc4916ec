"""The reference beside PyTorch, measured as ratios in one run: `make bench`. See README.md."""

from dojo.bootstrap import pin_blas

pin_blas()  # before anything here imports NumPy
