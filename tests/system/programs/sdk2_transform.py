"""Batch transform as notebooks and courses write it with the SageMaker Python SDK 2.x."""

import gzip
import io
import json
import tarfile
import tempfile
import time
from pathlib import Path

import boto3
import sagemaker
from botocore.exceptions import ClientError
from sagemaker import image_uris
from sagemaker.exceptions import UnexpectedStatusException
from sagemaker.model import Model
from sagemaker.s3 import S3Downloader, S3Uploader
from sagemaker.transformer import Transformer
from sdk2_promises import main, promise, refused, unique

HERE = tempfile.mkdtemp()
session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role()
client = boto3.client("sagemaker")
SKLEARN = image_uris.retrieve("sklearn", "us-east-1", version="1.2-1", instance_type="ml.m5.large")

HANDLERS = """
import json, os, time

def model_fn(model_dir):
    return 0

def input_fn(body, content_type):
    if content_type == "application/jsonlines":
        return [json.loads(line)["features"] for line in body.splitlines() if line]
    if content_type == "application/json":
        return [json.loads(body)["features"]]
    if body.startswith("slow"):
        time.sleep(600)
    return [[float(v) for v in line.split(",")] for line in body.strip().splitlines()]

def predict_fn(data, model):
    if any(-1 in row for row in data):
        raise ValueError("no -1 please")
    return [sum(row) for row in data]

def output_fn(prediction, accept):
    batch = "%s %s %s" % (os.environ.get("SAGEMAKER_BATCH"), os.environ.get("SAGEMAKER_BATCH_STRATEGY"),
                          os.environ.get("EXTRA"))
    print("rows", len(prediction), batch)
    if accept == "application/jsonlines":
        return "\\n".join(json.dumps({"sum": value}) for value in prediction), accept
    if accept == "application/json":
        return json.dumps({"sum": prediction[0]}), accept
    return "\\n".join(str(value) for value in prediction), "text/csv"
"""


def made_model():
    path = Path(HERE) / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("code/inference.py")
        info.size = len(HANDLERS)
        tar.addfile(info, io.BytesIO(HANDLERS.encode()))
    data = S3Uploader.upload(str(path), f"s3://{bucket}/sums")
    model = Model(image_uri=SKLEARN, model_data=data, role=role, sagemaker_session=session, name=unique("sums"))
    model.create(instance_type="ml.m5.large")
    return model


MODEL = made_model()


def put(text, key):
    uri = f"s3://{bucket}/{key}"
    S3Uploader.upload_string_as_file_body(text, uri)
    return uri


def transformer(**more):
    arguments = {
        "model_name": MODEL.name,
        "instance_count": 1,
        "instance_type": "ml.m5.large",
        "sagemaker_session": session,
        "output_path": f"s3://{bucket}/{unique('out')}",
    }
    return Transformer(**{**arguments, **more})


def log_of(name):
    events = boto3.client("logs").filter_log_events(
        logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix=name + "/"
    )["events"]
    return "\n".join(event["message"] for event in events)


@promise
def several_files_become_several_outputs_joined_line_by_line():
    prefix = unique("files")
    put("1,2\n3,4\n5,6\n", f"{prefix}/a.csv")
    put("7,8\n", f"{prefix}/deep/b.csv")
    job = transformer(
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        max_payload=1,
        max_concurrent_transforms=2,
        env={"EXTRA": "told"},
        tags=[{"Key": "batch", "Value": "yes"}],
        base_transform_job_name="sums",
    )
    job.transform(f"s3://{bucket}/{prefix}", content_type="text/csv", split_type="Line", logs=False)
    assert S3Downloader.read_file(f"{job.output_path}/a.csv.out") == "3.0\n7.0\n11.0\n"
    assert S3Downloader.read_file(f"{job.output_path}/deep/b.csv.out") == "15.0\n"
    described = client.describe_transform_job(TransformJobName=job.latest_transform_job.name)
    assert described["TransformJobStatus"] == "Completed"
    assert described["BatchStrategy"] == "MultiRecord"
    assert described["MaxConcurrentTransforms"] == 2
    assert described["TransformJobName"].startswith("sums-")
    assert "rows 3 true" in log_of(job.latest_transform_job.name).lower(), log_of(job.latest_transform_job.name)
    assert "told" in log_of(job.latest_transform_job.name)
    assert client.list_tags(ResourceArn=described["TransformJobArn"])["Tags"] == [{"Key": "batch", "Value": "yes"}]
    attached = Transformer.attach(job.latest_transform_job.name, sagemaker_session=session)
    assert attached.output_path == job.output_path
    assert attached.model_name == MODEL.name
    assert attached.strategy == "MultiRecord"
    attached.wait(logs=False)


@promise
def one_record_at_a_time_and_the_whole_file_at_once():
    single = transformer(strategy="SingleRecord", assemble_with="Line", accept="text/csv")
    uri = put("1,2\n3,4\n", f"{unique('single')}/rows.csv")
    single.transform(uri, content_type="text/csv", split_type="Line", wait=False)
    whole = transformer(accept="text/csv")
    whole.transform(uri, content_type="text/csv", wait=False)
    single.wait(logs=False)
    whole.wait(logs=False)
    assert S3Downloader.read_file(f"{single.output_path}/rows.csv.out") == "3.0\n7.0\n"
    assert log_of(single.latest_transform_job.name).count("rows 1 ") == 2
    text = S3Downloader.read_file(f"{whole.output_path}/rows.csv.out")
    assert text == "3.0\n7.0", repr(text)


