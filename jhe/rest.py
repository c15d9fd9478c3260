"""How Django REST framework and drf-spectacular, which describes the REST door in OpenAPI, are configured."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.Schema",
    "DEFAULT_METADATA_CLASS": None,  # no OPTIONS: the OpenAPI document says it all
    "URL_FORMAT_OVERRIDE": None,  # what comes back is for `Accept` to say
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "JupyterHealth Exchange",
    "DESCRIPTION": (
        "Health data that patients consented to share. Names are camelCase in answers; snake_case is accepted in "
        "bodies and in query strings. Lists come in pages: follow `next` as it is. Every refusal is "
        '`{"detail": "one sentence"}`; what you may not see and what does not exist get the same one.'
    ),
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}},
    "ENUM_NAME_OVERRIDES": {
        "OrganizationType": "core.models.organization.Organization.Type",
        "DataSourceType": "core.models.data_source.DataSource.Type",
        "InvitationStatus": "core.models.invitation.PatientInvitation.Status",
        "ObservationStatus": "core.models.observation.Observation.Status",
    },
}
