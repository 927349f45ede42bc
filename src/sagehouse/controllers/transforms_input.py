"""The files a transform job reads."""

from sagehouse.controllers.transforms_file import InputFile
from sagehouse.domain.jobs.source import S3Uri, read_manifest
from sagehouse.domain.transform.naming import relative_name
from sagehouse.domain.transform.plan import Plan
from sagehouse.kit.errors import NotFound
from sagehouse.ports.objects import Objects


async def input_files(objects: Objects, plan: Plan) -> list[InputFile]:
    """Return every file of the job in the order of its key; empty if there is none.

    Keys that only mark a directory are none. Invalid for a manifest that is none.
    """
    uri = S3Uri.parse(plan.source_uri)
    try:
        if not plan.is_manifest:
            return await _below(objects, uri)
        text = (await objects.read(uri.bucket, uri.key)).decode("utf-8", "replace")
        manifest = read_manifest(text, uri=plan.source_uri)
        if not manifest.names:
            return await _below(objects, manifest.prefix)
    except NotFound:
        return []
    prefix = manifest.prefix
    return [
        InputFile(uri=S3Uri(bucket=prefix.bucket, key=prefix.key + name), name=name.lstrip("/"))
        for name in manifest.names
    ]


async def _below(objects: Objects, prefix: S3Uri) -> list[InputFile]:
    files: list[InputFile] = []
    after = ""
    while True:
        listing = await objects.list(prefix.bucket, prefix=prefix.key, after=after)
        files += [
            InputFile(uri=S3Uri(bucket=prefix.bucket, key=one.key), name=relative_name(one.key, prefix.key))
            for one in listing.objects
            if not one.key.endswith("/")
        ]
        if not listing.is_truncated or listing.last is None:
            return files
        after = listing.last
