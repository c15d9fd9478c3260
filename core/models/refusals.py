"""What the database's own rules say to a person, without a word of the row that broke them."""

from django.db import IntegrityError

_SENTENCES = {
    "consent_of_an_enrolled_patient": "The patient is not enrolled in this study: enrol the patient first.",
    "consent_to_a_requested_scope": "The study does not request this scope: add it to the study first.",
    "client_is_known": "The client registered itself and nobody vouches for it: register one for this in the admin.",
    "enrolment_of_a_patient_of_the_organization": (
        "Patients take part only in studies of their organizations: add the patient to the study's organization first."
    ),
}


def sentence_of(error: IntegrityError) -> str:
    """One sentence for an IntegrityError: ours, or PostgreSQL's first line, which names rules and never values."""
    diagnosis = error.__cause__.diag  # type: ignore[union-attr]
    return _SENTENCES.get(diagnosis.constraint_name) or f"{diagnosis.message_primary.rstrip('.')}."
