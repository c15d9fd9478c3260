"""The PostgreSQL that comes with pip: who shares it, when it stops, and what it says when it cannot start."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest

from jhe import embedded
from jhe.embedded import EmbeddedDatabaseError, database_url, ensure_running, release

KEEP_RUNNING = """
import sys
from pathlib import Path
from jhe import embedded
print(embedded.ensure_running(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@contextmanager
def another_user(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server of `data_dir` until it is told to end."""
    command = [sys.executable, "-c", KEEP_RUNNING, str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql://")
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    release(tmp_path / "data")


def answers(url: str) -> bool:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True


def test_it_starts_and_stops_and_keeps_its_data(data_dir: Path) -> None:
    url = ensure_running(data_dir)
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE note AS SELECT 'still here' AS text")
    connection.close()
    release(data_dir)
    assert not answers(url)

    ensure_running(data_dir)
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT text FROM note")
        assert cursor.fetchone() == ("still here",)
    connection.close()


def test_it_stays_while_another_process_uses_it_and_stops_with_the_last(data_dir: Path) -> None:
    with another_user(data_dir) as first:
        url = ensure_running(data_dir)
        first.communicate(input="")
        assert first.returncode == 0
        assert answers(url)
    release(data_dir)
    assert not answers(url)


def test_a_user_that_was_killed_is_not_counted(data_dir: Path) -> None:
    with another_user(data_dir) as killed:
        url = ensure_running(data_dir)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    release(data_dir)
    assert not answers(url)


def test_what_a_crash_left_behind_does_not_stop_it_from_starting(data_dir: Path) -> None:
    url = ensure_running(data_dir)
    release(data_dir)
    (data_dir / "postgres" / "postmaster.pid").write_text("1\n")  # a process, but not PostgreSQL
    (data_dir / "postgres.unfinished").mkdir()
    assert answers(ensure_running(data_dir))
    assert url == database_url(data_dir)


def test_a_refused_row_does_not_reach_the_log(data_dir: Path) -> None:
    with psycopg2.connect(ensure_running(data_dir)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE person (email text PRIMARY KEY)")
        cursor.execute("INSERT INTO person VALUES ('peter@example.org')")
        with pytest.raises(psycopg2.IntegrityError, match="peter"):
            cursor.execute("INSERT INTO person VALUES ('peter@example.org')")
    connection.close()
    log = (data_dir / "postgres" / "log").read_text()
    assert "duplicate key value" in log
    assert "peter" not in log


def test_a_folder_with_a_space_in_its_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedDatabaseError, match="because of the space in its name: set JHE_DATA_DIR to another"):
        ensure_running(tmp_path / "my data")


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(EmbeddedDatabaseError, match=r"data cannot be made \(.*\): set JHE_DATA_DIR to another folder"):
        ensure_running(tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "content"),
    [("PG_VERSION", "9\n"), ("PG_VERSION", "garbage\n"), ("postgresql.conf", "no = such setting\n")],
)
def test_a_broken_database_says_what_to_do_in_one_sentence(data_dir: Path, name: str, content: str) -> None:
    ensure_running(data_dir)
    release(data_dir)
    (data_dir / "postgres" / name).write_text(content)
    with pytest.raises(EmbeddedDatabaseError, match=r"does not start .* delete this one to begin afresh\.$") as refusal:
        ensure_running(data_dir)
    assert "\n" not in str(refusal.value)


def socket_dir(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


@pytest.mark.parametrize("name", ["data", "long" * 30], ids=["short path", "long path"])
def test_nobody_else_reaches_the_socket(tmp_path: Path, name: str) -> None:
    data_dir = tmp_path / name
    url = ensure_running(data_dir)
    folder = socket_dir(url).stat()
    assert stat.S_IMODE(folder.st_mode) == 0o700
    assert folder.st_uid == (data_dir / "postgres").stat().st_uid
    assert answers(url)
    release(data_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
@pytest.mark.parametrize("name", ["data", "long" * 30], ids=["short path", "long path"])
def test_another_system_user_is_refused_at_the_socket(tmp_path: Path, name: str) -> None:
    data_dir = tmp_path / name
    path = socket_dir(ensure_running(data_dir)) / ".s.PGSQL.5432"
    assert path.is_socket()
    refused = subprocess.run(["test", "-e", path], user="nobody", group="nogroup", extra_groups=[], check=False)
    assert refused.returncode == 1
    release(data_dir)


def _long(folder: Path) -> Path:
    """Longer than a socket's path can be (108), and not too long for a control file's."""
    return folder / "long".ljust(170 - len(str(folder)), "g")


def test_a_long_path_has_its_socket_in_a_folder_that_goes_with_the_server(tmp_path: Path) -> None:
    data_dir = _long(tmp_path)
    first = socket_dir(ensure_running(data_dir))
    assert "long" not in str(first)
    release(data_dir)
    assert not first.exists()
    assert answers(ensure_running(data_dir))
    release(data_dir)


def test_a_broken_database_with_a_long_path_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    short = Path(tempfile.mkdtemp())  # a socket's path in it is short enough
    short.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    data_dir = _long(tmp_path)
    ensure_running(data_dir)
    release(data_dir)
    (data_dir / "postgres" / "postgresql.conf").write_text("no = such setting\n")
    with pytest.raises(EmbeddedDatabaseError, match=r"does not start .* delete this one to begin afresh\.$"):
        ensure_running(data_dir)
    short.rmdir()


def test_folders_above_can_be_passed_through_and_not_listed(data_dir: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    ensure_running(data_dir)
    assert tmp_path.stat().st_mode & 0o066 == 0


def test_a_throw_away_server_leaves_nothing() -> None:
    with embedded.throw_away() as data_dir:
        url = database_url(data_dir)
        assert answers(url)
    assert not data_dir.exists()
    assert not answers(url)
