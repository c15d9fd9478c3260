"""Access tokens: a JWT for the resource that was asked for (RFC 9068), opaque without one."""

import hashlib
import time

import jwt
import pytest
from django.conf import settings
from django.db import connection
from oauth2_provider.models import AccessToken

from core.models import User
from core.oauth.claims import claims_of
from core.policy.claims import MAX_STUDIES, principal_from
from tests import personas
from tests.factories import MembershipFactory, OrganizationFactory, PractitionerFactory, StudyFactory
from tests.oauth import flow

SMALLEST_HEADER_LIMIT = 8_000
"""Characters that the usual proxies let through in one header line."""


def test_a_token_for_the_mcp_server_says_whose_for_whom_and_what_they_may(mary: User) -> None:
    token = flow.tokens(mary)["access_token"]
    assert jwt.get_unverified_header(token).keys() == {"alg", "typ", "kid"}
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    claims = flow.verified(token, settings.MCP_URL)
    now = int(time.time())
    assert now - 60 < claims.pop("iat") <= now < claims.pop("exp") <= now + 3600
    assert claims.pop("jti")
    assert claims == {
        "iss": settings.BASE_URL,
        "sub": str(mary.pk),
        "aud": settings.MCP_URL,
        "client_id": "jhe-mcp-stdio",
        "scope": "openid mcp",
        "user_type": "practitioner",
        "user_id": mary.pk,
        "jhe_permissions": {
            "studies": sorted(personas.study_of(name).pk for name in (personas.BP_AND_HR, personas.BP)),
            "organizations": [
                {"id": personas.organization_of(name).pk, "name": name, "role": "manager"}
                for name in ("Planetary Research Institute", "Saturn School of Data Science", "Lifespan Lab")
            ],
            "truncated": False,
        },
    }


@pytest.mark.parametrize("name", personas.EVERYBODY)
def test_everybodys_claims_are_what_the_access_views_give_them(demo_world: None, name: str) -> None:
    user = personas.user_of(name)
    claims = flow.verified(flow.tokens(user)["access_token"], settings.MCP_URL)
    limits = principal_from(claims, token_key="").limits
    if name in personas.PATIENTS:
        assert limits is None
        assert "jhe_permissions" not in claims
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT study_id FROM access_study WHERE user_id = %s", [user.pk])
        assert limits.studies == {study_id for (study_id,) in cursor.fetchall()}
        cursor.execute("SELECT organization_id, role FROM access_organization WHERE user_id = %s", [user.pk])
        assert {(one.id, one.role) for one in limits.organizations} == set(cursor.fetchall())


def test_a_token_for_the_exchange_itself_carries_no_permissions(mary: User) -> None:
    claims = flow.verified(flow.tokens(mary, resource=settings.BASE_URL)["access_token"], settings.BASE_URL)
    assert claims["sub"] == str(mary.pk)
    assert not claims.keys() & {"user_type", "user_id", "jhe_permissions"}


def test_a_final_slash_of_the_resource_does_not_matter(mary: User) -> None:
    token = flow.tokens(mary, resource=settings.MCP_URL + "/")["access_token"]
    assert flow.verified(token, settings.MCP_URL)["aud"] == settings.MCP_URL


def test_a_client_of_http_and_sse_names_the_stream_and_gets_a_token_for_the_mcp_endpoint(mary: User) -> None:
    stream = settings.MCP_URL.removesuffix("/mcp") + "/sse"
    token = flow.tokens(mary, resource=stream)["access_token"]
    assert flow.verified(token, settings.MCP_URL)["aud"] == settings.MCP_URL
    code = flow.code(mary, resource=stream)
    for other in (
        f"{stream}2",
        f"{stream}/x",
        stream.replace("/sse", "/messages"),
        f"https://evil.example/sse#{stream}",
    ):
        assert flow.refused(flow.redeem(code, resource=other)) == "invalid_target"


def test_several_resources_may_be_asked_for_and_narrowed_to_one(mary: User) -> None:
    both = [settings.MCP_URL, settings.BASE_URL]
    assert flow.verified(flow.tokens(mary, resource=both)["access_token"], settings.MCP_URL)["aud"] == both
    narrowed = flow.redeem(flow.code(mary, resource=both), resource=settings.BASE_URL).json()
    assert flow.verified(narrowed["access_token"], settings.BASE_URL)["aud"] == settings.BASE_URL


def test_the_token_request_cannot_go_beyond_what_was_agreed_to(mary: User) -> None:
    code = flow.code(mary, resource=settings.BASE_URL)
    assert flow.refused(flow.redeem(code, resource=settings.MCP_URL)) == "invalid_target"
    assert flow.refused(flow.redeem(code, resource="https://elsewhere.example.org")) == "invalid_target"
    assert flow.redeem(code).status_code == 200


def test_without_a_resource_the_token_is_opaque(mary: User) -> None:
    token = flow.tokens(mary, resource=None)["access_token"]
    assert "." not in token
    assert AccessToken.objects.get().resource == []
    assert flow.stands(token)


def test_the_row_of_a_token_is_found_by_its_hash(mary: User) -> None:
    token = flow.tokens(mary)["access_token"]
    assert AccessToken.objects.get(token_checksum=hashlib.sha256(token.encode()).hexdigest()).user == mary


def test_each_token_is_another(mary: User) -> None:
    given = [flow.verified(flow.tokens(mary)["access_token"], settings.MCP_URL)["jti"] for _ in range(3)]
    assert len(set(given)) == 3


@pytest.mark.parametrize("name", ["Lab of a quite ordinary name", "研究室" * 85])
def test_the_tokens_of_a_person_in_thousands_of_studies_fit_a_request_header(db: None, name: str) -> None:
    practitioner = PractitionerFactory()
    organizations = OrganizationFactory.create_batch(60, name=name)
    for organization in organizations:
        MembershipFactory(practitioner=practitioner, organization=organization, role="manager")
    StudyFactory._meta.model.objects.bulk_create(
        StudyFactory.build(organization=organizations[0]) for _ in range(3_000)
    )
    given = flow.tokens(practitioner.user)
    for kind, audience in (("access_token", settings.MCP_URL), ("id_token", "jhe-mcp-stdio")):
        assert len(f"Authorization: Bearer {given[kind]}") < SMALLEST_HEADER_LIMIT
        permissions = flow.verified(given[kind], audience)["jhe_permissions"]
        assert permissions["truncated"]
        assert len(permissions["studies"]) == MAX_STUDIES
        assert permissions["organizations"]


def test_a_superuser_gets_one_look_at_the_database_however_much_there_is(
    demo_world: None, django_assert_max_num_queries
) -> None:
    admin = User.objects.get(email="admin@example.com")
    with django_assert_max_num_queries(4):
        assert {one["role"] for one in claims_of(admin)["jhe_permissions"]["organizations"]} == {"superuser"}
