"""Waiting for jobs and endpoints in plain boto3: describe until the status says that nothing more will come."""

import time

GOING_ON = {"InProgress", "Stopping", "Creating", "Updating", "Executing", "Deleting"}


def wait(describe, status_member: str, wanted: str, *, limit_s: float = 300) -> dict:
    """Call `describe()` until the status is final; return the document, or stop with its FailureReason."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        document = describe()
        if document[status_member] not in GOING_ON:
            if document[status_member] != wanted:
                raise SystemExit(f"{document[status_member]}: {document.get('FailureReason')}")
            return document
        time.sleep(0.2)
    raise SystemExit(f"still {document[status_member]} after {limit_s:.0f} s")
