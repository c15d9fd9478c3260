"""Door of the superusers: every model, one file per subject. Importing them registers them."""

from core.admin import oauth, observations, organizations, patients, studies, trail, users

__all__ = ["oauth", "observations", "organizations", "patients", "studies", "trail", "users"]
