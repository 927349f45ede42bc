"""Models, endpoints and predictors as notebooks and courses write them with the SageMaker Python SDK 2.x."""

import io
import json
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import boto3
import numpy as np
import pandas as pd
import sagemaker
from botocore.exceptions import ClientError
from sagemaker import image_uris
from sagemaker.deserializers import (
    BytesDeserializer,
    CSVDeserializer,
    JSONDeserializer,
    StringDeserializer,
)
from sagemaker.model import FrameworkModel, Model
from sagemaker.predictor import Predictor
from sagemaker.s3 import S3Uploader
from sagemaker.serializers import CSVSerializer, IdentitySerializer, JSONSerializer, LibSVMSerializer, NumpySerializer
from sagemaker.sklearn import SKLearn, SKLearnModel, SKLearnPredictor
from sagemaker.xgboost import XGBoost, XGBoostModel, XGBoostPredictor
from sdk2_promises import main, promise, refused, script, unique

HERE = tempfile.mkdtemp()
session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role()
client, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
SKLEARN = image_uris.retrieve("sklearn", "us-east-1", version="1.2-1", instance_type="ml.m5.large")
ON = {"initial_instance_count": 1, "instance_type": "ml.m5.large"}


def archive(name, files):
    """Upload a model.tar.gz of name -> text; return its URI."""
    path = Path(HERE) / unique(name) / "model.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        for file, text in files.items():
            data = text.encode()
            info = tarfile.TarInfo(file)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return S3Uploader.upload(str(path), f"s3://{bucket}/models/{path.parent.name}")


FACTOR = script(
    HERE,
    "factor/inference.py",
    """
    import json, os
    import numpy as np
    from helper import NOTE

    def model_fn(model_dir):
        print("loading from", sorted(os.listdir(model_dir)))
        return json.load(open(os.path.join(model_dir, "model.json")))["factor"]

    def input_fn(request_body, request_content_type):
        if request_content_type == "application/json":
            return np.array(json.loads(request_body)["instances"], dtype=float)
        if request_content_type == "text/csv":
            return np.array([[float(v) for v in row.split(",")] for row in request_body.strip().split("\\n")])
        raise ValueError("Unsupported content type: " + request_content_type)

    def predict_fn(input_data, model):
        if (input_data < 0).any():
            raise ValueError("negative numbers are not for this model")
        return input_data * model

    def output_fn(prediction, accept):
        if accept == "text/csv":
            return "\\n".join(",".join(str(v) for v in row) for row in prediction), accept
        return json.dumps({"predictions": prediction.tolist(), "note": NOTE, "model": os.environ.get("FLAVOUR")}), \\
            "application/json"
    """,
)
script(HERE, "factor/helper.py", "NOTE = 'from the helper'\n")


def factor_model(factor, **more):
    return SKLearnModel(
        model_data=archive("factor", {"model.json": json.dumps({"factor": factor})}),
        role=role,
        entry_point="inference.py",
        source_dir=str(Path(FACTOR).parent),
        framework_version="1.2-1",
        py_version="py3",
        sagemaker_session=session,
        **more,
    )


