"""Every wait of SDK 2.x, with the SDK's own defaults: prints how long each took, in seconds."""

import json
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import boto3
import sagemaker
from sagemaker.processing import ProcessingOutput
from sagemaker.sklearn import SKLearn, SKLearnProcessor
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep

seconds = {}


@contextmanager
def timed(name):
    started = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - started, 1)


here = Path(tempfile.mkdtemp())
(here / "process.py").write_text(
    "import time\ntime.sleep(1)\nprint('processing says hello')\n"
    "open('/opt/ml/processing/out/x.csv', 'w').write('1,2\\n')\n"
)
(here / "train.py").write_text("""
import os, time, joblib

def model_fn(directory):
    return joblib.load(os.path.join(directory, "model.joblib"))

def predict_fn(data, model):
    return data

if __name__ == "__main__":
    time.sleep(1)
    print("training says hello")
    joblib.dump({"a": 1}, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
""")
role = sagemaker.get_execution_role()
outputs = [ProcessingOutput(output_name="out", source="/opt/ml/processing/out")]


def processor(session=None):
    return SKLearnProcessor(
        framework_version="1.2-1",
        role=role,
        instance_type="ml.m5.large",
        instance_count=1,
        sagemaker_session=session,
    )


with timed("processing"):
    processor().run(code=str(here / "process.py"), outputs=outputs)
with timed("processing without logs"):
    processor().run(code=str(here / "process.py"), outputs=outputs, logs=False)

estimator = SKLearn(
    entry_point="train.py",
    source_dir=str(here),
    framework_version="1.2-1",
    instance_type="ml.m5.large",
    role=role,
)
with timed("training"):
    estimator.fit()

session = PipelineSession()
first = ProcessingStep("First", step_args=processor(session).run(code=str(here / "process.py"), outputs=outputs))
names = ["Second", "Third", "Fourth"]
others = [
    ProcessingStep(
        name, step_args=processor(session).run(code=str(here / "process.py"), outputs=outputs), depends_on=[first]
    )
    for name in names
]
pipeline = Pipeline("waits", steps=[first, *others], sagemaker_session=session)
pipeline.upsert(role_arn=role)
execution = pipeline.start()
with timed("pipeline"):
    execution.wait(delay=30, max_attempts=2)

with timed("endpoint"):
    predictor = estimator.deploy(initial_instance_count=1, instance_type="ml.m5.large")
predictor.delete_endpoint()

data = sagemaker.Session().upload_string_as_file_body("1,2\n3,4\n", sagemaker.Session().default_bucket(), "in/x.csv")
with timed("transform"):
    transformer = estimator.transformer(instance_count=1, instance_type="ml.m5.large")
    transformer.transform(data, content_type="text/csv", split_type="Line")

boto3.client("sagemaker").create_processing_job(
    ProcessingJobName="by-waiter",
    ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    AppSpecification={
        "ImageUri": sagemaker.image_uris.retrieve("sklearn", "us-east-1", version="1.2-1"),
        "ContainerEntrypoint": ["sleep", "1"],
    },
    RoleArn=role,
)
with timed("botocore's waiter"):
    boto3.client("sagemaker").get_waiter("processing_job_completed_or_stopped").wait(ProcessingJobName="by-waiter")
print("SECONDS", json.dumps(seconds))
