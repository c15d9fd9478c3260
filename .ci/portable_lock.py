"""Take the package index out of Pipfile.lock: the hashes say what to install, each machine's pip says from where."""

import json
from pathlib import Path

LOCK = Path("Pipfile.lock")

lock = json.loads(LOCK.read_text())
lock["_meta"]["sources"] = []
for group in lock.keys() - {"_meta"}:
    for package in lock[group].values():
        package.pop("index", None)
LOCK.write_text(json.dumps(lock, indent=4, sort_keys=True) + "\n")
