"""Stands in for the package of SageMaker's XGBoost container, with the names that users' scripts import.

Source: aws/sagemaker-xgboost-container, encoder.py, data_utils.py and distributed.py.
"""
