"""A container without Docker: namespaces, a root of its own, a supervisor that outlives the control plane.

Two halves. `runtime` and `doctor` run in the control plane. `supervisor` and what it imports (`host`, `root`, `kernel`,
`logfile`, `limits`, `ledger`) run in a bare interpreter of their own (`launch`), into which this file is not imported:
they import nothing but the standard library's built-in modules and ctypes, because a job's start waits for them.
"""

from sagehouse.runtimes.process.runtime import ProcessRuntime

__all__ = ["ProcessRuntime"]
