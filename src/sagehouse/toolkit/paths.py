"""Where a container of SageMaker finds and leaves its files. `SAGEMAKER_BASE_DIR` moves /opt/ml, here alone."""

import os

BASE = os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml"

CODE = BASE + "/code"
MODEL = BASE + "/model"
INPUT = BASE + "/input"
CONFIG = INPUT + "/config"
DATA = INPUT + "/data"
OUTPUT = BASE + "/output"
OUTPUT_DATA = OUTPUT + "/data"
INTERMEDIATE = OUTPUT + "/intermediate"
FAILURE = OUTPUT + "/failure"
SUCCESS = OUTPUT + "/success"
