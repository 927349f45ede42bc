"""What awswrangler's s3 module is used for, as its tutorials do it."""

import datetime
from pathlib import Path

import awswrangler as wr
import boto3
import pandas as pd
from botocore.exceptions import ClientError

boto3.client("s3").create_bucket(Bucket="lake")
frame = pd.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "name": ["a", "b", "c", None],
        "value": [1.5, 2.5, float("nan"), 4.0],
        "day": [datetime.date(2024, 1, 1)] * 2 + [datetime.date(2024, 1, 2)] * 2,
    }
)
plain = frame[["id", "value"]]

wr.s3.to_csv(plain, "s3://lake/csv/one.csv", index=False)
wr.s3.to_csv(plain, "s3://lake/csv/two.csv", index=False)
assert wr.s3.read_csv("s3://lake/csv/one.csv").equals(plain)
assert len(wr.s3.read_csv("s3://lake/csv/")) == 8
assert len(wr.s3.read_csv(["s3://lake/csv/one.csv", "s3://lake/csv/two.csv"], use_threads=True)) == 8
chunks = list(wr.s3.read_csv("s3://lake/csv/one.csv", chunksize=3))
assert [len(chunk) for chunk in chunks] == [3, 1]

wr.s3.to_json(plain, "s3://lake/json/one.json", orient="records", lines=True)
assert wr.s3.read_json("s3://lake/json/one.json", lines=True)["id"].tolist() == [1, 2, 3, 4]

wr.s3.to_parquet(frame, "s3://lake/parquet/one.parquet")
back = wr.s3.read_parquet("s3://lake/parquet/one.parquet")
assert back["id"].tolist() == [1, 2, 3, 4]
assert back["name"].isna().tolist() == [False, False, False, True]
assert wr.s3.read_parquet("s3://lake/parquet/one.parquet", columns=["id"]).columns.tolist() == ["id"]

wr.s3.to_parquet(frame, "s3://lake/data set/", dataset=True, partition_cols=["day"])
wr.s3.to_parquet(frame, "s3://lake/data set/", dataset=True, partition_cols=["day"], mode="append")
whole = wr.s3.read_parquet("s3://lake/data set/", dataset=True)
assert len(whole) == 8
wr.s3.to_parquet(frame, "s3://lake/data set/", dataset=True, partition_cols=["day"], mode="overwrite")
chosen = wr.s3.read_parquet(
    "s3://lake/data set/", dataset=True, partition_filter=lambda values: values["day"] == "2024-01-02"
)
assert chosen["id"].tolist() == [3, 4]
wide = pd.DataFrame({f"column_{n}": range(50_000) for n in range(10)})
wr.s3.to_parquet(wide, "s3://lake/wide.parquet")
assert wr.s3.read_parquet("s3://lake/wide.parquet", columns=["column_7"])["column_7"].sum() == sum(range(50_000))
kinds, partitions = wr.s3.read_parquet_metadata("s3://lake/data set/", dataset=True)
assert (kinds["id"], partitions) == ("bigint", {"day": "string"})

assert wr.s3.does_object_exist("s3://lake/csv/one.csv")
assert not wr.s3.does_object_exist("s3://lake/csv/absent.csv")
assert wr.s3.list_objects("s3://lake/csv/") == ["s3://lake/csv/one.csv", "s3://lake/csv/two.csv"]
assert wr.s3.list_objects("s3://lake/csv/t*.csv") == ["s3://lake/csv/two.csv"]
assert wr.s3.list_objects("s3://lake/", suffix=".json") == ["s3://lake/json/one.json"]
assert "s3://lake/csv/" in wr.s3.list_directories("s3://lake/")
assert "lake" in wr.s3.list_buckets()
described = wr.s3.describe_objects("s3://lake/csv/")
assert described["s3://lake/csv/one.csv"]["ContentLength"] > 0
assert wr.s3.size_objects("s3://lake/csv/one.csv")["s3://lake/csv/one.csv"] > 0
assert wr.s3.get_bucket_region("lake") == "us-east-1"
wr.s3.wait_objects_exist(["s3://lake/csv/one.csv"], delay=0.1, max_attempts=3)
wr.s3.wait_objects_not_exist(["s3://lake/csv/absent.csv"], delay=0.1, max_attempts=3)
copied = wr.s3.copy_objects(["s3://lake/csv/one.csv"], source_path="s3://lake/csv/", target_path="s3://lake/copy/")
assert copied == ["s3://lake/copy/one.csv"]
wr.s3.merge_datasets(source_path="s3://lake/csv/", target_path="s3://lake/merged/", mode="append")
assert len(wr.s3.read_csv("s3://lake/merged/")) == 8
wr.s3.upload(local_file=__file__, path="s3://lake/program.py")
wr.s3.download(path="s3://lake/program.py", local_file="program.py")
assert Path("program.py").read_bytes() == Path(__file__).read_bytes()

try:
    wr.s3.select_query(
        sql="SELECT * FROM s3object",
        path="s3://lake/csv/one.csv",
        input_serialization="CSV",
        input_serialization_params={"FileHeaderInfo": "Use"},
    )
    refused = ""
except ClientError as error:
    refused = error.response["Error"]["Code"]
assert refused == "NotImplemented", refused

wr.s3.delete_objects("s3://lake/")
assert wr.s3.list_objects("s3://lake/") == []
assert wr.sts.get_account_id() == "123456789012"
print("everything held")
