"""The name of a search parameter, as sent: with modifiers, chains and `_has` (FHIR R5 search.html#chaining, #has).

A chain asks about other resources, so it needs the token's scope for them, and it looks only at those that the caller
may read: what a search finds says nothing about the rest.
"""

from django.db.models import Q

from core.fhir.search import values
from core.fhir.search.parameters import NOTHING, Context, SearchParameter, malformed
from core.fhir.search.references import Reference
from core.policy.scopes import check_scope

MAX_DEPTH = 3
_ALIASES = {"_group": "Group"}
"""Another spelling that clients use in `_has`."""


class UnknownParameter(Exception):  # noqa: N818 - not refused by itself: that is for `Prefer: handling` to say
    pass


def condition(name: str, value: str, context: Context) -> Q:
    """One parameter of the query. Raises UnknownParameter, InvalidResource, and InsufficientScope."""
    if context.depth > MAX_DEPTH:
        raise malformed(name, f"chains are at most {MAX_DEPTH} long.")
    if (special := context.type_.special(name, value, context)) is not None:
        return special
    if name.startswith("_has:"):
        return _has(name, value, context)
    head, dot, rest = name.partition(".")
    code, _, modifier = head.partition(":")
    parameter = parameter_of(context, code)
    if dot:
        return _chain(parameter, modifier, rest, value, context)
    if isinstance(parameter, Reference) and modifier == "identifier":
        return _chain(parameter, "", "identifier", value, context)
    if modifier and modifier not in parameter.modifiers and not _is_target(parameter, modifier):
        raise malformed(name, f"the modifier :{modifier[:32]} is not supported here.")
    try:
        return parameter.condition(values.split(value, ","), modifier, context)
    except ValueError as error:
        raise malformed(name, str(error)) from None


def parameter_of(context: Context, code: str) -> SearchParameter:
    parameter = context.type_.parameters.get(code)
    if parameter is None:
        raise UnknownParameter
    return parameter


def _chain(parameter: SearchParameter, type_name: str, rest: str, value: str, context: Context) -> Q:
    if not isinstance(parameter, Reference) or (type_name and type_name not in parameter.targets):
        raise UnknownParameter
    found, known = NOTHING, False
    for target in [type_name] if type_name else parameter.targets:
        inner = context.of(context.types[target])
        try:
            fits = condition(rest, value, inner)
        except UnknownParameter:
            continue
        check_scope(context.principal, target, "s")
        known = True
        found |= parameter.to_rows(target, inner.type_.visible_to(context.principal).filter(fits), context)
    if not known:
        raise UnknownParameter
    return found


def _has(name: str, value: str, context: Context) -> Q:
    _, type_name, code, rest = [*name.split(":", 3), "", "", ""][:4]
    referring = context.types.get(_ALIASES.get(type_name, type_name))
    if referring is None:
        raise UnknownParameter
    inner = context.of(referring)
    parameter = parameter_of(inner, code)
    target = context.type_.name
    if not isinstance(parameter, Reference) or target not in parameter.targets:
        raise UnknownParameter
    fits = condition(rest, value, inner)
    check_scope(context.principal, referring.name, "s")
    rows = referring.visible_to(context.principal).filter(fits)
    return parameter.from_rows(target, rows, inner)


def _is_target(parameter: SearchParameter, modifier: str) -> bool:
    return isinstance(parameter, Reference) and modifier in parameter.targets
