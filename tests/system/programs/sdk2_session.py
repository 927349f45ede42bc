"""The Session helpers of the SageMaker Python SDK 2.x, and boto3's paginators, waiters and list filters."""

import datetime
import io
import json
import tempfile
import time
from pathlib import Path

import boto3
import sagemaker
from botocore.exceptions import ClientError, WaiterError
from sagemaker import image_uris
from sagemaker.config import load_sagemaker_config
from sagemaker.s3 import S3Downloader, S3Uploader, s3_path_join
from sagemaker.s3_utils import parse_s3_url
from sagemaker.session import container_def, production_variant
from sagemaker.sklearn import SKLearn
from sagemaker.sklearn.processing import SKLearnProcessor
from sdk2_promises import main, promise, refused, script, unique

HERE = tempfile.mkdtemp()
session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role()
client = boto3.client("sagemaker")
SKLEARN = image_uris.retrieve("sklearn", "us-east-1", version="1.2-1", instance_type="ml.m5.large")
CLUSTER = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}}


@promise
def a_session_knows_its_account_region_bucket_and_role():
    assert session.boto_region_name == "us-east-1"
    assert session.account_id() == "123456789012"
    assert bucket == "sagemaker-us-east-1-123456789012"
    assert role == "arn:aws:iam::123456789012:role/SageMakerRole"
    assert session.expand_role("SageMakerRole") == role
    assert session.expand_role(role) == role
    assert session.get_caller_identity_arn() == role
    own = sagemaker.Session(default_bucket=unique("own-bucket"))
    assert own.default_bucket().startswith("own-bucket")
    assert boto3.client("s3").head_bucket(Bucket=own.default_bucket())
    prefixed = sagemaker.Session(default_bucket=own.default_bucket(), default_bucket_prefix="pre/fix")
    assert prefixed.upload_data(script(HERE, "p.txt", "p")) == f"s3://{own.default_bucket()}/pre/fix/data/p.txt"
    west = sagemaker.Session(boto_session=boto3.Session(region_name="eu-west-1"))
    assert west.default_bucket() == "sagemaker-eu-west-1-123456789012"
    location = boto3.client("s3").get_bucket_location(Bucket=west.default_bucket())
    assert location["LocationConstraint"] == "eu-west-1"


@promise
def files_go_up_and_come_down():
    folder = Path(HERE) / "folder"
    script(folder, "one.txt", "one\n")
    script(folder, "deep/two.txt", "two\n")
    prefix = unique("uploads")
    uri = session.upload_data(str(folder), key_prefix=prefix, extra_args={"Metadata": {"k": "v"}})
    assert uri == f"s3://{bucket}/{prefix}"
    assert sorted(session.list_s3_files(bucket, prefix)) == [f"{prefix}/deep/two.txt", f"{prefix}/one.txt"]
    assert session.read_s3_file(bucket, f"{prefix}/one.txt") == "one\n"
    assert boto3.client("s3").head_object(Bucket=bucket, Key=f"{prefix}/one.txt")["Metadata"] == {"k": "v"}
    written = session.upload_string_as_file_body("body", bucket, f"{prefix}/body.txt")
    assert written == f"s3://{bucket}/{prefix}/body.txt"
    target = tempfile.mkdtemp()
    session.download_data(target, bucket, prefix)
    assert (Path(target) / "deep" / "two.txt").read_text() == "two\n"
    assert (Path(target) / "body.txt").read_text() == "body"
    single = session.upload_data(str(folder / "one.txt"), bucket=bucket, key_prefix=prefix + "/single")
    assert S3Downloader.read_file(single) == "one\n"
    assert S3Downloader.read_bytes(single) == b"one\n"
    assert parse_s3_url(single)[0] == bucket
    assert s3_path_join(uri, "a", "b") == f"{uri}/a/b"
    assert S3Uploader.upload_bytes(b"\x00\x01", f"{uri}/bytes.bin") == f"{uri}/bytes.bin"
    big = Path(HERE) / "big.bin"
    big.write_bytes(bytes(20 * 1024 * 1024))
    session.upload_data(str(big), key_prefix=prefix)
    assert boto3.client("s3").head_object(Bucket=bucket, Key=f"{prefix}/big.bin")["ContentLength"] == 20 * 1024 * 1024
    assert boto3.resource("s3").Bucket(bucket).Object(f"{prefix}/one.txt").get()["Body"].read() == b"one\n"
    with refused(ClientError) as errors:
        session.read_s3_file(bucket, "nothing-there")
    assert errors[0].response["Error"]["Code"] == "NoSuchKey"


