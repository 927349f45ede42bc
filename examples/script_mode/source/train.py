"""A scikit-learn script for SageMaker: trains when run, serves through model_fn."""

import argparse
import json
import os
from pathlib import Path

import joblib
import pandas as pd
from sklearn.ensemble import RandomForestClassifier


def model_fn(model_dir):
    return joblib.load(Path(model_dir) / "model.joblib")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n-estimators", type=int, default=100)
    parser.add_argument("--max-depth", type=int, default=None)
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--output-data-dir", default=os.environ.get("SM_OUTPUT_DATA_DIR"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    arguments = parser.parse_args()

    table = pd.concat(pd.read_csv(path) for path in sorted(Path(arguments.train).glob("*.csv")))
    features, target = table.drop(columns="target").to_numpy(), table["target"].to_numpy()
    model = RandomForestClassifier(
        n_estimators=arguments.n_estimators, max_depth=arguments.max_depth, random_state=3
    ).fit(features, target)
    accuracy = model.score(features, target)
    print(f"train accuracy: {accuracy:.3f}")
    joblib.dump(model, Path(arguments.model_dir) / "model.joblib")
    Path(arguments.output_data_dir, "metrics.json").write_text(json.dumps({"train_accuracy": accuracy}))


if __name__ == "__main__":
    main()
