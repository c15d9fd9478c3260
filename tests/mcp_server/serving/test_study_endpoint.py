"""The endpoint of one study: nothing else is there, for anybody, whatever the token says elsewhere."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from django.db import connection
from django.utils import timezone

from core.actions.narrowings import narrow
from core.models import (
    McpToken,
    Narrowing,
    Organization,
    Patient,
    Study,
    User,
)
from core.policy.mcp_tokens import new_token, token_hash
from core.policy.permissions import Permission
from mcp_server.auth import kept
from mcp_server.settings import HttpService
from tests import bearer, tokens
from tests.factories import (
    CodeFactory,
    ConsentFactory,
    MembershipFactory,
    ObservationFactory,
    OrganizationFactory,
    PatientFactory,
    StudyFactory,
    UserFactory,
)
from tests.mcp_server.service import called, served, standing_token
from tests.mcp_server.trail import owner_of, trail

ORIGIN = "http://localhost:8001"


def url(study: Study | int | str) -> str:
    return f"{ORIGIN}/studies/{study.pk if isinstance(study, Study) else study}/mcp"


@dataclass
class World:
    """One laboratory with two studies of one patient each, and a study elsewhere."""

    lab: Organization = field(default_factory=lambda: OrganizationFactory(name="Lab"))
    other_lab: Organization = field(default_factory=lambda: OrganizationFactory(name="Other"))

    def __post_init__(self) -> None:
        self.glucose, self.pressure = CodeFactory(), CodeFactory()
        scopes = [self.glucose, self.pressure]
        self.sugar: Study = StudyFactory(name="Sugar", organization=self.lab, scopes=scopes)
        self.salt: Study = StudyFactory(name="Salt", organization=self.lab, scopes=scopes)
        self.elsewhere: Study = StudyFactory(name="Elsewhere", organization=self.other_lab, scopes=scopes)
        self.viewer: User = MembershipFactory(organization=self.lab, role="viewer").practitioner.user
        self.ada = self.patient("Ada", self.sugar)
        self.ben = self.patient("Ben", self.salt)

    def patient(self, given: str, study: Study) -> Patient:
        patient: Patient = PatientFactory(name_given=given, organizations=[study.organization], user=UserFactory())
        for code in (self.glucose, self.pressure):
            ConsentFactory(study=study, patient=patient, code=code)
            ObservationFactory(patient=patient, code=code)
        return patient


@pytest.fixture
def world(transactional_db: None) -> World:
    return World()


def mcp_token(user: User, narrowing: Narrowing | None = None, **fields: Any) -> str:
    token = new_token()
    McpToken.objects.create(
        **{
            "user": user,
            "narrowing": narrowing,
            "token_hash": token_hash(token),
            "scope": "mcp user/*.rs",
            "permissions": [permission for permission in Permission if permission.endswith(":read")],
            "expires": timezone.now() + timedelta(days=1),
            **fields,
        }
    )
    return token


async def answer(http: httpx2.AsyncClient, study: Study, token: str, tool: str, **arguments: Any) -> Any:
    response = await called(http, tool, arguments, token=token, url=url(study))
    assert response.status_code == 200, response.text
    return response.json()["result"]


async def structured(http: httpx2.AsyncClient, study: Study, token: str, tool: str, **arguments: Any) -> Any:
    result = await answer(http, study, token, tool, **arguments)
    assert not result.get("isError"), result
    return result["structuredContent"]


@pytest.fixture
def viewers_token(world: World) -> str:
    """For the one study's endpoint."""
    return standing_token(world.viewer, aud=url(world.sugar))


@pytest.fixture
def wide_token(world: World) -> str:
    return standing_token(world.viewer)


async def test_a_viewer_finds_the_study_and_its_people_and_nothing_else(
    settings: HttpService, world: World, viewers_token: str
) -> None:
    async with served(settings) as http:
        count = await structured(http, world.sugar, viewers_token, "get_study_count")
        studies = await structured(http, world.sugar, viewers_token, "list_studies")
        people = await structured(http, world.sugar, viewers_token, "search_patients")
        rows = await structured(http, world.sugar, viewers_token, "get_patient_observations", patient_id=world.ada.pk)
        access = await answer(http, world.sugar, viewers_token, "get_my_access")
        other_study = await answer(http, world.sugar, viewers_token, "get_study_metadata", study_id=world.salt.pk)
        other_patient = await answer(
            http, world.sugar, viewers_token, "get_patient_observations", patient_id=world.ben.pk
        )
    assert count["total"] == 1
    assert f"This endpoint narrows it to study {world.sugar.pk}." in access["content"][0]["text"]
    assert [study["study_id"] for study in studies["studies"]] == [world.sugar.pk]
    assert [patient["patient_id"] for patient in people["patients"]] == [world.ada.pk]
    assert rows["total"] == 2
    assert other_study["isError"]
    assert f"No study {world.salt.pk} that you can see." in other_study["content"][0]["text"]
    assert "Salt" not in other_study["content"][0]["text"]
    assert other_patient["isError"]
    assert f"No patient {world.ben.pk} that you can see." in other_patient["content"][0]["text"]


