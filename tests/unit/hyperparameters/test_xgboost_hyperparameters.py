"""The built-in XGBoost's hyperparameters are judged in the container's words."""

import pytest

from sagehouse.domain.hyperparameters import check
from sagehouse.domain.hyperparameters.xgboost import METRICS
from sagehouse.images.xgboost import MAXIMIZED, MINIMIZED
from sagehouse.kit.errors import Invalid

GOOD = {"num_round": "10"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"objective": "binary:logistic", "eval_metric": "auc,error@0.3", "eta": "0.2", "subsample": "1"},
        {"objective": "multi:softprob", "num_class": "3", "eval_metric": "mlogloss"},
        {"learning_rate": "0.1", "reg_lambda": "2", "min_split_loss": "0"},
        {"tree_method": "hist", "monotone_constraints": "(1, 0, -1)", "interaction_constraints": "[[1, 2], [3, 4]]"},
        {"booster": "gblinear", "updater": "shotgun"},
        {"updater": "grow_colmaker,prune"},
        {"objective": '"reg:squarederror"'},
        {"_tuning_objective_metric": "validation:rmse", "_kfold": "5", "_num_cv_round": "2"},
        {"save_model_on_termination": "true", "csv_weights": "1", "seed": "-7"},
        {"silent": "0"},
    ],
)
def test_documented_values_are_taken(more: dict[str, str]):
    check("xgboost", {**GOOD, **more})


@pytest.mark.parametrize(
    ("hyperparameters", "words"),
    [
        ({}, "Missing required hyperparameter: num_round"),
        ({**GOOD, "n_estimators": "3"}, "Extraneous hyperparameter found: n_estimators"),
        ({"num_round": "ten"}, "Hyperparameter num_round: could not parse value 'ten'"),
        ({"num_round": "0"}, r"Hyperparameter num_round: 0 is not in \[1, \+inf\)"),
        ({**GOOD, "eta": "1.5"}, r"Hyperparameter eta: 1.5 is not in \[0, 1\]"),
        ({**GOOD, "eta": "nan"}, "Hyperparameter eta: nan is not in"),
        ({**GOOD, "subsample": "0"}, r"Hyperparameter subsample: 0.0 is not in \(0, 1\]"),
        ({**GOOD, "booster": "forest"}, "Hyperparameter booster: forest is not in"),
        ({**GOOD, "objective": "reg:squared"}, "Hyperparameter objective: reg:squared is not in"),
        ({**GOOD, "objective": "multi:softmax"}, "Require input for parameter 'num_class'"),
        ({**GOOD, "num_class": "3"}, "Do not need to setup parameter 'num_class'"),
        ({**GOOD, "eval_metric": "rmse,bogus"}, "Hyperparameter eval_metric: value bogus not in range"),
        ({**GOOD, "eval_metric": "rmse@1"}, "Parameter 'eval_metric' with customized threshold"),
        ({**GOOD, "eval_metric": "auc"}, "Metric 'auc' can only be applied for classification"),
        ({**GOOD, "eval_metric": "aft-nloglik", "objective": "reg:squarederror"}, "survival:aft"),
        ({**GOOD, "monotone_constraints": "(1,2)", "tree_method": "hist"}, "not in range"),
        ({**GOOD, "monotone_constraints": "(1,0)"}, "tree_method parameter is set to one of 'exact', 'hist'"),
        ({**GOOD, "interaction_constraints": "[1]"}, "could not parse value"),
        ({**GOOD, "updater": "shotgun"}, "Tree updater should be selected"),
        ({**GOOD, "updater": "grow_colmaker,grow_histmaker"}, "Only one tree grow plugin"),
        ({**GOOD, "booster": "gblinear", "updater": "prune"}, "Linear updater"),
        ({**GOOD, "process_type": "update", "updater": "sync"}, "process_type 'update'"),
        ({**GOOD, "_tuning_objective_metric": "rmse"}, "_tuning_objective_metric"),
        ({**GOOD, "silent": "2"}, r"Hyperparameter silent: 2 is not in \[0, 1\]"),
    ],
)
def test_what_the_container_refuses_is_refused_with_its_name(hyperparameters: dict[str, str], words: str):
    with pytest.raises(Invalid, match=words):
        check("xgboost", hyperparameters)


def test_script_mode_and_images_without_an_algorithm_take_anything():
    check("xgboost", {"sagemaker_program": "train.py", "n_estimators": "3"})
    check("", {"whatever": "1"})


def test_the_images_metrics_and_the_algorithms_are_the_same():
    assert set(METRICS) == {*MAXIMIZED, *MINIMIZED}
