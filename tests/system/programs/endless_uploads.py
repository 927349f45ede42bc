"""Put objects, small and in parts, from five threads until the store is gone; print each one acknowledged."""

import hashlib
import io
import itertools
import json
import os
import threading

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

s3 = boto3.client("s3", config=Config(retries={"max_attempts": 0}, max_pool_connections=20))
s3.create_bucket(Bucket="uploads")
numbers = itertools.count()
printing = threading.Lock()
MB = 1024 * 1024


def put_for_ever(kind, size):
    while True:
        key = f"{kind}/{next(numbers)}"
        body = os.urandom(size)
        try:
            s3.upload_fileobj(io.BytesIO(body), "uploads", key, Config=TransferConfig(multipart_chunksize=5 * MB))
        except (BotoCoreError, Boto3Error, ClientError):
            return
        line = {"kind": kind, "key": key, "size": size, "md5": hashlib.md5(body).hexdigest()}
        with printing:
            print(json.dumps(line), flush=True)


kinds = [("small", 1000)] * 2 + [("middle", 3 * MB)] * 1 + [("large", 17 * MB)] * 2
threads = [threading.Thread(target=put_for_ever, args=kind) for kind in kinds]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
