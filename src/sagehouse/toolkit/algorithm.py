"""The built-in algorithm of a framework: the package of `sagehouse.algorithms` that goes by its name, if there is one.

It has the modules `train` (main), `serve` (AlgorithmService) and `handlers` (ScriptDefaults). The toolkit knows none of
them by name, so that a further algorithm is a further package and nothing else.
"""

from importlib import import_module
from importlib.util import find_spec


def package_of(framework):
    """Return the name of the framework's package, "" if it brings no algorithm."""
    package = "sagehouse.algorithms.%s" % framework
    return package if framework.isidentifier() and find_spec(package) else ""


def module_of(framework, name):
    """Import this module of the framework's package; None if it has no package."""
    package = package_of(framework)
    return import_module("%s.%s" % (package, name)) if package else None