@promise
def csv_columns_are_filtered_and_joined_to_the_answers():
    uri = put("id1,1,2\nid2,3,4\n", f"{unique('join')}/rows.csv")
    joined = transformer(assemble_with="Line", accept="text/csv", strategy="MultiRecord")
    joined.transform(
        uri, content_type="text/csv", split_type="Line", input_filter="$[1:]", join_source="Input", wait=False
    )
    chosen = transformer(assemble_with="Line", accept="text/csv", strategy="MultiRecord")
    chosen.transform(
        uri,
        content_type="text/csv",
        split_type="Line",
        input_filter="$[1:]",
        join_source="Input",
        output_filter="$[0,-1]",
        wait=False,
    )
    for job in (joined, chosen):
        job.wait(logs=False)
    assert S3Downloader.read_file(f"{joined.output_path}/rows.csv.out") == "id1,1,2,3.0\nid2,3,4,7.0\n"
    assert S3Downloader.read_file(f"{chosen.output_path}/rows.csv.out") == "id1,3.0\nid2,7.0\n"
    described = client.describe_transform_job(TransformJobName=chosen.latest_transform_job.name)
    assert described["DataProcessing"] == {"InputFilter": "$[1:]", "OutputFilter": "$[0,-1]", "JoinSource": "Input"}


@promise
def json_lines_are_joined_under_sagemaker_output():
    rows = [{"id": n, "features": [n, n]} for n in (1, 2)]
    uri = put("\n".join(map(json.dumps, rows)) + "\n", f"{unique('jsonl')}/rows.jsonl")
    job = transformer(assemble_with="Line", accept="application/jsonlines", strategy="MultiRecord")
    job.transform(uri, content_type="application/jsonlines", split_type="Line", join_source="Input", logs=False)
    told = [json.loads(line) for line in S3Downloader.read_file(f"{job.output_path}/rows.jsonl.out").splitlines()]
    assert told == [{**row, "SageMakerOutput": {"sum": 2.0 * row["id"]}} for row in rows] or told == [
        {**row, "SageMakerOutput": {"sum": 2 * row["id"]}} for row in rows
    ], told


@promise
def compressed_input_is_decompressed():
    key = f"{unique('gzip')}/rows.csv.gz"
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=gzip.compress(b"1,2\n3,4\n"))
    job = transformer(assemble_with="Line", accept="text/csv")
    job.transform(
        f"s3://{bucket}/{key}", content_type="text/csv", split_type="Line", compression_type="Gzip", logs=False
    )
    assert S3Downloader.read_file(f"{job.output_path}/rows.csv.gz.out").split() == ["3.0", "7.0"]


@promise
def a_record_the_model_refuses_fails_the_job_and_says_so():
    prefix = unique("bad")
    put("1,2\n", f"{prefix}/good.csv")
    put("1,2\n-1,4\n", f"{prefix}/wrong.csv")
    job = transformer(assemble_with="Line", accept="text/csv")
    with refused(UnexpectedStatusException) as errors:
        job.transform(f"s3://{bucket}/{prefix}", content_type="text/csv", split_type="Line")
    described = client.describe_transform_job(TransformJobName=job.latest_transform_job.name)
    assert described["TransformJobStatus"] == "Failed"
    assert described["FailureReason"] in str(errors[0])
    assert described["FailureReason"].startswith("AlgorithmError"), described["FailureReason"]
    assert "no -1 please" in log_of(job.latest_transform_job.name)
    assert "wrong.csv" in log_of(job.latest_transform_job.name)


@promise
def a_job_is_stopped():
    job = transformer(assemble_with="Line", accept="text/csv")
    uri = put("slow\n", f"{unique('slow')}/rows.csv")
    job.transform(uri, content_type="text/csv", wait=False)
    deadline = time.time() + 60
    name = job.latest_transform_job.name
    while "Model loaded" not in log_of(name) and time.time() < deadline:
        time.sleep(0.5)
    job.stop_transform_job(wait=True)
    assert client.describe_transform_job(TransformJobName=name)["TransformJobStatus"] == "Stopped"
    found = client.list_transform_jobs(StatusEquals="Stopped", NameContains=name)["TransformJobSummaries"]
    assert [row["TransformJobName"] for row in found] == [name]
    with refused(ClientError) as errors:
        client.stop_transform_job(TransformJobName=name)
    assert "is in status Stopped" in str(errors[0]), errors


@promise
def what_is_missing_is_refused():
    with refused(ClientError) as errors:
        transformer(model_name="no-such-model").transform(
            put("1\n", "one/x.csv"), content_type="text/csv", job_name=unique("no-model")
        )
    assert "Could not find model" in str(errors[0]), errors
    with refused(ClientError) as errors:
        transformer().transform(f"s3://{bucket}/nothing/at/all", content_type="text/csv")
    assert "nothing/at/all" in str(errors[0]), errors
    with refused(ClientError) as errors:
        client.describe_transform_job(TransformJobName="never-was")
    assert "Could not find" in str(errors[0]) or "not found" in str(errors[0]).lower(), errors


if __name__ == "__main__":
    main()
