"""What one type of FHIR resource is here: which rows, who sees them, how a row reads as JSON, how it is searched."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from django.db.models import Q, QuerySet

from core.fhir.door import BASE
from core.fhir.errors import NotSupported, Resource
from core.fhir.search.common import common
from core.fhir.search.parameters import Context, SearchParameter
from core.fhir.search.query import Page, Search, page, total
from core.models.versioned import Versioned
from core.policy.checks import no_such
from core.policy.errors import NotVisible
from core.policy.principal import Principal

MAX_ID = 2**63 - 1


class ResourceType:
    """The read side of a type: stateless, one instance in core/fhir/registry.py."""

    name: ClassVar[str]
    search_parameters: ClassVar[Mapping[str, SearchParameter]] = {}
    """By name. Those that every type has (_id, _lastUpdated, …) are in core/fhir/search/common.py."""
    updated: ClassVar[str] = "last_updated"
    """The column of `meta.lastUpdated`."""
    history_of: ClassVar[type[Versioned] | None] = None
    """The model whose former versions the database keeps, where the type has such a history."""
    computed: ClassVar[frozenset[str]] = frozenset()
    """Elements that are counted here, whatever a sender says of them."""
    default_sort: ClassVar[str] = "_id"
    max_page: ClassVar[int] = 1_000
    """Resources in one answer, whether found or included."""
    same_for_everybody: ClassVar[bool] = True
    """Whether a version reads the same for all who may read it, for as long as it stands (names of others that are
    displayed beside references left aside, as a weak ETag may): then a 304 is true."""

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        """The rows that this person may read, and no more: conditions are built on it."""
        raise NotImplementedError

    def fetched(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows with what `render` needs of them, in a constant number of queries."""
        return rows

    def keys(self, ids: Iterable[str]) -> list[int]:
        """The primary keys behind FHIR ids; what cannot be an id is left out."""
        return [key for id_ in ids if (key := integer_id(id_)) is not None]

    def has_id(self, ids: Iterable[str]) -> Q:
        """The rows of these FHIR ids."""
        return Q(pk__in=self.keys(ids))

    def check_named(self, principal: Principal, ids: Iterable[str]) -> None:
        """Raises PermissionDenied for ids of a request that the token leaves out, whether they exist or not."""

    @cached_property
    def parameters(self) -> Mapping[str, SearchParameter]:
        """All that the type can be searched by."""
        columns = {field.name for field in self.history_of._meta.fields} if self.history_of else set()
        return {**common(self.updated, has_extra="fhir_extra" in columns), **self.search_parameters}

    def special(self, name: str, value: str, context: Context) -> Q | None:
        """A condition that means something of its own for this type, or None: then it means what it says."""
        return None

    def page(self, search: Search) -> Page:
        """A page of what a search finds."""
        return page(search)

    def total(self, search: Search) -> int:
        """All that a search finds, on all of its pages."""
        return total(search)

    def get(self, principal: Principal, id_: str, *, lock: bool = False) -> Any:
        """One row, with `lock` until the transaction ends. Raises NotVisible, the same for missing and forbidden."""
        self.check_named(principal, [id_])
        rows = self.fetched(self.visible_to(principal).filter(self.has_id([id_])))
        row = (rows.select_for_update(of=("self",)) if lock else rows).first()
        if row is None:
            raise NotVisible(no_such(self.name, id_))
        return row

    def versions(self, row: Any) -> Sequence[Any]:
        """The row in each of its versions, the newest first, where a type keeps them in a way of its own."""
        raise NotSupported(f"{self.name} resources have no history: see /FHIR/R5/metadata.")

    def key_of(self, row: Any) -> Any:
        """The primary key."""
        return row.pk

    def id_of(self, row: Any) -> str:
        return str(self.key_of(row))

    def patient_ids(self, row: Any) -> Iterable[int]:
        """Whose data the row is, for the audit trail. Asked after `render`."""
        return ()

    def version_of(self, row: Any) -> int:
        version: int = row.version_id
        return version

    def updated_at(self, row: Any) -> datetime:
        """`meta.lastUpdated`."""
        moment: datetime = getattr(row, self.updated)
        return moment

    def render(self, rows: Sequence[Any], principal: Principal) -> list[Any]:
        """The resources of rows that `fetched` gave, in their order: dicts, or orjson.Fragment for speed.

        Former versions (core/models/history.py) are rendered here too. What else the rows need is looked up for all at
        once.
        """
        return [self.render_one(row) for row in rows]

    def render_one(self, row: Any) -> Resource:
        raise NotImplementedError

    def url_of(self, row: Any) -> str:
        return f"{BASE}/{self.name}/{self.id_of(row)}"


def integer_id(id_: str) -> int | None:
    """The row's key behind a FHIR id, or None for a text that is none of ours."""
    if not (id_.isascii() and id_.isdecimal()) or str(int(id_[:20])) != id_:
        return None
    return key if (key := int(id_)) <= MAX_ID else None
