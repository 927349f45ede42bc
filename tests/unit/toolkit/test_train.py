"""Script mode, as a script sees it: arguments, variables, output, failure."""

import hashlib
import json
import signal
import threading

from tests.unit.toolkit.job import Job

SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), sys.path[0], __name__]))"


def shown(stdout: str) -> list:
    return json.loads(next(line for line in stdout.splitlines() if line.startswith("[[")))


def test_hyperparameters_become_sorted_arguments_whether_they_are_json_or_raw(job: Job):
    job.script(
        SHOW, epochs="10", lr="0.1", k="3", flag="true", word='"abc"', raw="reg:x", none="null", d='{"b": 1, "a": 2}'
    )

    ran = job.train()
    assert ran.code == 0, ran
    arguments = shown(ran.stdout)[0]

    assert " ".join(arguments) == "-d a=2,b=1 --epochs 10 --flag True -k 3 --lr 0.1 --none  --raw reg:x --word abc"


def test_a_script_in_a_folder_imports_from_its_folder_and_from_the_code_directory(job: Job):
    """`src/train.py` ended in ModuleNotFoundError where it imported the package beside its own folder."""
    for name, text in (("src/beside.py", "x = 1"), ("package/__init__.py", "y = 2")):
        job.script(text, name)
    job.script("import beside, package; print(beside.x + package.y)", "src/train.py")
    assert "3" in job.train().stdout.splitlines()


def test_the_script_finds_the_job_in_sm_variables(job: Job):
    job.script(SHOW, **{"batch-size": "16", "sagemaker_region": '"eu-west-1"', "sagemaker_job_name": '"a-job"'})

    _, environment, directory, first, name = shown(job.train().stdout)

    base = str(job.base)
    wanted = {
        "SM_MODEL_DIR": f"{base}/model",
        "SM_OUTPUT_DATA_DIR": f"{base}/output/data",
        "SM_CHANNELS": '["train"]',
        "SM_CHANNEL_TRAIN": f"{base}/input/data/train",
        "SM_HP_BATCH-SIZE": "16",
        "SM_HPS": '{"batch-size":16}',
        "SM_HOSTS": '["algo-1"]',
        "SM_CURRENT_HOST": "algo-1",
        "SM_CURRENT_INSTANCE_TYPE": "ml.m5.large",
        "SM_CURRENT_INSTANCE_GROUP": "homogeneousCluster",
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": '["algo-1"]',
        "SM_NETWORK_INTERFACE_NAME": "eth0",
        "SM_USER_ENTRY_POINT": "train.py",
        "SM_MODULE_NAME": "train",
        "SM_USER_ARGS": '["--batch-size","16"]',
        "SM_IS_HETERO": "false",
        "SM_FRAMEWORK_MODULE": "",
        "SM_INPUT_CONFIG_DIR": f"{base}/input/config",
        "SAGEMAKER_JOB_NAME": "a-job",
    }
    assert {key: environment.get(key) for key in wanted} == wanted
    assert json.loads(environment["SM_TRAINING_ENV"])["hyperparameters"] == {"batch-size": 16}
    assert (directory, first, name) == (f"{base}/code", f"{base}/code", "__main__")


def test_a_script_that_ends_well_leaves_the_success_file(job: Job):
    job.script("print('hello')")

    ran = job.train()

    assert ran.code == 0
    assert "hello" in ran.stdout
    assert (job.base / "output/success").exists()
    assert not ran.failure


def test_a_script_that_raises_leaves_its_last_words_and_its_own_traceback(job: Job):
    job.script("def main():\n    raise ValueError('no such column')\n\nmain()\n", epochs="3")

    ran = job.train()

    assert ran.code == 1
    assert ran.failure.splitlines()[:3] == [
        "ExecuteUserScriptError:",
        "ExitCode 1",
        'ErrorMessage "ValueError: no such column"',
    ]
    assert ran.failure.splitlines()[3].endswith('train.py --epochs 3"')
    assert [line for line in ran.stderr.splitlines() if line.strip(" ~^")] == [  # 3.13 underlines a call more
        "Traceback (most recent call last):",
        '  File "train.py", line 4, in <module>',
        "    main()",
        '  File "train.py", line 2, in main',
        "    raise ValueError('no such column')",
        "ValueError: no such column",
    ]


def test_the_scripts_own_failure_file_wins(job: Job):
    job.script(
        "import os\nopen(os.environ['SM_OUTPUT_DIR'] + '/failure', 'w').write('my own words')\nraise SystemExit(7)"
    )

    ran = job.train()

    assert (ran.code, ran.failure) == (7, "my own words")


def test_a_script_killed_by_a_signal_ends_with_128_and_the_signal(job: Job):
    job.script("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")

    ran = job.train()

    assert ran.code == 137
    assert "OutOfMemory: Process killed by SIGKILL" in ran.failure


def test_a_syntax_error_is_told_with_its_line(job: Job):
    job.script("print('x'\n")

    ran = job.train()

    assert ran.code == 1
    assert "SyntaxError" in ran.failure
    assert "train.py" in ran.stderr


def test_the_last_of_several_tracebacks_is_told(job: Job):
    job.script("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise RuntimeError('second') from e\n")

    assert 'ErrorMessage "RuntimeError: second"' in job.train().failure


