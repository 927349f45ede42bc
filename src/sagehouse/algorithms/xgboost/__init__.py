"""The built-in XGBoost algorithm: training on channels, and answering with what it trained.

Source: SageMaker developer guide, "XGBoost algorithm"; behaviour of aws/sagemaker-xgboost-container.
"""
