import torch
from torch.nn import functional as F

from tinytorch.layers.module import module

embedding = F.embedding
Embedding = module(torch.nn.Embedding)
