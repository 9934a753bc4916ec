"""PyTorch's rules are in C++."""
