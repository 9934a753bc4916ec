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
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, float16


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
        if not growth_factor > 1:
            raise ValueError(f"growth_factor must be above 1, got {growth_factor}")
        if not 0 < backoff_factor < 1:
            raise ValueError(f"backoff_factor must be between 0 and 1, got {backoff_factor}")
        self.growth_factor = growth_factor
        self.backoff_factor = backoff_factor
        self.growth_interval = growth_interval
        self._scale = float(init_scale)
        self._steps_without_overflow = 0
        self._overflowed: dict[Optimizer, bool] = {}  # of the optimizers that are unscaled
        self._stepped: set[Optimizer] = set()

    def get_scale(self) -> float:
        """The factor now."""
        return self._scale

    def scale(self, loss: Tensor) -> Tensor:
        """loss times the factor: call backward on that."""
        return loss * self._scale

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of the optimizer's parameters by the factor, in place, and look for inf and nan.

        Parameters without a gradient do not count. It can be called once between two updates: not after itself, and not
        after step.

        Raises:
            RuntimeError: it was called already since the last update; the message names update.
            ValueError: a gradient is float16, in which the quotient would be 0 again; the message names float16.
                Nothing is changed then.
        """
        if optimizer in self._overflowed:
            raise RuntimeError("the gradients are unscaled already: call update() before the next unscale_")
        params = [each for group in optimizer.param_groups for each in group["params"]]
        grads = [each.grad for each in params if each.grad is not None]
        if any(grad.dtype == float16 for grad in grads):
            raise ValueError("gradients of float16 cannot be unscaled: keep the parameters in float32")
        finite = True
        for grad in grads:
            grad.mul_(1 / self._scale)
            finite = finite and bool(get_array_module(grad.data).isfinite(grad.data).all())
        self._overflowed[optimizer] = not finite

    def step(self, optimizer: Optimizer) -> None:
        """optimizer.step(), but not if a gradient is inf or nan. Unscales the gradients, unless that is done.

        Raises:
            RuntimeError: it was called already since the last update; the message names update.
            ValueError: as unscale_.
        """
        if optimizer in self._stepped:
            raise RuntimeError("the optimizer has made its step already: call update() before the next one")
        if optimizer not in self._overflowed:
            self.unscale_(optimizer)
        self._stepped.add(optimizer)
        if not self._overflowed[optimizer]:
            optimizer.step()

    def update(self) -> None:
        """End the step: the factor for the next one.

        If a gradient of any optimizer was inf or nan, the factor is multiplied by backoff_factor, and the counting
        begins again. After growth_interval updates in a row without that it is multiplied by growth_factor,
        and the counting begins again.

        Raises:
            RuntimeError: nothing was unscaled since the last update; the message names step.
        """
        if not self._overflowed:
            raise RuntimeError(
                "no gradients were looked at since the last update: call step(optimizer) first"
            )
        self._steps_without_overflow += 1
        if any(self._overflowed.values()):
            self._scale *= self.backoff_factor
            self._steps_without_overflow = 0
        elif self._steps_without_overflow == self.growth_interval:
            self._scale *= self.growth_factor
            self._steps_without_overflow = 0
        self._overflowed.clear()
        self._stepped.clear()

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs: "scale", the three options by name, and "_growth_tracker", the count."""
        return {
            "scale": self._scale,
            "growth_factor": self.growth_factor,
            "backoff_factor": self.backoff_factor,
            "growth_interval": self.growth_interval,
            "_growth_tracker": self._steps_without_overflow,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what `state_dict` gave."""
        self._scale = state_dict["scale"]
        self.growth_factor = state_dict["growth_factor"]
        self.backoff_factor = state_dict["backoff_factor"]
        self.growth_interval = state_dict["growth_interval"]
        self._steps_without_overflow = state_dict["_growth_tracker"]
