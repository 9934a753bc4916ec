"""TinyTorch: what the twenty katas build, under the names that PyTorch users know.

Given: a face, which only says in which kata each name is written.
"""

import sys
import warnings
from typing import TYPE_CHECKING

from tinytorch import amp as amp, ao as ao, dispatch, nn as nn, optim as optim, utils as utils
from tinytorch.faces import face, open_kata

if TYPE_CHECKING:
    from tinytorch.activations import (
        log_softmax as log_softmax,
        logsumexp as logsumexp,
        relu as relu,
        sigmoid as sigmoid,
        softmax as softmax,
    )
    from tinytorch.autograd import (
        enable_grad as enable_grad,
        is_grad_enabled as is_grad_enabled,
        no_grad as no_grad,
    )
    from tinytorch.setup import (
        cuda_is_available as cuda_is_available,
        default_generator as default_generator,
        get_env_info as get_env_info,
        manual_seed as manual_seed,
    )
    from tinytorch.tensor.public import *  # noqa: F403
    from tinytorch.training import (
        load as load,
        save as save,
    )

__getattr__, __dir__ = face(__name__)

# This installs the tape if kata 07 is written. Until then, or if it is broken, the katas below work without it.
open_kata("tinytorch.autograd")

# The kernels of kata 15, if they are written and not broken. They are imported when one is first needed.
dispatch.load_kernels_with(lambda: open_kata("tinytorch.acceleration"))

# `python -m tinytorch.setup` imports this package first, and so setup with it. runpy warns about that; it is harmless.
warnings.filterwarnings("ignore", "'tinytorch.setup' found in sys.modules", RuntimeWarning)

# The submodule tinytorch.tensor would hide the function of the same name, so the function is bound here, at once.
if open_kata("tinytorch.tensor") is None:
    globals()["tensor"] = sys.modules["tinytorch.tensor"].tensor
