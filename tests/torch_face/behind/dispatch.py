def wrap(array):
    return tensor_type(np.asarray(array))


_register = accelerates


def accelerates(function):
    """PyTorch's functions have kernels of their own: only functions of the reference's get one."""
    return _register(function) if function in accelerables else lambda kernel: kernel
