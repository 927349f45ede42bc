"""Hyperparameters as a script's command line."""


def arguments(hyperparameters):
    """Return ["--epochs", "10", "-k", "3"]: sorted by name, one letter with one dash, every name with a value.

    True becomes "True", None "", a dict "k=v,k=v".
    Source: sagemaker-training 5.1.4, mapping.to_cmd_args.
    """
    line = []
    for name in sorted(hyperparameters):
        line.append(_flag(str(name)))
        line.append(_value(hyperparameters[name]))
    return line


def _flag(name):
    if not name:
        return ""
    return "--" + name if len(name) > 1 else "-" + name


def _value(value):
    if value is None:
        return ""
    if isinstance(value, dict):
        return ",".join("%s=%s" % pair for pair in sorted(value.items()))
    return str(value)
