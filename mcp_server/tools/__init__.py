"""The table of all tools. One file per subject: argument models, answer models and handlers, nothing else."""

from typing import Any

from mcp_server.tool import Tool
from mcp_server.tools import glucose, observations, patients, studies

TOOLS: dict[str, Tool[Any]] = {
    tool.name: tool for tool in (*studies.TOOLS, *patients.TOOLS, *observations.TOOLS, *glucose.TOOLS)
}
