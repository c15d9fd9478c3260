"""The search parameters that every type has (FHIR R5 resource.html#search)."""

from collections.abc import Mapping

from core.fhir.search.dates import Date
from core.fhir.search.parameters import SearchParameter
from core.fhir.search.tokens import Absent, AbsentReference, AbsentUri, Id, Labels, Profiles


def common(updated: str, *, has_extra: bool) -> Mapping[str, SearchParameter]:
    """`updated` is the column of `meta.lastUpdated`; `has_extra` says that rows keep the rest of `meta` in one too."""
    return {
        "_id": Id(definition="Resource-id"),
        "_lastUpdated": Date(definition="Resource-lastUpdated", start=updated),
        "_source": AbsentUri(definition="Resource-source"),
        **(_KEPT if has_extra else _ABSENT),
    }


_KEPT: Mapping[str, SearchParameter] = {
    "_profile": Profiles(definition="Resource-profile"),
    "_security": Labels(definition="Resource-security", element="security"),
    "_tag": Labels(definition="Resource-tag", element="tag"),
}
_ABSENT: Mapping[str, SearchParameter] = {
    "_profile": AbsentReference(definition="Resource-profile"),
    "_security": Absent(definition="Resource-security"),
    "_tag": Absent(definition="Resource-tag"),
}
