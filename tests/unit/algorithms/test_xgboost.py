"""The built-in XGBoost algorithm: channels, hyperparameters, log lines, artifacts, predictions."""

import json
import os
import signal
import struct
import subprocess
from pathlib import Path

import pytest
from tests.unit.algorithms.conftest import XGBoostJob
from tests.unit.algorithms.environments import ROOT, python_of
from tests.unit.algorithms.rows import csv, libsvm, table

pytestmark = pytest.mark.xdist_group("xgboost")

BINARY = {"num_round": "8", "objective": "binary:logistic", "max_depth": "3", "eta": "0.5"}


def both_channels(job: XGBoostJob) -> None:
    job.channel("train", a=csv(table(200)), deep__b=csv(table(200, 2)))
    job.channel("validation", v=csv(table(100, 3)))


class TestEveryVersion:
    def test_trains_reports_and_predicts(self, any_job: XGBoostJob):
        both_channels(any_job)

        ran = any_job.train(**BINARY, eval_metric="logloss,auc,f1,accuracy", early_stopping_rounds="3")
        answers = any_job.ask(
            ("0.9,0.9,0.1,0.2\n0.1,0.1,0.5,0.5", "text/csv"),
            ("0:0.9 1:0.9 2:0.1 3:0.2", "text/libsvm"),
            ("0.9,0.9", "text/csv"),
            ("", "text/csv"),
            ("1,0.9,0.9,0.1,0.2", "text/csv"),
            ("0.9,0.9,0.1", "text/csv"),
        )

        assert ran.code == 0, ran.output
        assert ran.rounds[0].startswith("[0]\ttrain-logloss:0.")
        assert {part.split(":")[0] for part in ran.rounds[-1].split("\t")[1:]} == {
            f"{data}-{metric}" for data in ("train", "validation") for metric in ("logloss", "auc", "f1", "accuracy")
        }
        assert "Train matrix has 400 rows and 4 columns" in ran.output
        assert [path.name for path in (any_job.base / "model").iterdir()] == ["xgboost-model"]
        assert [status for status, _, _ in answers] == [200, 200, 400, 204, 400, 200]
        yes, no = map(float, answers[0][2].split(b","))
        assert yes > 0.8 > 0.2 > no
        assert float(answers[1][2]) == pytest.approx(yes)
        assert b"Feature size of csv inference data 2 is not consistent" in answers[2][2]
        assert b"Feature size of csv inference data 5 is not consistent" in answers[4][2]
        assert float(answers[5][2]) == pytest.approx(yes, abs=0.2)

    def test_goes_on_from_a_checkpoint(self, any_job: XGBoostJob):
        job = any_job
        job.channel("train", a=csv(table(200)))

        job.train(checkpoints=True, **{**BINARY, "num_round": "4"})
        kept = sorted(path.name for path in (job.base / "checkpoints").iterdir())
        again = job.train(checkpoints=True, **BINARY)

        assert kept == [f"xgboost-checkpoint.{n}" for n in range(4)]
        assert "Resuming from iteration 4" in again.output
        assert [line.split("\t")[0] for line in again.rounds] == ["[4]", "[5]", "[6]", "[7]"]

    def test_leaves_a_pickle_before_1_3_and_xgboosts_own_format_after(self, any_job: XGBoostJob):
        any_job.channel("train", a=csv(table(50)))
        any_job.train(**BINARY)

        is_pickled = (any_job.base / "model/xgboost-model").read_bytes()[:1] == b"\x80"

        assert is_pickled == (any_job.lab.xgboost < (1, 3))


def test_silent_of_older_images_is_still_taken(job: XGBoostJob):
    job.channel("train", a=csv(table(20)))

    assert job.train(num_round="1", silent="0").code == 0


@pytest.mark.parametrize("kind", ["text/libsvm", None])
def test_libsvm_is_the_default_and_its_indices_are_columns_as_they_stand(job: XGBoostJob, kind: str | None):
    job.channel("train", a=libsvm(table(200)))

    ran = job.train(kind, **BINARY)

    assert ran.code == 0, ran.output
    assert "Train matrix has 200 rows and 4 columns" in ran.output


def test_channels_of_different_sparse_widths_fit_together(job: XGBoostJob):
    job.channel("train", a="1 0:1\n0 1:1\n")
    job.channel("validation", a="1 0:1 7:1\n")

    assert job.train("libsvm", num_round="1").code == 0


def test_libsvm_weights_and_query_groups_are_read(job: XGBoostJob):
    job.channel("train", a="1 qid:1 0:1\n0 qid:1 0:2\n1 qid:2 0:3\n0 qid:2 0:4\n")
    ranked = job.train("libsvm", num_round="2", objective="rank:pairwise", eval_metric="ndcg")
    job.channel("train", a="1:2 0:1\n0:1 0:2\n")
    weighted = job.train("libsvm", num_round="1")

    assert ranked.code == 0, ranked.output
    assert "train-ndcg" in ranked.rounds[0]
    assert weighted.code == 0, weighted.output


