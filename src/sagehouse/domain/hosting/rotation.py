"""Sharing requests among variants in proportion to their weights, without chance."""

from collections.abc import Mapping


class Rotation:
    """Smooth weighted round robin: over any run of requests each name gets its share, evenly spread.

    Invariant: the credits add up to zero between choices.
    Source: the smooth weighted balancing of nginx (ngx_http_upstream_round_robin); SageMaker promises proportions only.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}
        self._credits = dict.fromkeys(self._weights, 0.0)
        self._total = sum(self._weights.values())

    def next(self) -> str | None:
        """Return the name whose turn it is; None if every weight is zero."""
        if len(self._credits) < 2:
            return next(iter(self._credits), None)
        for name, weight in self._weights.items():
            self._credits[name] += weight
        chosen = max(self._credits, key=lambda name: self._credits[name])
        self._credits[chosen] -= self._total
        return chosen
