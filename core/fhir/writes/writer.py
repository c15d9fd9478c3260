from collections.abc import Mapping
from typing import Any, ClassVar

from core.fhir.errors import Resource
from core.policy.principal import Principal

DOOR = "fhir"


class Known(str):
    """The id of a resource that was there already, under an identifier that was sent again."""


class Writer:
    """The write side of a type. A subclass has the interactions that the type offers; the others answer 405
    (core/fhir/writing.py).

    Each call is one core action, atomic and audited, in the transaction of its caller. `resource` has been checked
    against the structure of R5. They raise Unprocessable with the expression of what a rule is against, and NotVisible
    and PermissionDenied as the policy has it.
    """

    name: ClassVar[str]
    keeps_extra: ClassVar[bool] = False
    """Whether it keeps itself what was sent beyond our columns, instead of kept.py."""

    instead: ClassVar[Mapping[str, str]] = {}
    """Of interactions that the type does not offer: what to do."""

    def create(self, principal: Principal, resource: Resource) -> str:
        """The id of the new resource; `Known` where it is not new."""
        raise NotImplementedError

    def update(self, principal: Principal, row: Any, resource: Resource) -> None:
        raise NotImplementedError

    def delete(self, principal: Principal, row: Any) -> None:
        raise NotImplementedError

    @property
    def interactions(self) -> frozenset[str]:
        """Of http://hl7.org/fhir/restful-interaction."""
        offered = {
            name for name in ("create", "update", "delete") if getattr(type(self), name) is not vars(Writer)[name]
        }
        return frozenset(offered | ({"patch"} if "update" in offered else set()))
