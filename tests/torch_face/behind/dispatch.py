# Convention: an array is wrapped in the class above PyTorch's.


def wrap(array):
    return tensor_type(np.asarray(array))


# PyTorch's functions have kernels of their own: only functions that are the reference's get one of kata 15's or 16's.

_register = accelerates


def accelerates(function):
    return _register(function) if function in accelerables else lambda kernel: kernel
