"""Who is logged in, and what the exchange says that they may see now."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mcp import Client

from core.policy.errors import DomainError, NotAuthenticated
from mcp_server.app import build_server
from mcp_server.auth.login import GivenToken, Login
from mcp_server.auth.profiles import DEFAULT
from mcp_server.auth.token_store import Tokens, claims_of
from mcp_server.machine import Machine
from mcp_server.transports.stdio import backend


@dataclass(frozen=True, slots=True)
class Studies:
    listed: list[dict[str, Any]]
    """Each with its `study_id`, and its `name` when the exchange was asked."""
    total: int | None
    """None when it is not known how many more there are."""
    problem: str | None = None
    """Why the exchange could not be asked: then these are what the login said when it was last renewed."""


@dataclass(frozen=True, slots=True)
class Standing:
    profile: str
    exchange: str
    claims: dict[str, Any]
    """Of the ID token; none when an MCP token was given."""
    expires: int | None
    """Seconds since 1970; None when only the exchange knows."""
    studies: Studies
    kept_in: str

    def json(self) -> dict[str, Any]:
        return {
            "profile": self.profile,
            "exchange": self.exchange,
            "issuer": self.claims.get("iss"),
            "user_id": self.claims.get("user_id"),
            "user_type": self.claims.get("user_type"),
            "name": self.claims.get("name"),
            "email": self.claims.get("email"),
            "expires": None if self.expires is None else _time(self.expires),
            "narrowed": "narrowing" in self.claims if self.claims else None,
            "studies": self.studies.listed,
            "studies_total": self.studies.total,
            "problem": self.studies.problem,
            "kept_in": self.kept_in,
        }

    def text(self) -> str:
        until = "" if self.expires is None else f"until {_time(self.expires)}, renewed by itself while the login stands"
        rows = {
            "exchange": f"{self.exchange}{'' if self.profile == DEFAULT else f' (profile {self.profile})'}",
            "login": until,
            "narrowed": "to the studies below" if "narrowing" in self.claims else "",
            "studies": self._studies(),
            "kept in": self.kept_in,
        }
        return "\n".join([self._who(), *(f"  {name:<9} {printable(said)}" for name, said in rows.items() if said)])

    def _who(self) -> str:
        if not self.claims:
            return "Whoever made the MCP token in JHE_MCP_TOKEN"
        who = self.claims.get("email") or f"user {self.claims.get('sub')}"
        name = f", {self.claims['name']}" if self.claims.get("name") else ""
        return printable(f"{who}{name} ({self.claims.get('user_type')})")

    def _studies(self) -> str:
        studies = self.studies
        if not studies.listed and studies.problem is not None:
            return f"not known: {studies.problem}"
        listed = ", ".join(" ".join(str(value) for value in study.values()) for study in studies.listed)
        total = f"{len(studies.listed)} and more" if studies.total is None else str(studies.total)
        asked = "" if studies.problem is None else f" (at the last renewal; now: {studies.problem})"
        return f"{total}{':' if listed else ''} {listed}".strip() + asked


async def standing(machine: Machine, *, given: bool = True) -> Standing:
    """Raises NotAuthenticated when nobody is logged in. `given`: an MCP token that was given goes before a login."""
    if given and machine.mcp_token is not None:
        token = GivenToken(machine.mcp_token.get_secret_value())
        studies = await _asked(machine, token)
        if token.refused:
            raise NotAuthenticated(str(studies.problem))
        return Standing(machine.profile, machine.exchange, {}, None, studies, "JHE_MCP_TOKEN")
    before = _kept(machine)
    studies = await _asked(machine, machine.login(None))
    kept = _kept(machine)  # a login that the exchange has ended is gone now, and one that it renewed is new
    claims = claims_of(kept)
    if studies.problem is not None:
        studies = _claimed(claims_of(before), studies.problem)
    return Standing(machine.profile, machine.exchange, claims, int(kept["expires_at"]), studies, machine.store.place())


def _kept(machine: Machine) -> Tokens:
    tokens = machine.store.read()
    if tokens is None:
        profile = "" if machine.profile == DEFAULT else f" --profile {machine.profile}"
        raise NotAuthenticated(f"Nobody is logged in at {machine.exchange}: python -m mcp_server login{profile}")
    return tokens


async def _asked(machine: Machine, login: Login | GivenToken) -> Studies:
    try:
        async with backend(machine.settings, login) as answers, Client(build_server(answers)) as client:
            answer = await client.call_tool("list_studies", {})
    except DomainError as error:
        return Studies([], None, str(error))
    if answer.is_error or answer.structured_content is None:
        return Studies([], None, " ".join(getattr(part, "text", "") for part in answer.content))
    listed = [{"study_id": study["study_id"], "name": study["name"]} for study in answer.structured_content["studies"]]
    return Studies(listed, answer.structured_content["total"])


def _claimed(claims: dict[str, Any], problem: str) -> Studies:
    permissions = claims.get("jhe_permissions") or {"studies": [], "truncated": True}
    listed = [{"study_id": study_id} for study_id in permissions["studies"]]
    return Studies(listed, None if permissions["truncated"] else len(listed), problem)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def printable(text: str) -> str:
    """What people typed may hold what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)
