"""Stands in for the package that SageMaker's serving containers bring, with the names that users' scripts import.

An installed package of this name goes before it. Source: sagemaker-inference 1.10.1, its public names.
"""
