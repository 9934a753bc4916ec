"""Training in float16: gradients that are too small for it are multiplied before, and divided afterwards.

The smallest positive float16 is 6e-8, and gradients are often smaller: they become 0, and the model stops learning. So
the loss is multiplied by a large number, and with it every gradient. Too large a number makes them infinite. Which
one is right changes during training, so it is searched for all the time: halved when something overflowed, doubled when
nothing has for long. A step that overflowed is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinytorch.optimizers import Optimizer
from tinytorch.tensor import Tensor


class GradScaler:
    """The factor of the loss, and what it does to gradients (torch.amp.GradScaler; Micikevicius et al., 2018).

        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)      # only if gradients are to be clipped or looked at before the step
        scaler.step(optimizer)
        scaler.update()

    Parameters, and so their gradients, are float32; only what the model computes is float16.
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
    ) -> None:
        """Begin with the factor `init_scale`.

        Raises:
            ValueError: growth_factor is not above 1, or backoff_factor not between 0 and 1; the message names the
                value.
        """
        raise NotImplementedError("kata 17: GradScaler.__init__")

    def get_scale(self) -> float:
        """The factor now."""
        raise NotImplementedError("kata 17: GradScaler.get_scale")

    def scale(self, loss: Tensor) -> Tensor:
        """loss times the factor: call backward on that."""
        raise NotImplementedError("kata 17: GradScaler.scale")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of the optimizer's parameters by the factor, in place, and look for inf and nan.

        Parameters without a gradient do not count. It can be called once between two updates: not after itself, and not
        after step.

        Raises:
            RuntimeError: it was called already since the last update; the message names update.
            ValueError: a gradient is float16, in which the quotient would be 0 again; the message names float16.
                Nothing is changed then.
        """
        raise NotImplementedError("kata 17: GradScaler.unscale_")

    def step(self, optimizer: Optimizer) -> None:
        """optimizer.step(), but not if a gradient is inf or nan. Unscales the gradients, unless that is done.

        Raises:
            RuntimeError: it was called already since the last update; the message names update.
            ValueError: as unscale_.
        """
        raise NotImplementedError("kata 17: GradScaler.step")

    def update(self) -> None:
        """End the step: the factor for the next one.

        If a gradient of any optimizer was inf or nan, the factor is multiplied by backoff_factor, and the counting
        begins again. After growth_interval updates in a row without that it is multiplied by growth_factor,
        and the counting begins again.

        Raises:
            RuntimeError: nothing was unscaled since the last update; the message names step.
        """
        raise NotImplementedError("kata 17: GradScaler.update")

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs: "scale", the three options by name, and "_growth_tracker", the count."""
        raise NotImplementedError("kata 17: GradScaler.state_dict")

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what `state_dict` gave."""
        raise NotImplementedError("kata 17: GradScaler.load_state_dict")
