"""Why a job failed: the words."""

import pytest
from tests.unit.domain_jobs.builders import an_outcome

from sagehouse.domain.jobs.failure import last_words, script_failed
from sagehouse.domain.jobs.outcome import Outcome, failure_of

TRACEBACK = ["Traceback (most recent call last):", '  File "t.py", line 3, in <module>', "    fit()"]
STRIPPED = [line.strip() for line in (*TRACEBACK, '  File "fit.py", line 9, in fit', "    raise", "    ^^^^~")]
"""As SDK 3.x's driver logs it."""


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([*TRACEBACK, "ValueError: no column 'x'"], "ValueError: no column 'x'"),
        (
            [*TRACEBACK, "ValueError: first", "", "During handling ...:", "", *TRACEBACK, "KeyError: 'second'"],
            "KeyError: 'second'",
        ),
        ([*TRACEBACK, "MemoryError", "cleaning up", "bye"], "MemoryError"),
        (
            [*STRIPPED, "ValueError: no price", "Command failed with exit code 1. Traceback: ..."],
            "ValueError: no price",
        ),
        (
            [*STRIPPED, 'File "<string>", line 1', "pandas.errors.ParserError: row 3"],
            "pandas.errors.ParserError: row 3",
        ),
        ([*STRIPPED, "[Previous line repeated 9 more times]", "RecursionError"], "RecursionError"),
        (TRACEBACK, "fit()"),
        (["#011Traceback", "a", "b", "c", "d", "e", ""], "b c d e"),
        (["  usage: t.py [-h]", "t.py: error: no --x"], "usage: t.py [-h] t.py: error: no --x"),
        ([], ""),
    ],
)
def test_the_last_words_are_the_line_that_says_what_went_wrong(lines, words):
    assert last_words(lines) == words


def test_the_exit_code_and_the_log_are_told_however_long_the_failure_is():
    reason = str(
        script_failed(exit_code=7, failure="x" * 5000, last_words="", log="/aws/sagemaker/TrainingJobs job/algo-1-1")
    )
    assert len(reason) == 1024
    assert reason.endswith("xx, exit code: 7. See the log: /aws/sagemaker/TrainingJobs job/algo-1-1")


def test_the_exit_code_follows_a_sentence_without_its_stop():
    told = str(script_failed(exit_code=1, failure="UserError: set InstanceCount to 1.", last_words="", log=""))
    assert told == "AlgorithmError: UserError: set InstanceCount to 1, exit code: 1"


def test_what_a_launcher_leaves_does_not_hide_the_scripts_own_last_line():
    """SDK 3.x's driver wrote that `python train.py` returned 1, and nobody was told why."""
    left = "subprocess.CalledProcessError: Command 'train.py' returned non-zero exit status 1."
    words = "ValueError: no column 'price'"
    told = str(script_failed(exit_code=1, failure=left, last_words=words, log="g s"))
    assert told.endswith(f"exit status 1. The log's last traceback: {words}, exit code: 1. See the log: g s")
    told = str(script_failed(exit_code=1, failure=f"Exception during training: {words}", last_words=words, log=""))
    assert told == f"AlgorithmError: Exception during training: {words}, exit code: 1"
    told = str(script_failed(exit_code=1, failure="x" * 5000, last_words="y" * 5000, log="g s"))
    assert (len(told), told[:18]) == (1024, "AlgorithmError: xx")


def test_a_script_without_a_word_still_gives_a_reason():
    assert str(failure_of(an_outcome(9))) == "AlgorithmError: the script ended without a word, exit code: 9"


def test_an_outcome_survives_its_document():
    outcome = an_outcome(3, failure="f", last_words="w", log="l", exit_message="m", is_message_broken=True, detail="d")
    assert Outcome.from_document(outcome.to_document()) == outcome


def test_the_very_last_line_is_told_however_long_those_before_it_are() -> None:
    assert last_words(["y" * 5000, "z" * 300, "disk is gone"]) == "z" * 300 + " disk is gone"
    assert last_words(["y" * 5000, "", "disk is gone"]) == "disk is gone"
    assert last_words(["y" * 5000]) == "y" * 5000
