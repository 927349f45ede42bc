"""Where a job's files lie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain_jobs.documents import a_processing_job, a_training_job, an_input, an_output

from sagehouse.domain.jobs import processing, training
from sagehouse.domain.jobs.layout import is_copied, layout_of
from sagehouse.domain.jobs.spec import local_path
from sagehouse.kit.errors import Invalid


def a_layout(*inputs: str, outputs: tuple[str, ...] = ()):
    document = a_processing_job(
        ProcessingInputs=[an_input(str(number), "p/", path) for number, path in enumerate(inputs)],
        ProcessingOutputConfig={"Outputs": [an_output(path, path, "o") for path in outputs]},
    )
    spec = processing.spec_of(document)
    return spec, layout_of(spec)


def test_all_channels_of_a_training_job_lie_under_one_overlay():
    layout = layout_of(training.spec_of(a_training_job()))
    assert layout.parts == {"ml": "/opt/ml", "inputs/0": "/opt/ml/input/data"}
    assert layout.locate("/opt/ml/input/data/train") == "inputs/0/train"
    assert layout.locate("/opt/ml/model") == "ml/model"


def test_an_input_inside_another_shares_its_overlay():
    _, layout = a_layout("/opt/ml/processing/input", "/opt/ml/processing/input/code")
    assert layout.overlays == ("/opt/ml/processing/input",)
    assert layout.locate("/opt/ml/processing/input/code") == "inputs/0/code"


def test_names_that_only_begin_alike_are_not_inside():
    _, layout = a_layout("/opt/ml/processing/in", "/opt/ml/processing/input")
    assert len(layout.overlays) == 2


def test_outputs_outside_opt_ml_are_volumes():
    _, layout = a_layout("/srv/in", outputs=("/srv/out", "/srv/out/deeper", "/opt/ml/processing/out"))
    assert layout.volumes == ("/srv/out",)
    assert layout.locate("/srv/out/deeper") == "volumes/0/deeper"
    assert layout.locate("/opt/ml/processing/out") == "ml/processing/out"


@pytest.mark.parametrize(
    ("one", "output", "copied"),
    [
        ("/opt/ml/processing/input", "/opt/ml/processing/out", False),
        ("/opt/ml/processing/data", "/opt/ml/processing/data", True),
        ("/opt/ml/processing/data", "/opt/ml/processing/data/made", True),
        ("/opt/ml/processing/data/in", "/opt/ml/processing/data", True),
        ("/opt/ml/processing", "/srv/out", True),
        ("/opt/ml", "/srv/out", True),
    ],
)
def test_an_input_that_overlaps_what_is_stored_is_copied(one, output, copied):
    spec, layout = a_layout(one, outputs=(output,))
    assert is_copied(spec.inputs[0], spec) is copied
    assert (layout.overlays == ()) is copied


@pytest.mark.parametrize("path", ["", "a", "./a", "/", "//", "/a/../.."])
def test_a_path_that_is_not_inside_the_container_is_refused(path):
    with pytest.raises(Invalid):
        local_path(path)


@given(st.text("/.ab", max_size=12))
def test_no_path_leaves_the_directory_of_its_host(text):
    try:
        path = local_path(f"/opt/ml/processing/{text}")
    except Invalid:
        return
    _, layout = a_layout(outputs=(path,))
    assert ".." not in layout.locate(path).split("/")
