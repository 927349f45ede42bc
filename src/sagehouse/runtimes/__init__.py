"""What starts, watches and stops workloads: process/ (Linux namespaces); environments.py builds what they run in."""
