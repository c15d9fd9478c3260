import pytest

from core.policy.errors import InsufficientScope, PermissionDenied
from core.policy.principal import Principal, UserType
from core.policy.scopes import (
    CONTEXTS,
    TYPES,
    check_may_give,
    check_scope,
    is_within,
    parse,
    resource_scopes,
    sentence_of,
)

GLUCOSE = "?code=https://w3id.org/openmhealth|omh:blood-glucose:4.0"


def with_scope(
    scope: str, user_type: UserType = UserType.PRACTITIONER, *, narrowing_id: int | None = None
) -> Principal:
    return Principal(user_id=10001, user_type=user_type, scopes=frozenset(scope.split()), narrowing_id=narrowing_id)


@pytest.mark.parametrize(
    "scope",
    ["user/Observation.r", "user/*.cruds", "user/Observation.rs", "openid user/Patient.s user/Observation.cr"],
)
def test_a_scope_covers_its_type_and_letters(scope):
    check_scope(with_scope(scope), "Observation", "r")


@pytest.mark.parametrize(
    "scope",
    [
        "",
        "openid",
        "mcp",
        "openid profile email offline_access mcp",
        "user/Observation.cuds",
        "user/Patient.cruds",
        "user/*.s",
        "user/*.",
        "user/Observation.sr",
        "user/Observation.read",
        "user/Observation.*",
        "user/observation.r",
        "user/Observation.r?code=x",
        f"user/Observation.r{GLUCOSE}",
        "systems/*.cruds",
        "xuser/*.cruds",
        "user/*.cruds\n",
        "User/*.cruds",
    ],
)
def test_everything_else_is_refused_with_the_scope_to_ask_for(scope):
    principal = Principal(user_id=1, user_type=UserType.PRACTITIONER, scopes=frozenset({scope}))
    with pytest.raises(InsufficientScope, match=r"ask for user/Observation\.r, or a broader one") as refusal:
        check_scope(principal, "Observation", "r")
    assert refusal.value.scope == "user/Observation.r"
    assert isinstance(refusal.value, PermissionDenied)


def test_a_patient_scope_is_for_patients_only():
    check_scope(with_scope("patient/*.rs", UserType.PATIENT), "Observation", "s")
    with pytest.raises(InsufficientScope):
        check_scope(with_scope("patient/*.rs", UserType.PRACTITIONER), "Observation", "s")


def test_a_practitioner_has_patient_scopes_for_a_patient_they_chose_which_the_token_is_narrowed_to():
    check_scope(with_scope("launch/patient patient/*.rs", narrowing_id=-1), "Observation", "s")
    for scope, narrowing_id in (("launch/patient patient/*.rs", None), ("patient/*.rs", -1)):
        with pytest.raises(InsufficientScope):
            check_scope(with_scope(scope, narrowing_id=narrowing_id), "Observation", "s")


def test_a_patient_may_use_a_user_scope_and_is_told_of_a_patient_scope():
    check_scope(with_scope("user/*.rs", UserType.PATIENT), "Observation", "s")
    with pytest.raises(InsufficientScope, match=r"patient/Observation\.c"):
        check_scope(with_scope("user/*.rs", UserType.PATIENT), "Observation", "c")


def test_a_system_scope_is_for_practitioners_only_and_its_client_is_told_of_another():
    check_scope(with_scope("system/*.rs"), "Observation", "s")
    with pytest.raises(InsufficientScope, match=r"ask for system/Observation\.c"):
        check_scope(with_scope("system/*.rs"), "Observation", "c")
    with pytest.raises(InsufficientScope):
        check_scope(with_scope("system/*.rs", UserType.PATIENT), "Observation", "s")


def test_a_scope_that_tells_observations_apart_covers_them_only_for_a_token_that_is_narrowed_to_some():
    check_scope(with_scope(f"user/Observation.rs{GLUCOSE}", narrowing_id=-1), "Observation", "r")
    for letter, narrowing_id in (("r", None), ("c", -1)):
        with pytest.raises(InsufficientScope):
            check_scope(with_scope(f"user/Observation.rs{GLUCOSE}", narrowing_id=narrowing_id), "Observation", letter)