def make_jobs(base, count, entry="pass"):
    names = [f"{base}-{n}" for n in range(count)]
    for name in names:
        client.create_processing_job(
            ProcessingJobName=name,
            RoleArn=role,
            AppSpecification={"ImageUri": SKLEARN, "ContainerEntrypoint": ["python3", "-c", entry]},
            ProcessingResources=CLUSTER,
        )
    return names


@promise
def paginators_filters_and_waiters_of_jobs():
    base = unique("paged")
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=2)
    names = make_jobs(base, 3)
    for name in names:
        client.get_waiter("processing_job_completed_or_stopped").wait(
            ProcessingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    pages = list(
        client.get_paginator("list_processing_jobs").paginate(NameContains=base, PaginationConfig={"PageSize": 2})
    )
    assert [len(page["ProcessingJobSummaries"]) for page in pages] == [2, 1]
    found = [row["ProcessingJobName"] for page in pages for row in page["ProcessingJobSummaries"]]
    assert sorted(found) == names

    def listed(**filters):
        return [
            row["ProcessingJobName"]
            for row in client.list_processing_jobs(NameContains=base, **filters)["ProcessingJobSummaries"]
        ]

    assert listed(SortBy="Name", SortOrder="Ascending") == names
    assert listed(SortBy="Name", SortOrder="Descending") == names[::-1]
    assert listed(SortBy="CreationTime", SortOrder="Ascending") == names
    assert listed(SortBy="CreationTime", SortOrder="Descending") == names[::-1]
    assert sorted(listed(StatusEquals="Completed")) == names
    assert listed(StatusEquals="Failed") == []
    assert sorted(listed(CreationTimeAfter=before)) == names
    assert listed(CreationTimeBefore=before) == []
    assert sorted(listed(LastModifiedTimeAfter=before)) == names
    assert len(listed(MaxResults=1)) == 1
    failing = make_jobs(unique("fails"), 1, "raise SystemExit(1)")[0]
    with refused(WaiterError):
        client.get_waiter("processing_job_completed_or_stopped").wait(
            ProcessingJobName=failing, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    with refused(ClientError) as errors:
        client.list_processing_jobs(NextToken="nonsense")
    assert errors[0].response["Error"]["Code"] == "ValidationException"


@promise
def paginators_filters_and_waiters_of_training():
    base = unique("trained")
    names = [f"{base}-{n}" for n in range(2)]
    for name in names:
        client.create_training_job(
            TrainingJobName=name,
            RoleArn=role,
            AlgorithmSpecification={
                "TrainingImage": SKLEARN,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python3", "-c", "print('hello from', __import__('socket').gethostname())"],
            },
            OutputDataConfig={"S3OutputPath": f"s3://{bucket}/out"},
            ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5},
            StoppingCondition={"MaxRuntimeInSeconds": 60},
            Tags=[{"Key": "n", "Value": name}],
        )
    for name in names:
        client.get_waiter("training_job_completed_or_stopped").wait(
            TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        session.wait_for_job(name, poll=1)
    rows = client.list_training_jobs(NameContains=base, SortBy="Status", SortOrder="Ascending")
    assert sorted(row["TrainingJobName"] for row in rows["TrainingJobSummaries"]) == names
    assert all(row["TrainingJobStatus"] == "Completed" for row in rows["TrainingJobSummaries"])
    pages = client.get_paginator("list_training_jobs").paginate(
        NameContains=base, PaginationConfig={"PageSize": 1, "MaxItems": 2}
    )
    assert len([row for page in pages for row in page["TrainingJobSummaries"]]) == 2
    described = session.describe_training_job(names[0])
    assert session.sagemaker_client.list_tags(ResourceArn=described["TrainingJobArn"])["Tags"] == [
        {"Key": "n", "Value": names[0]}
    ]
    tags = client.get_paginator("list_tags").paginate(ResourceArn=described["TrainingJobArn"])
    assert [tag for page in tags for tag in page["Tags"]] == [{"Key": "n", "Value": names[0]}]
    found = client.search(
        Resource="TrainingJob",
        SearchExpression={"Filters": [{"Name": "TrainingJobName", "Operator": "Contains", "Value": base}]},
    )["Results"]
    assert sorted(one["TrainingJob"]["TrainingJobName"] for one in found) == names
    logs = boto3.client("logs")
    stream = logs.describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=names[0] + "/", orderBy="LogStreamName"
    )["logStreams"][0]["logStreamName"]
    assert stream.startswith(f"{names[0]}/algo-1-")
    events = logs.get_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream, startFromHead=True)
    assert [event["message"] for event in events["events"]] == ["hello from algo-1"], events["events"]
    again = logs.get_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs",
        logStreamName=stream,
        nextToken=events["nextForwardToken"],
    )
    assert again["events"] == []
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=names[0]
    )
    assert [event["message"] for page in pages for event in page["events"]] == ["hello from algo-1"]
    client.delete_training_job(TrainingJobName=names[0]) if hasattr(client, "delete_training_job") else None


