import pytest

from core.policy.errors import InsufficientScope, PermissionDenied
from core.policy.principal import Principal, UserType
from core.policy.scopes import TYPES, check_scope, every_resource_scope, resource_scopes, sentence_of


def with_scope(scope: str, user_type: UserType = UserType.PRACTITIONER) -> Principal:
    return Principal(user_id=10001, user_type=user_type, scopes=frozenset(scope.split()))


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
        "system/*.cruds",
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


def test_a_patient_may_use_a_user_scope_and_is_told_of_a_patient_scope():
    check_scope(with_scope("user/*.rs", UserType.PATIENT), "Observation", "s")
    with pytest.raises(InsufficientScope, match=r"patient/Observation\.c"):
        check_scope(with_scope("user/*.rs", UserType.PATIENT), "Observation", "c")


def test_every_combination_of_letters_has_a_scope_for_each_context_and_type():
    scopes = list(every_resource_scope())
    assert len(scopes) == len(set(scopes)) == 2 * len(TYPES) * 31
    assert {"user/Observation.rs", "patient/*.cruds", "user/Patient.c", "patient/Consent.ud"} <= set(scopes)
    assert all(scope.endswith((".cruds", ".rs")) for scope in resource_scopes(("rs", "cruds")))


@pytest.mark.parametrize(
    ("scope", "sentence"),
    [
        ("user/Observation.c", "Add health data on your behalf, as far as you may yourself"),
        ("patient/Observation.rs", "Read and search health data about you"),
        ("patient/Consent.cruds", "Add, read, change, delete and search consents about you"),
    ],
)
def test_a_scope_is_said_in_words_for_people(scope, sentence):
    assert sentence_of(scope) == sentence


@pytest.mark.parametrize("scope", ["openid", "user/Medication.r", "user/Observation.", "system/Observation.r"])
def test_what_is_not_offered_has_no_words(scope):
    with pytest.raises(ValueError, match="Not a scope"):
        sentence_of(scope)
