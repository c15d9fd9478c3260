"""One row, looked up and authorised in one call."""

from typing import Any, Protocol, Self, TypeVar

from django.db import models

from core.models.access import CatalogueAccess
from core.policy.checks import no_such
from core.policy.errors import NotVisible, PermissionDenied
from core.policy.permissions import Permission
from core.policy.principal import Principal

M = TypeVar("M", bound=models.Model)


class VisibleRows(Protocol[M]):
    """A queryset of a model that has `visible_to`."""

    model: type[M]

    def visible_to(self, principal: Principal, permission: Permission = ...) -> Self: ...
    def filter(self, *args: Any, **kwargs: Any) -> Self: ...
    def first(self) -> M | None: ...
    def exists(self) -> bool: ...


def fetch(rows: VisibleRows[M], pk: int, principal: Principal, permission: Permission | None = None) -> M:
    """The row `pk` on which the person has `permission`, by default that to read it.

    Raises NotVisible when they may not know of it, and PermissionDenied when they may read it, but not do this.
    """
    seen = rows.visible_to(principal).filter(pk=pk)
    granted = seen if permission is None else rows.visible_to(principal, permission).filter(pk=pk)
    if (row := granted.first()) is not None:
        return row
    kind = str(rows.model._meta.verbose_name)
    if permission is not None and seen.exists():
        raise PermissionDenied(f"Your role does not include {permission} for {kind} {pk}.")
    raise NotVisible(no_such(kind, pk))


def check_keeps_catalogue(principal: Principal) -> None:
    """Raises PermissionDenied for whom may read, but not change, what is the same for everybody."""
    if not CatalogueAccess.granting(principal, Permission.CATALOGUE_MANAGE).exists():
        raise PermissionDenied(f"Your role does not include {Permission.CATALOGUE_MANAGE}.")
