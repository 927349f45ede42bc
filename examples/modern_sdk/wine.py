"""Process, train and deploy with the SageMaker Python SDK 3.x: ScriptProcessor, ModelTrainer, ModelBuilder, resources.

An ordinary program of the SDK. It runs on AWS as it is. The data are the wine measurements that come with scikit-learn.
"""

import json
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.resources import Endpoint, EndpointConfig, TrainingJob
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.training.configs import Compute, InputData, SourceCode
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer
from sklearn.datasets import load_wine

HERE = Path(__file__).parent
PREFIX = "modern-sdk-wine"


def process(session: Session, role: str, image: str, raw_uri: str) -> dict[str, str]:
    """Split the raw table in a processing job; return output name -> S3 URI."""
    base = f"s3://{session.default_bucket()}/{PREFIX}/split-{int(time.time())}"
    processor = ScriptProcessor(
        image_uri=image,
        command=["python3"],
        role=role,
        instance_type="ml.m5.large",
        instance_count=1,
        base_job_name=f"{PREFIX}-split",
        sagemaker_session=session,
    )
    processor.run(
        code=str(HERE / "source" / "split.py"),
        inputs=[
            ProcessingInput(
                input_name="raw",
                s3_input=ProcessingS3Input(
                    s3_uri=raw_uri,
                    local_path="/opt/ml/processing/input/raw",
                    s3_data_type="S3Prefix",
                    s3_input_mode="File",
                ),
            )
        ],
        outputs=[
            ProcessingOutput(
                output_name=name,
                s3_output=ProcessingS3Output(
                    s3_uri=f"{base}/{name}", local_path=f"/opt/ml/processing/{name}", s3_upload_mode="EndOfJob"
                ),
            )
            for name in ("train", "test")
        ],
    )
    return {name: f"{base}/{name}" for name in ("train", "test")}


def main() -> None:
    session = Session()
    role = get_execution_role(session)
    image = image_uris.retrieve("sklearn", session.boto_region_name, version="1.2-1", instance_type="ml.m5.large")

    with TemporaryDirectory() as directory:
        path = Path(directory) / "wine.csv"
        load_wine(as_frame=True).frame.to_csv(path, index=False)
        raw_uri = session.upload_data(str(path), key_prefix=f"{PREFIX}/raw")
    splits = process(session, role, image, raw_uri)
    print(f"processed: {splits}")

    trainer = ModelTrainer(
        training_image=image,
        source_code=SourceCode(source_dir=str(HERE / "source"), entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        hyperparameters={"n-estimators": 60},
        base_job_name=PREFIX,
        role=role,
        sagemaker_session=session,
    )
    trainer.train(input_data_config=[InputData(channel_name="train", data_source=splits["train"])])
    job = TrainingJob.get(training_job_name=trainer._latest_training_job.training_job_name)
    print(f"trained: {job.training_job_status} {job.model_artifacts.s3_model_artifacts}")

    name = f"{PREFIX}-{int(time.time())}"
    with TemporaryDirectory() as directory:
        source = shutil.copytree(HERE / "source", Path(directory) / "source")  # ModelBuilder refuses one below /root
        builder = ModelBuilder(
            image_uri=image,
            s3_model_data_url=job.model_artifacts.s3_model_artifacts,
            source_code=SourceCode(source_dir=str(source), entry_script="inference.py"),
            instance_type="ml.m5.large",
            role_arn=role,
            sagemaker_session=session,
        )
        model = builder.build(model_name=name)
    endpoint = builder.deploy(endpoint_name=name, initial_instance_count=1)

    with TemporaryDirectory() as directory:
        bucket, _, prefix = splits["test"].removeprefix("s3://").partition("/")
        session.download_data(directory, bucket, prefix)
        rows = [line.split(",") for line in next(Path(directory).rglob("*.csv")).read_text().splitlines()[1:]]
    features = [[float(value) for value in row[:-1]] for row in rows]
    answer = endpoint.invoke(body=json.dumps(features), content_type="application/json", accept="application/json")
    predicted = json.loads(answer.body.read())
    right = sum(int(guess) == int(row[-1]) for guess, row in zip(predicted, rows, strict=True))
    print(f"endpoint accuracy: {right / len(rows):.3f} on {len(rows)} wines")

    Endpoint.get(endpoint_name=name).delete()
    EndpointConfig.get(endpoint_config_name=name).delete()
    model.delete()
    print("cleaned up")


if __name__ == "__main__":
    main()
