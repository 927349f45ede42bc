"""Training on several hosts."""

from sagehouse.toolkit.absent import absent


def rabit_run(  # the container's own parameters; one host needs no ports and no name
    exec_fun,
    args,
    include_in_training,
    hosts,
    current_host,  # noqa: ARG001
    update_rabit_args=False,
    **ports,  # noqa: ARG001
):
    """Run `exec_fun(**args)` on the one host there is; several hosts that train one model are not implemented."""
    if len(hosts) > 1:
        raise NotImplementedError(
            "sagehouse does not implement distributed XGBoost training: use one instance instead of %d." % len(hosts)
        )
    if not include_in_training:
        raise ValueError("There is no data to train on.")
    exec_fun(**(dict(args, is_master=True) if update_rabit_args else args))


__getattr__ = absent(__name__)
