"""Split the wine table into train and test."""

from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split

BASE = Path("/opt/ml/processing")


def main() -> None:
    table = pd.concat(pd.read_csv(path) for path in sorted((BASE / "input" / "raw").rglob("*.csv")))
    train, test = train_test_split(table, test_size=0.25, random_state=5, stratify=table["target"])
    for name, part in {"train": train, "test": test}.items():
        (BASE / name).mkdir(parents=True, exist_ok=True)
        part.to_csv(BASE / name / f"{name}.csv", index=False)
        print(f"{name}: {len(part)} wines")


if __name__ == "__main__":
    main()
