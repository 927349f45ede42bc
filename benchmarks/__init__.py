"""How fast and how small: `python -m benchmarks [name ...]` measures and prints a table.

One module per promise. Whatever has a peer or a bare limit is measured against it in the same run, in turns, so that a
busy machine slows both.
"""
