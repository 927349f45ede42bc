"""The built-in XGBoost algorithm as notebooks and courses use it with the SageMaker Python SDK 2.x."""

import io
import tarfile
import tempfile
from pathlib import Path

import boto3
import numpy as np
import sagemaker
from botocore.exceptions import ClientError
from sagemaker import image_uris
from sagemaker.deserializers import CSVDeserializer, JSONDeserializer
from sagemaker.estimator import Estimator
from sagemaker.exceptions import UnexpectedStatusException
from sagemaker.inputs import TrainingInput
from sagemaker.predictor import Predictor
from sagemaker.s3 import S3Downloader
from sagemaker.serializers import CSVSerializer, LibSVMSerializer
from sdk2_promises import main, printed, promise, refused
from sklearn.datasets import dump_svmlight_file, load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import train_test_split

HERE = tempfile.mkdtemp()
session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role()
client = boto3.client("sagemaker")
PREFIX = "builtin-xgboost"
ON = {"initial_instance_count": 1, "instance_type": "ml.m4.xlarge"}


def uploaded(name, table, labels, kind="csv"):
    """Upload a table, the label first, as the algorithm wants it; return its URI."""
    path = Path(HERE) / f"{name}.{kind}"
    if kind == "csv":
        np.savetxt(path, np.column_stack([labels, table]), delimiter=",", fmt="%.6g")
    else:
        dump_svmlight_file(table, labels, str(path))
    return session.upload_data(str(path), key_prefix=f"{PREFIX}/{name}")


def image(version="1.7-1"):
    return image_uris.retrieve("xgboost", session.boto_region_name, version=version)


def estimator(hyperparameters=None, version="1.7-1", **more):
    return Estimator(
        image_uri=image(version),
        role=role,
        instance_count=1,
        instance_type="ml.m4.xlarge",
        output_path=f"s3://{bucket}/{PREFIX}/output",
        sagemaker_session=session,
        hyperparameters=hyperparameters,
        **more,
    )


@promise
def the_course_trains_deploys_and_predicts_a_binary_classifier():
    table, labels = load_breast_cancer(return_X_y=True)
    train_rows, test_rows, train_labels, test_labels = train_test_split(table, labels, test_size=0.2, random_state=0)
    xgb = estimator(base_job_name="course")
    xgb.set_hyperparameters(
        max_depth=5,
        eta=0.2,
        gamma=4,
        min_child_weight=6,
        subsample=0.8,
        objective="binary:logistic",
        eval_metric="auc",
        num_round=60,
        early_stopping_rounds=5,
    )
    xgb.fit(
        {
            "train": TrainingInput(uploaded("cancer-train", train_rows, train_labels), content_type="csv"),
            "validation": TrainingInput(uploaded("cancer-test", test_rows, test_labels), content_type="text/csv"),
        }
    )
    log = printed()
    assert "train-auc:" in log, log
    assert "validation-auc:" in log, log
    described = xgb.latest_training_job.describe()
    metrics = {one["MetricName"]: one["Value"] for one in described["FinalMetricDataList"]}
    assert metrics["validation:auc"] > 0.95, metrics
    assert "train:auc" in metrics
    names = [one["Name"] for one in described["AlgorithmSpecification"]["MetricDefinitions"]]
    assert "validation:auc" in names, names
    assert described["HyperParameters"]["objective"] == "binary:logistic"
    S3Downloader.download(xgb.model_data, f"{HERE}/course")
    with tarfile.open(f"{HERE}/course/model.tar.gz") as tar:
        assert "xgboost-model" in tar.getnames(), tar.getnames()
    predictor = xgb.deploy(**ON, serializer=CSVSerializer())
    answer = predictor.predict(test_rows).decode("utf-8")
    values = np.array([float(v) for v in answer.replace("\n", ",").split(",") if v])
    assert len(values) == len(test_labels)
    assert ((values > 0.5) == test_labels).mean() > 0.9
    answer = Predictor(
        predictor.endpoint_name, session, serializer=CSVSerializer(), deserializer=CSVDeserializer()
    ).predict(test_rows[:3])
    assert len([v for row in answer for v in row]) == 3, answer
    answer = Predictor(
        predictor.endpoint_name, session, serializer=CSVSerializer(), deserializer=JSONDeserializer()
    ).predict(test_rows[:2])
    assert [round(one["score"], 3) for one in answer["predictions"]] == [round(v, 3) for v in values[:2]], answer
    svm = io.BytesIO()
    dump_svmlight_file(test_rows[:2], np.zeros(2), svm)
    predictor.serializer = LibSVMSerializer()
    answer = predictor.predict(svm.getvalue().decode()).decode()
    assert len(answer.replace("\n", ",").strip(",").split(",")) == 2, answer
    transformer = xgb.transformer(1, "ml.m4.xlarge", strategy="MultiRecord", assemble_with="Line", accept="text/csv")
    rows = Path(HERE) / "rows.csv"
    np.savetxt(rows, test_rows, delimiter=",", fmt="%.6g")
    transformer.transform(
        session.upload_data(str(rows), key_prefix=f"{PREFIX}/rows"), content_type="text/csv", split_type="Line"
    )
    batch = S3Downloader.read_file(f"{transformer.output_path}/rows.csv.out").split()
    assert np.allclose([float(v) for v in batch], values, atol=1e-4)
    with refused(ClientError) as errors:
        predictor.predict("1:2 3:x")
    assert errors[0].response["Error"]["Code"] == "ModelError", errors[0].response
    predictor.delete_model()
    predictor.delete_endpoint()


