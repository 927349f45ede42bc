"""What went wrong with a file, in the words of batch transform's data log and of FailureReason."""

from collections.abc import Iterator
from dataclasses import dataclass

from sagehouse.domain.jobs.failure import MAX_CHARACTERS, Fault

_QUOTED_LINES = 50
"""Of a model's message in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """Source: the data logs of real jobs ("Bad HTTP status received from algorithm: 500", "ClientError: 415", ...)."""

    fault: Fault
    text: str
    file: str
    """bucket/key."""
    first_record: int = 0
    """Of the payload that failed, from 1; 0 if it is the file itself."""
    message: str = ""
    """What the model said."""

    def lines(self) -> Iterator[str]:
        """Yield what the data log says."""
        where = f" (payload beginning with record {self.first_record})" if self.first_record else ""
        yield f"{self.file}: {self.text}{where}"
        if self.message:
            yield f"{self.file}: "
            yield f"{self.file}: Message:"
            for line in self.message.splitlines()[:_QUOTED_LINES]:
                yield f"{self.file}: {line}"

    @property
    def reason(self) -> str:
        """FailureReason: AWS's words, then what they leave to the log."""
        said = self.message.strip().splitlines()
        detail = f" {self.file}: {self.text}" + (f": {said[-1]}" if said else "")
        return f"{self.fault}: See job logs for more information.{detail}"[:MAX_CHARACTERS]


def bad_status(status: int, message: str, *, file: str, first_record: int) -> Mishap:
    """Return what to say of a model's own 4xx or 5xx."""
    if 400 <= status < 500:
        return Mishap(
            fault="ClientError", text=f"ClientError: {status}", file=file, first_record=first_record, message=message
        )
    text = f"Bad HTTP status received from algorithm: {status}"
    return Mishap(fault="AlgorithmError", text=text, file=file, first_record=first_record, message=message)


def no_response(why: str, *, file: str, first_record: int) -> Mishap:
    return Mishap(
        fault="AlgorithmError",
        text="Unable to get response from algorithm",
        file=file,
        first_record=first_record,
        message=why,
    )


def bad_data(why: str, *, file: str, first_record: int = 0) -> Mishap:
    return Mishap(fault="ClientError", text=why, file=file, first_record=first_record)
