"""The reference beside PyTorch, measured as ratios in one run. PyTorch is needed: `pip install torch==2.13.0`."""

from dojo.bootstrap import pin_blas

pin_blas()  # before anything here imports NumPy
