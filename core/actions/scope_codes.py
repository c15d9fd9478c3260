"""Scopes that tell observations apart, by `code` or `category`: the kinds of data that a token is narrowed to."""

from collections.abc import Iterable

from core.models import CodeableConcept, Narrowing
from core.open_mhealth.kinds import is_in_category
from core.policy.errors import InsufficientScope, InvalidInput
from core.policy.principal import Principal, UserType
from core.policy.scopes import Interaction, ResourceScope, context_of, counting, parse

_UNKNOWN = "There is no kind of data here with the code or category that a scope names."
_UNEVEN = (
    "Of the kinds of data that scopes tell apart, each that is not only added (c) needs the same of the letters r and "
    "s as all others, and one of them at least."
)


def codes_of(scopes: Iterable[str], user_type: UserType) -> dict[int, str] | None:
    """Which kinds of data (CodeableConcept ids) a grant of these scopes is narrowed to, with the letters of `cruds`
    that it has for observations of each. None: it is narrowed to none.

    It is for the kinds that there are at this moment; a scope for observations of any kind counts for each of them.
    """
    counted = [scope for scope in counting(scopes, user_type, narrowed=True) if scope.type in ("*", "Observation")]
    anywhere = {letter for scope in counted if not scope.parameter for letter in scope.letters}
    told_apart = [scope for scope in counted if scope.parameter and not set(scope.letters) <= anywhere]
    if not told_apart:
        return None
    letters = dict.fromkeys((code.pk for code in CodeableConcept.objects.all()), anywhere)
    for scope in told_apart:
        for code in kinds_of(scope):
            letters[code.pk] = letters[code.pk] | set(scope.letters)
    return {pk: "".join(letter for letter in "cruds" if letter in some) for pk, some in letters.items() if some}


def check_told_apart(scopes: Iterable[str]) -> None:
    """Raises InvalidInput for kinds of data that are not known here, and for letters that no row could be held to.

    Which rows are reached says the access views, and they know no difference between reading and searching: so that
    the letters `r` and `s` stay exact, they are the same for all kinds that the token can read.
    """
    asked = list(scopes)
    told_apart = [scope for scope in map(parse, asked) if scope and scope.parameter]
    if not all(kinds_of(scope) for scope in told_apart):
        raise InvalidInput(_UNKNOWN)
    for user_type in UserType if told_apart else ():  # for each other scopes count
        codes = codes_of(asked, user_type) or {}
        readings = {frozenset(letters) & {"r", "s"} for letters in codes.values() if letters != "c"}
        if len(readings) > 1 or frozenset() in readings:
            raise InvalidInput(_UNEVEN)


def check_told_kind(actor: Principal, code: CodeableConcept, interaction: Interaction) -> None:
    """Raises InsufficientScope when the token tells observations apart and does not have this letter for the kind."""
    if actor.narrowing_id is None:
        return
    narrowing = Narrowing.objects.filter(pk=actor.narrowing_id, every_code=False).first()
    if narrowing and not narrowing.code_links.filter(code=code, letters__contains=interaction).exists():
        scope = f"{context_of(actor)}/Observation.{interaction}?code={code.coding_system}|{code.coding_code}"
        raise InsufficientScope(scope)


def kinds_of(scope: ResourceScope) -> list[CodeableConcept]:
    """The kinds of data that a scope tells apart, by a value as FHIR's search has them: `code` or `system|code`."""
    system, separator, code = scope.value.rpartition("|")
    named = system if separator else None
    return [
        kind
        for kind in CodeableConcept.objects.all()
        if (scope.parameter == "code" and kind.is_named(named, code))
        or (scope.parameter == "category" and is_in_category(kind.coding_code, scope.value))
    ]
