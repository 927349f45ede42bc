"""Step caching: which runs of a step are the same."""

import hashlib
import json

from sagehouse.domain.pipelines.definition import Step
from sagehouse.kit.document import Document


def cache_key(step: Step, request: Document) -> str:
    """Return what two runs of a step share when the result of one stands for the other's; "" if it is never reused.

    `request` has its functions resolved. Only the arguments AWS names count: output places and instance types do not.
    Source: SageMaker developer guide, "Default cache key attributes by pipeline step type".
    """
    if not step.type.cache_members:
        return ""
    told = {member: request[member] for member in step.type.cache_members if member in request}
    text = json.dumps([step.name, step.type.name, told], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
