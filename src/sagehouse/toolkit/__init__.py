"""Runs inside jobs: the /opt/ml contract, training and the model server. Standard library only, Python 3.8+."""