@pytest.mark.parametrize(
    "scope",
    [
        f"user/Patient.rs{GLUCOSE}",
        f"user/*.rs{GLUCOSE}",
        "user/Observation.rs?status=final",
        "user/Observation.rs?code:in=x",
        "user/Observation.rs?code=",
        "user/Observation.rs?",
        "user/Observation.rs?code=a&category=b",
        "user/Observation.rs?code=a,b",
        "user/Observation.rs?code=a%7Cb",
        'user/Observation.rs?code="',
        "user/Observation.rs?code=a\\b",
        "user/Observation.rs?code=a b",
        "user/Observation.rs?code=a\n",
        "user/Observation.rs?code=a\0",
        "user/Observation.rs?code=é",
        f"user/Observation{GLUCOSE}",
        f"user/Observation.{GLUCOSE}",
        "user/Medication.rs",
    ],
)
def test_what_is_no_scope_is_not_taken_for_one(scope):
    assert parse(scope) is None


@pytest.mark.parametrize(
    ("held", "asked", "within"),
    [
        ("system/*.rs", "system/Observation.r", True),
        ("system/*.rs", f"system/Observation.rs{GLUCOSE}", True),
        ("system/*.rs", "system/Observation.c", False),
        ("system/*.rs", "user/Observation.r", False),
        ("system/Observation.rs", "system/*.rs", False),
        (f"system/Observation.rs{GLUCOSE}", f"system/Observation.r{GLUCOSE}", True),
        (f"system/Observation.rs{GLUCOSE}", "system/Observation.r", False),
        (f"system/Observation.rs{GLUCOSE}", "system/Observation.r?code=other", False),
        ("system/*.r system/*.s", "system/*.rs", False),
        ("mcp", "mcp", True),
        ("mcp-tokens", "mcp", False),
        ("system/*.cruds", "mcp", False),
    ],
)
def test_a_scope_is_within_others_when_one_of_them_includes_it(held, asked, within):
    assert is_within(held.split(), asked) is within


def test_a_token_gives_no_more_than_it_has():
    check_may_give(with_scope("user/*.rs mcp"), ["system/Observation.rs", "system/*.rs", "mcp"])
    for scope in ("system/Observation.c", "system/*.cruds"):
        with pytest.raises(InsufficientScope):
            check_may_give(with_scope("user/*.rs mcp"), [scope])
    with pytest.raises(InsufficientScope, match="mcp"):
        check_may_give(with_scope("user/*.cruds"), ["mcp"])
    with pytest.raises(InsufficientScope):
        check_may_give(with_scope("user/Observation.rs"), ["system/*.rs"])


def test_every_context_and_type_has_a_scope_of_the_letters_that_are_listed():
    scopes = list(resource_scopes(("rs", "cruds")))
    assert len(scopes) == len(set(scopes)) == 2 * len(CONTEXTS) * len(TYPES)
    assert {"user/Observation.rs", "patient/*.cruds", "system/Patient.rs"} <= set(scopes)
    assert all(parse(scope) for scope in scopes)


@pytest.mark.parametrize(
    ("scope", "kind", "sentence"),
    [
        ("user/Observation.c", "", "Add health data on your behalf, as far as you may yourself"),
        ("patient/Observation.rs", "", "Read and search health data about you"),
        ("patient/Consent.cruds", "", "Add, read, change, delete and search consents about you"),
        (f"patient/Observation.rs{GLUCOSE}", "blood glucose", "Read and search blood glucose about you"),
    ],
)
def test_a_scope_is_said_in_words_for_people(scope, kind, sentence):
    assert sentence_of(scope, kind) == sentence


@pytest.mark.parametrize("scope", ["openid", "user/Medication.r", "user/Observation.", "user/Patient.r?code=x"])
def test_what_is_not_offered_has_no_words(scope):
    with pytest.raises(ValueError, match="Not a scope"):
        sentence_of(scope)
