"""What the demo prints once everything runs: the answers, where to go, who may log in, and what to paste."""

import json
import sys
from typing import Any

from demo.person import Person
from demo.question import Answer, first_answers
from demo.services import ROOT, Exchange

PASSWORD = "Jhe1234!"
LOGINS = {
    "admin@example.com": "superuser: the admin; every study, and observations where patients consented",
    "manager_mary@example.com": "manager of Planetary Research Institute, Saturn School and Lifespan Lab",
    "member_megan@example.com": "member of Lifespan Lab",
    "viewer_victor@example.com": "viewer of Lifespan Lab",
    "three_org_tom@example.com": "viewer of Lifespan, member of Neptunian Pulse Lab, manager of Cosmic Cardio Lab",
    "manager_mark@example.com": "manager of Neptune Health System, Medicine, Cardiology and Neptunian Pulse Lab",
    "ll_patient_peter@example.com": "patient, in both Lifespan studies",
}
ASKS = Person("manager_mary@example.com", PASSWORD)
STUDY = "CGM & Wearables Demo"
SHOWN_AT_MOST = 3


def first_question(exchange: Exchange) -> str:
    """Two questions and a short form of their answers, with the time that each took."""
    return "\n".join(
        f"\n{ASKS.email} asks {answer.tool}({_spoken(answer.arguments)})\n{_short(answer)}"
        for answer in first_answers(exchange, ASKS, STUDY)
    )


def _short(answer: Answer) -> str:
    rows = answer.content.get("patients", answer.content.get("studies", []))
    lines = [f"  {_row(row)}" for row in rows[:SHOWN_AT_MOST]]
    left = answer.content["total"] - len(lines)
    return "\n".join([*lines, *([f"  … and {left} more"] if left else []), f"  in {answer.milliseconds:.1f} ms"])


def _row(row: dict[str, Any]) -> str:
    if "gmi" not in row:
        return f"{row['study_id']}  {row['name']}"
    metrics = {name: row[name] for name in ("n", "mean", "sd", "cv", "gmi", "mage")}
    return f"{row['name']}: {_spoken(metrics)}\n  percent of readings: {_spoken(row['time_in_range'])}"


def _spoken(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={value:.1f}" if isinstance(value, float) else f"{name}={value}" for name, value in values.items()
    )


def directions(exchange: Exchange) -> str:
    """Where the services are, who may log in, and the block for Claude Desktop."""
    width = max(map(len, LOGINS))
    people = "\n".join(f"  {email:<{width}}  {what}" for email, what in LOGINS.items())
    return f"""
Login             {exchange.web_url}/
Django admin      {exchange.web_url}/admin/
REST              {exchange.web_url}/api/v1/  (routes: {exchange.web_url}/api/schema/swagger)
FHIR R5           {exchange.web_url}/FHIR/R5/  (what it can do: {exchange.web_url}/FHIR/R5/metadata)
MCP endpoint      {exchange.mcp_url}

Logins, all with the password {PASSWORD}
{people}

Claude Desktop: paste this into claude_desktop_config.json and restart it; a browser opens for the login.
{json.dumps(claude_desktop(exchange), indent=2)}
"""


def claude_desktop(exchange: Exchange) -> dict[str, Any]:
    """Makes Claude Desktop start the stdio server, which forwards to the MCP endpoint. No secret in it."""
    return {
        "mcpServers": {
            "jupyterhealth": {
                "command": sys.executable,
                "args": ["-m", "mcp_server", "stdio"],
                "env": {
                    "PYTHONPATH": str(ROOT),
                    "JHE_BASE_URL": exchange.web_url,
                    "JHE_MCP_URL": exchange.mcp_url,
                },
            }
        }
    }
