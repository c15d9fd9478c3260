"""The search parameters that every type has (FHIR R5 resource.html#search)."""

from collections.abc import Mapping

from core.fhir.search.parameters import Absent, Date, Id, SearchParameter


def common(updated: str) -> Mapping[str, SearchParameter]:
    """`updated` is the column of `meta.lastUpdated`."""
    return {
        "_id": Id(definition="Resource-id"),
        "_lastUpdated": Date(definition="Resource-lastUpdated", start=updated),
        "_profile": Absent(definition="Resource-profile"),
        "_security": Absent(definition="Resource-security"),
        "_source": Absent(definition="Resource-source"),
        "_tag": Absent(definition="Resource-tag"),
    }
