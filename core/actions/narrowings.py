"""Tokens are narrowed below what their person may."""

from collections.abc import Collection, Mapping

from django.db import transaction

from core.models import BulkJob, Narrowing, NarrowingCode, NarrowingOrganization, NarrowingStudy, User


@transaction.atomic
def narrow(
    user: User,
    *,
    studies: Collection[int] | None = None,
    organizations: Collection[int] | None = None,
    codes: Mapping[int, str] | None = None,
    patient: int | None = None,
    with_studies: bool = True,
) -> Narrowing | None:
    """What is left of a person's reach: these studies, and these organizations with all that is theirs.

    Ids of rows; None for both leaves every place. `codes` are kinds of data (CodeableConcept ids) with the letters of
    SMART's `cruds` that the token has for each; None leaves every kind. `patient` is the only one who is left; None
    leaves all. Without `with_studies` the organizations bring none of their studies along, so that one that they begin
    later is not reached. Nothing to narrow: None. That the person reaches what is named is not asked here: the access
    views leave out what they do not, at every moment.
    """
    if studies is None and organizations is None and codes is None and patient is None:
        return None
    narrowing = Narrowing.objects.create(
        user=user,
        everywhere=studies is None and organizations is None,
        every_code=codes is None,
        patient_id=patient,
    )
    NarrowingStudy.objects.bulk_create(
        NarrowingStudy(narrowing=narrowing, study_id=study_id) for study_id in sorted(set(studies or ()))
    )
    NarrowingOrganization.objects.bulk_create(
        NarrowingOrganization(narrowing=narrowing, organization_id=organization_id, with_studies=with_studies)
        for organization_id in sorted(set(organizations or ()))
    )
    NarrowingCode.objects.bulk_create(
        NarrowingCode(narrowing=narrowing, code_id=code_id, letters=letters)
        for code_id, letters in sorted((codes or {}).items())
    )
    return narrowing


def copy_for(job: BulkJob, narrowing_id: int) -> None:
    """Narrow a job, which may outlive the token that asks for it, to what that is narrowed to."""
    narrowing = Narrowing.objects.select_related("user").get(pk=narrowing_id)
    codes = None if narrowing.every_code else dict(narrowing.code_links.values_list("code_id", "letters"))
    copy = narrow_within(narrowing, user=narrowing.user, codes=codes)
    if copy is None:
        raise ValueError("A narrowing that narrows nothing is none.")
    copy.job = job
    copy.save(update_fields=["job"])


@transaction.atomic
def narrow_within(
    narrowing: Narrowing | None, *, user: User, codes: Mapping[int, str] | None = None
) -> Narrowing | None:
    """The places and the patient of a narrowing once more, for other kinds of data; as `narrow` if there is none."""
    if narrowing is None:
        return narrow(user, codes=codes)
    places = narrowing.organization_links.all()
    again = narrow(
        user,
        studies=None if narrowing.everywhere else list(narrowing.study_links.values_list("study_id", flat=True)),
        codes=codes,
        patient=narrowing.patient_id,
    )
    if again:
        NarrowingOrganization.objects.bulk_create(
            NarrowingOrganization(
                narrowing=again, organization_id=place.organization_id, with_studies=place.with_studies
            )
            for place in places
        )
    return again
