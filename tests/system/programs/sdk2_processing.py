"""Processing jobs as notebooks and courses write them with the SageMaker Python SDK 2.x."""

import json
import tempfile
import time
from pathlib import Path

import boto3
import sagemaker
from botocore.exceptions import ClientError
from sagemaker import image_uris
from sagemaker.network import NetworkConfig
from sagemaker.processing import (
    FrameworkProcessor,
    ProcessingInput,
    ProcessingJob,
    ProcessingOutput,
    Processor,
    ScriptProcessor,
)
from sagemaker.s3 import S3Downloader, S3Uploader
from sagemaker.sklearn.estimator import SKLearn
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.execution_variables import ExecutionVariables  # noqa: F401  users import it beside these
from sagemaker.xgboost import XGBoost
from sdk2_promises import main, printed, promise, refused, script, unique

HERE = tempfile.mkdtemp()
session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role(session)
client = boto3.client("sagemaker")
SKLEARN = image_uris.retrieve("sklearn", session.boto_region_name, version="1.2-1", instance_type="ml.m5.xlarge")

SPLIT = script(
    HERE,
    "preprocessing.py",
    """
    import argparse, os, warnings
    import pandas as pd, numpy as np
    from sklearn.model_selection import train_test_split

    if __name__ == "__main__":
        parser = argparse.ArgumentParser()
        parser.add_argument("--train-test-split-ratio", type=float, default=0.3)
        parser.add_argument("--filter", type=str, default="")
        args, _ = parser.parse_known_args()
        print("Received arguments {}".format(args))
        path = os.path.join("/opt/ml/processing/input", "rows.csv")
        df = pd.read_csv(path)
        extra = pd.read_csv("/opt/ml/processing/lookup/extra.csv")
        train, test = train_test_split(df, test_size=args.train_test_split_ratio, random_state=0)
        print("Splitting data into train and test sets with ratio {}".format(args.train_test_split_ratio))
        train.to_csv("/opt/ml/processing/train/train_features.csv", index=False)
        os.makedirs("/opt/ml/processing/test/deep/er", exist_ok=True)
        test.to_csv("/opt/ml/processing/test/deep/er/test_features.csv", index=False)
        extra.to_csv("/opt/ml/processing/test/extra.csv", index=False)
        print("env", os.environ["STAGE"], os.environ["AWS_REGION"])
    """,
)
ROWS = script(HERE, "data/rows.csv", "a,b\n" + "\n".join(f"{n},{n * n}" for n in range(20)) + "\n")
EXTRA = script(HERE, "data/extra.csv", "x\n1\n")


def sklearn_processor(**more):
    return SKLearnProcessor(
        framework_version="1.2-1",
        role=role,
        instance_type="ml.m5.xlarge",
        instance_count=1,
        sagemaker_session=session,
        **more,
    )