@promise
def paginators_of_empty_lists_answer_nothing():
    for name in (
        "list_endpoints",
        "list_endpoint_configs",
        "list_models",
        "list_transform_jobs",
        "list_model_packages",
        "list_model_package_groups",
        "list_pipelines",
    ):
        filters = {"PipelineNamePrefix": "no-such"} if name == "list_pipelines" else {"NameContains": "no-such-thing"}
        pages = list(client.get_paginator(name).paginate(**filters))
        rows = [row for page in pages for value in page.values() if isinstance(value, list) for row in value]
        assert rows == [], (name, rows)


@promise
def s3_lists_versions_of_the_truth():
    s3 = boto3.client("s3")
    prefix = unique("listing")
    for n in range(5):
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{n % 2}/{n}.txt", Body=io.BytesIO(b"x"))
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix + "/", Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    assert [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])] == [f"{prefix}/0/", f"{prefix}/1/"]
    deleted = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": f"{prefix}/0/0.txt"}, {"Key": f"{prefix}/0/2.txt"}]}
    )
    assert len(deleted["Deleted"]) == 2
    assert len(list(boto3.resource("s3").Bucket(bucket).objects.filter(Prefix=prefix))) == 3
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": f"{prefix}/1/1.txt"})
    import urllib.request

    assert urllib.request.urlopen(url).read() == b"x"
    s3.get_waiter("object_exists").wait(Bucket=bucket, Key=f"{prefix}/1/1.txt")


