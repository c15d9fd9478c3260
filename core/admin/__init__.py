"""Door of the superusers: every model, one file per subject. Importing them registers them."""

from core.admin import (
    accounts,
    bulk,
    clients,
    federation,
    grants,
    oauth,
    observations,
    organizations,
    patients,
    peers,
    studies,
    trail,
    users,
)

__all__ = [
    "accounts",
    "bulk",
    "clients",
    "federation",
    "grants",
    "oauth",
    "observations",
    "organizations",
    "patients",
    "peers",
    "studies",
    "trail",
    "users",
]
