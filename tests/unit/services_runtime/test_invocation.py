"""InvokeEndpoint, as a client of the runtime sees it."""

import asyncio
from pathlib import Path

import pytest
from tests.fakes.house import ACCOUNT, REGION, a_call, a_house
from tests.fakes.serving import FakeServing, answer

from sagehouse.kit.errors import SagehouseError, Unavailable
from sagehouse.ports.catalog import Insert, Key
from sagehouse.ports.serving import EndpointKey, Route, Variant
from sagehouse.services.sagemaker_runtime import OPERATIONS

REPLICA = Path("/run/one")


def serving(model) -> FakeServing:
    plane = FakeServing(invocation_timeout_s=0.01)
    plane.listen(REPLICA, model)
    plane.route(
        Route(
            key=EndpointKey(account=ACCOUNT, region=REGION, name="churn"),
            variants=[Variant(name="AllTraffic", weight=1.0, replicas=[REPLICA])],
            log_group="/aws/sagemaker/Endpoints/Churn",
        )
    )
    return plane


def invoke(plane: FakeServing, *, house=None, **members):
    call = a_call("InvokeEndpoint", service="sagemaker-runtime")
    request = {"EndpointName": "Churn", "Body": b"1,2", **members}
    return asyncio.run(OPERATIONS["InvokeEndpoint"](house or a_house(serving=plane), call, request))


def refused(plane: FakeServing, **members) -> SagehouseError:
    with pytest.raises(SagehouseError) as caught:
        invoke(plane, **members)
    return caught.value


def test_the_models_bytes_type_and_attributes_come_back_with_the_variant():
    plane = serving(
        lambda _: answer(200, b"0.7", {"content-type": "text/csv", "x-amzn-sagemaker-custom-attributes": "v=3"})
    )
    assert invoke(plane) == {
        "Body": b"0.7",
        "ContentType": "text/csv",
        "CustomAttributes": "v=3",
        "InvokedProductionVariant": "AllTraffic",
    }


def test_the_callers_headers_reach_the_model():
    seen = {}

    def model(asked):
        seen.update(asked.headers)
        return answer(200)

    invoke(
        serving(model),
        ContentType="text/csv",
        Accept="application/json",
        CustomAttributes="a=1",
        TargetVariant="AllTraffic",
        InferenceId="id-7",
    )
    assert seen == {
        "content-type": "text/csv",
        "accept": "application/json",
        "x-amzn-sagemaker-custom-attributes": "a=1",
        "x-amzn-sagemaker-target-variant": "AllTraffic",
        "x-amzn-sagemaker-inference-id": "id-7",
    }


def test_an_unknown_endpoint_is_told_in_aws_words():
    error = refused(FakeServing())
    assert (error.code, error.message) == ("ValidationError", f"Endpoint Churn of account {ACCOUNT} not found.")


def test_an_unknown_variant_is_a_validation_error_naming_it():
    error = refused(serving(lambda _: answer()), TargetVariant="Blue")
    assert error.code == "ValidationError"
    assert "Variant Blue not found for endpoint Churn" in error.message


@pytest.mark.parametrize(("status", "whose"), [(500, "server"), (415, "client")])
def test_a_models_own_error_is_a_model_error_with_its_status_and_words(status, whose):
    error = refused(serving(lambda _: answer(status, b"no such column")))
    assert error.code == "ModelError"
    assert error.message == (
        f'Received {whose} error ({status}) from primary with message "no such column". '
        f"See https://{REGION}.console.aws.amazon.com/cloudwatch/home?region={REGION}"
        f"#logEventViewer:group=/aws/sagemaker/Endpoints/Churn in account {ACCOUNT} for more information."
    )
    assert error.details == {
        "OriginalStatusCode": str(status),
        "OriginalMessage": "no such column",
        "LogStreamArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker/Endpoints/Churn",
    }


def test_a_model_that_takes_too_long_is_a_model_error_zero():
    async def forever(_asked):
        await asyncio.Event().wait()

    error = refused(serving(forever))
    assert error.code == "ModelError"
    assert 'Received server error (0) from primary with message "Your invocation timed out' in error.message


def test_a_replica_that_dies_in_the_middle_is_a_model_error():
    def dies(_asked):
        raise ConnectionResetError

    error = refused(serving(dies))
    assert (error.code, error.details["OriginalStatusCode"]) == ("ModelError", "0")


def test_an_endpoint_whose_replicas_are_all_away_asks_for_a_retry():
    plane = serving(lambda _: answer())
    plane.fall_silent(REPLICA)
    error = refused(plane)
    assert isinstance(error, Unavailable)
    assert error.code == "ServiceUnavailable"


def test_an_endpoint_in_service_that_is_not_routed_yet_asks_for_a_retry_instead_of_denying_that_it_exists():
    house = a_house(serving=FakeServing())
    key = Key(account=ACCOUNT, region=REGION, kind="Endpoint", name="Churn")
    asyncio.run(house.catalog.write(Insert(key=key, arn="arn:x", document={}, status="InService", now=1.0)))
    assert refused(FakeServing(), house=house).code == "ServiceUnavailable"


@pytest.mark.parametrize(
    "member",
    [
        "TargetModel",
        "TargetContainerHostname",
        "InferenceComponentName",
        "SessionId",
        "EnableExplanations",
        "PrefixAwareId",
    ],
)
def test_a_member_whose_feature_is_not_there_is_refused_by_name(member):
    error = refused(serving(lambda _: answer()), **{member: "x"})
    assert error.code == "ValidationError"
    assert error.message.startswith(f"{member} 'x' cannot be honoured for endpoint Churn")


def test_only_the_plain_invocation_is_bound():
    assert set(OPERATIONS) == {"InvokeEndpoint"}
