"""The errors of an invocation, in AWS's words."""

from sagehouse.kit.arn import Arn
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, NotFound, SagehouseError, Unavailable
from sagehouse.ports.call import Call
from sagehouse.ports.serving import Answer

_MESSAGE_CHARACTERS = 4096
"""Of the model's own words in an error: enough for a traceback's end, short enough for a log line."""
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for "
    "each container in Amazon CloudWatch, resolve the issue, and try again."
)
_DROPPED = "The container closed the connection before it had answered the invocation."

_UNHONOURED = {
    "TargetModel": "the endpoint hosts a single model; a target model needs a multi-model endpoint",
    "TargetContainerHostname": "the endpoint runs a single container; a target container needs an inference pipeline",
    "InferenceComponentName": "the endpoint has no inference components",
    "SessionId": "the endpoint's model keeps no sessions",
    "EnableExplanations": "the endpoint has no explainer",
    "PrefixAwareId": "the endpoint routes by load, not by prefix",
}
"""Members whose feature no endpoint here has, and why."""


def check_members(call: Call, request: Document) -> None:
    """Raise for a member that this endpoint cannot honour, rather than drop it."""
    for member, why in _UNHONOURED.items():
        if request.get(member):
            raise Invalid(
                f"{member} {request[member]!r} cannot be honoured for endpoint {request['EndpointName']} of account "
                f"{call.account}: {why}.",
                code="ValidationError",
            )


def no_such_endpoint(call: Call, name: str) -> SagehouseError:
    return NotFound(f"Endpoint {name} of account {call.account} not found.", code="ValidationError")


def no_such_variant(call: Call, name: str, variant: str) -> SagehouseError:
    return Invalid(
        f"Variant {variant} not found for endpoint {name} of account {call.account}.", code="ValidationError"
    )


def not_ready(call: Call, name: str) -> SagehouseError:
    return Unavailable(
        f"Endpoint {name} of account {call.account} has no instance that is ready to answer; try again shortly.",
        code="ServiceUnavailable",
    )


def of_answer(call: Call, answer: Answer, *, log_group: str) -> SagehouseError:
    """Return ModelError for a model's own 4xx or 5xx."""
    said = answer.body.decode("utf-8", "replace")[:_MESSAGE_CHARACTERS]
    return _model_error(call, status=answer.status, said=said, log_group=log_group)


def of_silence(call: Call, silence: Unavailable, *, name: str, log_group: str) -> SagehouseError:
    """Return what to tell of a replica that gave no answer; `silence.code` as in `ports.serving`."""
    match silence.code:
        case "TimedOut":
            return _model_error(call, status=0, said=_TIMED_OUT, log_group=log_group)
        case "Dropped":
            return _model_error(call, status=0, said=_DROPPED, log_group=log_group)
        case "TooLarge":
            return _model_error(call, status=0, said=None, log_group=log_group)
    return not_ready(call, name)


def _model_error(call: Call, *, status: int, said: str | None, log_group: str) -> SagehouseError:
    """Source: texts observed of the service ("Received server error (500) from primary with message ...")."""
    whose = "client" if 400 <= status < 500 else "server"
    with_message = f'with message "{said}"' if said is not None else "and could not load the entire response body"
    message = (
        f"Received {whose} error ({status}) from primary {with_message}. "
        f"See https://{call.region}.console.aws.amazon.com/cloudwatch/home?region={call.region}"
        f"#logEventViewer:group={log_group} in account {call.account} for more information."
    )
    log_arn = Arn(service="logs", region=call.region, account=call.account, resource=f"log-group:{log_group}")
    return Invalid(
        message,
        code="ModelError",
        details={
            "OriginalStatusCode": str(status),
            "OriginalMessage": said or "",
            "LogStreamArn": str(log_arn),
        },
    )
