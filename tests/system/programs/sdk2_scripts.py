"""Scripts in the shape of SageMaker's own examples: they import from the packages that AWS's containers bring."""

import json
import tempfile
from pathlib import Path

import numpy as np
import sagemaker
from sagemaker.deserializers import JSONDeserializer
from sagemaker.inputs import TrainingInput
from sagemaker.s3 import S3Downloader, S3Uploader
from sagemaker.serializers import CSVSerializer
from sagemaker.sklearn import SKLearn
from sagemaker.xgboost import XGBoost, XGBoostModel
from sdk2_promises import main, promise, script, unique
from sklearn.datasets import dump_svmlight_file

HERE = tempfile.mkdtemp()
session = sagemaker.Session()
bucket = session.default_bucket()
role = sagemaker.get_execution_role()
ON = {"initial_instance_count": 1, "instance_type": "ml.m5.large"}


@promise
def an_xgboost_script_reads_its_channels_and_requests_with_the_containers_helpers():
    table = np.random.RandomState(0).rand(300, 4)
    path = Path(HERE) / "rows.libsvm"
    dump_svmlight_file(table, table[:, 0] * 10, str(path))
    uri = session.upload_data(str(path), key_prefix="xgboost-script/train")
    entry = script(
        HERE,
        "abalone/abalone.py",
        """
import argparse, json, logging, os, pickle as pkl
import pandas as pd
import xgboost as xgb
from sagemaker_containers import entry_point
from sagemaker_xgboost_container import distributed
from sagemaker_xgboost_container.data_utils import get_dmatrix

def _xgb_train(params, dtrain, evals, num_boost_round, model_dir, is_master):
    booster = xgb.train(params=params, dtrain=dtrain, evals=evals, num_boost_round=num_boost_round)
    if is_master:
        model_location = model_dir + "/xgboost-model"
        pkl.dump(booster, open(model_location, "wb"))
        logging.info("Stored trained model at {}".format(model_location))

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--max_depth", type=int)
    parser.add_argument("--eta", type=float)
    parser.add_argument("--objective", type=str)
    parser.add_argument("--num_round", type=int)
    parser.add_argument("--model_dir", type=str, default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--train", type=str, default=os.environ["SM_CHANNEL_TRAIN"])
    parser.add_argument("--validation", type=str, default=os.environ["SM_CHANNEL_VALIDATION"])
    parser.add_argument("--sm_hosts", type=str, default=os.environ["SM_HOSTS"])
    parser.add_argument("--sm_current_host", type=str, default=os.environ["SM_CURRENT_HOST"])
    args, _ = parser.parse_known_args()
    sm_hosts = json.loads(args.sm_hosts)
    dtrain = get_dmatrix(args.train, "libsvm")
    dval = get_dmatrix(args.validation, "libsvm")
    watchlist = [(dtrain, "train"), (dval, "validation")]
    params = {"max_depth": args.max_depth, "eta": args.eta, "objective": args.objective}
    xgb_train_args = dict(params=params, dtrain=dtrain, evals=watchlist, num_boost_round=args.num_round,
                          model_dir=args.model_dir)
    if len(sm_hosts) > 1:
        entry_point._wait_hostname_resolution()
        distributed.rabit_run(exec_fun=_xgb_train, args=xgb_train_args, include_in_training=(dtrain is not None),
                              hosts=sm_hosts, current_host=args.sm_current_host, update_rabit_args=True)
    else:
        xgb_train_args["is_master"] = True
        _xgb_train(**xgb_train_args)

def model_fn(model_dir):
    with open(os.path.join(model_dir, "xgboost-model"), "rb") as f:
        return pkl.load(f)
""",
    )
    inference = script(
        HERE,
        "abalone/inference.py",
        """
import json, os, pickle as pkl
import numpy as np
import sagemaker_xgboost_container.encoder as xgb_encoders

def model_fn(model_dir):
    with open(os.path.join(model_dir, "xgboost-model"), "rb") as f:
        return pkl.load(f)

def input_fn(request_body, request_content_type):
    if request_content_type == "text/libsvm":
        return xgb_encoders.libsvm_to_dmatrix(request_body)
    else:
        raise ValueError("Content type {} is not supported.".format(request_content_type))

def predict_fn(input_data, model):
    prediction = model.predict(input_data)
    feature_contribs = model.predict(input_data, pred_contribs=True, validate_features=False)
    return np.hstack((prediction[:, np.newaxis], feature_contribs))

def output_fn(predictions, content_type):
    if content_type == "text/csv":
        return ",".join(str(x) for x in predictions[0])
    else:
        raise ValueError("Content type {} is not supported.".format(content_type))
""",
    )
    channel = TrainingInput(uri, content_type="libsvm")
    estimator = XGBoost(
        entry_point="abalone.py",
        source_dir=str(Path(entry).parent),
        framework_version="1.7-1",
        hyperparameters={"max_depth": 5, "eta": 0.2, "objective": "reg:squarederror", "num_round": 30},
        role=role,
        instance_count=1,
        instance_type="ml.m5.large",
        sagemaker_session=session,
    )
    estimator.fit({"train": channel, "validation": channel}, logs=False)
    model = XGBoostModel(
        estimator.model_data,
        role,
        "inference.py",
        source_dir=str(Path(inference).parent),
        framework_version="1.7-1",
        sagemaker_session=session,
    )
    predictor = model.deploy(**ON, endpoint_name=unique("contributions"))
    told = [float(value) for value in predictor.predict("0 0:0.5 1:0.1 2:0.2 3:0.1")[0]]
    assert len(told) == 6, told
    assert abs(told[0] - 5) < 0.5, told
    assert abs(sum(told[1:]) - told[0]) < 0.01, told
    predictor.delete_endpoint()