@promise
def a_regression_on_libsvm_with_the_oldest_spelling_of_channels():
    table, labels = load_diabetes(return_X_y=True)
    xgb = estimator({"objective": "reg:squarederror", "num_round": "20", "max_depth": "3", "eta": "0.3"})
    uri = uploaded("diabetes", table, labels, kind="libsvm")
    xgb.fit({"train": uri, "validation": uri}, logs=False)
    metrics = {one["MetricName"]: one["Value"] for one in xgb.latest_training_job.describe()["FinalMetricDataList"]}
    assert metrics["train:rmse"] < 60, metrics
    assert metrics["train:rmse"] == metrics["validation:rmse"], metrics


@promise
def a_multiclass_model_of_another_version():
    table, labels = load_iris(return_X_y=True)
    xgb = estimator(
        {"objective": "multi:softmax", "num_class": 3, "num_round": 10, "eval_metric": "mlogloss,merror"},
        version="1.5-1",
    )
    xgb.fit({"train": TrainingInput(uploaded("iris", table, labels), content_type="text/csv")}, logs=False)
    metrics = {one["MetricName"]: one["Value"] for one in xgb.latest_training_job.describe()["FinalMetricDataList"]}
    assert metrics["train:merror"] < 0.1, metrics
    assert "train:mlogloss" in metrics, metrics


@promise
def cross_validation_keeps_a_model_per_fold():
    table, labels = load_diabetes(return_X_y=True)
    train = TrainingInput(uploaded("kfold", table, labels), content_type="text/csv")
    xgb = estimator({"objective": "reg:squarederror", "num_round": 5, "_kfold": 3, "_num_cv_round": 1})
    xgb.fit({"train": train}, logs=False)
    S3Downloader.download(xgb.model_data, f"{HERE}/kfold")
    with tarfile.open(f"{HERE}/kfold/model.tar.gz") as tar:
        assert sorted(name for name in tar.getnames() if "xgboost-model" in name) == [
            f"xgboost-model-{n}" for n in range(3)
        ], tar.getnames()


@promise
def wrong_hyperparameters_and_missing_channels_are_told_in_the_algorithms_words():
    table, labels = load_iris(return_X_y=True)
    train = {"train": TrainingInput(uploaded("wrong", table, labels), content_type="text/csv")}
    for wrong in ({"objective": "reg:squarederror"}, {"num_round": 5, "eta": 7}, {"num_round": 5, "no_such": 1}):
        with refused((ClientError, UnexpectedStatusException)) as errors:
            estimator(wrong).fit(train, logs=False)
        assert any(name in str(errors[0]) for name in ("num_round", "eta", "no_such")), errors
    with refused(UnexpectedStatusException) as errors:
        estimator({"num_round": 5}).fit({"validation": train["train"]}, logs=False)
    assert "train" in str(errors[0]), errors
    bad = Path(HERE) / "words.csv"
    bad.write_text("label,a,b\nyes,1,2\n")
    uri = session.upload_data(str(bad), key_prefix=f"{PREFIX}/words")
    with refused(UnexpectedStatusException) as errors:
        estimator({"num_round": 5}).fit({"train": TrainingInput(uri, content_type="text/csv")}, logs=False)
    reason = str(errors[0])
    assert "ClientError" in reason or "AlgorithmError" in reason, reason
    with refused(UnexpectedStatusException) as errors:
        estimator({"num_round": 5}).fit({"train": TrainingInput(uri, content_type="image/png")}, logs=False)
    assert "image/png" in str(errors[0]), errors


if __name__ == "__main__":
    main()