async def test_the_trail_names_the_study_in_every_row(settings: HttpService, world: World, viewers_token: str) -> None:
    async with served(settings) as http:
        await structured(http, world.sugar, viewers_token, "list_studies")
        await structured(http, world.sugar, viewers_token, "get_patient_observations", patient_id=world.ada.pk)
    rows = [(row["action"], row["outcome"], row["study_id"], row["user_id"]) for row in await trail(settings)]
    assert rows == [
        ("list_studies", "success", world.sugar.pk, world.viewer.pk),
        ("get_patient_observations", "success", world.sugar.pk, world.viewer.pk),
    ]


async def test_unknown_and_forbidden_studies_are_answered_alike_and_leave_a_row_each(
    settings: HttpService, world: World, wide_token: str
) -> None:
    async with served(settings) as http:
        forbidden = await called(http, "get_study_count", token=wide_token, url=url(world.elsewhere))
        unknown = await called(http, "get_study_count", token=wide_token, url=url(99_999_999))
        strangers = [await http.post(url(study), json={}) for study in (world.sugar, world.elsewhere, 99_999_999)]
    assert (forbidden.status_code, unknown.status_code) == (404, 404)
    assert forbidden.content == unknown.content
    assert {k: v for k, v in forbidden.headers.items() if k != "date"} == {
        k: v for k, v in unknown.headers.items() if k != "date"
    }
    assert {answer.status_code for answer in strangers} == {401}
    rows = [(row["action"], row["outcome"], row["study_id"]) for row in await trail(settings)]
    assert rows == [
        ("study_endpoint", "refused", world.elsewhere.pk),
        ("study_endpoint", "refused", 99_999_999),
    ]
    async with owner_of(settings) as owner:
        assert await owner.fetchval("SELECT count(*) FROM core_narrowing") == 0


async def test_a_token_for_one_study_opens_neither_another_nor_the_wide_endpoint(
    settings: HttpService, world: World, viewers_token: str
) -> None:
    async with served(settings) as http:
        other = await called(http, "get_study_count", token=viewers_token, url=url(world.salt))
        wide = await called(http, "get_study_count", token=viewers_token)
    for response in (other, wide):
        assert response.status_code == 401
        assert 'error_description="The token is meant for another resource."' in response.headers["WWW-Authenticate"]


async def test_a_token_for_the_wide_endpoint_opens_the_narrow_one_and_stays_as_wide_as_it_was(
    settings: HttpService, world: World, wide_token: str
) -> None:
    async with served(settings) as http:
        before = (await called(http, "get_study_count", token=wide_token)).json()["result"]["structuredContent"][
            "total"
        ]
        narrow = await structured(http, world.sugar, wide_token, "get_study_count")
        after = (await called(http, "get_study_count", token=wide_token)).json()["result"]["structuredContent"]["total"]
    assert (before, narrow["total"], after) == (2, 1, 2)


@pytest.mark.parametrize("path", ["/studies/30001/mcp", "/studies/1/mcp", "/studies/9223372036854775807/mcp"])
async def test_any_study_has_metadata_of_its_own_and_a_challenge_that_names_them(
    settings_without_database: HttpService, path: str
) -> None:
    metadata_url = f"{ORIGIN}/.well-known/oauth-protected-resource{path}"
    async with served(settings_without_database) as http:
        refused = await http.post(f"{ORIGIN}{path}", json={}, headers={"Host": "evil.example"})
        metadata = await http.get(metadata_url, headers={"Origin": "https://any.example", "Host": "evil.example"})
        preflight = await http.options(
            f"{ORIGIN}{path}", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        )
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{metadata_url}", scope="mcp"'
    assert metadata.json()["resource"] == f"{ORIGIN}{path}"
    assert metadata.json()["authorization_servers"] == [tokens.ISSUER]
    assert metadata.headers["Access-Control-Allow-Origin"] == "*"
    assert preflight.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/studies//mcp",
        "/studies/mcp",
        "/studies/abc/mcp",
        "/studies/30001x/mcp",
        "/studies/030001/mcp",
        "/studies/+30001/mcp",
        "/studies/-30001/mcp",
        "/studies/0/mcp",
        "/studies/9223372036854775808/mcp",
        "/studies/30001%2fmcp",
        "/studies/3000%31/mcp",
        "/studies/%2f/mcp",
        "/studies/%2e%2e/mcp",
        "/studies/..%2f..%2fmcp",
        "/studies/30001/%6dcp",
        "/studies/30001/mcp/",
        "/studies/30001//mcp",
        "/studies/30001/mcp/mcp",
        "/studies/30001%20/mcp",
        "/studies/٣٠٠٠١/mcp",
        "//studies/30001/mcp",
        "/studies/30001",
        "/studies/",
    ],
)
async def test_what_only_looks_like_a_study_leads_nowhere(settings_without_database: HttpService, path: str) -> None:
    token = {"Authorization": f"Bearer {tokens.access_token()}"}
    async with served(settings_without_database) as http:
        for asked in (path, f"/.well-known/oauth-protected-resource{path}"):
            for response in (await http.get(f"{ORIGIN}{asked}"), await http.post(f"{ORIGIN}{asked}", headers=token)):
                assert response.status_code in (404, 405)
                assert "WWW-Authenticate" not in response.headers
                assert "Location" not in response.headers