def test_csv_weights_take_the_second_column(job: XGBoostJob):
    rows = [[row[0], 1.0, *row[1:]] for row in table(100)]
    job.channel("train", a=csv(rows))

    ran = job.train("text/csv;label_size=1", csv_weights="1", **BINARY)

    assert "Train matrix has 100 rows and 4 columns" in ran.output


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " "])
def test_other_delimiters_are_seen(job: XGBoostJob, delimiter: str):
    job.channel("train", a=csv(table(50), delimiter))

    assert "50 rows and 4 columns" in job.train(**BINARY).output


def test_missing_values_are_missing(job: XGBoostJob):
    job.channel("train", a="1,0.5,\n0,,0.1\n1,0.7,0.2\n")

    assert job.train(num_round="1").code == 0


def test_parquet_is_read(job: XGBoostJob, tmp_path: Path):
    path = tmp_path / "t.parquet"
    written = job.lab.run(
        {
            "environment": {"SAGEMAKER_BASE_DIR": str(tmp_path)},
            "module": "parquet",
            "function": "write",
            "arguments": [str(path), table(60)],
        }
    )
    assert written.code == 0, written.output
    job.channel("train", a=path.read_bytes())

    ran = job.train("application/x-parquet", **BINARY)

    assert "60 rows and 4 columns" in ran.output


def recordio(rows: list[list[float]]) -> bytes:
    """Encode rows as the SDK's first-party estimators do, by hand."""

    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    def value(numbers: list[float]) -> bytes:
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
        return field(1, b"values") + field(2, field(2, field(1, packed)))

    data = b""
    for label, *numbers in rows:
        record = field(1, value(numbers)) + field(2, value([label]))
        data += struct.pack("<II", 0xCED7230A, len(record)) + record + b"\0" * (-len(record) % 4)
    return data


def test_recordio_is_read_in_training_and_serving(job: XGBoostJob):
    job.channel("train", a=recordio(table(100)))

    ran = job.train("application/x-recordio-protobuf", **BINARY)
    answers = job.ask((recordio([[0, 0.9, 0.9, 0.1, 0.2]]), "application/x-recordio-protobuf"))

    assert "100 rows and 4 columns" in ran.output
    assert answers[0][0] == 200
    assert float(answers[0][2]) > 0.5


def test_hidden_files_are_refused_and_underscored_ones_passed_over(job: XGBoostJob):
    job.channel("train", a=csv(table(20)), _SUCCESS="")
    assert job.train(num_round="1").code == 0

    job.channel("train", **{".a.swp": "x"})
    assert job.train(num_round="1").code == 1
    assert "Hidden file found in the data path" in job.failure


@pytest.mark.parametrize(
    ("files", "kind", "words"),
    [
        ({}, "text/csv", "No data in the train channel: there are no files with anything in them in"),
        ({"a": "label,x\n1,2\n"}, "text/csv", "label in the first column, and no header"),
        ({"a": "1\n2\n"}, "text/csv", "1 columns are too few"),
        ({"a": "1,2\n"}, None, "First line '1,2...' of file 'a' is not in 'LIBSVM' format"),
        ({"a": "1,2\n"}, "text/json", "text/json is not an accepted ContentType"),
        ({"a": "1,2\n"}, "text/csv;label_size=0", "label_size must be equal to 1"),
        ({"a": "1,2\n1,2,3\n"}, "text/csv", "Failed to load csv data"),
        ({"a": "1,2\n", "b": "1,2,3\n"}, "text/csv", "different numbers of columns"),
        ({"a": b"PAR1nothing"}, "application/x-parquet", "Failed to load parquet data"),
        ({"a": b"nothing at all"}, "application/x-recordio-protobuf", "there is no RecordIO record at byte 0"),
    ],
)
def test_data_that_cannot_be_read_is_told_by_channel_and_file(
    job: XGBoostJob, files: dict[str, str | bytes], kind: str | None, words: str
):
    (job.base / "input/data/train").mkdir()
    job.channel("train", **files)

    ran = job.train(kind, num_round="1")

    assert ran.code == 1
    assert words in job.failure
    assert job.failure.startswith("UserError: ")
    assert words in ran.output


