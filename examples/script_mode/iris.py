"""The classic script-mode lab: train, deploy and batch-transform a scikit-learn model on the iris data.

An ordinary program of the SageMaker Python SDK 2.x, as in AWS's tutorials. It runs on AWS as it is.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import sagemaker
from sagemaker.sklearn import SKLearn
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent
PREFIX = "script-mode-iris"


def main() -> None:
    session = sagemaker.Session()
    role = sagemaker.get_execution_role(session)
    table = load_iris(as_frame=True).frame
    train, test = train_test_split(table, test_size=0.2, random_state=3, stratify=table["target"])

    with TemporaryDirectory() as directory:
        train.to_csv(f"{directory}/train.csv", index=False)
        test.drop(columns="target").to_csv(f"{directory}/batch.csv", index=False, header=False)
        train_uri = session.upload_data(f"{directory}/train.csv", key_prefix=f"{PREFIX}/train")
        batch_uri = session.upload_data(f"{directory}/batch.csv", key_prefix=f"{PREFIX}/batch")

    estimator = SKLearn(
        entry_point="train.py",
        source_dir=str(HERE / "source"),
        role=role,
        instance_type="ml.m5.large",
        framework_version="1.2-1",
        py_version="py3",
        hyperparameters={"n-estimators": 50, "max-depth": 4},
        base_job_name=PREFIX,
        sagemaker_session=session,
    )
    estimator.fit({"train": train_uri})
    print(f"model: {estimator.model_data}")

    predictor = estimator.deploy(
        initial_instance_count=1, instance_type="ml.m5.large", endpoint_name=f"{PREFIX}-{int(time.time())}"
    )
    rows = test.drop(columns="target").to_numpy()
    predicted = predictor.predict(rows)
    print(f"endpoint accuracy: {float(np.mean(predicted == test['target'].to_numpy())):.3f}")

    transformer = estimator.transformer(
        instance_count=1, instance_type="ml.m5.large", accept="text/csv", assemble_with="Line", strategy="MultiRecord"
    )
    transformer.transform(batch_uri, content_type="text/csv", split_type="Line")
    transformer.wait()
    with TemporaryDirectory() as directory:
        bucket, _, prefix = transformer.output_path.removeprefix("s3://").partition("/")
        session.download_data(directory, bucket, f"{prefix}/batch.csv.out")
        batch = pd.read_csv(Path(directory) / "batch.csv.out", header=None).to_numpy().ravel()
    print(f"batch transform agrees with the endpoint: {bool((batch == predicted).all())} on {len(batch)} rows")

    predictor.delete_model()
    predictor.delete_endpoint()
    print("cleaned up")


if __name__ == "__main__":
    main()
