"""Which operation a request asks, in which region, with which access key: nothing is parsed beyond that.

The order of the tests is the order of the table "routing on one port": target header, form, credential scope, host,
and what remains is S3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sagehouse.kit.errors import Invalid, NotBound, SagehouseError
from sagehouse.wire.addressing import Place, read_host, to_path_style
from sagehouse.wire.http import HttpRequest
from sagehouse.wire.model import Operation, Service, ServiceModels
from sagehouse.wire.query import form_fields
from sagehouse.wire.routing import find_operation
from sagehouse.wire.sigv4 import Signature, read_signature

_BY_TARGET: Mapping[str, str] = {
    "AWSEvents": "events",
    "AWSGlue": "glue",
    "AWSInsightsIndexService": "ce",
    "AWSStepFunctions": "stepfunctions",
    "AmazonAthena": "athena",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "AmazonSQS": "sqs",
    "AmazonSSM": "ssm",
    "AnyScaleFrontendService": "application-autoscaling",
    "DynamoDB_20120810": "dynamodb",
    "GraniteServiceVersion20100801": "cloudwatch",
    "Logs_20140328": "logs",
    "SageMaker": "sagemaker",
    "TrentService": "kms",
    "secretsmanager": "secretsmanager",
}
_BY_VERSION: Mapping[str, str] = {
    "2010-03-31": "sns",
    "2010-05-08": "iam",
    "2010-05-15": "cloudformation",
    "2010-08-01": "cloudwatch",
    "2011-06-15": "sts",
    "2012-11-05": "sqs",
    "2016-11-15": "ec2",
}
_BY_SCOPE: Mapping[str, Sequence[str]] = {
    "sagemaker": ("sagemaker-runtime", "sagemaker-featurestore-runtime", "sagemaker-metrics"),
    "monitoring": ("cloudwatch",),
}
_DOCUMENTATION = "docs/reference/operations.md"
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The operation asked for, and by whom. `request` is the request the operation's parser must be given."""

    service: Service
    operation: Operation
    region: str
    access_key: str | None
    signature: Signature | None
    request: HttpRequest


class Unidentified(Exception):
    """No operation: `error` in the protocol that the client speaks, and in its service's words if that is known."""

    def __init__(self, error: SagehouseError, *, protocol: str, service: Service | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.protocol = protocol
        self.service = service


def is_form(request: HttpRequest) -> bool:
    """Whether the operation's name is in the body, which must then be read before `identify`."""
    kind = request.headers.get("content-type", "")
    return request.method == "POST" and kind.startswith("application/x-www-form-urlencoded")


def identify(models: ServiceModels, request: HttpRequest) -> Target:
    """Return the operation that a request asks for; Unidentified, with the error to answer, if there is none."""
    signature = read_signature(request)
    place = read_host(request.headers.get("host", ""))
    target = request.headers.get("x-amz-target")
    if target is not None and request.method == "POST":
        service, operation = _by_target(models, target, signature)
    elif _is_query(request, signature, place):
        service, operation = _by_form(models, request, signature)
    else:
        service, operation, request = _by_path(models, request, signature, place)
    return Target(
        service=service,
        operation=operation,
        region=(signature.region if signature else "") or place.region or DEFAULT_REGION,
        access_key=signature.access_key if signature else None,
        signature=signature,
        request=request,
    )


def _by_target(models: ServiceModels, target: str, signature: Signature | None) -> tuple[Service, Operation]:
    prefix, _, name = target.rpartition(".")
    known = _BY_TARGET.get(prefix)
    if known is None and signature is not None and signature.service not in ("", *models.names):
        raise Unidentified(not_bound(signature.service, name), protocol="json")
    if known is None:
        raise Unidentified(_unknown_operation(target), protocol="json")
    service = _load(models, known, name, protocol="json")
    return service, _operation(service, name)


def _is_query(request: HttpRequest, signature: Signature | None, place: Place) -> bool:
    """A form, or the same fields in the URL of a GET; an S3 key may be posted as a form, but then names its scope."""
    if (signature is not None and signature.service == "s3") or place.service == "s3":
        return False
    if is_form(request):
        return True
    return "Action=" in request.query and "Version=" in request.query


def _by_form(models: ServiceModels, request: HttpRequest, signature: Signature | None) -> tuple[Service, Operation]:
    try:
        fields = form_fields(request)
    except Invalid as error:
        raise Unidentified(error, protocol="query") from error
    name = fields.get("Action", "")
    known = _BY_VERSION.get(fields.get("Version", ""))
    if known is None and signature is not None and signature.service:
        known = _BY_SCOPE.get(signature.service, (signature.service,))[0]
    if known is None or not name:
        missing = Invalid("The form names no Action of a known Version.", code="MissingAction")
        raise Unidentified(missing, protocol="query")
    service = _load(models, known, name, protocol="query")
    return service, _operation(service, name)


def _by_path(
    models: ServiceModels, request: HttpRequest, signature: Signature | None, place: Place
) -> tuple[Service, Operation, HttpRequest]:
    scope = signature.service if signature else ""
    if scope in {"s3", "s3express", ""} and place.service in {"", "s3"}:
        request = to_path_style(request, place.bucket)
        names: Sequence[str] = ("s3", "sagemaker-runtime") if not scope else ("s3",)
    else:
        names = _BY_SCOPE.get(scope) or (scope or place.service,)
        if place.service in names:
            names = (place.service,)
    if names[0] == "s3" and request.method == "POST" and _is_upload(request):
        raise Unidentified(not_bound("s3", "PostObject"), protocol="rest-xml", service=models.service("s3"))
    for name in names:
        service = _load(models, name, f"{request.method} {request.raw_path}", protocol="rest-json")
        if not service.protocol.startswith("rest"):
            continue  # all its operations have the path "/": only a target or a form tells them apart
        try:
            operation = find_operation(service, request)
        except Invalid as error:
            raise Unidentified(error, protocol=service.protocol, service=service) from error
        if operation is not None:
            return service, operation, request
    service = models.service(names[0])
    if service.protocol == "rest-xml":
        refused = Invalid("The specified method is not allowed against this resource.", code="MethodNotAllowed")
        raise Unidentified(refused, protocol=service.protocol, service=service)
    raise Unidentified(
        _unknown_operation(f"{request.method} {request.raw_path}"), protocol=service.protocol, service=service
    )


def _is_upload(request: HttpRequest) -> bool:
    """Whether a browser's form uploads a file: POST Object, which no service model has."""
    return request.headers.get("content-type", "").startswith("multipart/form-data")


def _load(models: ServiceModels, name: str, operation: str, *, protocol: str) -> Service:
    """Return a bound service's model; Unidentified (501) naming the operation if the house has no such service."""
    if name not in models:
        raise Unidentified(not_bound(name, operation), protocol=protocol)
    return models.service(name)


def _operation(service: Service, name: str) -> Operation:
    if name not in service:
        raise Unidentified(_unknown_operation(name), protocol=service.protocol, service=service)
    return service.operation(name)


def _unknown_operation(name: str) -> Invalid:
    return Invalid(
        f"The operation {name!r} is not in the service model. {_DOCUMENTATION} lists what is bound.",
        code="UnknownOperationException",
    )


def not_bound(service: str, operation: str) -> NotBound:
    """Return the error for an operation that AWS has and this house does not implement."""
    return NotBound(f"sagehouse does not implement {service} {operation}. {_DOCUMENTATION} lists what is bound.")
