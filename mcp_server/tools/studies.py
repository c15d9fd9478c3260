"""Studies: which there are."""

from mcp_server.tool import Answer, Arguments, Ask, Id, Output, Tool


class GetStudyCount(Arguments):
    pass


class OrganizationStudies(Output):
    organization_id: Id
    name: str
    studies: int


class StudyCount(Output):
    total: int
    organizations: list[OrganizationStudies]


async def get_study_count(_: GetStudyCount, ask: Ask) -> Answer:
    body = await ask("get_study_count")
    studies = "1 study" if body["total"] == 1 else f"{body['total']} studies"
    return Answer(f"You can see {studies}, run by {len(body['organizations'])} organizations.", body)


TOOLS = (
    Tool(
        name="get_study_count",
        title="Count studies",
        description="How many studies you can see, in all and by organization.",
        arguments=GetStudyCount,
        output=StudyCount,
        handler=get_study_count,
    ),
)
