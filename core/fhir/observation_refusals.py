"""Why observations were not taken, as FHIR says it."""

from collections.abc import Mapping
from dataclasses import replace

from core.actions.ingest import DATA_POINT
from core.actions.upload_gate import Refusal
from core.fhir.errors import Issue, Refused, status_and_issues
from core.policy.errors import DomainError, InvalidInput


def located(refusal: Refusal, at: str = "Observation") -> Refused:
    """A refusal of an upload, whose resource is at `at`. It was well formed, so what is invalid is a rule's: 422."""
    status, issues = status_and_issues(refusal.error)
    element = "valueAttachment" if refusal.element == DATA_POINT else refusal.element
    expression = f"{at}.{element}"
    if isinstance(refusal.error, InvalidInput):
        return Refused(422, [Issue("business-rule", str(refusal.error), expression)])
    return Refused(status, [replace(issue, expression=expression) for issue in issues])


def together(errors: Mapping[int, DomainError]) -> Refused:
    """One refusal for all: the status of the first, the issues of each."""
    found = [status_and_issues(error) for _, error in sorted(errors.items())]
    return Refused(found[0][0], [issue for _, issues in found for issue in issues][:100])
