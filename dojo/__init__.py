"""What runs the katas: command line, pytest plugin, and the vocabulary specs are written in."""
