"""boto3 against a gateway on a real port: every protocol, both event loops."""

import asyncio
import hashlib
import io
import logging

import pytest
import uvloop
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.unit.gateway.house import a_running_gateway


@pytest.fixture(scope="module", params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def running(request, tmp_path_factory):
    with a_running_gateway(tmp_path_factory.mktemp("gateway"), loop_factory=request.param) as found:
        yield found


def job(**more):
    request = {
        "TrainingJobName": "job-1",
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "image:1"},
        "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    return {**request, **more}


def error_of(call):
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"], error["Error"]["Message"]


def test_a_json_operation_runs_with_the_region_and_account_of_its_caller(running):
    client = running.client("sagemaker", region_name="eu-central-1", aws_access_key_id="999988887777")
    answer = client.create_training_job(**job())
    assert answer["TrainingJobArn"] == "arn:aws:sagemaker:eu-central-1:999988887777:training-job/x"
    assert "Surprise" not in answer
    assert running.shelf.calls[-1].request_id == answer["ResponseMetadata"]["RequestId"]


def test_a_query_operation_answers_an_assumed_role(running):
    answer = running.client("sts").get_caller_identity()
    assert answer["Arn"] == "arn:aws:sts::123456789012:assumed-role/SageMakerRole/session"


def test_a_constraint_that_does_not_hold_is_told_in_the_words_of_aws(running):
    call = lambda: running.client("sagemaker").create_training_job(**job(TrainingJobName="-"))  # noqa: E731
    assert error_of(call) == (
        400,
        "ValidationException",
        (
            "1 validation error detected: Value '-' at 'trainingJobName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
        ),
    )


def test_an_operation_that_is_not_bound_names_itself(running):
    status, code, message = error_of(lambda: running.client("sagemaker").list_actions())
    assert (status, code) == (501, "NotImplemented")
    assert "sagemaker ListActions" in message
    assert "docs/reference/operations.md" in message


def test_a_service_that_is_not_bound_names_the_operation(running):
    status, code, message = error_of(lambda: running.client("athena").list_data_catalogs())
    assert (status, code) == (501, "NotImplemented")
    assert "athena ListDataCatalogs" in message


def test_what_nobody_foresaw_is_logged_with_its_request_id_and_answered_as_internal_failure(running, caplog):
    with caplog.at_level(logging.ERROR, logger="sagehouse.gateway"):
        status, code, message = error_of(lambda: running.client("sagemaker").list_training_jobs())
    assert (status, code) == (500, "InternalFailure")
    record = next(record for record in caplog.records if record.exc_info)
    assert "ZeroDivisionError" in caplog.text
    assert record.getMessage().split("request_id=")[1][:36] in message


def test_what_the_machine_has_run_out_of_is_said_and_may_be_tried_again(running):
    """Without inodes CreateLogGroup was a 500; and so was any write to a disk that had become read-only."""
    status, code, message = error_of(lambda: running.client("s3").delete_bucket(Bucket="full-disk"))
    assert (status, code) == (503, "ServiceUnavailable")
    assert "No space left on device" in message


def test_an_operation_asks_another_from_inside(running):
    answer = running.client("sagemaker").describe_endpoint(EndpointName="e")
    assert answer["EndpointArn"].endswith("assumed-role/SageMakerRole/session")


def test_errors_keep_the_code_the_service_chose(running):
    call = lambda: running.client("sagemaker").describe_training_job(TrainingJobName="x")  # noqa: E731
    assert error_of(call) == (400, "ValidationException", "Requested resource not found.")


def test_a_missing_role_is_no_such_entity(running):
    iam = running.client("iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="nobody")


def test_invoke_endpoint_passes_bytes(running):
    answer = running.client("sagemaker-runtime").invoke_endpoint(EndpointName="e", Body=b"abc", ContentType="text/csv")
    assert answer["Body"].read() == b"cba"
    assert answer["ContentType"] == "text/csv"


def test_a_model_error_carries_the_models_own_words(running):
    client = running.client("sagemaker-runtime")
    with pytest.raises(client.exceptions.ModelError) as caught:
        client.invoke_endpoint(EndpointName="failing", Body=b"abc")
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 500
    assert response["OriginalMessage"] == "boom"


def test_put_object_streams_its_body(running):
    data = bytes(range(256)) * 40_000
    running.client("s3").put_object(Bucket="bucket-1", Key="a b/ü", Body=data)
    assert running.shelf.seen[-1] == (len(data), hashlib.md5(data).hexdigest(), {})


def test_put_object_over_tls_is_decoded_from_aws_chunked_with_its_trailers(running):
    data = b"x" * 3_000_000
    client = running.client("s3", endpoint_url=f"https://127.0.0.1:{running.port}", verify=str(running.bundle))
    client.put_object(Bucket="bucket-1", Key="key", Body=io.BytesIO(data), ContentEncoding="gzip")
    size, digest, trailers = running.shelf.seen[-1]
    assert (size, digest) == (len(data), hashlib.md5(data).hexdigest())
    assert list(trailers) == ["x-amz-checksum-crc32"]
    assert running.shelf.calls[-1].headers["content-encoding"] == "gzip"


def test_a_refused_upload_is_told_at_once_and_the_client_goes_on(running):
    client = running.client("s3")
    for _ in range(2):
        call = lambda: client.put_object(Bucket="absent", Key="k", Body=b"x" * 1_000_000)  # noqa: E731
        assert error_of(call) == (404, "NoSuchBucket", "The specified bucket does not exist")
    client.put_object(Bucket="bucket-1", Key="k", Body=b"y")
    assert running.shelf.seen[-1][0] == 1


def test_a_file_is_streamed_with_its_length(running):
    data = bytes(range(251)) * 30_000
    (running.shelf.directory / "big").write_bytes(data)
    answer = running.client("s3").get_object(Bucket="bucket-1", Key="big")
    assert answer["ContentLength"] == len(data)
    assert answer["Metadata"] == {"who": "me"}
    assert answer["Body"].read() == data


def test_a_client_that_leaves_in_the_middle_harms_nobody(running):
    (running.shelf.directory / "huge").write_bytes(b"z" * 30_000_000)
    client = running.client("s3")
    answer = client.get_object(Bucket="bucket-1", Key="huge")
    answer["Body"].read(10)
    answer["Body"].close()
    assert client.get_object(Bucket="bucket-1", Key="iterated")["Body"].read() == b"0,1,2,"


def test_head_answers_lengths_and_statuses_without_a_body(running):
    client = running.client("s3")
    assert client.head_object(Bucket="bucket-1", Key="there")["ContentLength"] == 12
    assert error_of(lambda: client.head_object(Bucket="bucket-1", Key="gone")) == (404, "404", "Not Found")
    assert client.head_object(Bucket="bucket-1", Key="there")["ETag"] == '"e"'


def test_not_modified_has_headers_and_no_body(running):
    client = running.client("s3")
    with pytest.raises(ClientError) as caught:
        client.get_object(Bucket="bucket-1", Key="changed", IfNoneMatch='"abc"')
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["etag"] == '"abc"'


def test_s3_documents_travel_as_xml(running):
    client = running.client("s3")
    answer = client.delete_objects(Bucket="bucket-1", Delete={"Objects": [{"Key": "a&b"}, {"Key": "c"}]})
    assert [item["Key"] for item in answer["Deleted"]] == ["a&b", "c"]
    assert client.get_bucket_location(Bucket="bucket-1")["LocationConstraint"] == "eu-west-1"
    assert client.delete_bucket(Bucket="bucket-1")["ResponseMetadata"]["HTTPStatusCode"] == 204


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls_say_who_signed_and_carry_their_headers(running, version):
    import urllib.request

    config = Config(signature_version=version)
    client = running.client("s3", config=config, region_name="us-east-1", aws_access_key_id="111122223333")
    url = client.generate_presigned_url("put_object", Params={"Bucket": "bucket-1", "Key": "k"})
    request = urllib.request.Request(url, data=b"hello", method="PUT", headers={"Content-Type": ""})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    call = running.shelf.calls[-1]
    assert call.account == "111122223333"
    assert "Signature=" in call.headers["x-sagehouse-query"]


def test_the_houses_own_routes_answer_json(running):
    import json
    import urllib.error
    import urllib.request

    with urllib.request.urlopen(f"{running.url}/_sagehouse/health?a=1") as answer:
        assert json.load(answer) == {"status": "up", "method": "GET", "query": {"a": ["1"]}}
    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(f"{running.url}/_sagehouse/nothing"):
        pass
    assert caught.value.code == 404
    caught.value.close()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("_sagehouse/health?a=%ff", {}, 400),
        ("_sagehouse/health", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("bucket?delete", {"Origin": "https://evil.example.com"}, 403),
        ("bucket", {"Host": "evil.example.com"}, 403),
    ],
)
def test_what_no_program_sends_is_refused(running, path, headers, status):
    """A query that is not UTF-8 was a 500."""
    import urllib.error
    import urllib.request

    request = urllib.request.Request(f"{running.url}/{path}", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(request):
        pass
    assert caught.value.code == status
    caught.value.close()