@promise
def a_users_defaults_fill_in_what_a_program_leaves_out():
    own, named = unique("defaults-bucket"), "arn:aws:iam::123456789012:role/DefaultsRole"
    boto3.client("s3").create_bucket(Bucket=own)
    tags = [{"Key": "team", "Value": "churn"}]
    defaults = script(
        HERE,
        "defaults/config.yaml",
        f"""
        SchemaVersion: "1.0"
        SageMaker:
          PythonSDK:
            Modules:
              Session:
                DefaultS3Bucket: {own}
                DefaultS3ObjectKeyPrefix: team/churn
          TrainingJob:
            RoleArn: {named}
            EnableNetworkIsolation: true
            Environment: {{FLAVOUR: plain}}
            Tags: {json.dumps(tags)}
            VpcConfig: {{SecurityGroupIds: [sg-1], Subnets: [subnet-1]}}
          ProcessingJob:
            RoleArn: {named}
            NetworkConfig: {{EnableNetworkIsolation: true}}
        """,
    )
    mine = sagemaker.Session(sagemaker_config=load_sagemaker_config([defaults]))
    entry = script(HERE, "defaults/train.py", "import os; print('flavour', os.environ['FLAVOUR'])")
    estimator = SKLearn(entry, framework_version="1.2-1", instance_type="ml.m5.large", sagemaker_session=mine)
    estimator.fit(logs=False)
    job = estimator.latest_training_job.describe()
    assert job["RoleArn"] == named
    assert job["EnableNetworkIsolation"] is True
    assert job["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    assert job["OutputDataConfig"]["S3OutputPath"] == f"s3://{own}/team/churn/"
    assert estimator.model_data.startswith(f"s3://{own}/team/churn/")
    assert client.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == tags
    processor = SKLearnProcessor("1.2-1", instance_type="ml.m5.large", instance_count=1, sagemaker_session=mine)
    processor.run(code=script(HERE, "defaults/process.py", "print('ran')"), logs=False)
    job = processor.latest_job.describe()
    assert (job["RoleArn"], job["NetworkConfig"]["EnableNetworkIsolation"]) == (named, True)


@promise
def the_sessions_own_calls_train_host_update_and_process():
    """What labs call that go below the estimators: session.train, create_model_from_job, endpoint_from_..."""
    name, xgboost = unique("low"), image_uris.retrieve("xgboost", "us-east-1", "1.7-1")
    rows = "".join(f"{n % 2},{n % 2},{n}\n" for n in range(40))
    data = session.upload_string_as_file_body(rows, bucket, f"{name}/train/train.csv").rpartition("/")[0]
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}}
    session.train(
        input_mode="File",
        input_config=[{"ChannelName": "train", "DataSource": source, "ContentType": "text/csv"}],
        role=role,
        job_name=name,
        output_config={"S3OutputPath": f"s3://{bucket}/{name}"},
        resource_config={"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5},
        vpc_config=None,
        hyperparameters={"num_round": "3", "objective": "binary:logistic"},
        stop_condition={"MaxRuntimeInSeconds": 600},
        tags=None,
        metric_definitions=None,
        image_uri=xgboost,
    )
    session.logs_for_job(name, wait=True, poll=1)
    artifact = session.describe_training_job(name)["ModelArtifacts"]["S3ModelArtifacts"]
    assert session.create_model_from_job(name, role=role) == name
    assert session.create_model(name, role, container_def(xgboost, artifact)) == name, "an existing one is used"
    assert session.create_endpoint_config(name, name, 1, "ml.m5.large") == name
    assert session.endpoint_from_model_data(artifact, xgboost, 1, "ml.m5.large", name=f"{name}-data", role=role)
    assert session.create_endpoint(name, name) == name
    variant = production_variant(name, "ml.m5.xlarge", 1, variant_name="Larger")
    session.create_endpoint_config_from_existing(name, f"{name}-2", new_production_variants=[variant])
    session.update_endpoint(name, f"{name}-2")
    assert session.endpoint_in_service_or_not(name)
    assert session.wait_for_endpoint(name, poll=1)["ProductionVariants"][0]["VariantName"] == "Larger"
    with refused(ClientError) as errors:
        body = b"1,1,7\n"
        session.sagemaker_runtime_client.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=body)
    assert errors[0].response["OriginalStatusCode"] == 400, errors
    assert "Feature size of csv inference data 3 is not consistent" in str(errors[0]), "the label was sent, too"
    for endpoint in (name, f"{name}-data"):
        session.delete_endpoint(endpoint)
        session.delete_endpoint_config(endpoint)
        session.delete_model(endpoint)


@promise
def iam_answers_what_programs_ask():
    iam = boto3.client("iam")
    name = unique("Role")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    iam.get_waiter("role_exists").wait(RoleName=name)
    assert session.expand_role(name) == made["Arn"]
    job = unique("with-role")
    client.create_processing_job(
        ProcessingJobName=job,
        RoleArn=made["Arn"],
        AppSpecification={"ImageUri": SKLEARN, "ContainerEntrypoint": ["true"]},
        ProcessingResources=CLUSTER,
    )
    session.wait_for_processing_job(job, poll=1)
    assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"
    deadline = time.time() + 5
    while time.time() < deadline and iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []:
        time.sleep(0.1)


if __name__ == "__main__":
    main()
