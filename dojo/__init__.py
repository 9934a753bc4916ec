"""What runs the katas: the command line, the pytest plugin, and the functions that specs are written with."""
