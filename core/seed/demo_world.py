"""The demo world as data: who there is, who works where, who takes part in what. core/seed/world.py writes it.

Written in this order on a fresh database it gets the same ids everywhere: users from 10001 (admin), organizations
20001 to 20008 below ROOT (0), studies 30001 to 30005, patients from 40001.
"""

from dataclasses import dataclass
from datetime import date

from core.models import DataSource, Organization, Patient
from core.seed import scopes

PASSWORD = "Jhe1234!"  # noqa: S105 - everybody's password in the demo; `seed` refuses to make it in production
SUPERUSER = "admin@example.com"
IDENTIFIER_SYSTEM = "https://example.com/demo/patient-id"


@dataclass(frozen=True, slots=True)
class DemoOrganization:
    name: str
    type: str
    part_of: str


@dataclass(frozen=True, slots=True)
class DemoPractitioner:
    name: str
    given: str
    family: str
    roles: dict[str, str]

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"


@dataclass(frozen=True, slots=True)
class DemoPatient:
    name: str
    given: str
    family: str
    birth_date: date
    gender: str
    organizations: tuple[str, ...]
    utc_offset_minutes: int

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"


@dataclass(frozen=True, slots=True)
class DemoDataSource:
    name: str
    type: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoStudy:
    name: str
    description: str
    organization: str
    scopes: tuple[str, ...]
    data_sources: tuple[str, ...]
    consented: tuple[str, ...] = ()
    """Patients who have said yes to every scope."""
    unanswered: tuple[str, ...] = ()
    """Patients who are enrolled and have not answered yet."""


ROOT = "ROOT"
PLANETARY = "Planetary Research Institute"
SATURN = "Saturn School of Data Science"
LIFESPAN = "Lifespan Lab"
NEPTUNE = "Neptune Health System"
MEDICINE = "Department of Medicine"
CARDIOLOGY = "Cardiology Division"
NEPTUNIAN = "Neptunian Pulse Lab"
COSMIC = "Cosmic Cardio Lab"

ORGANIZATIONS = (
    DemoOrganization(PLANETARY, Organization.Type.EDUCATION, ROOT),
    DemoOrganization(SATURN, Organization.Type.TEAM, PLANETARY),
    DemoOrganization(LIFESPAN, Organization.Type.LABORATORY, SATURN),
    DemoOrganization(NEPTUNE, Organization.Type.PROVIDER, ROOT),
    DemoOrganization(MEDICINE, Organization.Type.DEPARTMENT, NEPTUNE),
    DemoOrganization(CARDIOLOGY, Organization.Type.DEPARTMENT, MEDICINE),
    DemoOrganization(NEPTUNIAN, Organization.Type.LABORATORY, CARDIOLOGY),
    DemoOrganization(COSMIC, Organization.Type.LABORATORY, CARDIOLOGY),
)

PRACTITIONERS = (
    DemoPractitioner("manager_mary", "Mary", "Mason", {PLANETARY: "manager", SATURN: "manager", LIFESPAN: "manager"}),
    DemoPractitioner("member_megan", "Megan", "Mills", {LIFESPAN: "member"}),
    DemoPractitioner("viewer_victor", "Victor", "Vance", {LIFESPAN: "viewer"}),
    DemoPractitioner("three_org_tom", "Tom", "Torres", {LIFESPAN: "viewer", NEPTUNIAN: "member", COSMIC: "manager"}),
    DemoPractitioner(
        "manager_mark",
        "Mark",
        "Moreno",
        {NEPTUNE: "manager", MEDICINE: "manager", CARDIOLOGY: "manager", NEPTUNIAN: "manager"},
    ),
)

