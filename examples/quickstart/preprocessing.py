"""Fill in what is missing, scale numbers, encode categories, split: a script of a SageMaker processing job."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

BASE = Path("/opt/ml/processing")


def transformer(table: pd.DataFrame) -> ColumnTransformer:
    numeric = table.select_dtypes("number").columns
    categorical = [column for column in table.columns if column not in set(numeric)]
    return ColumnTransformer(
        [
            ("numeric", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), list(numeric)),
            ("categorical", OneHotEncoder(handle_unknown="ignore"), categorical),
        ],
        sparse_threshold=0,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True)
    target = parser.parse_args().target

    table = pd.concat(pd.read_csv(path) for path in sorted((BASE / "input").rglob("*.csv")))
    labels, features = table[target], table.drop(columns=target)
    print(f"{len(table)} rows, {features.shape[1]} features, {int(features.isna().sum().sum())} values missing")

    train, rest, train_y, rest_y = train_test_split(features, labels, test_size=0.3, random_state=7, stratify=labels)
    validation, test, validation_y, test_y = train_test_split(
        rest, rest_y, test_size=0.5, random_state=7, stratify=rest_y
    )
    fitted = transformer(features).fit(train)
    for name, part, part_y in (
        ("train", train, train_y),
        ("validation", validation, validation_y),
        ("test", test, test_y),
    ):
        directory = BASE / name
        directory.mkdir(parents=True, exist_ok=True)
        rows = np.column_stack([part_y.to_numpy(), fitted.transform(part)])
        pd.DataFrame(rows).to_csv(directory / f"{name}.csv", header=False, index=False)
        print(f"{name}: {rows.shape[0]} rows x {rows.shape[1]} columns, the label first")


if __name__ == "__main__":
    main()
