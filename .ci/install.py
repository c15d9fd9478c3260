"""Run `pipenv … sync --verbose`, which the arguments are, and say how far it is instead of everything that it says."""

import json
import subprocess
import sys
from collections import deque
from pathlib import Path

lock = json.loads(Path("Pipfile.lock").read_text())
total = len(lock["default"].keys() | lock["develop"].keys())
collected = 0
last_lines: deque[str] = deque(maxlen=20)

with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pipenv:
    for line in pipenv.stdout or ():
        last_lines.append(line)
        if line.startswith("Collecting "):
            collected += 1
            package = line.split()[1].partition("==")[0]
            if sys.stdout.isatty():
                print(f"\r\033[K  {collected} of {total}  {package}", end="", flush=True)
            elif collected % 25 == 0:
                print(f"  {collected} of {total}", flush=True)
print("\r\033[K" if sys.stdout.isatty() else "", end="")
if pipenv.returncode:
    sys.exit("".join(last_lines) + "The packages could not be installed, see above. To try again, run make again.")
