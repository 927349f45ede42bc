"""Amazon SageMaker in your own house.

`import sagehouse; sagehouse.activate()` points this process's AWS clients at the running house. Everything else is the
command line's: `sagehouse --help`. Importing this package loads nothing but the standard library's smallest modules.
"""

__version__ = "0.1.0"
__all__ = ["activate"]


def activate(*, home=None, region=None, fast_polling=True):  # type: ignore[no-untyped-def]
    """Point boto3, the SageMaker SDKs and any AWS client made from now on in this process at the running house.

    `home` is the house's data directory (default `SAGEHOUSE_HOME`, else `~/.sagehouse`), `region` an AWS region name
    (default the house's). With `fast_polling` the SDK's waits of 5 to 30 s end when what they wait for has changed.
    Returns the house's URL. RuntimeError, with the command to run, if no house is up there.
    """
    from sagehouse import activation

    return activation.activate(home=home, region=region, fast_polling=fast_polling)
