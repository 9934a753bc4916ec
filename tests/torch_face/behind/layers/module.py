# PyTorch's modules. Conventions: a Parameter takes an array too; a subclass of Module need not call its `__init__`;
# what PyTorch's own modules set up, parameters and buffers, are Tensors of the class above its own.

import torch

from tinytorch.tensor.creation import drawing
from tinytorch.tensor.tensor import called, presented


class _Marked(type(Tensor)):
    """isinstance asks for PyTorch's mark: a Parameter or a Buffer is a Tensor that carries one."""

    def __instancecheck__(cls, value):
        return isinstance(value, Tensor) and getattr(value, cls.mark, False)


class Parameter(Tensor, metaclass=_Marked):
    mark = "_is_param"

    def __new__(cls, data, requires_grad=True):
        return torch.nn.Parameter(data if isinstance(data, Tensor) else Tensor(data), requires_grad)


class Buffer(Tensor, metaclass=_Marked):
    mark = "_is_buffer"

    def __new__(cls, data):
        return torch.nn.Buffer(data if isinstance(data, Tensor) else Tensor(data))


class Module(torch.nn.Module):
    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        torch.nn.Module.__init__(self)  # a subclass need not call it
        return self

    def register_parameter(self, name, param):
        if param is not None and not isinstance(param, Tensor):
            param = Parameter(presented(param.data), param.requires_grad)
        super().register_parameter(name, param)

    def register_buffer(self, name, tensor, persistent=True):
        super().register_buffer(name, presented(tensor), persistent)

    def to(self, *args, **kwargs):
        return called(super().to, *args, **kwargs)

    def load_state_dict(self, state, strict=True):
        return called(super().load_state_dict, state, strict)


def module(theirs):
    """A module of PyTorch's as one of these. Where it draws its parameters, it draws from kata 01's generator."""
    own = (
        {"reset_parameters": drawing(theirs.reset_parameters)} if hasattr(theirs, "reset_parameters") else {}
    )
    return type(theirs.__name__, (Module, theirs), own)
