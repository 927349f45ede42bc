"""The model registry as notebooks and courses use it with the SageMaker Python SDK 2.x and boto3."""

import io
import json
import tarfile
import tempfile
import time
from pathlib import Path

import boto3
import sagemaker
from botocore.exceptions import ClientError
from sagemaker import ModelPackage, image_uris
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.predictor import Predictor
from sagemaker.s3 import S3Uploader
from sagemaker.serializers import CSVSerializer
from sdk2_promises import main, promise, refused, unique

HERE = tempfile.mkdtemp()
session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role()
client = boto3.client("sagemaker")
SKLEARN = image_uris.retrieve("sklearn", "us-east-1", version="1.2-1", instance_type="ml.m5.large")
INFERENCE = """
import os
def model_fn(d):
    return float(open(d + "/factor").read())
def input_fn(body, ctype):
    return [float(v) for v in body.split(",")]
def predict_fn(data, model):
    return [model * v for v in data]
def output_fn(prediction, accept):
    return ",".join(map(str, prediction)) + os.environ.get("SUFFIX", ""), "text/csv"
"""


def data(factor):
    path = Path(HERE) / f"{factor}" / "model.tar.gz"
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, text in (("factor", str(factor)), ("code/inference.py", INFERENCE)):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return S3Uploader.upload(str(path), f"s3://{bucket}/registry/{factor}")


def registered(group, factor, status="PendingManualApproval", **more):
    model = Model(
        image_uri=SKLEARN,
        model_data=data(factor),
        role=role,
        env={"SUFFIX": "!"},
        sagemaker_session=session,
        predictor_cls=Predictor,
    )
    return model.register(
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.t2.medium", "ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_package_group_name=group,
        approval_status=status,
        **more,
    )


