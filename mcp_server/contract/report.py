"""What the checks of an endpoint came to: one line each for people, one object for programs, one status for both."""

import json
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from mcp_server.standing import printable

_DETAIL = 300
"""Characters: what a server says is its own, and may be long."""


class Status(IntEnum):
    """What the program ends with."""

    PASSED = 0
    UNREACHABLE = 1
    """Transport or authentication: nothing is known of the contract."""
    BROKEN = 2


class Failed(Exception):  # noqa: N818 - a check has failed, not this program
    """A sentence on what is wrong."""

    status: Status


class Unreachable(Failed):
    status = Status.UNREACHABLE


class Broken(Failed):
    status = Status.BROKEN


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    status: Status
    detail: str

    @property
    def result(self) -> str:
        return "passed" if self.status == Status.PASSED else "failed"


@dataclass(slots=True)
class Report:
    url: str
    secret: str | None = None
    """The token, which is never repeated, whatever the server says."""
    protocol_version: str | None = None
    server: dict[str, str] | None = None
    tools: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    timed_out: bool = False

    def add(self, name: str, status: Status, detail: str) -> None:
        kept = detail.replace(self.secret, "…") if self.secret else detail
        self.checks.append(Check(name, status, kept if len(kept) <= _DETAIL else kept[: _DETAIL - 1] + "…"))

    @property
    def status(self) -> Status:
        """Unreachable before broken: what could not be asked says nothing about the rest."""
        failed = [check.status for check in self.checks if check.status != Status.PASSED]
        return min(failed, default=Status.PASSED)

    def json(self) -> str:
        report: dict[str, Any] = {
            "url": self.url,
            "passed": self.status == Status.PASSED,
            "status": int(self.status),
            "protocol_version": self.protocol_version,
            "server": self.server,
            "tools": self.tools,
            "checks": [
                {"check": check.name, "result": check.result, "status": int(check.status), "detail": check.detail}
                for check in self.checks
            ],
        }
        printed = json.dumps(report, indent=2)
        return printed.replace(self.secret, "…") if self.secret else printed

    def text(self) -> str:
        marks = {"passed": "ok", "failed": "FAILED"}
        lines = [f"{marks[check.result]:<7} {check.name:<10} {printable(check.detail)}" for check in self.checks]
        return "\n".join([*lines, f"{self.url}: {_VERDICTS[self.status]}"])


_VERDICTS = {
    Status.PASSED: "passed.",
    Status.UNREACHABLE: "failed: it could not be asked (transport or authentication).",
    Status.BROKEN: "failed: it was asked, and a check did not pass.",
}
