"""The larger demo as data: 20 invented people, two weeks of glucose every five minutes and of a wearable."""

from dataclasses import dataclass, replace
from datetime import date

from core.models import Patient
from core.seed import demo_world as demo
from core.seed import scopes
from core.seed.curves import HIGHS, LOWS, STEADY, TYPE_1, TYPE_2, GlucoseProfile
from core.seed.times import DAYS

STUDY = demo.DemoStudy(
    "CGM & Wearables Demo",
    "Two weeks of continuous glucose, and beside it heart rate, steps, sleep and blood pressure, "
    "of people with and without diabetes. All of them are invented.",
    demo.PLANETARY,
    (
        scopes.BLOOD_GLUCOSE,
        scopes.HEART_RATE,
        scopes.STEP_COUNT,
        scopes.SLEEP_EPISODE,
        scopes.SLEEP_DURATION,
        scopes.BLOOD_PRESSURE,
    ),
    (demo.GLUCOSE_SENSOR, demo.WEARABLE, demo.PRESSURE_CUFF),
)


@dataclass(frozen=True, slots=True)
class CgmPatient:
    number: int
    given: str
    family: str
    birth_date: date
    gender: str
    utc_offset_minutes: int
    profile: GlucoseProfile
    glucose_unit: str = "mg/dL"
    days: int = DAYS
    withdrew: str = ""
    """The scope that the patient took back after the two weeks."""
    answered: bool = True
    """Without an answer there is no consent, and nothing was sent."""

    @property
    def key(self) -> str:
        return f"cgm-{self.number:02}"


_F, _M, _O = Patient.Gender.FEMALE, Patient.Gender.MALE, Patient.Gender.OTHER
_LOSES_SIGNAL = replace(TYPE_2, lost_a_day=3.6)

PATIENTS = (
    CgmPatient(1, "Amelia", "Berg", date(1968, 2, 11), _F, -420, TYPE_2),
    CgmPatient(2, "Daniel", "Okafor", date(1979, 7, 3), _M, -420, TYPE_2),
    CgmPatient(3, "Hannah", "Reyes", date(1991, 12, 19), _F, -420, TYPE_1),
    CgmPatient(4, "Jun", "Nakamura", date(1986, 4, 27), _M, -420, STEADY),
    CgmPatient(5, "Leila", "Haddad", date(1974, 9, 8), _F, -360, TYPE_2),
    CgmPatient(6, "Marcus", "Webb", date(1959, 5, 30), _M, -360, HIGHS),
    CgmPatient(7, "Priya", "Raman", date(1995, 1, 14), _F, -360, STEADY),
    CgmPatient(8, "Oscar", "Lindgren", date(1983, 10, 22), _M, -300, LOWS),
    CgmPatient(9, "Sofia", "Marchetti", date(1970, 6, 5), _F, -300, TYPE_2),
    CgmPatient(10, "Thomas", "Adeyemi", date(1964, 3, 17), _M, -300, TYPE_2, withdrew=scopes.HEART_RATE),
    CgmPatient(11, "Grace", "Holloway", date(1999, 8, 29), _F, -240, STEADY),
    CgmPatient(12, "Victor", "Sandoval", date(1988, 11, 6), _M, -240, TYPE_1),
    CgmPatient(13, "Ingrid", "Solheim", date(1972, 2, 24), _F, 120, TYPE_2, "mmol/L"),
    CgmPatient(14, "Pierre", "Fontaine", date(1955, 7, 12), _M, 120, _LOSES_SIGNAL),
    CgmPatient(15, "Alex", "Whitfield", date(2001, 4, 1), _O, 60, TYPE_1, "mmol/L"),
    CgmPatient(16, "Mei", "Zhang", date(1981, 9, 15), _F, 480, STEADY),
    CgmPatient(17, "Rahul", "Kapoor", date(1977, 12, 3), _M, 330, TYPE_2),
    CgmPatient(18, "Elena", "Petrova", date(1993, 5, 21), _F, 180, LOWS),
    CgmPatient(19, "Samuel", "Ortiz", date(1966, 10, 10), _M, -420, TYPE_2, days=9),
    CgmPatient(20, "Nora", "Fischer", date(1985, 1, 28), _F, 120, STEADY, answered=False),
)
