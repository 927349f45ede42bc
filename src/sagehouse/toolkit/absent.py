"""What a stand-in for a container's package does not have: said when a script reaches for it."""


def absent(module):
    """Return the `__getattr__` of a module whose other names do not exist here. Importing the module is no error."""

    def missing(name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            "sagehouse does not implement %s.%s: scripts run in an environment of their own, not in AWS's container. "
            "What they can import is listed in docs/guide/container-contract.md." % (module, name)
        )

    return missing
