"""Archives that lead out, hold devices, are endless or broken: refused by name wherever one is unpacked."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator

import pytest
from tests.system.lab import Lab, a_lab, archive, awaited

pytestmark = pytest.mark.system


def tar(*members: tuple[str, bytes, str]) -> bytes:
    """Return a tar.gz of (name, type, link) after a harmless file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as out:
        for name, kind, link in [("train.py", tarfile.REGTYPE, ""), *members]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            info.size = 4 if kind == tarfile.REGTYPE else 0
            out.addfile(info, io.BytesIO(b"1234"))
    return packed.getvalue()


def bomb() -> bytes:
    """Return a small archive of one file of ten terabytes."""
    info = tarfile.TarInfo("huge")
    info.size = 10 * 1024**4
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(64 * 1024))


WHOLE = archive({"train.py": "x" * 100_000})
HOSTILE = {
    "absolute": (tar(("/tmp/evil", tarfile.REGTYPE, "")), "'/tmp/evil'"),
    "dots": (tar(("../../evil", tarfile.REGTYPE, "")), "'../../evil'"),
    "link": (tar(("evil", tarfile.SYMTYPE, "/etc")), "'evil'"),
    "through": (tar(("way", tarfile.SYMTYPE, "../.."), ("way/evil", tarfile.REGTYPE, "")), "'way"),
    "hardlink": (tar(("evil", tarfile.LNKTYPE, "/etc/passwd")), "'evil'"),
    "device": (tar(("evil", tarfile.CHRTYPE, "")), "'evil'"),
    "pipe": (tar(("evil", tarfile.FIFOTYPE, "")), "'evil'"),
    "cut": (WHOLE[: len(WHOLE) // 2], "tar"),
    "nothing": (b"", "tar"),
    "text": (b"a,b,c\n" * 1000, "tar"),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with a_lab(tmp_path_factory.mktemp("archives") / "house") as lab:
        yield lab


def test_an_endpoint_of_a_hostile_model_fails_and_names_what_is_wrong(lab: Lab) -> None:
    hostile = {**HOSTILE, "bomb": (bomb(), "'huge'")}
    for what, (data, _) in hostile.items():
        lab.deploy(lab.model(f"model-{what}", script="", data=data))
    for what, (_, says) in hostile.items():
        ended = lab.ended("Endpoint", f"model-{what}")
        assert (ended["EndpointStatus"], says in ended["FailureReason"]) == ("Failed", True), ended["FailureReason"]
        assert f"models/model-{what}/model.tar.gz cannot be unpacked: model.tar.gz" in ended["FailureReason"]
        lab.sagemaker.delete_endpoint(EndpointName=f"model-{what}")


def test_a_transform_with_a_hostile_model_fails_and_names_what_is_wrong(lab: Lab) -> None:
    lab.put("batch/a.csv", "1\n")
    names = ("absolute", "through", "device", "cut")
    for what in names:
        model = lab.model(f"batch-{what}", script="", data=HOSTILE[what][0])
        lab.transform(f"batch-{what}", model=model, prefix="batch/")
    for what in names:
        ended = lab.ended("TransformJob", f"batch-{what}")
        says = HOSTILE[what][1]
        assert (ended["TransformJobStatus"], says in ended["FailureReason"]) == ("Failed", True), ended["FailureReason"]


def test_a_training_job_with_hostile_code_fails_and_names_what_is_wrong(lab: Lab) -> None:
    for what, (data, _) in HOSTILE.items():
        uri = lab.put(f"hostile/{what}/sourcedir.tar.gz", data)
        told = {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": json.dumps(uri)}
        lab.train(f"code-{what}", "", HyperParameters=told)
    for what, (_, says) in HOSTILE.items():
        ended = lab.ended("TrainingJob", f"code-{what}")
        assert (ended["TrainingJobStatus"], says in ended["FailureReason"]) == ("Failed", True), ended["FailureReason"]


def test_an_endpoint_with_hostile_code_fails_and_says_so(lab: Lab) -> None:
    lab.model("coded", script="")
    lab.put("models/coded/sourcedir.tar.gz", HOSTILE["dots"][0])
    lab.deploy("coded")
    ended = lab.ended("Endpoint", "coded")
    assert ended["EndpointStatus"] == "Failed"
    assert "'../../evil'" in ended["FailureReason"]


def test_a_channel_is_never_unpacked(lab: Lab) -> None:
    """SageMaker hands archives over as they are."""
    uri = lab.put("channel/evil.tar.gz", HOSTILE["dots"][0])
    lab.processed("channel", "import os; print(os.listdir('/opt/ml/processing/input/data'))", inputs={"data": uri})
    assert lab.lines("ProcessingJob", "channel") == ["['evil.tar.gz']"]


def test_nothing_is_left_of_them(lab: Lab) -> None:
    unpacked = [path.name for path in (lab.house.home / "run" / "models").glob("*")]
    assert all(".part" not in name and not name.startswith(".") for name in unpacked), unpacked
    awaited(lambda: not list(lab.house.home.rglob("evil*")), "what the last job was given is removed")
