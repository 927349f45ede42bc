"""Where a file's result goes."""


def relative_name(key: str, prefix: str) -> str:
    """Return the name of an object below a string prefix, by which its result is called.

    The object that is the prefix itself, and those whose last segment the prefix only begins, keep that segment whole.
    """
    if key != prefix and (prefix.endswith("/") or not prefix):
        return key[len(prefix) :]
    if key.startswith(prefix + "/"):
        return key[len(prefix) + 1 :]
    return key[prefix.rfind("/") + 1 :]


def output_key(prefix: str, name: str) -> str:
    """Return the key of the result of input `name` below the output prefix.

    Source: developer guide, "Use Batch Transform": the result of x is x.out, in the same sub-folder.
    """
    folder = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    return f"{folder}{name}.out"
