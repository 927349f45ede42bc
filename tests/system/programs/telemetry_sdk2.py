"""A call that SDK 2.x reports to its makers, unless it was told not to."""

import sagemaker
from sagemaker.model import Model

model = Model(
    image_uri="683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
    role=sagemaker.get_execution_role(),
    sagemaker_session=sagemaker.Session(),
)
try:
    model.deploy(initial_instance_count=0, instance_type="ml.m5.large")
except ValueError as error:
    print(type(error).__name__)
