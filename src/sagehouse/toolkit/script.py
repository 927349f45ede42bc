"""Runs a Python script in this process as `python script.py` would: no second interpreter, no second start."""

import builtins
import os
import sys
import types


def run_script(path, arguments):
    """Run the file as `__main__` and return its exit code once it ends; SystemExit is left to the interpreter."""
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__builtins__ = builtins
    main.__dict__["__cached__"] = None
    sys.modules["__main__"] = main
    sys.argv = [path, *arguments]
    ahead = [os.path.dirname(os.path.abspath(path)), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    sys.path[:] = list(dict.fromkeys([entry for entry in ahead if entry] + sys.path[1:]))
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        exec(code, main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None  # without this frame
        sys.excepthook(type(error), error, error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0
