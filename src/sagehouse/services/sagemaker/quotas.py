"""How many instances one request may ask for, in the words of AWS's service quotas."""

from collections.abc import Iterable

from sagehouse.kit.errors import LimitExceeded

MOST_INSTANCES = 100
"""Each is processes on this machine. Source: service model, ProcessingInstanceCount, the one count that has a bound."""


def check_instances(asked: Iterable[tuple[str, int]], *, usage: str) -> None:
    """Raise LimitExceeded unless so many instances of these types may be used; `usage` is "training job".

    Source: wire observations of CreateTrainingJob and CreateEndpoint ("The account-level service limit ...").
    """
    for instance_type, count in asked:
        if count > MOST_INSTANCES:
            raise LimitExceeded(
                f"The account-level service limit '{instance_type} for {usage} usage' is {MOST_INSTANCES} Instances, "
                f"with current utilization of 0 Instances and a request delta of {count} Instances. All of them would "
                "be processes of one machine: ask for fewer."
            )
