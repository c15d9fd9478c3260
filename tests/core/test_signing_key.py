"""The key that development makes for itself, so that nobody has to run openssl."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from demo.services import ROOT

SHOW = "from jhe import development; print(development.signing_key(), end='')"


def signing_key(data_dir: Path, **changes: str) -> str:
    environment = {"PATH": os.environ["PATH"], "JHE_DATA_DIR": str(data_dir), **changes}
    return subprocess.run(
        [sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_processes_that_start_at_once_share_one_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as processes:
        (key,) = set(processes.map(signing_key, [tmp_path / "data"] * 4))
    assert isinstance(load_pem_private_key(key.encode(), password=None), RSAPrivateKey)
    (kept,) = (tmp_path / "data").iterdir()
    assert kept.read_text() == key == signing_key(tmp_path / "data")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_another_data_directory_has_another_key(tmp_path: Path) -> None:
    assert signing_key(tmp_path / "one") != signing_key(tmp_path / "other")


def test_a_key_of_the_environment_goes_first_and_its_written_line_breaks_are_read(tmp_path: Path) -> None:
    assert signing_key(tmp_path / "data", OIDC_RSA_PRIVATE_KEY="a\\nb") == "a\nb"
    assert not (tmp_path / "data").exists()


def test_production_makes_no_key(tmp_path: Path) -> None:
    assert signing_key(tmp_path / "data", DEBUG="false") == ""
    assert not (tmp_path / "data").exists()