@promise
def a_model_with_its_own_handlers_answers_json_and_csv_and_says_what_went_wrong():
    model = factor_model(3, env={"FLAVOUR": "plain"}, name=unique("factor"))
    predictor = model.deploy(
        **ON,
        endpoint_name=unique("own-handlers"),
        serializer=JSONSerializer(),
        deserializer=JSONDeserializer(),
        tags=[{"Key": "stage", "Value": "test"}],
    )
    assert predictor.predict({"instances": [[1, 2]]}) == {
        "predictions": [[3.0, 6.0]],
        "note": "from the helper",
        "model": "plain",
    }
    csv = Predictor(
        predictor.endpoint_name, sagemaker_session=session, serializer=CSVSerializer(), deserializer=CSVDeserializer()
    )
    assert csv.predict([[1, 2], [3, 4]]) == [["3.0", "6.0"], ["9.0", "12.0"]]
    assert csv.predict("5,6") == [["15.0", "18.0"]]
    assert csv.accept == ("text/csv",)
    with refused(ClientError) as errors:
        predictor.predict({"instances": [[-1]]})
    error = errors[0].response
    assert error["Error"]["Code"] == "ModelError", error
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 424, error
    assert error["OriginalStatusCode"] == 500, error
    assert "negative numbers are not for this model" in error["OriginalMessage"], error
    assert "Received server error (500) from primary with message" in str(errors[0]), errors
    assert f"/aws/sagemaker/Endpoints/{predictor.endpoint_name}" in str(errors[0]), errors
    assert predictor.endpoint_name in error["LogStreamArn"], error
    with refused(ClientError) as errors:
        runtime.invoke_endpoint(EndpointName=predictor.endpoint_name, ContentType="image/png", Body=b"x")
    assert "Unsupported content type: image/png" in str(errors[0]), errors
    log = "".join(
        event["message"] + "\n"
        for event in boto3.client("logs").filter_log_events(
            logGroupName=f"/aws/sagemaker/Endpoints/{predictor.endpoint_name}", logStreamNamePrefix="AllTraffic/"
        )["events"]
    )
    assert "ValueError: negative numbers are not for this model" in log, log
    assert "loading from" in log, log
    described = session.sagemaker_client.describe_endpoint(EndpointName=predictor.endpoint_name)
    assert described["EndpointStatus"] == "InService"
    assert described["ProductionVariants"][0]["VariantName"] == "AllTraffic"
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert client.list_tags(ResourceArn=described["EndpointArn"])["Tags"] == [{"Key": "stage", "Value": "test"}]
    predictor.delete_endpoint()
    model.delete_model()
    client.get_waiter("endpoint_deleted").wait(EndpointName=predictor.endpoint_name)
    with refused(ClientError) as errors:
        client.describe_endpoint(EndpointName=predictor.endpoint_name)
    assert "Could not find endpoint" in str(errors[0]), errors
    with refused(ClientError) as errors:
        predictor.predict({"instances": [[1]]})
    assert errors[0].response["Error"]["Code"] == "ValidationError", errors[0].response
    assert "not found" in str(errors[0]), errors


@promise
def an_endpoint_is_updated_without_losing_a_request():
    old, new = factor_model(2, name=unique("old")), factor_model(5, name=unique("new"))
    predictor = old.deploy(
        **ON, endpoint_name=unique("updated"), serializer=JSONSerializer(), deserializer=JSONDeserializer()
    )
    new.create(instance_type="ml.m5.large")
    answers, broken, stop = [], [], threading.Event()

    def ask():
        own = boto3.client("sagemaker-runtime")
        while not stop.is_set():
            try:
                body = own.invoke_endpoint(
                    EndpointName=predictor.endpoint_name, ContentType="application/json", Body=b'{"instances": [[1]]}'
                )["Body"].read()
                answers.append(json.loads(body)["predictions"][0][0])
            except ClientError as error:
                broken.append(str(error))
            time.sleep(0.02)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    before = predictor.endpoint_name
    predictor.update_endpoint(model_name=new.name, **ON)
    deadline = time.time() + 20
    while (not answers or answers[-1] != 5.0) and time.time() < deadline:
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert not broken, broken[:3]
    assert answers[0] == 2.0, answers[:3]
    assert answers[-1] == 5.0, answers[-3:]
    assert set(answers) == {2.0, 5.0}
    assert predictor.endpoint_name == before
    config = client.describe_endpoint_config(
        EndpointConfigName=client.describe_endpoint(EndpointName=before)["EndpointConfigName"]
    )
    assert config["ProductionVariants"][0]["ModelName"] == new.name
    predictor.update_endpoint(initial_instance_count=2, instance_type="ml.m5.large", model_name=new.name)
    described = client.describe_endpoint(EndpointName=before)
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2, described
    predictor.delete_endpoint(delete_endpoint_config=True)