@pytest.mark.parametrize(
    ("hyperparameters", "words"),
    [
        ({}, "Missing required hyperparameter: num_round"),
        ({"num_round": "1", "trees": "3"}, "Extraneous hyperparameter found: trees"),
        ({"num_round": "many"}, "Hyperparameter num_round: could not parse value"),
        ({"num_round": "1", "objective": "multi:softmax", "num_class": "3"}, "label must be in [0, num_class)"),
        ({"num_round": "1", "tree_method": "gpu_hist"}, "GPU training is not available here"),
    ],
)
def test_what_the_algorithm_refuses_is_the_users_error(job: XGBoostJob, hyperparameters: dict[str, str], words: str):
    job.channel("train", a="5,1\n7,2\n")

    assert job.train(**hyperparameters).code == 1
    assert words in job.failure


def test_unknown_channels_and_several_hosts_are_refused(job: XGBoostJob):
    job.channel("train", a=csv(table(20)))
    assert job.train(hosts=2, num_round="1").code == 1
    assert "set InstanceCount to 1" in job.failure

    (job.base / "output/failure").unlink()
    job.channel("test", a=csv(table(20)))
    assert job.train(num_round="1").code == 1
    assert "Extraneous channel found: test" in job.failure


def test_a_tuning_jobs_objective_is_reported(job: XGBoostJob):
    both_channels(job)

    ran = job.train(num_round="2", _tuning_objective_metric="validation:mse")

    assert "validation-mse:" in ran.rounds[0]


def test_early_stopping_keeps_the_best_rounds(job: XGBoostJob):
    noise = [[float(at % 2), (at * 7919 % 101) / 101] for at in range(80)]
    job.channel("train", a=csv(noise))
    job.channel("validation", a=csv([[1 - row[0], row[1]] for row in noise]))

    ran = job.train(num_round="50", early_stopping_rounds="2", eta="1", eval_metric="rmse")

    assert len(ran.rounds) == 3
    assert "validation-rmse has not improved since iteration 0" in ran.output


