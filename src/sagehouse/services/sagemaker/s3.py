"""Whether what a request names in S3 is there, in AWS's words."""

from collections.abc import Iterable

from sagehouse.domain.jobs.source import S3Uri
from sagehouse.kit.document import Document
from sagehouse.kit.errors import Invalid, NotFound
from sagehouse.ports.call import Call
from sagehouse.ports.house import House


async def require_input(house: House, call: Call, uri: str, *, role: str) -> None:
    """Invalid unless some object's key begins with this URI's key.

    Source: wire observations of CreateTrainingJob (the text ends with the bucket's name).
    """
    prefix = S3Uri.parse(uri)
    try:
        listing = await house.objects.list(prefix.bucket, prefix=prefix.key, limit=1)
        if listing.objects or listing.prefixes:
            return
    except NotFound:
        pass
    raise Invalid(
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists '
        f"in the selected region ({call.region}), that objects exist under that S3 prefix, and that the role "
        f'"{role}" has "s3:ListBucket" permissions on bucket "{prefix.bucket}".'
    )


async def require_inputs(house: House, call: Call, sources: Iterable[Document], *, role: str) -> None:
    """Invalid unless every S3 data source names something."""
    for source in sources:
        if "S3Uri" in source:
            await require_input(house, call, source["S3Uri"], role=role)


async def require_bucket(house: House, call: Call, uri: str, *, member: str) -> None:
    """Invalid unless the bucket that output goes to exists."""
    bucket = S3Uri.parse(uri).bucket
    try:
        await house.objects.bucket(bucket)
    except NotFound as missing:
        raise Invalid(
            f'The S3 bucket "{bucket}" of {member} "{uri}" does not exist. Create it first (region {call.region}), '
            "or correct the URI."
        ) from missing


async def require_model_data(house: House, call: Call, uri: str, *, role: str, is_prefix: bool) -> None:
    """Invalid unless the model archive, or something below the prefix, exists.

    Source: wire observations of CreateModel.
    """
    location = S3Uri.parse(uri)
    try:
        if is_prefix:
            if (await house.objects.list(location.bucket, prefix=location.key, limit=1)).objects:
                return
        else:
            await house.objects.head(location.bucket, location.key)
            return
    except NotFound as missing:
        if missing.code == "NoSuchBucket":
            raise Invalid(
                f'Could not access model data at {uri}. Please ensure that the role "{role}" exists and that its '
                'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that the '
                f"object is located in {call.region}."
            ) from missing
    raise Invalid(f"Could not find model data at {uri}.")
