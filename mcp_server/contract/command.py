"""The command line of the checks: what was given becomes what is asked, and the report the end of the program."""

import argparse
import asyncio
import json
import logging
import os
import re
import sys
from typing import Any
from urllib.parse import urlsplit

from core.policy.errors import InvalidInput
from mcp_server.contract.run import Asked, report_on

_NO_HEADER = re.compile(r"[^\x21-\x7e]")


_WRONG_COMMAND_LINE = 2
"""As argparse has it, of every command."""


def run(chosen: argparse.Namespace) -> None:
    """Print the report and end with its status; where nothing can be asked by this command line, with a sentence."""
    for name in ("mcp", "httpx2"):  # what goes wrong is in the report
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        asked = _asked(chosen)
    except InvalidInput as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(_WRONG_COMMAND_LINE) from None
    raise SystemExit(asyncio.run(_printed(asked, as_json=chosen.output == "json")))


async def _printed(asked: Asked, *, as_json: bool) -> int:
    report = await report_on(asked)
    sys.stdout.write(f"{report.json() if as_json else report.text()}\n")
    if report.timed_out:
        # Now: a name server that does not answer holds a thread, and Python would wait for that.
        sys.stdout.flush()
        os._exit(report.status)
    return report.status


def _asked(chosen: argparse.Namespace) -> Asked:
    """Raises InvalidInput for what cannot be asked."""
    if not 0 < chosen.timeout <= 600:
        raise InvalidInput("--timeout is in seconds, above 0 and up to 600.")
    return Asked(
        url=_url(chosen.url),
        token=_token(chosen.token or os.environ.get("JHE_MCP_TOKEN", "")),
        tool=chosen.tool,
        arguments=_object(chosen.args),
        expected=tuple(filter(None, (name.strip() for name in chosen.expect_tools.split(",")))),
        timeout=chosen.timeout,
        with_health=chosen.health,
    )


def _url(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise InvalidInput("URL must be that of an MCP endpoint, such as https://mcp.example.org/mcp, without a user.")
    return given


def _token(given: str) -> str | None:
    """Any server's: only what no header can hold is refused, and nothing of it is said."""
    token = given.strip()
    if _NO_HEADER.search(token):
        raise InvalidInput("The token holds a character that no token does: copy it again, without spaces.")
    return token or None


def _object(given: str) -> dict[str, Any]:
    try:
        value = json.loads(given)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"--args must be a JSON object: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidInput('--args must be a JSON object, such as {"study_id": 30001}.')
    return value
