# PyTorch's.

from torch.optim import lr_scheduler as theirs

LRScheduler = theirs.LRScheduler
StepLR = theirs.StepLR
LinearLR = theirs.LinearLR
CosineAnnealingLR = theirs.CosineAnnealingLR
SequentialLR = theirs.SequentialLR
OneCycleLR = theirs.OneCycleLR
