"""What differs between the XGBoost releases, 0.90 to 3.2, that this algorithm runs on."""

import xgboost

VERSION = tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in xgboost.__version__.split(".")[:2])

SAVES_NATIVELY = VERSION >= (1, 3)
"""From container 1.3-1 on the artifact is XGBoost's own format; before, a pickled Booster."""
SLICES = VERSION >= (1, 3)
"""booster[:n] is the model of the first n rounds."""
RANGES = VERSION >= (1, 4)
"""predict takes iteration_range; before, ntree_limit."""
