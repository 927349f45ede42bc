"""Read back the objects that standard input lists (JSON: key, md5) and print how many are whole."""

import hashlib
import json
import sys

import boto3

s3 = boto3.client("s3")
lines = json.load(sys.stdin)
for line in lines:
    body = s3.get_object(Bucket="uploads", Key=line["key"])["Body"].read()
    if hashlib.md5(body).hexdigest() != line["md5"]:
        raise SystemExit(f"{line['key']} is damaged")
print(f"{len(lines)} whole")
