"""Reading the logs of jobs with SDK 2.x: while they run, and afterwards, on several hosts."""

import sys
import tempfile
from pathlib import Path

import sagemaker
from sagemaker.processing import ScriptProcessor

session = sagemaker.Session()
here = Path(tempfile.mkdtemp())
(here / "talk.py").write_text(
    "import os, sys\n"
    "for number in range(300):\n    print(f'line {number} of', os.uname().nodename)\n"
    "print('to standard error', file=sys.stderr)\nprint('tab\\tand ümläut')\nprint('without an end', end='')\n"
)
processor = ScriptProcessor(
    image_uri=sagemaker.image_uris.retrieve("sklearn", session.boto_region_name, version="1.2-1"),
    command=["python3"],
    role=sagemaker.get_execution_role(),
    instance_type="ml.m5.large",
    instance_count=int(sys.argv[1]),
    sagemaker_session=session,
)
processor.run(code=str(here / "talk.py"))
print("AGAIN", processor.latest_job.job_name)
session.logs_for_processing_job(processor.latest_job.job_name, wait=False)
