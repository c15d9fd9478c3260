"""Access: what the caller may see and why, and who looked at a patient."""

from typing import Annotated, Any, Literal

from pydantic import Field

from core.policy.checks import check_token_includes
from core.policy.permissions import Permission
from core.policy.roles import ALL_ROLES, PRACTITIONER_ROLES, permissions_left
from core.policy.roles import Role as Held
from mcp_server.arguments import Cursor, End, Start
from mcp_server.results import counted, fits, page, position_of
from mcp_server.times import window
from mcp_server.tool import Answer, Arguments, Ask, Id, Output, Page, Tool

PAGE = 50
"""Accesses in one answer."""
NAMED = 20
"""Studies, organizations or parts of a narrowing in one answer."""


class GetAccessLog(Arguments):
    patient_id: Id
    start: Start | None = None
    end: End | None = None
    cursor: Cursor = None


class Access(Output):
    access_id: int
    time: str
    who: Annotated[str, Field(description="A patient is named to those alone who may see the patient.")]
    role: Literal["practitioner", "patient", "user", "exchange"]
    is_you: bool
    client: Annotated[str | None, Field(description="Through which application, or with which MCP token.")]
    door: Annotated[str, Field(description="rest, fhir, mcp, web, admin, command or import.")]
    action: Annotated[str, Field(description="What was asked: a tool, or a method and route.")]
    outcome: Literal["success", "refused", "failed"]
    study_id: int | None
    address: Annotated[str | None, Field(description="From where, for those who watch over the patient or study.")]


class AccessLog(Page):
    patient_id: int
    sees: Annotated[
        Literal["everybody", "studies", "yourself", "nobody"],
        Field(
            description="Whose accesses you may know, and total counts. studies: everybody's, in the studies that your "
            "token or this endpoint is for."
        ),
    ]
    time_zone: str
    accesses: list[Access]


_WHOSE = {
    "everybody": "by anybody",
    "studies": "by anybody, in the studies that your token or this endpoint is for, which is all that it lets you know",
    "yourself": "by yourself, which is all that you may know",
    "nobody": "that this token lets you know of",
}


async def get_access_log(arguments: GetAccessLog, ask: Ask) -> Answer:
    check_token_includes(ask.caller.principal, Permission.ACCESS_LOG_READ)
    after = position_of(arguments.cursor, tuple[Id])
    found = await ask(
        "get_access_log",
        **window(arguments.start, arguments.end).parameters(),
        before=after[0] if after else None,
        limit=PAGE + 1,
    )
    body = page({**found, "time_zone": "UTC"}, "accesses", PAGE, lambda access: [access["access_id"]])
    what = f"Accesses to patient {arguments.patient_id} {_WHOSE[body['sees']]}, newest first"
    return Answer(counted(body, what, "start or end") + " Times and days are UTC.", body)


class GetMyAccess(Arguments):
    pass


class Role(Output):
    role: str
    means: str
    permissions: Annotated[list[str], Field(description="What it lets you do, as far as the token includes it.")]


class Organization(Output):
    organization_id: int
    name: str
    roles: list[str]


class Consented(Output):
    data_type: str
    consented: Annotated[int, Field(description="Patients who said yes, of those you can see; yourself, as a patient.")]


class Study(Output):
    study_id: int
    name: str
    organization_id: int
    roles: Annotated[list[str], Field(description="As what you reach it: through its organization, or as participant.")]
    patients: int
    scopes: list[Consented]


class Narrowed(Output):
    studies: list[int]
    organizations: list[int]
    data_types: list[str]
    everywhere: Annotated[bool, Field(description="All studies and organizations of yours; none are listed then.")]
    every_data_type: Annotated[bool, Field(description="All kinds of data; none are listed then.")]
    patient_id: Annotated[int | None, Field(description="The one patient who is left.")]
    truncated: bool


class Token(Output):
    client: str | None
    is_mcp_token: bool
    scopes: list[str]
    expires: str
    permissions: Annotated[list[str] | None, Field(description="What it can do at most; null: all that you can.")]
    narrowed: Annotated[Narrowed | None, Field(description="What is left of what you reach; null: everything.")]
    studies_left_out: Annotated[
        int, Field(description="Studies of yours that came after this login: log in again to reach them.")
    ]


class MyAccess(Output):
    user_id: int
    user_type: Literal["practitioner", "patient"]
    is_superuser: bool
    patient_id: Annotated[int | None, Field(description="Your own record, where you are a patient.")]
    patients: Annotated[int, Field(description="Patients whose records you can see.")]
    roles: list[Role]
    organizations: list[Organization]
    organizations_total: int
    studies: list[Study]
    total: Annotated[int, Field(description="Studies.")]
    returned: int
    truncated: bool
    token: Token


async def get_my_access(_: GetMyAccess, ask: Ask) -> Answer:
    principal = ask.caller.principal
    found = await ask("get_my_access", named=NAMED)
    held = [role for role in ALL_ROLES if role.code in found["roles"]]
    roles = [
        {"role": role.code, "means": _means(role), "permissions": permissions_left(principal, role)} for role in held
    ]
    token = {
        **found["token"],
        "scopes": sorted(found["token"]["scopes"].split()),
        "is_mcp_token": principal.permissions is not None,
    }
    body = _fitting(
        {
            **found,
            "user_id": principal.user_id,
            "user_type": principal.user_type.value,
            "roles": roles,
            "token": token,
        }
    )
    rest = " list_studies has them all." if body["truncated"] else ""
    narrowed = "" if token["narrowed"] is None and token["permissions"] is None else " The token narrows this further."
    if ask.caller.study_id is not None:
        narrowed = f" This endpoint narrows it to study {ask.caller.study_id}."
    return Answer(
        f"You reach studies: {body['total']}, patients: {body['patients']}, organizations: "
        f"{body['organizations_total']}.{rest}{narrowed} Observations of others need their consent.",
        body,
    )


def _means(role: Held) -> str:
    """An organization's role does what those below it do, too, and its sentence begins where theirs end."""
    below = PRACTITIONER_ROLES[: PRACTITIONER_ROLES.index(role)] if role in PRACTITIONER_ROLES else ()
    return " ".join(each.sentence for each in (*below, role))


def _fitting(body: dict[str, Any]) -> dict[str, Any]:
    """`body` with as many of its studies and organizations as fit into one answer. Sets `returned` and `truncated`."""
    studies, organizations = body["studies"], body["organizations"]
    while not fits(body):
        (studies if len(studies) > len(organizations) else organizations).pop()
    told = len(studies) == body["total"] and len(organizations) == body["organizations_total"]
    return {**body, "returned": len(studies), "truncated": not told}


TOOLS = (
    Tool(
        name="get_my_access",
        title="Explain my access",
        description=(
            "What you may see and why: your roles and what each lets you do, your organizations, your studies with how "
            "many patients consented to each kind of data, your own record if you are a patient, and what the token "
            "narrows. Ask it when something that you expect is missing."
        ),
        arguments=GetMyAccess,
        output=MyAccess,
        handler=get_my_access,
    ),
    Tool(
        name="get_access_log",
        title="Read who looked at a patient",
        description=(
            "Who looked at one patient: time, person, application, way in, action and outcome, the newest first. A "
            "patient, and managers of theirs, see all accesses; everybody else sees their own."
        ),
        arguments=GetAccessLog,
        output=AccessLog,
        handler=get_access_log,
    ),
)