async def test_what_only_looks_like_the_wide_endpoint_leads_nowhere(settings_without_database: HttpService) -> None:
    """A proxy that lets only studies' endpoints through may read paths as they are sent."""
    token = {"Authorization": f"Bearer {tokens.access_token()}"}
    async with served(settings_without_database) as http:
        for path in ("/%6dcp", "/mc%70", "/mcp%2f", "//mcp", "/mcp%00"):
            assert (await http.post(f"{ORIGIN}{path}", headers=token)).status_code == 404, path


async def test_what_is_taken_from_the_person_is_gone_with_the_next_request(
    settings: HttpService, world: World, viewers_token: str
) -> None:
    async with served(settings) as http:
        assert (await structured(http, world.sugar, viewers_token, "get_study_count"))["total"] == 1
        async with owner_of(settings) as owner:
            await owner.execute("UPDATE core_studypatientscopeconsent SET consented = false")
        rows = await structured(http, world.sugar, viewers_token, "get_patient_observations", patient_id=world.ada.pk)
        async with owner_of(settings) as owner:
            await owner.execute("DELETE FROM core_practitionerorganization")
        nothing = await structured(http, world.sugar, viewers_token, "get_study_count")
    assert rows["total"] == 0
    assert nothing["total"] == 0


async def test_the_endpoint_itself_is_gone_once_what_is_kept_in_mind_is_looked_up_again(
    settings: HttpService, world: World, viewers_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "KEPT_SECONDS", 0)
    async with served(settings) as http:
        assert (await structured(http, world.sugar, viewers_token, "get_study_count"))["total"] == 1
        async with owner_of(settings) as owner:
            await owner.execute("DELETE FROM core_practitionerorganization")
        gone = await called(http, "get_study_count", token=viewers_token, url=url(world.sugar))
        async with owner_of(settings) as owner:
            await owner.execute("DELETE FROM oauth2_provider_accesstoken")
        ended = await called(http, "get_study_count", token=viewers_token, url=url(world.sugar))
    assert gone.status_code == 404
    assert ended.status_code == 401


async def test_a_token_that_is_revoked_is_refused_though_its_study_is_kept_in_mind(
    settings: HttpService, world: World, viewers_token: str
) -> None:
    async with served(settings) as http:
        assert (await structured(http, world.sugar, viewers_token, "get_study_count"))["total"] == 1
        async with owner_of(settings) as owner:
            await owner.execute("DELETE FROM oauth2_provider_accesstoken")
        ended = await called(http, "get_study_count", token=viewers_token, url=url(world.sugar))
    assert ended.status_code == 401


@pytest.fixture
def tokens_of_both_studies(world: World) -> dict[str, str]:
    """Tokens that are narrowed already."""
    both = [world.sugar.pk, world.salt.pk]

    def granted(narrowing: Narrowing | None) -> str:
        token = tokens.access_token(world.viewer.pk, narrowing=narrowing and narrowing.pk)
        bearer.token_of(world.viewer, scope="openid mcp", narrowing=narrowing, token=token)
        return token

    return {
        "studies": mcp_token(world.viewer, narrow(world.viewer, studies=both)),
        "organization": mcp_token(world.viewer, narrow(world.viewer, organizations=[world.lab.pk])),
        "salt alone": mcp_token(world.viewer, narrow(world.viewer, studies=[world.salt.pk])),
        "one kind of data": granted(narrow(world.viewer, codes={world.glucose.pk: "rs"})),
        "one patient": granted(narrow(world.viewer, patient=world.ben.pk)),
        "patients only": mcp_token(world.viewer, permissions=[Permission.PATIENT_READ]),
    }


