"""The data that katas and milestones use: made here without a network, or downloaded once.

`strokes` draws digits, `stdlib` is a text to read, `python -m dojo data` downloads MNIST, CIFAR-10, Shakespeare and the
weights of GPT-2.
"""
