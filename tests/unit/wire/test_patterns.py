"""Java's regular expressions as Python's."""

import pytest

from sagehouse.gateway.models import service_models
from sagehouse.wire.patterns import compile_pattern

SERVICES = ("sagemaker", "sagemaker-runtime", "sts", "iam", "logs", "s3", "athena", "glue", "events", "lambda", "ecr")


@pytest.mark.parametrize("service", SERVICES)
def test_every_pattern_of_the_models_can_be_asked(service):
    for traits in service_models(service).service(service).shapes.values():
        if "pattern" in traits:
            matches = compile_pattern(traits["pattern"])
            matches("a")
            matches("é")


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "Größe 4/5", True),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "plain-Tag_1", True),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "no#hash", False),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "日本語", True),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "☃", False),
        (r"([\p{L}\p{N}]*)${1,128}", "abc", True),
        (r"arn:[\p{Alnum}\-]+:lambda", "arn:aws-cn:lambda", True),
        (r"arn:[\p{Alnum}\-]+:lambda", "arn:é:lambda", False),
        (r"\A\S[\p{Print}]*\z", "id-1 x", True),
        (r"\A\S[\p{Print}]*\z", "id\n", False),
        (r"\p{ASCII}*", "é", False),
        (r"[\w-_]*", "a-_b", True),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "a\U0001f600é", True),
        (r"\w+", "é", False),
        (r"^[a-z]$", "a\n", False),
    ],
)
def test_a_pattern_matches_what_java_would_match(pattern, text, is_match):
    assert bool(compile_pattern(pattern)(text)) is is_match
