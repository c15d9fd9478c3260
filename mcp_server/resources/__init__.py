"""The table of all resources (MCP server/resources). Each is the JSON answer of the tool that asks the same question.

So rights, audit and bounds are the tool's, and a resource is a line here: a URI template (RFC 6570) whose variables are
called as the tool's arguments are.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mcp.shared.uri_template import UriTemplate
from mcp_types import ResourceTemplate

from core.policy.errors import InvalidInput, NotVisible

JSON = "application/json"
STUDIES = "jhe://studies"
STUDY = "jhe://studies/{study_id}"
PATIENT = "jhe://patients/{patient_id}"
READINGS = "jhe://patients/{patient_id}/observations/{data_type}"
SCHEMA = "omh://schema/{name}"

_MAX_URI = 500
_NOT_IN_A_URI = re.compile(r"[^!-~]|[\"<>\\^`{|}#]|%(?![0-9A-Fa-f]{2})")
_ID = re.compile(r"(0|[1-9][0-9]{0,18})", re.ASCII)


@dataclass(frozen=True)
class Resource:
    path: str
    """The URI template without a query."""
    name: str
    title: str
    description: str
    tool: str
    query: tuple[str, ...] = ()
    """Arguments that narrow the answer, or ask for its next page, as `?name=value`."""

    @cached_property
    def template(self) -> UriTemplate:
        return UriTemplate.parse(self.path + (f"{{?{','.join(self.query)}}}" if self.query else ""))

    @property
    def is_one(self) -> bool:
        """There is nothing to fill in."""
        return "{" not in self.path

    def listed(self) -> ResourceTemplate:
        return ResourceTemplate(
            uri_template=str(self.template),
            name=self.name,
            title=self.title,
            description=self.description,
            mime_type=JSON,
        )

    def arguments(self, uri: str) -> dict[str, Any] | None:
        """The tool's arguments that `uri` says, or None where it is not one of this resource.

        Raises InvalidInput for an id that is none, and for a query that is not known here.
        """
        found = self.template.match(uri)
        if found is None:
            return None
        self._check_query(uri.partition("?")[2])
        return {name: value_of(name, str(value)) for name, value in found.items()}

    def _check_query(self, query: str) -> None:
        names = [part.partition("=")[0] for part in query.split("&")] if query else []
        if len(names) != len(set(names)) or not set(names) <= set(self.query):
            takes = f"takes each of {', '.join(self.query)} once" if self.query else "takes nothing"
            raise InvalidInput(f"{self.path} {takes} after the question mark.")


def value_of(name: str, text: str) -> int | str:
    return id_of(name, text) if name.endswith("_id") else text


def id_of(name: str, text: str) -> int:
    """The id that a text says. Raises InvalidInput: `int` takes more than digits, and fails on very many of them."""
    if not _ID.fullmatch(text):
        raise InvalidInput(f"{name} in this URI must be an id, such as 30001: digits and nothing else.")
    return int(text)


def find(uri: str, resources: Iterable[Resource]) -> tuple[Resource, dict[str, Any]]:
    """The resource that `uri` names, and the arguments for its tool.

    Raises InvalidInput for what is no URI, NotVisible for one of which there is no resource.
    """
    if len(uri) > _MAX_URI or _NOT_IN_A_URI.search(uri):
        raise InvalidInput(
            f"This is not a URI (RFC 3986): at most {_MAX_URI} ASCII characters, others percent-encoded, no fragment."
        )
    for resource in resources:
        arguments = resource.arguments(uri)
        if arguments is not None:
            return resource, arguments
    raise NotVisible(f"There is no such resource. URIs here are {', '.join(known.path for known in resources)}.")


def offered(tools: Mapping[str, Any]) -> tuple[Resource, ...]:
    """Those whose tool there is."""
    return tuple(resource for resource in RESOURCES if resource.tool in tools)


RESOURCES = (
    Resource(
        path=STUDIES,
        query=("cursor",),
        name="studies",
        title="Studies",
        description="The studies you can see, a page at a time: organization, kinds of data asked for, patients.",
        tool="list_studies",
    ),
    Resource(
        path=STUDY,
        name="study",
        title="A study",
        description="One study: what it asks for, the consent to it, data sources, and what you can see of its data.",
        tool="get_study_metadata",
    ),
    Resource(
        path=PATIENT,
        name="patient",
        title="A patient",
        description="One patient: name, birth date, age and gender.",
        tool="get_patient_demographics",
    ),
    Resource(
        path=READINGS,
        query=("start", "end", "cursor"),
        name="observations",
        title="A patient's observations of one kind",
        description="The newest observations that consent lets you read, a page at a time. Subscribe for new readings.",
        tool="get_patient_observations",
    ),
    Resource(
        path=SCHEMA,
        name="schema",
        title="A data point's schema",
        description="The JSON schema of a kind of data (Open mHealth, IEEE 1752.1).",
        tool="get_omh_schema",
    ),
)
