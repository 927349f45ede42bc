"""Train a random forest on the train channel."""

import argparse
import os
from pathlib import Path

import joblib
import pandas as pd
from sklearn.ensemble import RandomForestClassifier


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n-estimators", type=int, default=100)
    arguments = parser.parse_args()
    channel = Path(os.environ["SM_CHANNEL_TRAIN"])
    table = pd.concat(pd.read_csv(path) for path in sorted(channel.rglob("*.csv")))
    features, target = table.drop(columns="target").to_numpy(), table["target"].to_numpy()
    model = RandomForestClassifier(n_estimators=arguments.n_estimators, random_state=5).fit(features, target)
    print(f"train accuracy: {model.score(features, target):.3f}")
    joblib.dump(model, Path(os.environ["SM_MODEL_DIR"]) / "model.joblib")


if __name__ == "__main__":
    main()
