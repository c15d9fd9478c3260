"""resources/list, resources/templates/list and resources/read."""

from collections.abc import Mapping
from typing import Any

import mcp_types as types
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from pydantic_core import to_json

from core.policy.errors import DomainError
from mcp_server.apps import APPS, App
from mcp_server.backends import Backend
from mcp_server.features.answers import admitted, body_of, of_resource, refused
from mcp_server.resources import JSON, STUDY, Resource, find, offered
from mcp_server.text import quoted
from mcp_server.tool import Tool

_AN_HOUR = 3_600_000


class Resources:
    """What they answer is read anew each time, so that what is withdrawn is gone: nothing of it may be kept."""

    def __init__(self, backend: Backend, tools: Mapping[str, Tool[Any]]) -> None:
        self._backend = backend
        self._tools = tools
        self.offered = offered(tools)
        self._apps = {app.uri: app for app in APPS}
        self._first = [*(app.listed() for app in APPS), *(_single(one) for one in self.offered if one.is_one)]

    async def list(
        self, context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """What needs nothing filled in, and the studies that the caller may see. Patients are too many: search."""
        cursor = params.cursor if params else None
        asked = self._backend.call(self._tools["list_studies"], {} if cursor is None else {"cursor": cursor}, context)
        page = await body_of(asked, "resources/list")
        studies = [_study(study) for study in page["studies"]]
        return types.ListResourcesResult(
            resources=studies if cursor else self._first + studies, next_cursor=page["next_cursor"]
        )

    async def list_templates(
        self, context: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        await admitted(self._backend, context)
        return types.ListResourceTemplatesResult(resource_templates=[resource.listed() for resource in self.offered])

    async def read(
        self, context: ServerRequestContext[Any], params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        try:
            app = self._apps.get(params.uri)
            return await (self._answer(params.uri, context) if app is None else self._document(app, context))
        except MCPError as error:
            raise of_resource(error, params.uri, context) from None

    async def _answer(self, uri: str, context: ServerRequestContext[Any]) -> types.ReadResourceResult:
        try:
            resource, arguments = find(uri, self.offered)
        except DomainError as error:
            await admitted(self._backend, context)
            raise refused(error) from None
        asked = self._backend.call(self._tools[resource.tool], arguments, context)
        text = to_json(await body_of(asked, "resources/read")).decode()
        return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, mime_type=JSON, text=text)])

    async def _document(self, app: App, context: ServerRequestContext[Any]) -> types.ReadResourceResult:
        await admitted(self._backend, context)
        return types.ReadResourceResult(contents=[app.contents()], ttl_ms=_AN_HOUR, cache_scope="public")


def _single(resource: Resource) -> types.Resource:
    return types.Resource(
        uri=resource.path,
        name=resource.name,
        title=resource.title,
        description=resource.description,
        mime_type=JSON,
    )


def _study(study: Mapping[str, Any]) -> types.Resource:
    return types.Resource(
        uri=STUDY.format_map(study),
        name=f"study-{study['study_id']}",
        title=f"Study {study['study_id']}, {quoted(study['name'])}",
        description="A study: what it asks for, the consent to it, and what you can see of its data.",
        mime_type=JSON,
    )
