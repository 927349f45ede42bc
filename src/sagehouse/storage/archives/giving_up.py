"""How a thread that packs or unpacks hears that nobody waits for it any more."""

import threading


class GivenUp(Exception):
    """Nobody waits for the result: the work ends here."""


def look(given_up: threading.Event) -> None:
    """Raise GivenUp once the event is set."""
    if given_up.is_set():
        raise GivenUp