@promise
def a_scikit_learn_featurizer_answers_with_the_containers_encoders_and_responses():
    entry = script(
        HERE,
        "feat.py",
        """
from __future__ import print_function
import time, sys
from io import StringIO
import os, shutil, argparse, csv, json
import numpy as np
import pandas as pd
import joblib
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler, OneHotEncoder
from sagemaker_containers.beta.framework import content_types, encoders, env, modules, transformer, worker

names = ["sex", "length"]
label = "rings"
if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--output-data-dir", type=str, default=os.environ["SM_OUTPUT_DATA_DIR"])
    parser.add_argument("--model-dir", type=str, default=os.environ["SM_MODEL_DIR"])
    parser.add_argument("--train", type=str, default=os.environ["SM_CHANNEL_TRAIN"])
    args = parser.parse_args()
    input_files = [os.path.join(args.train, file) for file in os.listdir(args.train)]
    df = pd.concat([pd.read_csv(f, header=None, names=names + [label]) for f in input_files])
    df.drop(label, axis=1, inplace=True)
    pre = ColumnTransformer(transformers=[("num", StandardScaler(), ["length"]),
                                          ("cat", OneHotEncoder(handle_unknown="ignore"), ["sex"])])
    pre.fit(df)
    joblib.dump(pre, os.path.join(args.model_dir, "model.joblib"))

def input_fn(input_data, content_type):
    if content_type == "text/csv":
        df = pd.read_csv(StringIO(input_data), header=None)
        df.columns = names + [label] if len(df.columns) == 3 else names
        return df
    raise ValueError("{} not supported by script!".format(content_type))

def output_fn(prediction, accept):
    if accept == "application/json":
        instances = [{"features": row.tolist()} for row in prediction]
        return worker.Response(json.dumps({"instances": instances}), mimetype=accept)
    elif accept == "text/csv":
        return worker.Response(encoders.encode(prediction, accept), mimetype=accept)
    raise RuntimeError("{} accept type is not supported by this script.".format(accept))

def predict_fn(input_data, model):
    features = model.transform(input_data)
    if label in input_data:
        return np.insert(features, 0, input_data[label], axis=1)
    return features

def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))
""",
    )
    rows = f"s3://{bucket}/featurizer/train.csv"
    S3Uploader.upload_string_as_file_body("M,1,5\nF,2,6\nI,3,7\n", rows)
    estimator = SKLearn(
        entry_point=entry,
        framework_version="1.2-1",
        instance_type="ml.m5.large",
        role=role,
        sagemaker_session=session,
    )
    estimator.fit({"train": rows}, logs=False)
    transformer = estimator.transformer(1, "ml.m5.large", assemble_with="Line", accept="text/csv")
    transformer.transform(rows, content_type="text/csv", logs=False)
    lines = S3Downloader.read_file(f"{transformer.output_path}/train.csv.out").split()
    assert lines[1] == "6.0,0.0,1.0,0.0,0.0", lines
    assert len(lines) == 3, lines
    predictor = estimator.deploy(**ON, serializer=CSVSerializer(), deserializer=JSONDeserializer())
    answer = predictor.predict("M,2")
    assert answer == {"instances": [{"features": [0.0, 0.0, 0.0, 1.0]}]}, json.dumps(answer)
    predictor.delete_endpoint()


if __name__ == "__main__":
    main()
