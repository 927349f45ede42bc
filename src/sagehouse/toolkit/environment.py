"""The training job as an object, for scripts that ask for it so instead of reading SM_* variables."""

from sagehouse.toolkit import paths
from sagehouse.toolkit.configuration import configuration
from sagehouse.toolkit.variables import training_environment, variables


class Environment:
    """Every fact of SM_TRAINING_ENV is an attribute: hyperparameters, channel_input_dirs, model_dir, hosts, ...

    Source: sagemaker-training 5.1.4, environment.Environment.
    """

    code_dir = paths.CODE

    def __init__(self):
        self._job = configuration()
        self._facts = training_environment(self._job)

    def __getattr__(self, name):
        if name.startswith("_") or name not in self._facts:
            raise AttributeError("A training environment has no %r; it has %s." % (name, ", ".join(self.properties())))
        return self._facts[name]

    def properties(self):
        return sorted(self._facts)

    def to_env_vars(self):
        """Return the SM_* variables."""
        return variables(self._job)

    def to_cmd_args(self):
        """Return the hyperparameters as the script's arguments."""
        from sagehouse.toolkit.arguments import arguments

        return arguments(self.hyperparameters)
