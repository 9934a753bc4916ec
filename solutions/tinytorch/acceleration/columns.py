"""A convolution as a matrix product: what each place sees becomes a row of one large matrix.

Copying all windows costs memory and time, and it pays, because a product of two large matrices is what a processor does
best. The columns of one picture fit into the cache, those of a whole batch do not. So the same memory is used for one
picture after the other.

Here channels come last, (H, W, C), because then the numbers of a window lie side by side. That is how one looks at a
picture, not how it lies in memory: a transposed view of (C, H, W) has this shape too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinytorch.dispatch import Array
from tinytorch.spatial import conv_output_size


class Columns:
    """The columns of one picture (H, W, C) after the other, and the way back.

    Attributes:
        shape: (OH, OW, kh, kw, C): for each place, the rows, columns and channels of what it sees.
        stride: the rows and columns between two places.
        padded: zeros (H + 2 * ph, W + 2 * pw, C); `inside` is the view of it (H, W, C) that pictures are copied to.
        seen: a view of `padded` of that shape: seen[r, c, i, j] is padded[r * sh + i, c * sw + j].
        matrix: memory for the columns, (OH * OW, kh * kw * C); `columns` is the view of it of that shape.
        total, middle: as `padded` and `inside`, for the way back.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        kernel: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
        dtype: Any,
        last: bool = True,
    ) -> None:  # given
        """Memory for pictures of `shape` (H, W, C). In it, channels are neighbours (`last`), or places are."""
        (H, W, C), (kh, kw), (sh, sw), (ph, pw) = shape, kernel, stride, padding
        OH, OW = conv_output_size(H, kh, sh, ph), conv_output_size(W, kw, sw, pw)
        self.shape, self.stride = (OH, OW, kh, kw, C), stride
        if last:
            self.padded = np.zeros((H + 2 * ph, W + 2 * pw, C), dtype)
            self.matrix = np.empty((OH * OW, kh * kw * C), dtype)
        else:
            self.padded = np.zeros((C, H + 2 * ph, W + 2 * pw), dtype).transpose(1, 2, 0)
            self.matrix = np.empty((kh * kw * C, OH * OW), dtype).T
        self.total = np.zeros_like(self.padded)
        middle = slice(ph, ph + H), slice(pw, pw + W)
        self.inside, self.middle = self.padded[middle], self.total[middle]
        self.columns = self.matrix.reshape(self.shape)
        rows, columns, channels = self.padded.strides
        self.seen = as_strided(
            self.padded, self.shape, (rows * sh, columns * sw, rows, columns, channels), writeable=False
        )

    def im2col(self, x: Array) -> Array:
        """The columns of a picture x (H, W, C): `matrix`, whose row r * OW + c holds what place (r, c) sees.

        A row has the numbers in the order (i, j, channel) of kernel positions and channels; what lies in the padding is
        0. No loop is needed: copy the picture to `inside`, and `seen` to `columns` (torch.nn.functional.unfold, there
        in another order). The next call writes to the same memory.
        """
        self.inside[...] = x
        self.columns[...] = self.seen
        return self.matrix

    def col2im(self, matrix: Array) -> Array:
        """Add every number of `matrix` (OH * OW, kh * kw * C) to the pixel that im2col copied it from: (H, W, C).

        What was copied from the padding is dropped. It is the adjoint of im2col: sum(im2col(x) * m) equals
        sum(x * col2im(m)) for all x and m, and so it is also the gradient (torch.nn.functional.fold). A loop over the
        positions (i, j) of the kernel is enough: all places at once, into `total`, of which `middle` is returned. The
        next call writes to the same memory.
        """
        OH, OW, kh, kw, _ = self.shape
        sh, sw = self.stride
        columns = matrix.reshape(self.shape)
        self.total[...] = 0
        for i in range(kh):
            for j in range(kw):
                self.total[i : i + sh * OH : sh, j : j + sw * OW : sw] += columns[:, :, i, j]
        return self.middle
