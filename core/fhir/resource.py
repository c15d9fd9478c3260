"""What one type of FHIR resource is here: which rows, who sees them, how a row reads as JSON, how it is searched."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from django.db.models import Model, QuerySet

from core.fhir.door import BASE
from core.fhir.errors import Resource
from core.fhir.search.parameters import SearchParameter
from core.policy.checks import no_such
from core.policy.errors import NotVisible
from core.policy.principal import Principal

MAX_ID = 2**63 - 1


class ResourceType:
    """The read side of a type: stateless, one instance in core/fhir/registry.py."""

    name: ClassVar[str]
    search_parameters: ClassVar[Mapping[str, SearchParameter]] = {}
    """By name. The common ones (_id, _lastUpdated, …) belong to every type and are in core/fhir/search."""
    versioned: ClassVar[bool] = True

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        """The rows that this person may read, with what `render` needs fetched beside them in a constant number of
        queries."""
        raise NotImplementedError

    def with_id(self, rows: QuerySet[Any], ids: Iterable[str]) -> QuerySet[Any]:
        """The rows of these FHIR ids; what cannot be an id finds nothing."""
        return rows.filter(pk__in=[key for id_ in ids if (key := integer_id(id_)) is not None])

    def get(self, principal: Principal, id_: str, *, lock: bool = False) -> Any:
        """One row, locked until the transaction ends if asked. Raises NotVisible, alike for missing and forbidden."""
        rows = self.with_id(self.visible_to(principal), [id_])
        row = (rows.select_for_update(of=("self",)) if lock else rows).first()
        if row is None:
            raise NotVisible(no_such(self.name, id_))
        return row

    def id_of(self, row: Any) -> str:
        return str(row.pk)

    def patient_ids(self, row: Any) -> Iterable[int]:
        """Whose data the row is, for the audit trail."""
        return ()

    def version_of(self, row: Any) -> int:
        version: int = row.version_id
        return version

    def render(self, rows: Sequence[Any], principal: Principal) -> list[Any]:
        """The resources of rows that `visible_to` gave, in their order: dicts, or orjson.Fragment for speed."""
        return [self.render_one(row, principal) for row in rows]

    def render_one(self, row: Any, principal: Principal) -> Resource:
        raise NotImplementedError

    def url_of(self, row: Any) -> str:
        return f"{BASE}/{self.name}/{self.id_of(row)}"


class Writer(Protocol):
    """The write side of a type (core/fhir/writes). Each call is one core action: atomic and audited.

    `resource` has been checked against the structure of R5 (core/fhir/structure.py). They raise Unprocessable with the
    expression of what a rule is against, NotVisible and PermissionDenied as the policy has it.
    """

    def create(self, principal: Principal, resource: Resource) -> Model: ...

    def update(self, principal: Principal, row: Any, resource: Resource) -> Model: ...

    def delete(self, principal: Principal, row: Any) -> None: ...


def integer_id(id_: str) -> int | None:
    """The row's key behind a FHIR id, or None for a text that is none of ours."""
    if not (id_.isascii() and id_.isdecimal()) or str(int(id_[:20])) != id_:
        return None
    return key if (key := int(id_)) <= MAX_ID else None


def meta_of(row: Any, **more: Any) -> Resource:
    """Resource.meta (FHIR R5 resource.html#Meta) of a versioned row."""
    return {"versionId": str(row.version_id), "lastUpdated": instant(row.last_updated), **more}


def instant(moment: Any) -> str:
    """A moment as FHIR writes an instant: with the offset, milliseconds kept when there are any."""
    return str(moment.isoformat(timespec="microseconds" if moment.microsecond % 1000 else "milliseconds"))


def reference(type_name: str, id_: object, display: str = "") -> Resource:
    """A relative literal reference (FHIR R5 references.html)."""
    return {"reference": f"{type_name}/{id_}", **({"display": display} if display else {})}
