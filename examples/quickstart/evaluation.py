"""Measure a trained XGBoost model on rows it has not seen: a script of a SageMaker processing job."""

import json
import tarfile
from pathlib import Path

import pandas as pd
import xgboost
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

BASE = Path("/opt/ml/processing")


def main() -> None:
    with tarfile.open(BASE / "model" / "model.tar.gz") as archive:
        archive.extractall(BASE / "model")
    booster = xgboost.Booster()
    booster.load_model(str(BASE / "model" / "xgboost-model"))

    test = pd.concat(pd.read_csv(path, header=None) for path in sorted((BASE / "test").rglob("*.csv")))
    labels = test.iloc[:, 0].to_numpy()
    scores = booster.predict(xgboost.DMatrix(test.iloc[:, 1:].to_numpy()))
    guesses = scores >= 0.5
    metrics = {
        "accuracy": accuracy_score(labels, guesses),
        "f1": f1_score(labels, guesses),
        "auc": roc_auc_score(labels, scores),
    }
    for name, value in metrics.items():
        print(f"{name}: {value:.4f}")
    report = {
        "binary_classification_metrics": {
            name: {"value": float(value), "standard_deviation": "NaN"} for name, value in metrics.items()
        }
    }
    output = BASE / "evaluation"
    output.mkdir(parents=True, exist_ok=True)
    (output / "evaluation.json").write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
