"""Start here: reads the configuration, builds and joins every room, runs the loop; the command line.

Nobody imports it.
"""
