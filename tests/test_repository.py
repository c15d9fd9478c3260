"""What is in the repository works on every machine: no package registry's address, no machine's path, no stale name."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from demo.services import ROOT, Exchange
from demo.welcome import claude_desktop
from tests.test_make import TARGETS

REGISTRIES = re.compile("|".join(re.escape(f"{name}.org") for name in ("pypi", "pythonhosted", "registry.npmjs")))
MACHINE_PATHS = re.compile(r"(?<![\w.:/])/(root|work|home/\w+|Users/\w+)/\w")


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("forbidden", [REGISTRIES, MACHINE_PATHS], ids=["registry", "machine path"])
def test_no_file_names_what_is_only_true_for_one_machine(forbidden: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        for match in forbidden.finditer(path.read_text(errors="ignore"))
    ]
    assert found == []


def test_the_python_lock_says_what_to_install_and_not_from_where() -> None:
    lock = json.loads((ROOT / "Pipfile.lock").read_text())
    packages = [package for group in lock if group != "_meta" for package in lock[group].values()]
    assert lock["_meta"]["sources"] == []
    assert [package for package in packages if "index" in package or not package["hashes"]] == []
    assert "[[source]]" not in (ROOT / "Pipfile").read_text()


def test_the_npm_lock_says_what_to_install_and_not_from_where() -> None:
    lock = json.loads((ROOT / "tests/npm/package-lock.json").read_text())
    installed = [package for name, package in lock["packages"].items() if name]
    assert [package for package in installed if "resolved" in package or "integrity" not in package] == []


@pytest.mark.parametrize("path", [path for path in tracked() if path.suffix == ".md"], ids=lambda path: path.name)
def test_the_documentation_names_only_commands_that_exist(path: Path) -> None:
    named = re.findall(r"(?:^|`)make (\w+)", path.read_text(), re.MULTILINE)
    assert set(named) <= set(TARGETS)


@pytest.mark.parametrize("path", [path for path in tracked() if path.suffix == ".md"], ids=lambda path: path.name)
def test_the_documentation_links_to_files_that_exist(path: Path) -> None:
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
    assert [link for link in linked if not (path.parent / link).exists()] == []


def test_the_readme_shows_the_block_that_the_demo_prints() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    printed = claude_desktop(Exchange(Path(), 8000, 8001))["mcpServers"]["jupyterhealth"]
    assert json.loads(shown)["mcpServers"]["jupyterhealth"] == {
        **printed,
        "command": "/path/to/this/checkout/.venv/bin/python",
        "env": {**printed["env"], "PYTHONPATH": "/path/to/this/checkout"},
    }