async def test_a_narrowed_token_is_cut_further_and_never_widened(
    settings: HttpService, world: World, tokens_of_both_studies: dict[str, str]
) -> None:
    given = tokens_of_both_studies
    async with served(settings) as http:
        for name in ("studies", "organization"):
            assert (await structured(http, world.sugar, given[name], "get_study_count"))["total"] == 1
        of_one_kind = await structured(
            http, world.sugar, given["one kind of data"], "get_patient_observations", patient_id=world.ada.pk
        )
        of_nobody = await structured(http, world.sugar, given["one patient"], "search_patients")
        refused = [
            await called(http, "get_study_count", token=given[name], url=url(world.sugar))
            for name in ("salt alone", "patients only")
        ]
    assert of_one_kind["total"] == 1
    assert of_nobody["total"] == 0
    assert [response.status_code for response in refused] == [404, 404]


async def test_a_study_that_leaves_the_organization_of_a_token_leaves_its_endpoint(
    settings: HttpService, world: World, tokens_of_both_studies: dict[str, str]
) -> None:
    token = tokens_of_both_studies["organization"]
    async with served(settings) as http:
        assert (await structured(http, world.sugar, token, "get_study_count"))["total"] == 1
        async with owner_of(settings) as owner:  # its people and the viewer go along, the token does not
            await owner.execute(
                "INSERT INTO core_patientorganization (patient_id, organization_id) SELECT id, $1 FROM core_patient",
                world.other_lab.pk,
            )
            await owner.execute("UPDATE core_study SET organization_id = $1", world.other_lab.pk)
            await owner.execute("UPDATE core_practitionerorganization SET organization_id = $1", world.other_lab.pk)
        assert (await structured(http, world.sugar, token, "get_study_count"))["total"] == 0


async def test_a_participant_sees_of_themself_what_they_share_with_the_study(
    settings: HttpService, world: World, ada_shares_with_both: str
) -> None:
    async with served(settings) as http:
        everything = (
            await called(http, "get_patient_observations", {"patient_id": world.ada.pk}, token=ada_shares_with_both)
        ).json()
        shared = await structured(
            http, world.salt, ada_shares_with_both, "get_patient_observations", patient_id=world.ada.pk
        )
        elsewhere = await called(http, "get_study_count", token=ada_shares_with_both, url=url(world.elsewhere))
    assert everything["result"]["structuredContent"]["total"] == 2
    assert shared["total"] == 1
    assert elsewhere.status_code == 404


@pytest.fixture
def ada_shares_with_both(world: World) -> str:
    """Ada's token; with the second study she shares one kind of data only."""
    ConsentFactory(study=world.salt, patient=world.ada, code=world.glucose)
    return standing_token(world.ada.user, user_type="patient", jhe_permissions=None)


async def test_many_first_requests_at_a_time_make_one_narrowing(
    settings: HttpService, world: World, viewers_token: str
) -> None:
    async with served(settings) as http:
        answers = await asyncio.gather(
            *(structured(http, world.sugar, viewers_token, "get_study_count") for _ in range(12))
        )
    assert {answer["total"] for answer in answers} == {1}
    async with owner_of(settings) as owner:
        assert await owner.fetchval("SELECT count(*) FROM core_narrowing") == 1


def test_what_a_narrowing_for_an_endpoint_was_made_within_takes_it_along(world: World) -> None:
    outer = narrow(world.viewer, studies=[world.sugar.pk, world.salt.pk])
    assert outer
    inner = Narrowing.objects.create(user=world.viewer, within=outer, endpoint=world.sugar)
    inner.study_links.create(study=world.sugar)
    outer.delete()
    assert not Narrowing.objects.exists()


def test_the_function_narrows_what_is_narrowed_to_a_study_no_further(world: World) -> None:
    def ask(caller: int, study: Study) -> int | None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT study_caller(%s, %s, ARRAY['viewer'])", [caller, study.pk])
            found: int | None = cursor.fetchone()[0]
            return found

    first = ask(world.viewer.pk, world.sugar)
    assert first
    assert ask(world.viewer.pk, world.sugar) == first
    assert ask(first, world.sugar) is None
    assert ask(world.viewer.pk, world.elsewhere) is None
    assert ask(-999, world.sugar) is None


def test_the_wide_endpoint_is_not_put_where_a_study_is(settings_without_database: HttpService) -> None:
    with pytest.raises(ValueError, match="choose another path, such as /mcp"):
        HttpService(**{**settings_without_database.model_dump(), "given_url": url(30001)})
