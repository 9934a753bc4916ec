"""Kata 07: gradients that the program finds itself. Given: the names that the files beside this one define."""

from tinytorch.autograd import derivatives as derivatives
from tinytorch.autograd.check import (
    GradcheckError as GradcheckError,
    gradcheck as gradcheck,
    numerical_gradient as numerical_gradient,
)
from tinytorch.autograd.function import (
    Context as Context,
    Function as Function,
)
from tinytorch.autograd.tape import (
    Node as Node,
    Tape as Tape,
    backpropagate as backpropagate,
    edges_to as edges_to,
    enable_grad as enable_grad,
    first_gradient as first_gradient,
    fit as fit,
    grad as grad,
    is_grad_enabled as is_grad_enabled,
    no_grad as no_grad,
    youngest_first as youngest_first,
)
