"""Pipelines: reading and checking a definition, resolving its functions, and deciding what an execution does next.

Pure: the clock, the store and the jobs are the controller's; here are only values and decisions.
"""
