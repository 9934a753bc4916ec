# PyTorch's lookup. PyTorch has no positions: those are the reference's.

import torch
from torch.nn import functional as F

from tinytorch.layers.module import module

embedding = F.embedding
Embedding = module(torch.nn.Embedding)
