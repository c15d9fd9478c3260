import pytest

from core.policy.claims import MAX_ORGANIZATIONS, MAX_STUDIES, claims_for, principal_from
from core.policy.errors import NotAuthenticated
from core.policy.principal import OrganizationRole, Principal, UserType

LAB = OrganizationRole(20003, "Lifespan Lab", "manager")


def signed(**changes):
    claims = {"sub": "10002", **claims_for(_who(10002), [30002, 30001], [LAB])}
    return {**claims, **changes}


def _who(user_id: int, user_type: UserType = UserType.PRACTITIONER, narrowing_id: int | None = None) -> Principal:
    return Principal(user_id=user_id, user_type=user_type, narrowing_id=narrowing_id)


def test_a_narrowed_token_says_what_it_is_narrowed_to() -> None:
    claims = {"sub": "10002", **claims_for(_who(10002, narrowing_id=-17), [30001], [])}
    assert principal_from(claims, token_key="k").caller_id == -17


def test_what_the_provider_writes_is_what_the_server_reads():
    principal = principal_from(signed(scope="openid mcp", client_id="abc"), token_key="key")
    assert (principal.user_id, principal.user_type) == (10002, UserType.PRACTITIONER)
    assert principal.limits.studies == {30001, 30002}
    assert principal.limits.organizations == (LAB,)
    assert not principal.limits.truncated
    assert principal.scopes == {"openid", "mcp"}
    assert (principal.client_id, principal.token_key) == ("abc", "key")


def test_claims_are_sorted_so_that_equal_rights_give_equal_tokens():
    assert claims_for(_who(1), [2, 1], [])["jhe_permissions"]["studies"] == [1, 2]


def test_a_patient_carries_no_permissions():
    claims = claims_for(_who(10007, UserType.PATIENT), [30001], [LAB])
    assert claims == {"user_type": "patient", "user_id": 10007}
    assert principal_from({"sub": "10007", **claims}, token_key="").limits is None


@pytest.mark.parametrize(("studies", "organizations"), [(MAX_STUDIES + 1, 1), (1, MAX_ORGANIZATIONS + 1)])
def test_claims_of_a_person_in_thousands_of_studies_are_cut_and_say_so(studies, organizations):
    many = [OrganizationRole(n, "Lab", "viewer") for n in range(organizations)]
    permissions = claims_for(_who(1), range(studies), many)["jhe_permissions"]
    assert permissions["truncated"]
    assert len(permissions["studies"]) <= MAX_STUDIES
    assert len(permissions["organizations"]) <= MAX_ORGANIZATIONS


def test_exactly_the_limit_is_not_truncated():
    many = [OrganizationRole(n, "Lab", "viewer") for n in range(MAX_ORGANIZATIONS)]
    assert not claims_for(_who(1), range(MAX_STUDIES), many)["jhe_permissions"]["truncated"]


def test_long_names_cut_the_organizations_earlier():
    many = [OrganizationRole(n, "Ф" * 255, "viewer") for n in range(3)]
    permissions = claims_for(_who(1), [], many)["jhe_permissions"]
    assert permissions["truncated"]
    assert [organization["id"] for organization in permissions["organizations"]] == [0, 1]


def test_truncated_that_is_not_plainly_false_counts_as_truncated():
    permissions = {"studies": [], "organizations": [], "truncated": None}
    assert principal_from(signed(jhe_permissions=permissions), token_key="").limits.truncated


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "10002"},
        {"user_id": True, "sub": "True"},
        {"user_id": None},
        {"user_id": 10003},
        {"user_type": "admin"},
        {"sub": 10002},
        {"jhe_permissions": []},
        {"jhe_permissions": "all"},
        {"jhe_permissions": {"studies": ["30001"], "organizations": [], "truncated": False}},
        {"jhe_permissions": {"studies": [30001], "organizations": [{}], "truncated": False}},
        {"jhe_permissions": {"studies": [30001], "organizations": []}},
    ],
)
def test_claims_that_are_not_ours_are_refused(changes):
    with pytest.raises(NotAuthenticated):
        principal_from(signed(**changes), token_key="")


@pytest.mark.parametrize("missing", ["sub", "user_id", "user_type"])
def test_a_missing_claim_is_refused(missing):
    claims = signed()
    del claims[missing]
    with pytest.raises(NotAuthenticated):
        principal_from(claims, token_key="")


def test_a_token_key_is_not_shown_where_a_principal_is_printed():
    assert "deadbeef" not in repr(principal_from(signed(), token_key="deadbeef"))