@promise
def versions_are_registered_listed_approved_and_deployed():
    group = unique("group")
    client.create_model_package_group(
        ModelPackageGroupName=group,
        ModelPackageGroupDescription="models of a course",
        Tags=[{"Key": "team", "Value": "ml"}],
    )
    with refused(ClientError) as errors:
        client.create_model_package_group(ModelPackageGroupName=group)
    assert "already exists" in str(errors[0]), errors
    statistics = f"s3://{bucket}/registry/evaluation.json"
    S3Uploader.upload_string_as_file_body(json.dumps({"auc": 0.9}), statistics)
    first = registered(
        group,
        2,
        description="first",
        customer_metadata_properties={"owner": "me"},
        model_metrics=ModelMetrics(model_statistics=MetricsSource(content_type="application/json", s3_uri=statistics)),
        domain="MACHINE_LEARNING",
        task="REGRESSION",
    )
    registered(group, 3)
    assert isinstance(first, ModelPackage)
    rows = client.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert [row["ModelPackageVersion"] for row in rows] == [2, 1], rows
    assert rows[0]["ModelApprovalStatus"] == "PendingManualApproval"
    assert rows[1]["ModelPackageArn"] == first.model_package_arn
    oldest = client.list_model_packages(ModelPackageGroupName=group, SortOrder="Ascending", MaxResults=1)
    assert oldest["ModelPackageSummaryList"][0]["ModelPackageVersion"] == 1
    rest = client.list_model_packages(
        ModelPackageGroupName=group, SortOrder="Ascending", NextToken=oldest["NextToken"]
    )["ModelPackageSummaryList"]
    assert [row["ModelPackageVersion"] for row in rest] == [2]
    described = client.describe_model_package(ModelPackageName=first.model_package_arn)
    assert described["ModelPackageStatus"] == "Completed"
    assert described["ModelPackageDescription"] == "first"
    assert described["CustomerMetadataProperties"] == {"owner": "me"}
    assert described["Task"] == "REGRESSION"
    assert described["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == statistics
    assert described["InferenceSpecification"]["Containers"][0]["Image"] == SKLEARN
    client.update_model_package(
        ModelPackageArn=first.model_package_arn, ModelApprovalStatus="Approved", ApprovalDescription="good enough"
    )
    described = client.describe_model_package(ModelPackageName=first.model_package_arn)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ApprovalDescription"] == "good enough"
    approved = client.list_model_packages(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved", SortBy="CreationTime", MaxResults=1
    )["ModelPackageSummaryList"]
    assert [row["ModelPackageVersion"] for row in approved] == [1]
    package = ModelPackage(
        role=role,
        model_package_arn=approved[0]["ModelPackageArn"],
        sagemaker_session=session,
        predictor_cls=Predictor,
    )
    predictor = package.deploy(
        initial_instance_count=1,
        instance_type="ml.m5.large",
        endpoint_name=unique("package"),
        serializer=CSVSerializer(),
    )
    assert predictor.predict([1, 2]) == b"2.0,4.0!"
    with refused(ClientError):
        client.update_model_package(ModelPackageArn=first.model_package_arn, ModelApprovalStatus="Perhaps")
    with refused(ClientError) as errors:
        client.delete_model_package_group(ModelPackageGroupName=group)
    assert group in str(errors[0]) or "package" in str(errors[0]), errors
    predictor.delete_endpoint()
    package.delete_model()
    for row in rows:
        client.delete_model_package(ModelPackageName=row["ModelPackageArn"])
    client.delete_model_package_group(ModelPackageGroupName=group)
    with refused(ClientError) as errors:
        client.describe_model_package_group(ModelPackageGroupName=group)
    assert "does not exist" in str(errors[0]), errors


@promise
def what_waits_for_approval_is_not_deployed_unless_the_sdk_approves_it():
    group = unique("waiting")
    waiting = registered(group, 5)
    container = {"ModelPackageName": waiting.model_package_arn}
    with refused(ClientError) as errors:
        client.create_model(ModelName=unique("waiting"), ExecutionRoleArn=role, PrimaryContainer=container)
    assert "is PendingManualApproval, not Approved" in str(errors[0]), errors
    client.update_model_package(ModelPackageArn=waiting.model_package_arn, ModelApprovalStatus="Rejected")
    with refused(ClientError) as errors:
        client.create_model(ModelName=unique("rejected"), ExecutionRoleArn=role, PrimaryContainer=container)
    assert "is Rejected, not Approved" in str(errors[0]), errors
    waiting.create()
    described = client.describe_model_package(ModelPackageName=waiting.model_package_arn)
    assert described["ModelApprovalStatus"] == "Approved", described
    assert (
        client.describe_model(ModelName=waiting.name)["Containers"][0]["ModelPackageName"]
        == container["ModelPackageName"]
    )


@promise
def a_package_becomes_a_model_and_an_endpoint_with_boto3():
    group = unique("boto")
    client.create_model_package_group(ModelPackageGroupName=group)
    made = client.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription="by hand",
        InferenceSpecification={
            "Containers": [{"Image": SKLEARN, "ModelDataUrl": data(5)}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        ModelApprovalStatus="Approved",
    )
    arn = made["ModelPackageArn"]
    assert arn.endswith(f":model-package/{group.lower()}/1"), arn
    name = unique("from-package")
    client.create_model(
        ModelName=name, ExecutionRoleArn=role, Containers=[{"ModelPackageName": arn, "Environment": {"SUFFIX": "?"}}]
    )
    client.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {"VariantName": "v", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        ],
    )
    client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    client.get_waiter("endpoint_in_service").wait(EndpointName=name)
    answer = boto3.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, ContentType="text/csv", Body="1")
    assert answer["Body"].read() == b"5.0?"
    client.delete_endpoint(EndpointName=name)
    client.update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties={"a": "1", "b": "2"}, ModelApprovalStatus="Rejected"
    )
    client.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["a"])
    described = client.describe_model_package(ModelPackageName=arn)
    assert described["CustomerMetadataProperties"] == {"b": "2"}
    assert described["ModelApprovalStatus"] == "Rejected"
    groups = client.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]
    assert [row["ModelPackageGroupName"] for row in groups] == [group]
    group_arn = groups[0]["ModelPackageGroupArn"]
    client.add_tags(ResourceArn=group_arn, Tags=[{"Key": "stage", "Value": "dev"}])
    assert client.list_tags(ResourceArn=group_arn)["Tags"] == [{"Key": "stage", "Value": "dev"}]
    client.delete_tags(ResourceArn=group_arn, TagKeys=["stage"])
    assert client.list_tags(ResourceArn=group_arn)["Tags"] == []
    batch = client.batch_describe_model_package(ModelPackageArnList=[arn])["ModelPackageSummaries"]
    assert batch[arn]["ModelPackageVersion"] == 1


@promise
def an_unversioned_package_stands_alone():
    name = unique("alone")
    client.create_model_package(
        ModelPackageName=name,
        InferenceSpecification={
            "Containers": [{"Image": SKLEARN, "ModelDataUrl": data(7)}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
            "SupportedTransformInstanceTypes": ["ml.m5.large"],
        },
    )
    assert client.describe_model_package(ModelPackageName=name)["ModelPackageStatus"] == "Completed"
    listed = client.list_model_packages(NameContains=name)["ModelPackageSummaryList"]
    assert [row["ModelPackageName"] for row in listed] == [name]
    with refused(ClientError) as errors:
        client.describe_model_package(ModelPackageName="arn:aws:sagemaker:us-east-1:123456789012:model-package/no/1")
    assert "Could not find model package" in str(errors[0]), errors
    client.delete_model_package(ModelPackageName=name)


@promise
def search_finds_models_jobs_and_packages():
    group = unique("searched")
    registered(group, 4, status="Approved")
    deadline = time.time() + 10
    while time.time() < deadline:
        found = client.search(
            Resource="ModelPackageGroup",
            SearchExpression={"Filters": [{"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": group}]},
        )["Results"]
        if found:
            break
    assert found[0]["ModelPackageGroup"]["ModelPackageGroupName"] == group
    found = client.search(
        Resource="ModelPackage",
        SearchExpression={
            "Filters": [
                {"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": group},
                {"Name": "ModelApprovalStatus", "Operator": "Equals", "Value": "Approved"},
            ]
        },
        SortBy="CreationTime",
    )["Results"]
    assert [one["ModelPackage"]["ModelPackageVersion"] for one in found] == [1]


if __name__ == "__main__":
    main()
