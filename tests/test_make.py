"""The commands: what `make` lists, and what it says when something that it needs is missing."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ["demo", "test", "conformance", "lint", "bench", "lock", "shell", "env", "clean"]


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A clone in which nothing was made yet."""
    for name in ("Makefile", "Pipfile", "Pipfile.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_make_alone_lists_every_command_and_does_nothing(fresh: Path) -> None:
    listed = re.findall(r"^make (\w+) +\S", make(fresh).stdout, re.MULTILINE)
    assert listed == TARGETS
    assert not (fresh / ".venv").exists()


@pytest.mark.parametrize("python", ["", "/nowhere/python3.11", "false"])
def test_a_missing_python_is_one_sentence(fresh: Path, python: str) -> None:
    result = make(fresh, "-s", "env", f"PYTHON={python}")
    assert result.returncode != 0
    assert result.stderr.splitlines()[0].startswith("Python 3.11 is missing: install it")
    assert not (fresh / ".venv").exists()


def test_a_missing_pip_is_one_sentence(fresh: Path) -> None:
    python = fresh / "python"
    python.write_text('#!/bin/sh\n[ "$1" = -c ]\n')
    python.chmod(0o755)
    result = make(fresh, "-s", "env", f"PYTHON={python}")
    assert result.returncode != 0
    assert result.stderr.splitlines()[0].startswith("pip 22.3 or newer is missing: install it for")
    assert not (fresh / ".venv").exists()


def test_continuous_integration_runs_what_everybody_runs() -> None:
    assert "exec make test" in (ROOT / ".ci/run").read_text()
