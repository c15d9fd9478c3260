"""MCP tokens: made and shown once, then listed, revoked and deleted, and swept some time after they have ended."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import and_

from django.utils import timezone

from core.actions.acting import acting, record_write
from core.actions.narrowings import narrow
from core.models import BulkJob, McpToken, Narrowing, Organization, OrganizationAccess, Study, User
from core.models.held import permissions_held, roles_held
from core.policy.checks import check_is_not_narrowed, no_such
from core.policy.errors import Conflict, InvalidInput, NotVisible, PermissionDenied
from core.policy.mcp_tokens import GRANTABLE, READING, is_well_formed, new_token, scope_for, token_hash
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType
from core.policy.roles import ANYBODY, NAMED, PARTICIPANT, SELF, roles_granting
from core.policy.scopes import check_may_give

DEFAULT_TTL = "90d"
LONGEST = timedelta(days=366)
MAX_STANDING = 100
"""Of one person, at a time."""
MAX_NAMED = 200
"""Studies or organizations of one token."""
KEPT = timedelta(days=90)
"""How long a token is still listed after it has ended."""

_DURATION = re.compile(r"([0-9]{1,4})([dh])")


def expiry(ttl: str) -> datetime:
    """When a token ends that is to live for this long: `30d`, `12h`, or until an ISO 8601 date (00:00 UTC) or time."""
    now = timezone.now()
    if match := _DURATION.fullmatch(ttl):
        length = int(match[1])
        ends = now + (timedelta(days=length) if match[2] == "d" else timedelta(hours=length))
    else:
        try:
            ends = datetime.fromisoformat(ttl)
        except ValueError:
            raise InvalidInput("ttl: Say how long, as 30d or 12h, or until when, as 2027-01-31.") from None
        ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
    if not now < ends <= now + LONGEST:
        raise InvalidInput("ttl: A token lives for a year at most, and not into the past.")
    return ends


def create_token(
    *,
    actor: Principal | None,
    door: str,
    user: User,
    ttl: str = DEFAULT_TTL,
    studies: Collection[int] = (),
    organizations: Collection[int] = (),
    permissions: Collection[Permission] = (),
    clone: bool = False,
    description: str = "",
) -> tuple[McpToken, str]:
    """A token that acts for `user`, and the token itself, which nobody can be shown again: it is kept hashed.

    For these studies and organizations; none named, for all that the person reaches at each moment. It can do what is
    in `permissions`, if none are named read; and never more than the person can at that moment. `clone` names all that
    the person reaches now, and permits what they may at every place of it: what they come to later adds nothing.

    Raises NotVisible for a place that the person does not reach, PermissionDenied for what none of their roles includes
    and for an actor whose own token is narrowed, InvalidInput for a time or a combination that cannot be, and Conflict
    when the account is closed or has too many tokens.
    """
    if actor is not None:
        check_is_not_narrowed(actor)
    maker = Principal(user_id=user.pk, user_type=user.user_type)
    expires = expiry(ttl)
    if clone and (studies or organizations or permissions):
        raise InvalidInput("clone: It names all studies, organizations and permissions itself: leave them out.")
    if max(len(studies), len(organizations)) > MAX_NAMED:
        raise InvalidInput(f"A token names at most {MAX_NAMED} studies and {MAX_NAMED} organizations.")
    _check_reach(maker, studies, organizations)
    allowed = _snapshot(maker) if clone else _checked(maker, permissions) or READING
    if actor is not None:
        check_may_give(actor, set(scope_for(allowed).split()) - {"mcp"})
    token = new_token()
    with acting(actor, door=door):
        _check_may_have_one_more(user)
        row = McpToken.objects.create(
            user=user,
            description=description,
            token_hash=token_hash(token),
            scope=scope_for(allowed),
            permissions=sorted(allowed),
            narrowing=_clone(user, maker) if clone else _narrowing(user, studies, organizations),
            expires=expires,
        )
        _record(actor, door, "create_mcp_token", row)
    return row, token


def revoke_token(*, actor: Principal | None, door: str, token: McpToken) -> None:
    """End a token at once; one that has ended stays as it is. The caller has it by `visible_to`."""
    with acting(actor, door=door):
        BulkJob.objects.filter(user=token.user_id, client_id=token.client_id).delete()
        if McpToken.objects.filter(pk=token.pk, revoked=None).update(revoked=timezone.now()):
            _record(actor, door, "revoke_mcp_token", token)
    token.refresh_from_db(fields=["revoked"])


def revoke_presented(*, door: str, token: str) -> bool:
    """End the token that somebody shows: whoever finds one can make it worthless (RFC 7009 §2.1). Whether it is one."""
    found = McpToken.objects.filter(token_hash=token_hash(token)).first() if is_well_formed(token) else None
    if found is not None:
        revoke_token(actor=None, door=door, token=found)
    return found is not None


def delete_token(*, actor: Principal | None, door: str, token: McpToken) -> None:
    """End a token and forget it; the audit trail keeps what it did. The caller has it by `visible_to`."""
    with acting(actor, door=door):
        BulkJob.objects.filter(user=token.user_id, client_id=token.client_id).delete()
        _record(actor, door, "delete_mcp_token", token)
        _delete([token])


def sweep_tokens() -> int:
    """Forget the tokens that ended long ago; how many."""
    ended = McpToken.objects.ended_before(timezone.now() - KEPT)[:1_000]
    with acting(None, door="command"):
        return _delete(list(ended))


def _delete(tokens: list[McpToken]) -> int:
    narrowings = [token.narrowing_id for token in tokens if token.narrowing_id is not None]
    McpToken.objects.filter(pk__in=[token.pk for token in tokens]).delete()
    Narrowing.objects.filter(pk__in=narrowings).delete()
    return len(tokens)


def _check_reach(maker: Principal, studies: Collection[int], organizations: Collection[int]) -> None:
    reached = (
        ("study", studies, Study.objects.visible_to(maker)),
        ("organization", organizations, Organization.objects.visible_to(maker)),
    )
    for kind, named, visible in reached:
        missing = set(named).difference(visible.filter(pk__in=named).values_list("pk", flat=True))
        if missing:
            raise NotVisible(no_such(kind, min(missing)))


def _checked(maker: Principal, permissions: Collection[Permission]) -> frozenset[Permission]:
    named = frozenset(permissions)
    if beyond := named - GRANTABLE:
        raise InvalidInput(f"permissions: No token is given {min(beyond)}: log in for that.")
    if lacking := named - permissions_held(maker, roles_held(maker)):
        raise PermissionDenied(f"No role of yours includes {min(lacking)}.")
    return named


def _check_may_have_one_more(user: User) -> None:
    locked = User.objects.select_for_update().get(pk=user.pk)  # one after the other, so that the count is true
    if not locked.is_active:
        raise Conflict("The account is closed: nobody acts for it.")
    if McpToken.objects.standing().filter(user=user).count() >= MAX_STANDING:
        raise Conflict(f"{MAX_STANDING} tokens stand already: revoke one that is not needed.")


def _narrowing(user: User, studies: Collection[int], organizations: Collection[int]) -> Narrowing | None:
    if not studies and not organizations:
        return None
    return narrow(user, studies=studies, organizations=organizations)


def _clone(user: User, maker: Principal) -> Narrowing | None:
    """Each study by itself, so that one that an organization begins later is not of it."""
    organizations = Organization.objects.visible_to(maker).values_list("pk", flat=True)
    studies = Study.objects.visible_to(maker).values_list("pk", flat=True)
    return narrow(user, studies=studies, organizations=organizations, with_studies=False)


def _snapshot(maker: Principal) -> frozenset[Permission]:
    """What the person can do at each of their places. What they can do at some would reach to the others the moment
    that a role there is raised."""
    if maker.user_type is UserType.PATIENT:
        return GRANTABLE & _permissions_of({SELF.code, PARTICIPANT.code, ANYBODY.code})
    held = OrganizationAccess.objects.filter(user_id=maker.caller_id).exclude(role=NAMED.code)
    roles = set(held.order_by().values_list("role", flat=True).distinct())
    shared = reduce(and_, (_permissions_of({role}) for role in roles), GRANTABLE) if roles else frozenset()
    return shared | _permissions_of({ANYBODY.code})


def _permissions_of(roles: set[str]) -> frozenset[Permission]:
    return frozenset(permission for permission in Permission if roles.intersection(roles_granting(permission)))


def _record(actor: Principal | None, door: str, action: str, token: McpToken) -> None:
    detail = {"mcp_token": token.pk, "user": token.user_id}
    record_write(actor, door=door, action=action, patient_ids=[], detail=detail)