@promise
def an_endpoint_is_replaced_with_boto3():
    names = []
    for factor in (2, 7):
        model = factor_model(factor, name=unique("boto"))
        model.create()
        config = unique("config")
        client.create_endpoint_config(
            EndpointConfigName=config,
            ProductionVariants=[
                {
                    "VariantName": "main",
                    "ModelName": model.name,
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.t2.medium",
                    "InitialVariantWeight": 1,
                }
            ],
        )
        names.append(config)
    endpoint = unique("replaced")
    client.create_endpoint(EndpointName=endpoint, EndpointConfigName=names[0])
    with refused(ClientError) as errors:
        client.create_endpoint(EndpointName=endpoint, EndpointConfigName=names[0])
    assert "Cannot create already existing endpoint" in str(errors[0]), errors
    client.get_waiter("endpoint_in_service").wait(EndpointName=endpoint)
    client.update_endpoint(EndpointName=endpoint, EndpointConfigName=names[1])
    assert client.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] in {"Updating", "InService"}
    client.get_waiter("endpoint_in_service").wait(EndpointName=endpoint)
    answer = runtime.invoke_endpoint(
        EndpointName=endpoint,
        ContentType="text/csv",
        Accept="text/csv",
        Body="1,2",
        TargetVariant="main",
        CustomAttributes="trace=1",
        InferenceId="inference-1",
    )
    assert answer["Body"].read() == b"7.0,14.0"
    assert answer["ContentType"].startswith("text/csv")
    assert answer["InvokedProductionVariant"] == "main"
    client.delete_endpoint(EndpointName=endpoint)
    client.get_waiter("endpoint_deleted").wait(EndpointName=endpoint)
    for config in names:
        client.delete_endpoint_config(EndpointConfigName=config)


