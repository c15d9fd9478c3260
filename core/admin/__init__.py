"""Door of the superusers: every model, one file per subject. Importing them registers them."""

from core.admin import bulk, clients, grants, oauth, observations, organizations, patients, studies, trail, users

__all__ = [
    "bulk",
    "clients",
    "grants",
    "oauth",
    "observations",
    "organizations",
    "patients",
    "studies",
    "trail",
    "users",
]