def test_cross_validation_leaves_a_model_per_fold_and_predictions(job: XGBoostJob):
    both_channels(job)

    ran = job.train(_kfold="3", _num_cv_round="2", **{**BINARY, "num_round": "2"})
    answers = job.ask(("0.9,0.9,0.1,0.2", "text/csv"))

    assert ran.code == 0, ran.output
    assert sorted(path.name for path in (job.base / "model").iterdir()) == [f"xgboost-model-{n}" for n in range(6)]
    assert "Run 2-round of 3-fold cross validation with 500 rows" in ran.output
    assert len((job.base / "output/data/predictions.csv").read_text().splitlines()) == 500
    assert answers[0][0] == 200


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("", "text/csv", None),
        ("text/csv", "text/csv", None),
        ("application/json", "application/json", {"predictions": [{"score": 0}, {"score": 0}]}),
        ("application/jsonlines", "application/jsonlines", [{"score": 0}, {"score": 0}]),
    ],
)
def test_predictions_come_in_the_accepted_type(job: XGBoostJob, accept: str, content_type: str, body: object):
    job.channel("train", a=csv(table(50)))
    job.train(**BINARY)

    status, kind, answer = job.ask(("0.9,0.9,0.1,0.2\n0.1,0.1,0.5,0.5", "text/csv"), accept=accept)[0]

    assert (status, kind) == (200, content_type)
    if content_type == "application/json":
        assert [list(one) for one in json.loads(answer)["predictions"]] == [["score"], ["score"]]
    elif content_type == "application/jsonlines":
        assert [list(json.loads(line)) for line in answer.splitlines()] == [["score"], ["score"]]
    else:
        assert len(answer.decode().split(",")) == 2
    assert json.loads(job.parameters) == {
        "MaxConcurrentTransforms": 1,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_payloads_and_types_it_does_not_know_are_415_and_406(job: XGBoostJob):
    job.channel("train", a=csv(table(50)))
    job.train(**BINARY)

    answers = job.ask(("a,b,c,d", "text/csv"), ("{}", "application/json"), ("x", "application/x-recordio-protobuf"))
    refused = job.ask(("1,2,3,4", "text/csv"), accept="image/png")

    assert [status for status, _, _ in answers] == [415, 415, 415]
    assert b"please ensure data is in csv format" in answers[0][2]
    assert refused[0][0] == 406


def test_a_batch_transform_gets_a_line_per_record(job: XGBoostJob):
    job.channel("train", a=csv(table(50)))
    job.train(**BINARY)
    job.variables["SAGEMAKER_BATCH"] = "true"

    body = job.ask(("0.9,0.9,0.1,0.2\n0.1,0.1,0.5,0.5\n", "text/csv"))[0][2]

    assert len(body.splitlines()) == 2
    assert body.endswith(b"\n")


def test_selected_facts_of_a_prediction_are_answered(job: XGBoostJob):
    job.channel("train", a=csv(table(200)))
    job.train(**BINARY)
    job.variables["SAGEMAKER_INFERENCE_OUTPUT"] = "predicted_label, probability,labels"

    _, _, csv_body = job.ask(("0.9,0.9,0.1,0.2", "text/csv"))[0]
    _, _, json_body = job.ask(("0.1,0.1,0.1,0.2", "text/csv"), accept="application/json")[0]

    label, probability, labels = csv_body.decode().split(",", 2)
    assert (label, labels) == ("1", '"[0, 1]"')
    assert float(probability) > 0.5
    assert json.loads(json_body)["predictions"][0]["predicted_label"] == 0


def test_classes_are_answered_as_labels_or_probabilities(job: XGBoostJob):
    rows = [[float(int(row[1] * 3)), *row[1:]] for row in table(200)]
    job.channel("train", a=csv(rows))
    job.train(num_round="5", objective="multi:softprob", num_class="3", eval_metric="mlogloss,balanced_accuracy")

    body = job.ask(("0.9,0.9,0.1,0.2", "text/csv"))[0][2].decode()

    chances = json.loads(body)
    assert len(chances) == 3
    assert max(chances) == chances[2]


def test_a_model_that_is_none_ends_the_server_with_its_name(job: XGBoostJob):
    (job.base / "model/xgboost-model").write_text("nothing")

    with pytest.raises(AssertionError, match=r"xgboost-model cannot be loaded by XGBoost 3\.0\.5"):
        job.ask(("1", "text/csv"))


def test_script_mode_fills_in_input_predict_and_output(job: XGBoostJob):
    job.channel("train", a=csv(table(100)))
    job.train(**BINARY)
    (job.base / "model/code").mkdir()
    (job.base / "model/code/inference.py").write_text(
        "import os, xgboost\n"
        "def model_fn(directory):\n"
        "    booster = xgboost.Booster()\n"
        "    booster.load_model(os.path.join(directory, 'xgboost-model'))\n"
        "    return booster\n"
    )

    answers = job.ask(
        ("0.9,0.9,0.1,0.2\n0.1,0.1,0.5,0.5", "text/csv"),
        ("1 0:0.9 1:0.9 2:0.1 3:0.2", "text/libsvm"),
        ("x", "image/png"),
        accept="text/csv",
    )

    assert [(status, kind) for status, kind, _ in answers] == [
        (200, "text/csv"),
        (200, "text/csv"),
        (415, "text/plain"),
    ]
    assert len(answers[0][2].splitlines()) == 2


def test_scikit_learns_defaults_decode_and_encode_arrays(job: XGBoostJob):
    job.variables["SAGEHOUSE_FRAMEWORK"] = "sklearn"
    (job.base / "model/code").mkdir()
    (job.base / "model/code/inference.py").write_text(
        "class Model:\n"
        "    def predict(self, rows):\n"
        "        assert str(rows.dtype) == 'float32', rows.dtype\n"
        "        return rows.sum(axis=1)\n"
        "def model_fn(directory):\n"
        "    return Model()\n"
    )

    answers = job.ask(("1,2\n3,4", "text/csv"), ("[[1, 2], [3, 4]]", "application/json"), ("", "image/png"))
    as_csv = job.ask(("1,2\n3,4", "text/csv"), accept="text/csv")
    as_npy = job.ask(("1,2\n3,4", "text/csv"), accept="application/x-npy")
    as_png = job.ask(("1,2\n3,4", "text/csv"), accept="image/png")

    assert answers[0] == (200, "application/json", b"[3.0, 7.0]")
    assert answers[1][2] == b"[3.0, 7.0]"
    assert answers[2][0] == 415
    assert as_csv[0][2] == b"3.0\n7.0\n"
    assert as_npy[0][2].startswith(b"\x93NUMPY")
    assert as_png[0][0] == 406


def test_sigterm_with_save_model_on_termination_keeps_the_rounds_so_far(tmp_path: Path):
    base = tmp_path / "ml"
    (base / "input/config").mkdir(parents=True)
    (base / "input/data/train").mkdir(parents=True)
    (base / "input/data/train/a").write_text(csv(table(200)))
    documents = {
        "hyperparameters": {"num_round": "1000000", "save_model_on_termination": "true"},
        "resourceconfig": {"current_host": "algo-1", "hosts": ["algo-1"]},
        "inputdataconfig": {"train": {"ContentType": "text/csv", "TrainingInputMode": "File"}},
    }
    for name, document in documents.items():
        (base / "input/config" / f"{name}.json").write_text(json.dumps(document))
    process = subprocess.Popen(
        [python_of("sagemaker-xgboost:3.0-5"), "-m", "sagehouse.toolkit.train"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "SAGEMAKER_BASE_DIR": str(base),
            "SAGEHOUSE_FRAMEWORK": "xgboost",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while not process.stdout.readline().startswith("[3]"):
        assert process.poll() is None

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert (base / "model/xgboost-model").exists()