@promise
def transform_fn_and_a_model_inside_the_archive():
    data = archive(
        "whole",
        {
            "model.json": "{}",
            "code/inference.py": (
                "def model_fn(model_dir):\n    return open(model_dir + '/model.json').read()\n"
                "def transform_fn(model, body, content_type, accept):\n"
                "    return 'model %s got %s as %s for %s' % (model, body, content_type, accept), 'text/plain'\n"
            ),
        },
    )
    model = Model(
        image_uri=SKLEARN,
        model_data=data,
        role=role,
        sagemaker_session=session,
        predictor_cls=Predictor,
        env={"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
    )
    predictor = model.deploy(**ON)
    predictor.serializer, predictor.deserializer = CSVSerializer(), StringDeserializer()
    assert predictor.predict([1, 2, 3]) == "model {} got 1,2,3 as text/csv for */*" or predictor.predict(
        [1, 2, 3]
    ).startswith("model {} got 1,2,3 as text/csv for "), predictor.predict([1, 2, 3])
    predictor.delete_model()
    predictor.delete_endpoint()
    with refused(ClientError) as errors:
        client.describe_model(ModelName=model.name)
    assert "Could not find model" in str(errors[0]), errors


@promise
def a_model_that_cannot_be_loaded_fails_its_endpoint_with_a_reason():
    data = archive("broken", {"x": "x"})
    model = SKLearnModel(
        model_data=data,
        role=role,
        entry_point=script(HERE, "broken.py", "def model_fn(model_dir):\n    raise RuntimeError('no weights here')\n"),
        framework_version="1.2-1",
        sagemaker_session=session,
    )
    name = unique("broken")
    with refused(sagemaker.exceptions.UnexpectedStatusException) as errors:
        model.deploy(**ON, endpoint_name=name)
    assert "Failed" in str(errors[0]), errors
    reason = client.describe_endpoint(EndpointName=name)["FailureReason"]
    assert "ping health check" in reason, reason
    with refused(ClientError):
        runtime.invoke_endpoint(EndpointName=name, Body=b"x")
    client.delete_endpoint(EndpointName=name)


@promise
def a_trained_sklearn_model_predicts_arrays_with_its_defaults():
    entry = script(
        HERE,
        "iris/train.py",
        """
        import os, joblib
        from sklearn.datasets import load_iris
        from sklearn.linear_model import LogisticRegression

        def model_fn(model_dir):
            return joblib.load(os.path.join(model_dir, "model.joblib"))

        if __name__ == "__main__":
            X, y = load_iris(return_X_y=True)
            joblib.dump(LogisticRegression(max_iter=300).fit(X, y), os.path.join(os.environ["SM_MODEL_DIR"],
                        "model.joblib"))
        """,
    )
    estimator = SKLearn(
        entry_point=entry,
        framework_version="1.2-1",
        py_version="py3",
        instance_type="ml.m5.large",
        role=role,
        sagemaker_session=session,
    )
    estimator.fit(logs=False)
    predictor = estimator.deploy(**ON)
    assert isinstance(predictor, SKLearnPredictor)
    rows = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
    answer = predictor.predict(np.array(rows))
    assert isinstance(answer, np.ndarray), type(answer)
    assert answer.tolist() == [0, 2], answer
    assert predictor.predict(rows).tolist() == [0, 2]
    endpoint = predictor.endpoint_name
    for serializer, deserializer, expected in (
        (CSVSerializer(), CSVDeserializer(), [["0", "2"], [["0"], ["2"]]]),
        (JSONSerializer(), JSONDeserializer(), [[0, 2]]),
        (NumpySerializer(), BytesDeserializer(), None),
        (NumpySerializer(dtype="float32"), JSONDeserializer(), [[0, 2]]),
    ):
        other = Predictor(endpoint, sagemaker_session=session, serializer=serializer, deserializer=deserializer)
        answer = other.predict(np.array(rows))
        told = [[str(float(v)) for v in np.array(e).ravel()] for e in expected] if expected else None
        if expected:
            assert [str(float(v)) for v in np.array(answer).ravel()] in told, (serializer, answer)
        else:
            assert answer, "bytes"
    frame = SKLearnPredictor(endpoint, sagemaker_session=session)
    assert frame.predict(pd.DataFrame(rows).to_numpy()).tolist() == [0, 2]
    with refused(ClientError) as errors:
        runtime.invoke_endpoint(EndpointName=endpoint, ContentType="application/pdf", Body=b"x")
    error = errors[0].response
    assert error["Error"]["Code"] == "ModelError", error
    assert error["OriginalStatusCode"] == 415, error
    with refused(ClientError) as errors:
        runtime.invoke_endpoint(
            EndpointName=endpoint, ContentType="text/csv", Accept="application/pdf", Body=b"5.1,3.5,1.4,0.2\n5,3,1,0"
        )
    assert errors[0].response["OriginalStatusCode"] == 406, errors[0].response
    again = SKLearn.attach(estimator.latest_training_job.name, sagemaker_session=session)
    second = again.create_model(role=role)
    assert isinstance(second, SKLearnModel)
    predictor.delete_model()
    predictor.delete_endpoint()


@promise
def an_xgboost_model_of_a_script_serves_libsvm_and_csv():
    entry = script(
        HERE,
        "xgb/train.py",
        """
        import os, numpy as np, xgboost as xgb

        if __name__ == "__main__":
            rng = np.random.RandomState(0)
            X = rng.rand(200, 3)
            xgb.train({"objective": "reg:squarederror"}, xgb.DMatrix(X, label=X[:, 0] * 10), 20).save_model(
                os.path.join(os.environ["SM_MODEL_DIR"], "xgboost-model"))
        """,
    )
    estimator = XGBoost(
        entry_point=entry,
        framework_version="1.7-1",
        instance_count=1,
        instance_type="ml.m5.large",
        role=role,
        sagemaker_session=session,
    )
    estimator.fit(logs=False)
    inference = script(
        HERE,
        "xgb_inference/inference.py",
        """
        import os, xgboost as xgb
        def model_fn(model_dir):
            booster = xgb.Booster()
            booster.load_model(os.path.join(model_dir, "xgboost-model"))
            return booster
        """,
    )
    model = XGBoostModel(
        model_data=estimator.model_data,
        role=role,
        entry_point=inference,
        framework_version="1.7-1",
        sagemaker_session=session,
    )
    predictor = model.deploy(**ON)
    assert isinstance(predictor, XGBoostPredictor)
    answer = predictor.predict("0:0.5 1:0.1 2:0.9")
    values = [float(v) for row in answer for v in (row if isinstance(row, list) else [row])]
    assert len(values) == 1, answer
    assert abs(values[0] - 5) < 1.5, answer
    predictor.serializer = LibSVMSerializer()
    predictor.serializer = CSVSerializer()
    answer = predictor.predict([[0.5, 0.1, 0.9], [0.9, 0.1, 0.9]])
    values = [float(v) for row in answer for v in (row if isinstance(row, list) else [row])]
    assert len(values) == 2, answer
    assert abs(values[1] - 9) < 1.5, answer
    predictor.deserializer = JSONDeserializer()
    answer = predictor.predict([[0.5, 0.1, 0.9]])
    predictor.delete_model()
    predictor.delete_endpoint()


@promise
def a_framework_model_brings_requirements_and_dependencies():
    source = Path(HERE) / "needs"
    script(source, "requirements.txt", "tabulate==0.9.0\n")
    script(
        source,
        "serve.py",
        """
        import tabulate, lib.extra.words
        def model_fn(model_dir):
            return tabulate.__version__ + " " + lib.extra.words.WORD
        def predict_fn(data, model):
            return [model]
        """,
    )
    script(Path(HERE) / "extra", "__init__.py", "")
    script(Path(HERE) / "extra", "words.py", "WORD = 'hello'\n")
    model = FrameworkModel(
        model_data=archive("none", {"x": "x"}),
        image_uri=SKLEARN,
        role=role,
        entry_point="serve.py",
        source_dir=str(source),
        dependencies=[str(Path(HERE) / "extra")],
        sagemaker_session=session,
        predictor_cls=Predictor,
    )
    predictor = model.deploy(**ON, serializer=JSONSerializer(), deserializer=JSONDeserializer())
    assert predictor.predict([[1]]) == ["0.9.0 hello"]
    predictor.delete_model()
    predictor.delete_endpoint()


@promise
def what_is_listed_and_described_of_models_and_endpoints():
    name = unique("listed")
    model = factor_model(1, name=name)
    predictor = model.deploy(**ON, endpoint_name=name, wait=False)
    assert predictor.endpoint_name == name
    session.wait_for_endpoint(name, poll=5)
    assert [row["ModelName"] for row in client.list_models(NameContains=name)["Models"]] == [name]
    found = client.list_endpoints(NameContains=name, StatusEquals="InService", SortBy="Name")["Endpoints"]
    assert [row["EndpointName"] for row in found] == [name]
    assert client.list_endpoints(NameContains=name, StatusEquals="Failed")["Endpoints"] == []
    configs = client.list_endpoint_configs(NameContains=name, SortBy="CreationTime", SortOrder="Descending")
    assert [row["EndpointConfigName"] for row in configs["EndpointConfigs"]] == [name]
    container = client.describe_model(ModelName=name)["PrimaryContainer"]
    assert container["Image"] == SKLEARN
    assert container["Environment"]["SAGEMAKER_PROGRAM"] == "inference.py"
    for page in client.get_paginator("list_endpoints").paginate(PaginationConfig={"PageSize": 1}):
        assert len(page["Endpoints"]) <= 1
    assert session.describe_model(name)["ModelName"] == name
    session.delete_endpoint(name)
    session.delete_endpoint_config(name)
    session.delete_model(name)
    with refused(ClientError) as errors:
        client.delete_model(ModelName=name)
    assert "Could not find model" in str(errors[0]), errors


@promise
def bytes_pass_through_unchanged():
    model = Model(
        image_uri=SKLEARN,
        model_data=archive(
            "echo",
            {
                "code/inference.py": "def model_fn(d):\n    return 0\n"
                "def input_fn(body, ctype):\n    return body\n"
                "def predict_fn(data, model):\n    return data[::-1]\n"
                "def output_fn(prediction, accept):\n    return prediction, 'application/octet-stream'\n"
            },
        ),
        role=role,
        sagemaker_session=session,
        predictor_cls=Predictor,
    )
    predictor = model.deploy(**ON, endpoint_name=unique("echo"))
    predictor.serializer = IdentitySerializer()
    predictor.deserializer = BytesDeserializer()
    body = bytes(range(256)) * 4096
    assert predictor.predict(body) == body[::-1]
    assert predictor.predict(b"abc", initial_args={"ContentType": "application/x-image"}) == b"cba"
    with refused(ClientError) as errors:
        predictor.predict(b"0" * (26 * 1024 * 1024))
    assert errors[0].response["ResponseMetadata"]["HTTPStatusCode"] in {400, 413}, errors[0].response
    predictor.delete_model()
    predictor.delete_endpoint()


if __name__ == "__main__":
    main()
