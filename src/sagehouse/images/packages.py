"""Sets of exact versions that are known to install and import together, shared by several images.

Each set names the Pythons it was built, imported and fitted a model on.
"""

from collections.abc import Sequence

LIGHT = (
    "boto3==1.37.38",
    "botocore==1.37.38",
    "certifi==2025.4.26",
    "charset-normalizer==3.4.2",
    "idna==3.10",
    "jmespath==1.0.1",
    "pip==25.0.1",
    "python-dateutil==2.9.0.post0",
    "requests==2.32.4",
    "s3transfer==0.11.5",
    "setuptools==75.3.2",
    "six==1.17.0",
    "urllib3==1.26.20",
)
"""In every image: the AWS client, requests, and pip with what builds a source package. For Python 3.8 to 3.13."""

_FRAMES = ("pytz==2025.2", "tzdata==2025.2")


def scientific(*versions: str) -> Sequence[str]:
    """Return LIGHT with numpy, scipy, pandas, scikit-learn and friends in the versions given."""
    return (*LIGHT, *_FRAMES, *versions)


NUMPY_1_19 = (
    "joblib==1.1.1",
    "numpy==1.19.5",
    "pandas==1.1.5",
    "pyarrow==6.0.1",
    "scipy==1.5.4",
    "threadpoolctl==3.1.0",
)
"""Python 3.8 and 3.9."""
NUMPY_1_21 = (
    "joblib==1.2.0",
    "numpy==1.21.6",
    "pandas==1.3.5",
    "pyarrow==12.0.1",
    "scipy==1.7.3",
    "threadpoolctl==3.1.0",
)
"""Python 3.8 to 3.10."""
NUMPY_1_23 = (
    "joblib==1.2.0",
    "numpy==1.23.5",
    "pandas==1.5.3",
    "pyarrow==14.0.2",
    "scipy==1.10.1",
    "threadpoolctl==3.1.0",
)
"""Python 3.8 to 3.11."""
NUMPY_1_26 = (
    "joblib==1.3.2",
    "numpy==1.26.4",
    "pandas==2.1.4",
    "pyarrow==14.0.2",
    "scipy==1.11.4",
    "threadpoolctl==3.5.0",
)
"""Python 3.9 to 3.12."""
NUMPY_2_1 = (
    "joblib==1.4.2",
    "numpy==2.1.3",
    "pandas==2.2.3",
    "pyarrow==22.0.0",
    "scipy==1.14.1",
    "threadpoolctl==3.5.0",
)
"""Python 3.10 to 3.13."""
NUMPY_2_3 = (
    "joblib==1.5.2",
    "narwhals==2.28.0",
    "numpy==2.3.5",
    "pandas==2.3.3",
    "pyarrow==22.0.0",
    "scipy==1.16.3",
    "threadpoolctl==3.6.0",
)
"""Python 3.11 to 3.13."""
