# PyTorch's, which draw from kata 01's generator.

from torch.nn import init as theirs

from tinytorch.tensor.creation import drawing

for _name in [
    "uniform_",
    "normal_",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
]:
    globals()[_name] = drawing(getattr(theirs, _name))
constant_ = theirs.constant_
zeros_ = theirs.zeros_
ones_ = theirs.ones_
calculate_fan = theirs._calculate_fan_in_and_fan_out
calculate_gain = theirs.calculate_gain
