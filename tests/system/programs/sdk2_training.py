"""Script-mode training jobs as notebooks and courses write them with the SageMaker Python SDK 2.x."""

import json
import tarfile
import tempfile
import time
from pathlib import Path

import boto3
import sagemaker
from botocore.exceptions import ClientError
from sagemaker.estimator import Estimator
from sagemaker.exceptions import UnexpectedStatusException
from sagemaker.inputs import FileSystemInput, TrainingInput
from sagemaker.s3 import S3Downloader, S3Uploader
from sagemaker.sklearn import SKLearn
from sagemaker.xgboost import XGBoost
from sdk2_promises import main, printed, promise, refused, script, unique

HERE = tempfile.mkdtemp()
session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role()
client, s3 = boto3.client("sagemaker"), boto3.client("s3")
PREFIX = f"s3://{bucket}/training-data"
S3Uploader.upload_string_as_file_body("1,2,0\n3,4,1\n5,6,0\n7,8,1\n", f"{PREFIX}/train/train.csv")
S3Uploader.upload_string_as_file_body("1,2,0\n", f"{PREFIX}/test/test.csv")
S3Uploader.upload_string_as_file_body("9,9,1\n", f"{PREFIX}/test/nested/more.csv")

REPORT = script(
    HERE,
    "report/train.py",
    """
    import argparse, json, os, sys
    import helper, shared_code, tabulate

    def listing(directory):
        return sorted(os.path.relpath(os.path.join(d, f), directory) for d, _, fs in os.walk(directory) for f in fs)

    if __name__ == "__main__":
        channels = json.loads(os.environ["SM_CHANNELS"])
        told = {
            "argv": sys.argv[1:],
            "hps": json.loads(os.environ["SM_HPS"]),
            "channels": {c: listing(os.environ["SM_CHANNEL_" + c.upper()]) for c in channels},
            "environment": {k: v for k, v in os.environ.items() if k.startswith(("SM_", "MY_", "TRAINING_"))},
            "imports": [helper.WHO, shared_code.WHO, tabulate.__version__],
            "input_config": json.load(open("/opt/ml/input/config/inputdataconfig.json")),
            "hyperparameters": json.load(open("/opt/ml/input/config/hyperparameters.json")),
            "resource_config": json.load(open("/opt/ml/input/config/resourceconfig.json")),
        }
        print("loss=0.75;"); print("loss=0.25;"); print("accuracy: 91.5 %")
        with open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "report.json"), "w") as file:
            json.dump(told, file)
        with open(os.path.join(os.environ["SM_MODEL_DIR"], "model.txt"), "w") as file:
            file.write("a model")
    """,
)
script(HERE, "report/helper.py", "WHO = 'source directory'\n")
script(HERE, "report/requirements.txt", "tabulate==0.9.0\n")
script(HERE, "shared_code/__init__.py", "WHO = 'dependency'\n")
FAST = script(HERE, "fast.py", "print('fast'); open('/opt/ml/model/m.txt', 'w').write('m')\n")


def sklearn(entry_point, **more):
    arguments = {
        "framework_version": "1.2-1",
        "py_version": "py3",
        "instance_type": "ml.m5.large",
        "instance_count": 1,
        "role": role,
        "sagemaker_session": session,
    }
    return SKLearn(entry_point=entry_point, **{**arguments, **more})


def extracted(uri):
    """Download and unpack a tar.gz of S3; return its directory."""
    directory = tempfile.mkdtemp()
    S3Downloader.download(uri, directory)
    with tarfile.open(Path(directory) / Path(uri).name) as archive:
        archive.extractall(directory)  # no filter: Debian 12's Python 3.11.2 knows none
    return Path(directory)


