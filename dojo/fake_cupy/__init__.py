"""A device for machines without a GPU: arrays that never become NumPy arrays by themselves, as CuPy's do not.

Inside `installed()`, `import cupy` finds a stand-in. Its arrays live in main memory, and it refuses what CuPy
refuses: implicit conversion to NumPy, NumPy arrays and lists as operands, names that CuPy does not have. So
code that is dishonest about devices fails on every machine. It proves nothing about speed or kernels. Where
CuPy copies a NumPy array over in silence (assigned through an array as index), this refuses.

It is a wrapper, not a subclass of ndarray: `np.asarray` strips a subclass without a word.
"""

from __future__ import annotations

from dojo.fake_cupy.modules import install, installed, uninstall

__all__ = ["install", "installed", "uninstall"]