def test_sigterm_reaches_the_script_which_may_save_and_end_well(job: Job):
    job.script(
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'saved\\n'), sys.exit(0)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = job.start()
    watchdog = threading.Timer(30, process.kill)
    watchdog.start()
    while "ready" not in process.stdout.readline():
        pass

    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate()
    watchdog.cancel()

    assert process.returncode == 0
    assert "saved" in stdout


def test_processes_that_the_script_leaves_behind_do_not_hold_the_job(job: Job):
    job.script("import subprocess\nsubprocess.Popen(['sleep', '20'])\nprint('done')")

    process = job.start()
    code = process.wait(timeout=15)
    process.stdout.close()
    process.stderr.close()

    assert code == 0


def test_classes_of_the_script_can_be_pickled_and_multiprocessing_works(job: Job):
    job.script(
        "import multiprocessing, pickle\n"
        "class Model: pass\n"
        "def double(x): return 2 * x\n"
        "if __name__ == '__main__':\n"
        "    assert isinstance(pickle.loads(pickle.dumps(Model())), Model)\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(double, [1, 2]))\n"
    )

    ran = job.train()

    assert "[2, 4]" in ran.stdout, ran.stderr


def test_atexit_and_unbuffered_output_are_as_in_a_plain_script(job: Job):
    job.script("import atexit, os\natexit.register(print, 'bye')\nprint('one')\nos.write(1, b'two\\n')")

    lines = [line for line in job.train().stdout.splitlines() if line in ("one", "two", "bye")]

    assert lines == ["one", "two", "bye"]


def test_modules_beside_the_script_are_imported(job: Job):
    (job.base / "code/helper.py").write_text("WORD = 'helped'")
    job.script("import helper\nprint(helper.WORD)")

    assert "helped" in job.train().stdout


def test_a_script_in_a_folder_runs_with_its_folder_first_on_the_path(job: Job):
    job.script("import os, sys\nprint(os.path.relpath(sys.path[0], os.getcwd()))", name="sub/train.py")

    assert "sub" in job.train().stdout.splitlines()


def test_a_shell_script_gets_the_arguments(job: Job):
    job.script('echo "args: $@"; exit 3', name="run.sh", word='"a b"')

    ran = job.train()

    assert "args: --word a b" in ran.stdout
    assert ran.code == 3


def test_a_job_without_a_script_says_what_to_set(job: Job):
    job.configure(hyperparameters={"epochs": "3"})

    ran = job.train()

    assert ran.code == 1
    assert ran.failure.startswith("This image has no built-in algorithm and the job names no script")


def test_a_missing_script_is_told_with_what_is_there(job: Job):
    job.script("pass")
    job.configure(hyperparameters={"sagemaker_program": "other.py"})

    assert job.train().failure == "There is no other.py in the source directory; it holds: train.py."


def test_a_program_outside_the_source_directory_is_refused(job: Job):
    job.script("pass")
    job.configure(hyperparameters={"sagemaker_program": "../../etc/passwd.py"})

    assert "must be a path inside the source directory" in job.train().failure


def test_a_distribution_that_is_not_there_is_refused_not_ignored(job: Job):
    job.script("pass", sagemaker_mpi_enabled="true")

    assert "sagemaker_mpi_enabled is not available" in job.train().failure


def test_requirements_that_cannot_be_installed_fail_the_job_with_pips_words(job: Job):
    job.script("pass")
    (job.base / "code/requirements.txt").write_text("./nowhere\n")

    ran = job.train()

    assert ran.code == 1
    assert "pip install" in ran.failure


def test_requirements_that_the_environment_was_built_with_are_not_installed_again(job: Job):
    job.script("import os\nprint('ran')")
    text = "no-such-package-anywhere==1.0\n"
    (job.base / "code/requirements.txt").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    job.environment["SAGEHOUSE_REQUIREMENTS"] = f"{digest} no-such-package-anywhere==1.0 six==1.17.0"

    ran = job.train()

    assert ran.code == 0
    assert "installed already: no-such-package-anywhere==1.0 six==1.17.0" in ran.stdout
    assert "ran" in ran.stdout.splitlines()


def test_other_requirements_than_the_environment_was_built_with_are_installed(job: Job):
    job.script("pass")
    (job.base / "code/requirements.txt").write_text("./nowhere\n")
    job.environment["SAGEHOUSE_REQUIREMENTS"] = "0123 six==1.17.0"

    assert "pip install" in job.train().failure


def test_a_handed_over_framework_entry_point_runs(job: Job):
    job.script("pass")
    (job.base / "code/framework.py").write_text(
        "import os\ndef main():\n    print('framework', os.environ['SM_MODEL_DIR'])"
    )
    job.environment["SAGEMAKER_TRAINING_MODULE"] = "framework:main"
    job.environment["PYTHONPATH"] += f":{job.base}/code"

    assert f"framework {job.base}/model" in job.train().stdout


def test_the_toolkit_imports_nothing_heavy(job: Job):
    job.script(
        "import sys\n"
        "heavy = {'asyncio', 'http', 'email', 'ssl', 'logging', 'urllib.request', 'tempfile', 'subprocess'}\n"
        "print('heavy:', *sorted(heavy & set(sys.modules)))"
    )

    assert "heavy:" in [line.strip() for line in job.train().stdout.splitlines()]
