"""Pages that hosts show beside a tool's answer (MCP Apps, SEP-1865: extension `io.modelcontextprotocol/ui`).

A tool names its page in `_meta.ui.resourceUri`; a host that cannot show it has the text of the answer.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID, ResourceCsp
from mcp_types import Resource, TextResourceContents

EXTENSIONS: dict[str, dict[str, Any]] = {EXTENSION_ID: {"mimeTypes": [APP_MIME_TYPE]}}
"""What the server says that it offers (SEP-2133)."""

_FOLDER = Path(__file__).parent
_NOWHERE = ResourceCsp(connect_domains=[], resource_domains=[], frame_domains=[], base_uri_domains=[])
"""Where a page may connect to and load from: it brings all that it needs."""


@dataclass(frozen=True)
class App:
    uri: str
    name: str
    title: str
    description: str
    file: str

    @property
    def meta(self) -> dict[str, Any]:
        return {"ui": {"csp": _NOWHERE.model_dump(by_alias=True, exclude_none=True), "prefersBorder": True}}

    @cached_property
    def html(self) -> str:
        return (_FOLDER / self.file).read_text()

    def listed(self) -> Resource:
        return Resource(
            uri=self.uri,
            name=self.name,
            title=self.title,
            description=self.description,
            mime_type=APP_MIME_TYPE,
            _meta=self.meta,
        )

    def contents(self) -> TextResourceContents:
        return TextResourceContents(uri=self.uri, mime_type=APP_MIME_TYPE, text=self.html, _meta=self.meta)


CHART = App(
    uri="ui://jhe/chart",
    name="chart",
    title="Chart",
    description="Draws a series, or the daily course of glucose, in hosts that show MCP Apps.",
    file="chart.html",
)

APPS = (CHART,)