@promise
def an_sklearn_processor_splits_data_with_arguments_several_inputs_and_outputs():
    processor = sklearn_processor(
        base_job_name="split", env={"STAGE": "dev"}, max_runtime_in_seconds=600, tags=[{"Key": "team", "Value": "ml"}]
    )
    processor.run(
        code=SPLIT,
        inputs=[
            ProcessingInput(source=ROWS, destination="/opt/ml/processing/input"),
            ProcessingInput(source=EXTRA, destination="/opt/ml/processing/lookup", input_name="lookup"),
        ],
        outputs=[
            ProcessingOutput(output_name="train_data", source="/opt/ml/processing/train"),
            ProcessingOutput(
                output_name="test_data",
                source="/opt/ml/processing/test",
                destination=f"s3://{bucket}/split/test",
                s3_upload_mode="EndOfJob",
            ),
        ],
        arguments=["--train-test-split-ratio", "0.2", "--filter", "two words"],
    )
    log = printed()
    assert "Splitting data into train and test sets with ratio 0.2" in log, log
    assert "filter='two words'" in log, log
    assert f"env dev {session.boto_region_name}" in log, log
    described = processor.jobs[-1].describe()
    outputs = {one["OutputName"]: one["S3Output"]["S3Uri"] for one in described["ProcessingOutputConfig"]["Outputs"]}
    assert S3Downloader.list(outputs["train_data"]) == [outputs["train_data"] + "/train_features.csv"]
    assert sorted(S3Downloader.list(f"s3://{bucket}/split/test")) == [
        f"s3://{bucket}/split/test/deep/er/test_features.csv",
        f"s3://{bucket}/split/test/extra.csv",
    ]
    assert len(S3Downloader.read_file(outputs["train_data"] + "/train_features.csv").splitlines()) == 17
    assert described["StoppingCondition"] == {"MaxRuntimeInSeconds": 600}
    assert described["Environment"] == {"STAGE": "dev"}
    assert described["ProcessingJobStatus"] == "Completed"
    assert described["ProcessingStartTime"] <= described["ProcessingEndTime"]
    assert "FailureReason" not in described
    tags = client.list_tags(ResourceArn=described["ProcessingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "ml"}]
    again = ProcessingJob.from_processing_name(session, processor.latest_job.job_name)
    assert [one.input_name for one in again.inputs] == ["input-1", "lookup", "code"]
    assert again.outputs[1].destination == f"s3://{bucket}/split/test"
    assert again.describe()["ProcessingJobArn"] == described["ProcessingJobArn"]
    by_arn = ProcessingJob.from_processing_arn(session, described["ProcessingJobArn"])
    assert by_arn.job_name == again.job_name


@promise
def a_processor_runs_without_waiting_and_is_waited_for_and_stopped_later():
    slow = script(
        HERE,
        "slow.py",
        """
        import signal, sys, time
        def stop(*_):
            print("asked to stop", flush=True)
            open("/opt/ml/processing/out/partial.txt", "w").write("half")
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print("started", flush=True)
        time.sleep(600)
        """,
    )
    processor = sklearn_processor()
    processor.run(
        code=slow,
        outputs=[ProcessingOutput(source="/opt/ml/processing/out", destination=f"s3://{bucket}/stopped")],
        wait=False,
        logs=False,
    )
    job = processor.latest_job
    assert job.describe()["ProcessingJobStatus"] == "InProgress"
    logs = boto3.client("logs")
    deadline = time.time() + 60
    while time.time() < deadline:
        streams = logs.describe_log_streams(
            logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix=job.job_name
        )["logStreams"]
        if (
            streams
            and logs.get_log_events(
                logGroupName="/aws/sagemaker/ProcessingJobs", logStreamName=streams[0]["logStreamName"]
            )["events"]
        ):
            break
        time.sleep(0.3)
    job.stop()
    job.wait(logs=False)
    described = job.describe()
    assert described["ProcessingJobStatus"] == "Stopped", described
    with refused(ClientError) as errors:
        client.stop_processing_job(ProcessingJobName=job.job_name)
    assert "is in status Stopped" in str(errors[0]), errors


@promise
def a_failing_script_raises_with_its_exit_code_and_the_last_line():
    bad = script(HERE, "bad.py", "import sys\nprint('about to fail')\nraise KeyError('column price is missing')\n")
    processor = sklearn_processor()
    with refused(sagemaker.exceptions.UnexpectedStatusException) as errors:
        processor.run(code=bad)
    assert errors[0].actual_status == "Failed", errors
    assert "KeyError: 'column price is missing'" in str(errors[0]), errors
    described = processor.latest_job.describe()
    assert described["FailureReason"].startswith("AlgorithmError"), described["FailureReason"]
    assert "about to fail" in printed()
    left = script(
        HERE,
        "left.py",
        """
        open("/opt/ml/output/message", "w").write("rows: 12")
        """,
    )
    with refused(sagemaker.exceptions.UnexpectedStatusException):
        sklearn_processor().run(code=script(HERE, "exit3.py", "import sys; sys.exit(3)"), logs=False)
    done = sklearn_processor()
    done.run(code=left, logs=False)
    assert done.latest_job.describe()["ExitMessage"] == "rows: 12"


@promise
def a_script_processor_takes_a_command_and_a_shell_script():
    shell = script(HERE, "job.sh", 'echo "shell $1 $(ls /opt/ml/processing/input/code)"; python3 --version; id -un\n')
    processor = ScriptProcessor(
        image_uri=SKLEARN,
        command=["/bin/bash", "-e"],
        instance_type="ml.m5.xlarge",
        instance_count=1,
        role="SageMakerRole",
        sagemaker_session=session,
        network_config=NetworkConfig(enable_network_isolation=True),
    )
    processor.run(code=shell, arguments=["first"])
    log = printed()
    assert "shell first job.sh" in log, log
    assert "Python 3" in log, log
    assert processor.latest_job.describe()["NetworkConfig"]["EnableNetworkIsolation"] is True
    assert processor.latest_job.describe()["AppSpecification"]["ContainerEntrypoint"][0] == "/bin/bash"


@promise
def network_isolation_keeps_a_script_from_the_network():
    probe = script(
        HERE,
        "probe.py",
        """
        import socket
        try:
            socket.create_connection(("127.0.0.1", int(open("/opt/ml/processing/port/port.txt").read())), timeout=5)
        except OSError as error:
            print("no way out:", type(error).__name__)
        else:
            print("got out")
        """,
    )
    port = script(HERE, "port/port.txt", str(session.boto_session.client("s3").meta.endpoint_url.rsplit(":", 1)[1]))
    for isolated, expected in ((True, "no way out"), (False, "got out")):
        processor = sklearn_processor(network_config=NetworkConfig(enable_network_isolation=isolated))
        processor.run(code=probe, inputs=[ProcessingInput(source=port, destination="/opt/ml/processing/port")])
        log = printed()
        assert expected in log, (isolated, log)


@promise
def a_plain_processor_runs_an_entrypoint_of_the_image():
    processor = Processor(
        image_uri=SKLEARN,
        entrypoint=["python3", "-c", "import sklearn, sys; print('sklearn', sklearn.__version__, sys.argv[1:])"],
        instance_type="ml.m5.xlarge",
        instance_count=1,
        role=role,
        sagemaker_session=session,
    )
    processor.run(arguments=["one", "two"], job_name=unique("plain"))
    log = printed()
    assert "sklearn 1.2.1 ['one', 'two']" in log, log


@promise
def framework_processors_bring_a_source_directory_and_its_requirements():
    source = Path(HERE) / "framework"
    script(source, "helper/__init__.py", "NAME = 'helper of the source directory'\n")
    script(source, "requirements.txt", "tabulate==0.9.0\n")
    script(
        source,
        "process.py",
        """
        import sys, tabulate, helper
        print(helper.NAME, tabulate.__version__, sys.argv[1:])
        open("/opt/ml/processing/out/done.txt", "w").write("done")
        """,
    )
    processor = FrameworkProcessor(
        estimator_cls=SKLearn,
        framework_version="1.2-1",
        role=role,
        instance_type="ml.m5.xlarge",
        instance_count=1,
        base_job_name="frameworksklearn",
        sagemaker_session=session,
    )
    processor.run(
        code="process.py",
        source_dir=str(source),
        outputs=[ProcessingOutput(output_name="out", source="/opt/ml/processing/out")],
        arguments=["--depth", "3"],
    )
    log = printed()
    assert "helper of the source directory 0.9.0 ['--depth', '3']" in log, log
    assert "Requirement already satisfied: tabulate==0.9.0" in log, log


@promise
def an_xgboost_framework_processor_has_xgboost():
    source = Path(HERE) / "xgb"
    script(source, "evaluate.py", "import xgboost, pandas; print('xgboost', xgboost.__version__)\n")
    processor = FrameworkProcessor(
        estimator_cls=XGBoost,
        framework_version="1.7-1",
        role=role,
        instance_type="ml.m5.xlarge",
        instance_count=1,
        sagemaker_session=session,
    )
    processor.run(code="evaluate.py", source_dir=str(source))
    log = printed()
    assert "xgboost 1.7" in log, log


@promise
def inputs_come_from_prefixes_and_manifests_sharded_or_whole_on_several_hosts():
    prefix = f"s3://{bucket}/{unique('shards')}"
    for n in range(4):
        S3Uploader.upload_string_as_file_body(f"part {n}\n", f"{prefix}/part-{n}.txt")
    listing = script(
        HERE,
        "listing.py",
        """
        import json, os, pathlib
        config = json.load(open("/opt/ml/config/resourceconfig.json"))
        job = json.load(open("/opt/ml/config/processingjobconfig.json"))
        files = sorted(os.listdir("/opt/ml/processing/shards"))
        whole = sorted(os.listdir("/opt/ml/processing/whole"))
        out = pathlib.Path("/opt/ml/processing/out")
        told = {"host": config["current_host"], "hosts": config["hosts"], "shards": files, "whole": whole,
                "job": job["ProcessingJobArn"].split("/")[-1]}
        (out / (config["current_host"] + ".json")).write_text(json.dumps(told))
        """,
    )
    processor = SKLearnProcessor(
        framework_version="1.2-1",
        role=role,
        instance_type="ml.m5.xlarge",
        instance_count=2,
        sagemaker_session=session,
    )
    manifest = f"{prefix}-manifest/list.manifest"
    S3Uploader.upload_string_as_file_body(json.dumps([{"prefix": prefix + "/"}, "part-1.txt", "part-3.txt"]), manifest)
    processor.run(
        code=listing,
        inputs=[
            ProcessingInput(
                source=prefix + "/", destination="/opt/ml/processing/shards", s3_data_distribution_type="ShardedByS3Key"
            ),
            ProcessingInput(source=manifest, destination="/opt/ml/processing/whole", s3_data_type="ManifestFile"),
        ],
        outputs=[ProcessingOutput(source="/opt/ml/processing/out", destination=f"{prefix}-out")],
        logs=False,
    )
    told = [json.loads(S3Downloader.read_file(f"{prefix}-out/algo-{n}.json")) for n in (1, 2)]
    assert [one["host"] for one in told] == ["algo-1", "algo-2"]
    assert told[0]["hosts"] == ["algo-1", "algo-2"]
    assert sorted(told[0]["shards"] + told[1]["shards"]) == [f"part-{n}.txt" for n in range(4)]
    assert len(told[0]["shards"]) == 2
    assert told[0]["whole"] == told[1]["whole"] == ["part-1.txt", "part-3.txt"]
    assert told[0]["job"] == processor.latest_job.job_name.lower()


@promise
def a_job_that_runs_too_long_is_stopped_with_the_reason():
    processor = sklearn_processor(max_runtime_in_seconds=2)
    processor.run(code=script(HERE, "sleeper.py", "import time; time.sleep(60)\n"), logs=False)
    described = processor.latest_job.describe()
    assert described["ProcessingJobStatus"] == "Stopped", described
    assert "MaxRuntimeInSeconds" in described["FailureReason"], described


@promise
def continuous_outputs_arrive_while_the_job_runs():
    target = f"s3://{bucket}/{unique('continuous')}"
    slow = script(
        HERE,
        "continuous.py",
        """
        import time
        open("/opt/ml/processing/out/early.txt", "w").write("early")
        time.sleep(600)
        """,
    )
    processor = sklearn_processor()
    processor.run(
        code=slow,
        outputs=[ProcessingOutput(source="/opt/ml/processing/out", destination=target, s3_upload_mode="Continuous")],
        wait=False,
    )
    deadline = time.time() + 60
    while not S3Downloader.list(target) and time.time() < deadline:
        time.sleep(0.5)
    assert S3Downloader.list(target) == [f"{target}/early.txt"]
    assert processor.latest_job.describe()["ProcessingJobStatus"] == "InProgress"
    processor.latest_job.stop()
    processor.latest_job.wait(logs=False)


@promise
def what_is_missing_or_taken_is_refused_in_aws_words():
    with refused(ClientError) as errors:
        sklearn_processor().run(
            code=SPLIT,
            inputs=[ProcessingInput(source=f"s3://{bucket}/nothing/here", destination="/opt/ml/processing/input")],
        )
    print(errors[0])
    taken = unique("taken")
    ok = script(HERE, "ok.py", "print('ok')\n")
    first = sklearn_processor()
    first.run(code=ok, job_name=taken, logs=False)
    with refused(ClientError) as errors:
        sklearn_processor().run(code=ok, job_name=taken)
    assert errors[0].response["Error"]["Code"] == "ResourceInUse", errors
    assert "already exists" in str(errors[0])
    with refused(ClientError) as errors:
        client.describe_processing_job(ProcessingJobName="never-was")
    assert errors[0].response["Error"]["Code"] in {"ValidationException", "ResourceNotFound"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    stranger = boto3.client("iam").create_role(RoleName=unique("Lambda"), AssumeRolePolicyDocument=json.dumps(trust))[
        "Role"
    ]["Arn"]
    with refused(ClientError) as errors:
        client.create_processing_job(
            ProcessingJobName=unique("role"),
            RoleArn=stranger,
            AppSpecification={"ImageUri": SKLEARN},
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
            },
        )
    assert "Could not assume role" in str(errors[0]), errors


if __name__ == "__main__":
    main()
