"""What the log keeps of a failure: where, not with what."""

import io
import logging

import pytest

from mcp_server import logs


def test_a_traceback_keeps_its_places_and_loses_its_values() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.WhereNotWhat("{levelname} {message}", style="{"))
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise ValueError("invalid input: Peter Pan, born 1980-05-17")
    except ValueError:
        log.exception("something failed")
    assert "ERROR something failed" in stream.getvalue()
    assert "test_logs.py" in stream.getvalue()
    assert stream.getvalue().rstrip().endswith("ValueError")
    assert "Peter" not in stream.getvalue().replace('raise ValueError("invalid input: Peter Pan, born 1980-05-17")', "")


@pytest.fixture
def _loggers_as_before() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    root.handlers[:], root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.usefixtures("_loggers_as_before")
def test_the_sdk_writes_no_line_per_request() -> None:
    logs.configure()
    assert not logging.getLogger("mcp.server.streamable_http").isEnabledFor(logging.INFO)
    assert logging.getLogger("mcp_server.database").isEnabledFor(logging.INFO)
