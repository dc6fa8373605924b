import subprocess
import sys


def test_reading_a_suite_needs_no_torch():
    code = (
        "import sys, eqlib.suites.doctor, eqlib.suites.images; print(sorted({'torch', 'open_clip'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
