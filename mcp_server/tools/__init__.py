"""The table of all tools. One file per subject: argument models, answer models and handlers, nothing else."""

from typing import Any

from mcp_server.tool import Tool
from mcp_server.tools import (
    access,
    capabilities,
    cohorts,
    counts,
    gaps,
    glucose,
    observations,
    patients,
    schemas,
    series,
    studies,
)

TOOLS: dict[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        *studies.TOOLS,
        *patients.TOOLS,
        *counts.TOOLS,
        *observations.TOOLS,
        *series.TOOLS,
        *glucose.TOOLS,
        *gaps.TOOLS,
        *cohorts.TOOLS,
        *access.TOOLS,
        *schemas.TOOLS,
        *capabilities.TOOLS,
    )
}
