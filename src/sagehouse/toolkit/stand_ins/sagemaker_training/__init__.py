"""Stands in for the package that SageMaker's training containers bring, with the names that users' scripts import.

An installed package of this name goes before it. Source: sagemaker-training 5.1.4, its public names.
"""