PATIENTS = (
    DemoPatient("ll_patient_peter", "Peter", "Larsen", date(1971, 3, 9), Patient.Gender.MALE, (LIFESPAN,), -420),
    DemoPatient("ll_patient_pamela", "Pamela", "Lopez", date(1984, 11, 23), Patient.Gender.FEMALE, (LIFESPAN,), -420),
    DemoPatient("npl_patient_percy", "Percy", "Novak", date(1963, 6, 30), Patient.Gender.MALE, (NEPTUNIAN,), -240),
    DemoPatient("ccl_patient_paul", "Paul", "Carter", date(1958, 1, 17), Patient.Gender.MALE, (COSMIC,), -240),
    DemoPatient(
        "ccl_cardio_patient_pat", "Pat", "Cole", date(1990, 8, 2), Patient.Gender.OTHER, (CARDIOLOGY, COSMIC), 60
    ),
)

_DEVICE = DataSource.Type.PERSONAL_DEVICE
GLUCOSE_SENSOR = "Glucose sensor"
PRESSURE_CUFF = "Blood pressure cuff"
WEARABLE = "Wrist wearable"
THERMOMETER = "Thermometer"
OXIMETER = "Pulse oximeter"

DATA_SOURCES = (
    DemoDataSource(GLUCOSE_SENSOR, _DEVICE, (scopes.BLOOD_GLUCOSE,)),
    DemoDataSource(
        WEARABLE,
        _DEVICE,
        (
            scopes.HEART_RATE,
            scopes.RR_INTERVAL,
            scopes.RESPIRATORY_RATE,
            scopes.PHYSICAL_ACTIVITY,
            scopes.STEP_COUNT,
            scopes.SLEEP_EPISODE,
            scopes.SLEEP_DURATION,
            scopes.SLEEP_STAGE_SUMMARY,
        ),
    ),
    DemoDataSource(PRESSURE_CUFF, _DEVICE, (scopes.BLOOD_PRESSURE, scopes.HEART_RATE)),
    DemoDataSource(THERMOMETER, _DEVICE, (scopes.BODY_TEMPERATURE,)),
    DemoDataSource(OXIMETER, _DEVICE, (scopes.OXYGEN_SATURATION, scopes.HEART_RATE)),
    DemoDataSource("Scale", _DEVICE, (scopes.BODY_WEIGHT,)),
    DemoDataSource("Spirometer", _DEVICE, (scopes.FORCED_VITAL_CAPACITY, scopes.FORCED_EXPIRATORY_VOLUME)),
    DemoDataSource("Questionnaire app", DataSource.Type.SERVICE, (scopes.QUESTIONNAIRE_RESPONSE,)),
)

STUDIES = (
    DemoStudy(
        "Lifespan Study on BP & HR",
        "Blood pressure and heart rate at home.",
        LIFESPAN,
        (scopes.BLOOD_PRESSURE, scopes.HEART_RATE),
        (PRESSURE_CUFF, WEARABLE),
        consented=("ll_patient_peter", "ll_patient_pamela"),
    ),
    DemoStudy(
        "Lifespan Study on BP",
        "Blood pressure alone, over a longer time.",
        LIFESPAN,
        (scopes.BLOOD_PRESSURE,),
        (PRESSURE_CUFF,),
        consented=("ll_patient_pamela",),
        unanswered=("ll_patient_peter",),
    ),
    DemoStudy(
        "Cardiology Div Study on BGL",
        "Blood glucose of people with a heart condition.",
        CARDIOLOGY,
        (scopes.BLOOD_GLUCOSE,),
        (GLUCOSE_SENSOR,),
        consented=("ccl_cardio_patient_pat",),
    ),
    DemoStudy(
        "Nep Pulse Lab Study on BT",
        "Body temperature in the morning and in the evening.",
        NEPTUNIAN,
        (scopes.BODY_TEMPERATURE,),
        (THERMOMETER,),
        consented=("npl_patient_percy",),
    ),
    DemoStudy(
        "Cosmic Cardio Lab Study on O2",
        "Oxygen saturation at rest.",
        COSMIC,
        (scopes.OXYGEN_SATURATION,),
        (OXIMETER,),
        consented=("ccl_patient_paul", "ccl_cardio_patient_pat"),
    ),
)
