"""JSON bodies that are wrong in ways only bytes can be."""

import json

import pytest

from sagehouse.gateway.models import service_models
from sagehouse.kit.errors import Invalid
from sagehouse.wire.http import HttpRequest
from sagehouse.wire.protocol import parse, serialize

SAGEMAKER = service_models("sagemaker").service("sagemaker")
CREATE = SAGEMAKER.operation("CreateTrainingJob")


def parsed(body, operation=CREATE):
    return parse(operation, HttpRequest(method="POST", raw_path="/", query="", headers={}, body=body))


def test_null_members_are_absent_and_nulls_in_lists_stay():
    body = {"TrainingJobName": None, "VpcConfig": {"Subnets": ["a", None], "SecurityGroupIds": None}, "Unknown": None}
    assert parsed(json.dumps(body).encode()) == {"VpcConfig": {"Subnets": ["a", None]}}


def test_an_empty_body_is_an_empty_document():
    assert parsed(b"") == parsed(b"{}") == parsed(b" \n") == {}


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"1",
        b"{",
        b"\xff",
        b'{"A": NaN}',
        b'{"A": "\\ud800"}',
        b'{"A": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"A": ' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"A": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_a_serialization_error(body):
    with pytest.raises(Invalid) as caught:
        parsed(body)
    assert caught.value.code == "SerializationException"


def test_timestamps_come_as_numbers_or_texts():
    operation = SAGEMAKER.operation("ListTrainingJobs")
    body = b'{"CreationTimeAfter": 1700000000, "CreationTimeBefore": "2023-11-14T22:13:20Z"}'
    assert parsed(body, operation) == {"CreationTimeAfter": 1.7e9, "CreationTimeBefore": 1.7e9}


def test_a_response_holds_only_members_of_the_output_shape():
    document = {
        "TrainingJobName": "a",
        "_handle": "x",
        "Tags": [{"Key": "k"}],
        "CreationTime": 1.23456,
        "RoleArn": None,
    }
    response = serialize(SAGEMAKER.operation("DescribeTrainingJob"), document, "r")
    assert json.loads(response.body) == {"TrainingJobName": "a", "CreationTime": 1.235}
    assert dict(response.headers)["x-amzn-requestid"] == "r"


def test_a_metric_that_is_not_a_number_is_spelled_as_a_text():
    document = {"FinalMetricDataList": [{"MetricName": "loss", "Value": float("nan")}]}
    response = serialize(SAGEMAKER.operation("DescribeTrainingJob"), document, "r")
    assert json.loads(response.body) == {"FinalMetricDataList": [{"MetricName": "loss", "Value": "NaN"}]}
