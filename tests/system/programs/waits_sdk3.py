"""The waits of SDK 3.x, with the SDK's own defaults: prints how long each took, in seconds."""

import json
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.resources import TrainingJob
from sagemaker.core.training.configs import Compute, SourceCode
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer

seconds = {}


@contextmanager
def timed(name):
    started = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - started, 1)


here = Path(tempfile.mkdtemp())
(here / "process.py").write_text("import time\ntime.sleep(1)\nprint('processing says hello')\n")
(here / "train.py").write_text(
    "import os, time, joblib\ntime.sleep(1)\nprint('training says hello')\n"
    "joblib.dump({'a': 1}, os.path.join(os.environ['SM_MODEL_DIR'], 'model.joblib'))\n"
)
(here / "inference.py").write_text(
    "import os, joblib\n\ndef model_fn(directory):\n    return joblib.load(os.path.join(directory, 'model.joblib'))\n"
)
session = Session()
role = get_execution_role(session)
image = image_uris.retrieve("sklearn", session.boto_region_name, version="1.2-1", instance_type="ml.m5.large")

processor = ScriptProcessor(
    image_uri=image,
    command=["python3"],
    role=role,
    instance_type="ml.m5.large",
    instance_count=1,
    sagemaker_session=session,
)
with timed("processing"):
    processor.run(code=str(here / "process.py"))

trainer = ModelTrainer(
    training_image=image,
    source_code=SourceCode(source_dir=str(here), entry_script="train.py"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    role=role,
    sagemaker_session=session,
)
with timed("training"):
    trainer.train()
job = TrainingJob.get(training_job_name=trainer._latest_training_job.training_job_name)

builder = ModelBuilder(
    image_uri=image,
    s3_model_data_url=job.model_artifacts.s3_model_artifacts,
    source_code=SourceCode(source_dir=str(here), entry_script="inference.py"),
    instance_type="ml.m5.large",
    role_arn=role,
    sagemaker_session=session,
)
builder.build(model_name="waits")
with timed("endpoint"):
    endpoint = builder.deploy(endpoint_name="waits", initial_instance_count=1)
with timed("deletion"):
    endpoint.delete()
    endpoint.wait_for_delete()
print("SECONDS", json.dumps(seconds))
