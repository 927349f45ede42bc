"""botocore serializes, we parse; we serialize, botocore parses: over every operation of the services we bind."""

import pytest
from tests.conformance.wire_documents import MODELS, SERVICES, Maker, client_request, client_view, from_botocore, normal

from sagehouse.wire.identify import identify
from sagehouse.wire.protocol import parse, serialize

OPERATIONS = [(service, name) for service in SERVICES for name in MODELS.service(service).operation_names]
# Names that share one request with another: AWS answers the newer operation.
SUPERSEDED = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
AMBIGUOUS = {"GetBucketNotification", "PutBucketNotification"}  # "Event" and "Events" are one element in the model
ELSEWHERE = {"ListDirectoryBuckets", "WriteGetObjectResponse"}  # answered by other hosts
EVENT_STREAMS = {"InvokeEndpointWithResponseStream", "SelectObjectContent", "GetLogObject", "StartLiveTail"}
REQUESTS = [(service, name) for service, name in OPERATIONS if name not in AMBIGUOUS]
RESPONSES = [(service, name) for service, name in REQUESTS if name not in EVENT_STREAMS]


@pytest.mark.parametrize(("service", "name"), REQUESTS)
def test_what_botocore_sends_is_understood_as_it_was_meant(service, name):
    operation = MODELS.service(service).operation(name)
    for seed in range(3):
        document = Maker(seed, is_full=seed == 0).document(operation.input)
        request = client_request(operation, document)
        if name not in ELSEWHERE:
            target = identify(MODELS, request)
            assert (target.service.name, target.operation.name) == (service, SUPERSEDED.get(name, name))
            assert target.region == "eu-west-1"
            request = target.request
        understood = parse(operation, request)
        if "ContentLength" not in document:
            understood.pop("ContentLength", None)
        if operation.is_streaming_input and operation.input.payload not in document:
            assert understood.pop(operation.input.payload) == b""
        assert understood == document


@pytest.mark.parametrize(("service", "name"), RESPONSES)
def test_what_we_answer_is_understood_by_botocore_as_it_was_meant(service, name):
    operation = MODELS.service(service).operation(name)
    for seed in range(3):
        document = Maker(seed, is_full=seed == 0).document(operation.output)
        response = serialize(operation, document, "request-1")
        understood = normal(from_botocore(client_view(operation, response)))
        if name == "GetBucketLocation":  # bare text, which botocore reads in a handler of its own
            assert document["LocationConstraint"].encode() in response.body
            understood = document
        if "Metadata" not in document:
            understood.pop("Metadata", None)
        assert understood == document
