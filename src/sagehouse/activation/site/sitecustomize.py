"""Loaded by an interpreter that `sagehouse run` started: mends what the SDKs do in the way of speed, then hands on.

Another sitecustomize further down the path is still run, as it would have been without us.
"""

import importlib.machinery
import importlib.util
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))


def _hand_on():
    elsewhere = [entry for entry in sys.path if os.path.abspath(entry or ".") != _here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _install():
    url = os.environ.get("SAGEHOUSE_URL")
    if not url:
        return
    _load("polling").install(url)
    _load("sdk").install()


def _load(name):
    file = os.path.join(os.path.dirname(_here), name + ".py")
    spec = importlib.util.spec_from_file_location("_sagehouse_" + name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_install()
_hand_on()
