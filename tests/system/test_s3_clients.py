"""S3 through the `aws` command line, curl, and awswrangler; and a house killed under an upload."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import botocore
import pytest
from tests.system.conftest import SDK2, RunningHouse
from tests.system.pointed import AWS, PROGRAMS, Ended, aws, aws_all, pointed_environment, run

from sagehouse.services.s3 import OPERATIONS

pytestmark = pytest.mark.system

MB = 1024 * 1024


@pytest.fixture(scope="module")
def shell(shared_house: RunningHouse) -> dict[str, str]:
    return pointed_environment(shared_house)


def a_tree(root: Path) -> dict[str, bytes]:
    """Write files below `root`; return them by name."""
    files = {
        "a.csv": b"1,2\n",
        "b.log": b"log",
        "sub/c.csv": b"3,4\n",
        "sub/deep/d e+f.csv": b"5",
        "sub/ümläut %41.csv": b"6",
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_700_000_000, 1_700_000_000))  # sync compares with S3's times, which are whole seconds
    return files


def names_in(listing: str) -> list[str]:
    """Return the keys of `aws s3 ls --recursive`."""
    return [line[31:] for line in listing.splitlines()]


def test_the_high_level_commands_copy_sync_move_and_remove_trees(shell, tmp_path):
    files = a_tree(tmp_path / "tree")
    done = aws_all(
        [
            "s3 mb s3://cli-trees",
            "s3 ls",
            "s3 cp tree s3://cli-trees/all --recursive",
            "s3 ls s3://cli-trees/all/ --recursive",
            "s3 ls s3://cli-trees/all/ --human-readable --summarize",
            "s3 cp tree s3://cli-trees/csv --recursive --exclude * --include *.csv --content-type text/x",
            "s3 ls s3://cli-trees/csv/ --recursive",
            "s3 sync tree s3://cli-trees/synced",
            "s3 sync tree s3://cli-trees/synced",
            "s3 sync s3://cli-trees/synced back --exclude sub/deep/*",
            "s3 sync s3://cli-trees/synced s3://cli-trees/twin",
            "s3 mv s3://cli-trees/twin/a.csv s3://cli-trees/moved.csv --metadata k=v",
            "s3 ls s3://cli-trees/twin/ --recursive",
            "s3 cp s3://cli-trees/moved.csv -",
            "s3 rm s3://cli-trees/twin --recursive --exclude *.log",
            "s3 ls s3://cli-trees/twin/ --recursive",
            "s3api head-object --bucket cli-trees --key csv/a.csv",
        ],
        shell,
        directory=tmp_path,
    )
    assert "cli-trees" in done[1]
    assert names_in(done[3]) == [f"all/{name}" for name in sorted(files)]
    assert "Total Objects: 2" in done[4]
    assert "PRE sub/" in done[4]
    assert names_in(done[6]) == [f"csv/{name}" for name in sorted(files) if name.endswith(".csv")]
    assert done[7].count("upload:") == len(files)
    assert done[8] == "", "nothing has changed, so a second sync copies nothing"
    back = {str(path.relative_to(tmp_path / "back")): path.read_bytes() for path in (tmp_path / "back").rglob("*.*")}
    assert back == {name: content for name, content in files.items() if "deep" not in name}
    assert "twin/a.csv" not in names_in(done[12])
    assert done[13] == "1,2\n"
    assert names_in(done[15]) == ["twin/b.log"]
    assert json.loads(done[16])["ContentType"] == "text/x"


def test_sync_with_delete_removes_what_is_gone(shell, tmp_path):
    a_tree(tmp_path / "tree")
    aws_all(["s3 mb s3://cli-mirror", "s3 sync tree s3://cli-mirror"], shell, directory=tmp_path)
    shutil.rmtree(tmp_path / "tree" / "sub")
    (tmp_path / "tree" / "a.csv").write_bytes(b"longer than before\n")
    done = aws_all(
        ["s3 sync tree s3://cli-mirror --delete", "s3 ls s3://cli-mirror --recursive", "s3 rb s3://cli-mirror --force"],
        shell,
        directory=tmp_path,
    )
    assert done[0].count("delete:") == 3
    assert done[0].count("upload:") == 1
    assert names_in(done[1]) == ["a.csv", "b.log"]
    assert "remove_bucket: cli-mirror" in done[2]


def test_large_files_and_streams_go_both_ways(shell, tmp_path):
    content = os.urandom(18 * MB + 7)
    (tmp_path / "big").write_bytes(content)
    aws_all(["s3 mb s3://cli-large", "s3 cp big s3://cli-large/big --no-progress"], shell, directory=tmp_path)
    subprocess.run([AWS, "s3", "cp", "-", "s3://cli-large/piped"], input=content, env=shell, check=True)
    streaming = [AWS, "s3", "cp", "s3://cli-large/piped", "-"]
    assert subprocess.run(streaming, env=shell, stdout=subprocess.PIPE, check=True).stdout == content
    done = aws_all(
        ["s3 cp s3://cli-large/big back", "s3api head-object --bucket cli-large --key big"], shell, directory=tmp_path
    )
    assert (tmp_path / "back").read_bytes() == content
    assert json.loads(done[1])["ETag"].endswith('-3"')


def test_the_errors_of_the_high_level_commands_name_what_is_wrong(shell, tmp_path):
    (tmp_path / "f").write_bytes(b"1")
    aws_all(["s3 mb s3://cli-errors", "s3 cp f s3://cli-errors/f"], shell, directory=tmp_path)
    select = "--expression x --expression-type SQL --input-serialization CSV={} --output-serialization CSV={}"
    refused = aws(
        [
            "s3 ls s3://cli-no-such-bucket",
            "s3 cp s3://cli-errors/absent .",
            "s3 cp f s3://cli-no-such-bucket/f",
            "s3 rb s3://cli-errors",
            "s3 mb s3://Not_A_Bucket",
            "s3 ls s3://cli-errors/absent",
            "s3api get-object --bucket cli-errors --key absent out",
            f"s3api select-object-content --bucket cli-errors --key f {select} out",
        ],
        shell,
        directory=tmp_path,
    )
    assert [ended.status for ended in refused] == [255, 1, 1, 1, 1, 1, 255, 255]
    for ended, words in zip(
        refused,
        (
            "(NoSuchBucket)",
            '(404) when calling the HeadObject operation: Key "absent" does not exist',
            "(NoSuchBucket) when calling the PutObject operation: The specified bucket does not exist",
            "(BucketNotEmpty)",
            "(InvalidBucketName)",
            "",
            "(NoSuchKey) when calling the GetObject operation: The specified key does not exist.",
            "(NotImplemented) when calling the SelectObjectContent operation",
        ),
        strict=True,
    ):
        assert words in ended.err or words in ended.out


def every_operation(directory: Path) -> dict[str, str]:
    """Return operation -> an `aws s3api` command line that asks it; in this order each succeeds."""
    here, key = "--bucket cli-api", "--bucket cli-api --key k"
    documents = {
        "cors": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
        "encryption": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
        "lifecycle": {"Rules": [{"Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 1}}]},
        "policy": {"Version": "2012-10-17", "Statement": []},
        "ownership": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    }
    for name, document in documents.items():
        (directory / f"{name}.json").write_text(json.dumps(document))
    (directory / "body").write_bytes(b"body")
    return {
        "CreateBucket": here,
        "HeadBucket": here,
        "ListBuckets": "",
        "GetBucketLocation": here,
        "GetBucketVersioning": here,
        "GetBucketAcl": here,
        "PutBucketCors": f"{here} --cors-configuration file://cors.json",
        "GetBucketCors": here,
        "DeleteBucketCors": here,
        "PutBucketEncryption": f"{here} --server-side-encryption-configuration file://encryption.json",
        "GetBucketEncryption": here,
        "DeleteBucketEncryption": here,
        "PutBucketLifecycleConfiguration": f"{here} --lifecycle-configuration file://lifecycle.json",
        "GetBucketLifecycleConfiguration": here,
        "DeleteBucketLifecycle": here,
        "PutBucketOwnershipControls": f"{here} --ownership-controls file://ownership.json",
        "GetBucketOwnershipControls": here,
        "DeleteBucketOwnershipControls": here,
        "PutBucketPolicy": f"{here} --policy file://policy.json",
        "GetBucketPolicy": here,
        "DeleteBucketPolicy": here,
        "PutBucketTagging": f"{here} --tagging TagSet=[{{Key=a,Value=1}}]",
        "GetBucketTagging": here,
        "DeleteBucketTagging": here,
        "PutPublicAccessBlock": f"{here} --public-access-block-configuration BlockPublicAcls=true",
        "GetPublicAccessBlock": here,
        "DeletePublicAccessBlock": here,
        "PutObject": f"{key} --body body --checksum-algorithm SHA256",
        "HeadObject": f"{key} --checksum-mode ENABLED",
        "GetObject": f"{key} out",
        "GetObjectAcl": key,
        "GetObjectAttributes": f"{key} --object-attributes ETag ObjectSize",
        "PutObjectTagging": f"{key} --tagging TagSet=[{{Key=a,Value=1}}]",
        "GetObjectTagging": key,
        "DeleteObjectTagging": key,
        "CopyObject": "--bucket cli-api --key copy --copy-source cli-api/k",
        "ListObjects": here,
        "ListObjectsV2": here,
        "ListObjectVersions": here,
        "CreateMultipartUpload": "--bucket cli-api --key parts",
        "ListMultipartUploads": here,
        "UploadPart": "--bucket cli-api --key parts --part-number 1 --body body --upload-id UPLOAD",
        "UploadPartCopy": "--bucket cli-api --key parts --part-number 2 --copy-source cli-api/k --upload-id UPLOAD",
        "ListParts": "--bucket cli-api --key parts --upload-id UPLOAD",
        "CompleteMultipartUpload": "--bucket cli-api --key parts --upload-id UPLOAD "
        "--multipart-upload Parts=[{PartNumber=2,ETag=841a2d689ad86bd1611447453c22c6fc}]",
        "AbortMultipartUpload": "--bucket cli-api --key parts --upload-id OTHER",
        "DeleteObject": "--bucket cli-api --key parts",
        "DeleteObjects": f"{here} --delete Objects=[{{Key=k}},{{Key=copy}}]",
        "DeleteBucket": here,
    }


def test_every_bound_operation_is_asked_by_the_command_line(shell, tmp_path):
    lines = every_operation(tmp_path)
    assert sorted(lines) == sorted(OPERATIONS)
    upload, other = "", ""
    commands: list[str] = []
    outputs: dict[str, str] = {}

    def flush(names: list[str]) -> None:
        words = [f"s3api {botocore.xform_name(name, '-')} {lines[name]}" for name in names]
        commands[:] = [word.replace("UPLOAD", upload).replace("OTHER", other) for word in words]
        outputs.update(zip(names, aws_all(commands, shell, directory=tmp_path), strict=True))

    names = list(lines)
    begun = names.index("CreateMultipartUpload") + 1
    flush(names[:begun])
    upload = json.loads(outputs["CreateMultipartUpload"])["UploadId"]
    other = json.loads(aws_all(["s3api create-multipart-upload --bucket cli-api --key parts"], shell)[0])["UploadId"]
    flush(names[begun:])
    assert (tmp_path / "out").read_bytes() == b"body"
    assert json.loads(outputs["HeadObject"])["ChecksumSHA256"]
    assert [one["Key"] for one in json.loads(outputs["ListObjectsV2"])["Contents"]] == ["copy", "k"]
    assert [part["PartNumber"] for part in json.loads(outputs["ListParts"])["Parts"]] == [1, 2]
    assert len(json.loads(outputs["ListMultipartUploads"])["Uploads"]) == 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_reads_and_writes_by_presigned_urls(shell, tmp_path):
    (tmp_path / "f").write_bytes(b"0123456789" * 200_000)
    signed = aws_all(
        ["s3 mb s3://cli-signed", "s3 cp f s3://cli-signed/a+b/ü.bin", "s3 presign s3://cli-signed/a+b/ü.bin"],
        shell,
        directory=tmp_path,
    )[2].strip()
    whole = run(["curl", "-sS", "--fail", "-o", "whole", signed], shell, directory=tmp_path)
    assert whole == Ended(0, "", "")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "f").read_bytes()
    part = run(["curl", "-sS", "-r", "-3", "-w", " %{http_code}", signed], shell)
    assert part.out == "789 206"
    missing = run(["curl", "-sS", signed.replace("cli-signed", "cli-absent")], shell)
    assert "<Code>NoSuchBucket</Code>" in missing.out
    url = f"{shell['SAGEHOUSE_URL']}/cli-signed/by-curl"
    signing = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "123456789012:x"]
    put = run(["curl", "-sS", "--fail", *signing, "-T", "f", url], shell, directory=tmp_path)
    assert put.status == 0, put.err
    assert aws_all(["s3 cp s3://cli-signed/by-curl copy"], shell, directory=tmp_path)
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "f").read_bytes()
    unknown = run(["curl", "-sS", "-w", " %{http_code}", "-T", "-", url], shell, stdin=b"1")
    assert "Transfer-Encoding" in unknown.out
    assert unknown.out.endswith(" 501")


def test_awswrangler_reads_writes_lists_and_deletes(shell, tmp_path):
    ended = run([SDK2, PROGRAMS / "wrangler_s3.py"], shell, directory=tmp_path)
    assert ended.status == 0, ended.err
    assert ended.out.splitlines()[-1] == "everything held"


def test_acknowledged_objects_survive_a_killed_house_and_unacknowledged_ones_are_absent(own_house, tmp_path):
    """Small objects and parts of large ones are being written when the house is killed."""
    shell = pointed_environment(own_house)
    program = [str(SDK2), str(PROGRAMS / "endless_uploads.py")]
    with subprocess.Popen(program, env=shell, stdout=subprocess.PIPE, text=True) as uploading:
        assert uploading.stdout is not None
        acknowledged = [json.loads(uploading.stdout.readline()) for _ in range(25)]
        os.kill(int(own_house.card["pid"]), signal.SIGKILL)
        acknowledged += [json.loads(line) for line in uploading.stdout]
    assert any(line["kind"] == "large" for line in acknowledged)
    own_house.up()
    listed = json.loads(aws_all(["s3api list-objects-v2 --bucket uploads"], pointed_environment(own_house))[0])
    there = {one["Key"]: one["Size"] for one in listed["Contents"]}
    for line in acknowledged:
        assert there.pop(line["key"]) == line["size"]
    assert len(there) <= 5, "at most the five under way were stored and not yet acknowledged"
    checking = [SDK2, PROGRAMS / "check_uploads.py"]
    checked = run(checking, pointed_environment(own_house), stdin=json.dumps(acknowledged).encode())
    assert checked.out.strip() == f"{len(acknowledged)} whole", checked.err