@promise
def a_script_gets_its_hyperparameters_channels_environment_and_code():
    output, code = f"s3://{bucket}/{unique('output')}", f"s3://{bucket}/{unique('code')}"
    estimator = sklearn(
        "train.py",
        source_dir=str(Path(HERE) / "report"),
        dependencies=[str(Path(HERE) / "shared_code")],
        hyperparameters={
            "epochs": 10,
            "lr": 0.01,
            "name": "a string",
            "flag": True,
            "off": False,
            "nothing": None,
            "layers": [1, 2, 3],
            "mapping": {"a": {"b": 1}},
            "text-number": "7",
            "empty": "",
        },
        environment={"MY_SETTING": "on and on"},
        metric_definitions=[
            {"Name": "train:loss", "Regex": "loss=(.*?);"},
            {"Name": "accuracy", "Regex": r"accuracy: ([0-9\.]+) %"},
        ],
        tags=[{"Key": "project", "Value": "lab"}],
        output_path=output,
        code_location=code,
        base_job_name="report",
        max_run=900,
        volume_size=10,
    )
    estimator.fit(
        {
            "train": f"{PREFIX}/train",
            "test": TrainingInput(f"{PREFIX}/test/", content_type="text/csv", input_mode="File"),
        }
    )
    log = printed()
    assert "accuracy: 91.5 %" in log, log
    assert "Training seconds:" in log, log
    assert "Billable seconds:" in log, log
    described = estimator.latest_training_job.describe()
    name = described["TrainingJobName"]
    assert name.startswith("report-")
    assert estimator.model_data == f"{output}/{name}/output/model.tar.gz"
    assert described["HyperParameters"]["sagemaker_submit_directory"] == f'"{code}/{name}/source/sourcedir.tar.gz"'
    told = json.loads((extracted(f"{output}/{name}/output/output.tar.gz") / "report.json").read_text())
    assert (extracted(estimator.model_data) / "model.txt").read_text() == "a model"
    hps = told["hps"]
    assert hps == {
        "epochs": 10,
        "lr": 0.01,
        "name": "a string",
        "flag": True,
        "off": False,
        "nothing": None,
        "layers": [1, 2, 3],
        "mapping": {"a": {"b": 1}},
        "text-number": "7",
        "empty": "",
    }, hps
    arguments = dict(zip(told["argv"][::2], told["argv"][1::2], strict=True))
    assert arguments["--epochs"] == "10", told["argv"]
    assert arguments["--name"] == "a string", told["argv"]
    assert arguments["--flag"] == "True", told["argv"]
    assert told["channels"] == {"test": ["nested/more.csv", "test.csv"], "train": ["train.csv"]}
    assert told["environment"]["MY_SETTING"] == "on and on"
    assert told["environment"]["SM_MODEL_DIR"] == "/opt/ml/model"
    assert told["environment"]["SM_NUM_GPUS"] == "0"
    assert told["environment"]["SM_HP_EPOCHS"] == "10"
    assert told["environment"]["SM_CURRENT_HOST"] == "algo-1"
    assert told["environment"]["TRAINING_JOB_NAME"] == name
    assert told["imports"] == ["source directory", "dependency", "0.9.0"]
    assert told["input_config"]["test"]["ContentType"] == "text/csv"
    assert told["resource_config"]["hosts"] == ["algo-1"]
    final = {one["MetricName"]: round(one["Value"], 2) for one in described["FinalMetricDataList"]}
    assert final == {"train:loss": 0.25, "accuracy": 91.5}, final
    assert client.list_tags(ResourceArn=described["TrainingJobArn"])["Tags"] == [{"Key": "project", "Value": "lab"}]
    assert [one["Status"] for one in described["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert described["SecondaryStatus"] == "Completed"
    assert described["TrainingTimeInSeconds"] >= 1


@promise
def inputs_may_be_one_uri_a_training_input_or_nothing():
    for given, expected in (
        (f"{PREFIX}/train/train.csv", "training"),
        (TrainingInput(s3_data=f"{PREFIX}/train", distribution="ShardedByS3Key", input_mode="FastFile"), "training"),
        ({"validation": TrainingInput(f"{PREFIX}/test")}, "validation"),
        (None, None),
    ):
        entry = script(
            HERE,
            "where.py",
            """
            import os
            print("channels", os.environ["SM_CHANNELS"], [sorted(os.listdir("/opt/ml/input/data/" + c))
                  for c in eval(os.environ["SM_CHANNELS"])])
            """,
        )
        estimator = sklearn(entry)
        estimator.fit(given)
        log = printed()
        assert (f'channels ["{expected}"]' if expected else "channels []") in log, log
        described = estimator.latest_training_job.describe()
        assert bool(described.get("InputDataConfig")) == bool(expected)


@promise
def a_job_is_followed_later_attached_to_and_described():
    name = unique("attached")
    estimator = sklearn(FAST, hyperparameters={"alpha": 0.5, "kind": "ridge"})
    estimator.fit(f"{PREFIX}/train", wait=False, job_name=name)
    assert estimator.latest_training_job.name == name
    assert estimator.latest_training_job.describe()["TrainingJobStatus"] in {"InProgress", "Completed"}
    estimator.latest_training_job.wait(logs="Training")
    attached = SKLearn.attach(name, sagemaker_session=session)
    assert attached.model_data.endswith(f"{name}/output/model.tar.gz")
    assert attached.hyperparameters()["alpha"] in (0.5, "0.5"), attached.hyperparameters()
    assert attached.framework_version == "1.2-1"
    assert attached.entry_point == "fast.py"
    assert attached.latest_training_job.describe()["TrainingJobStatus"] == "Completed"
    session.logs_for_job(name, wait=False)
    assert "fast" in printed()
    assert session.describe_training_job(name)["TrainingJobName"] == name
    assert estimator.jobs[-1].name == name
    plain = Estimator.attach(name, sagemaker_session=session)
    assert plain.model_data == attached.model_data


@promise
def a_failing_script_raises_with_the_scripts_last_line():
    entry = script(
        HERE,
        "failing.py",
        """
        import sys
        print("reading data")
        def load():
            raise ValueError("no column 'price' in train.csv")
        load()
        """,
    )
    estimator = sklearn(entry)
    with refused(UnexpectedStatusException) as errors:
        estimator.fit(f"{PREFIX}/train")
    described = estimator.latest_training_job.describe()
    reason = described["FailureReason"]
    assert reason.startswith("AlgorithmError: ExecuteUserScriptError:"), reason
    assert "ValueError: no column 'price' in train.csv" in reason, reason
    assert "exit code: 1" in reason.lower() or "ExitCode 1" in reason, reason
    assert reason in str(errors[0])
    assert "reading data" in printed()
    assert described["SecondaryStatus"] == "Failed"
    own = script(HERE, "own.py", "import sys\nopen('/opt/ml/output/failure', 'w').write('my own words')\nsys.exit(7)\n")
    estimator = sklearn(own)
    with refused(UnexpectedStatusException) as errors:
        estimator.fit(logs=False)
    assert "my own words" in str(errors[0]), errors


@promise
def a_job_is_stopped_and_keeps_what_it_had():
    entry = script(
        HERE,
        "long.py",
        """
        import signal, sys, time
        def stop(*_):
            open("/opt/ml/model/stopped.txt", "w").write("kept")
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        open("/opt/ml/model/first.txt", "w").write("kept")
        print("going on", flush=True)
        time.sleep(600)
        """,
    )
    estimator = sklearn(entry)
    estimator.fit(wait=False)
    job = estimator.latest_training_job
    deadline = time.time() + 60
    while job.describe()["SecondaryStatus"] != "Training" and time.time() < deadline:
        time.sleep(0.3)
    logs = boto3.client("logs")
    while time.time() < deadline:
        found = logs.filter_log_events(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=job.name, filterPattern='"going on"'
        )
        if found["events"]:
            break
        time.sleep(0.3)
    job.stop()
    assert job.describe()["TrainingJobStatus"] in {"Stopping", "Stopped"}
    while job.describe()["TrainingJobStatus"] == "Stopping":  # the SDK's own wait takes Stopping for an end
        time.sleep(0.1)
    described = job.describe()
    assert described["TrainingJobStatus"] == "Stopped", described
    files = {path.name for path in extracted(described["ModelArtifacts"]["S3ModelArtifacts"]).iterdir()}
    assert {"first.txt", "stopped.txt"} <= files, files


@promise
def a_job_that_runs_too_long_stops_with_max_runtime_exceeded():
    entry = script(HERE, "endless.py", "import time; time.sleep(600)\n")
    estimator = sklearn(entry, max_run=2)
    estimator.fit(logs=False)
    described = estimator.latest_training_job.describe()
    assert described["TrainingJobStatus"] == "Stopped", described
    assert described["SecondaryStatus"] == "MaxRuntimeExceeded", described


@promise
def checkpoints_are_synced_and_restored():
    entry = script(
        HERE,
        "checkpoints.py",
        """
        import os
        print("found", sorted(os.listdir("/opt/ml/checkpoints")))
        open("/opt/ml/checkpoints/epoch-%d.txt" % len(os.listdir("/opt/ml/checkpoints")), "w").write("x")
        """,
    )
    uri = f"s3://{bucket}/{unique('checkpoints')}"
    for expected in ("found []", "found ['epoch-0.txt']"):
        estimator = sklearn(entry, checkpoint_s3_uri=uri, use_spot_instances=True, max_run=600, max_wait=1200)
        estimator.fit()
        log = printed()
        assert expected in log, log
    assert S3Downloader.list(uri) == [f"{uri}/epoch-0.txt", f"{uri}/epoch-1.txt"]
    assert estimator.latest_training_job.describe()["EnableManagedSpotTraining"] is True


@promise
def two_hosts_train_together():
    entry = script(
        HERE,
        "hosts.py",
        """
        import json, os, socket
        hosts = json.loads(os.environ["SM_HOSTS"])
        other = [h for h in hosts if h != os.environ["SM_CURRENT_HOST"]]
        print("host", os.environ["SM_CURRENT_HOST"], socket.gethostname(), hosts, socket.gethostbyname(other[0]) != "")
        open("/opt/ml/model/%s.txt" % os.environ["SM_CURRENT_HOST"], "w").write("x")
        """,
    )
    estimator = XGBoost(
        entry_point=entry,
        framework_version="1.7-1",
        role=role,
        instance_count=2,
        instance_type="ml.m5.large",
        sagemaker_session=session,
    )
    estimator.fit(f"{PREFIX}/train")
    log = printed()
    for n in (1, 2):
        assert f"host algo-{n} algo-{n} ['algo-1', 'algo-2'] True" in log, log
    assert sorted(path.name for path in extracted(estimator.model_data).iterdir() if path.suffix == ".txt") == [
        "algo-1.txt",
        "algo-2.txt",
    ]


@promise
def an_xgboost_script_trains_on_its_image():
    entry = script(
        HERE,
        "xgb.py",
        """
        import argparse, os, json, pickle
        import numpy as np, xgboost as xgb
        parser = argparse.ArgumentParser()
        parser.add_argument("--max_depth", type=int)
        parser.add_argument("--eta", type=float)
        parser.add_argument("--num_round", type=int)
        parser.add_argument("--objective", type=str)
        args, _ = parser.parse_known_args()
        rows = np.loadtxt(os.environ["SM_CHANNEL_TRAIN"] + "/train.csv", delimiter=",")
        dtrain = xgb.DMatrix(rows[:, :-1], label=rows[:, -1])
        booster = xgb.train({"max_depth": args.max_depth, "eta": args.eta, "objective": args.objective}, dtrain,
                            num_boost_round=args.num_round, evals=[(dtrain, "train")])
        booster.save_model(os.path.join(os.environ["SM_MODEL_DIR"], "xgboost-model"))
        print("trained with", xgb.__version__)
        """,
    )
    estimator = XGBoost(
        entry_point=entry,
        framework_version="1.7-1",
        hyperparameters={"max_depth": 5, "eta": 0.2, "num_round": 3, "objective": "reg:squarederror"},
        role=role,
        instance_count=1,
        instance_type="ml.m5.large",
        sagemaker_session=session,
        output_path=f"s3://{bucket}/xgboost-script",
    )
    estimator.fit({"train": f"{PREFIX}/train"})
    log = printed()
    assert "trained with 1.7" in log, log
    assert (extracted(estimator.model_data) / "xgboost-model").exists()
    described = estimator.latest_training_job.describe()
    assert described["HyperParameters"]["objective"] == '"reg:squarederror"'


@promise
def a_plain_estimator_takes_an_entry_point_and_an_image():
    estimator = Estimator(
        image_uri=sagemaker.image_uris.retrieve("sklearn", "us-east-1", version="1.2-1", instance_type="ml.m5.large"),
        entry_point=script(HERE, "plain.py", "import sklearn, sys; print('plain', sklearn.__version__, sys.argv[1:])"),
        hyperparameters={"depth": 3},
        role=role,
        instance_count=1,
        instance_type="ml.m5.large",
        sagemaker_session=session,
        base_job_name="plain",
    )
    estimator.set_hyperparameters(extra="yes")
    estimator.fit()
    log = printed()
    assert "plain 1.2" in log, log
    assert "'--depth', '3', '--extra', 'yes'" in log, log


@promise
def the_source_may_be_in_s3():
    archive = Path(HERE) / "packed.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(FAST, arcname="fast.py")
    uri = S3Uploader.upload(str(archive), f"s3://{bucket}/packed")
    estimator = sklearn("fast.py", source_dir=uri)
    estimator.fit(f"{PREFIX}/train")
    assert "fast" in printed()


@promise
def what_is_missing_is_refused_in_aws_words():
    with refused(ClientError) as errors:
        sklearn(FAST).fit(f"s3://{bucket}/no/such/prefix")
    assert "No S3 objects found under S3 URL" in str(errors[0]), errors
    with refused(ClientError) as errors:
        sklearn(FAST).fit("s3://no-such-bucket-anywhere/x")
    name = unique("taken")
    sklearn(FAST).fit(job_name=name, wait=False)
    with refused(ClientError) as errors:
        sklearn(FAST).fit(job_name=name)
    assert errors[0].response["Error"]["Code"] == "ResourceInUse", errors
    with refused(ClientError) as errors:
        Estimator(
            image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/my-own:latest",
            role=role,
            instance_count=1,
            instance_type="ml.m5.large",
            sagemaker_session=session,
        ).fit()
    assert "my-own:latest" in str(errors[0]), errors
    with refused(ClientError) as errors:
        sklearn(FAST).fit(FileSystemInput("fs-0123456789abcdef0", "EFS", "/x"))
    assert "FileSystemDataSource" in str(errors[0]), errors
    with refused(ClientError):
        SKLearn.attach("never-was", sagemaker_session=session)
    with refused() as errors:
        estimator = sklearn(FAST, metric_definitions=[{"Name": "m", "Regex": "m=(.*)"}])
        estimator.fit(wait=True, logs=False)
        estimator.training_job_analytics.dataframe()
    print(errors[0])


if __name__ == "__main__":
    main()
