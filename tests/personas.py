"""The people of the demo world (core/seed/demo_world.py), each the subject of a test.

`seed_demo_world()` makes them; then `user_of("manager_mary")`, `patient_of("ll_patient_peter")`, `study_of("…")`.
"""

from core.models import Narrowing, Organization, Patient, Study, User
from core.policy.principal import Principal
from core.seed import demo_world, world

ADMIN = "admin"
PRACTITIONERS = tuple(person.name for person in demo_world.PRACTITIONERS)
PATIENTS = tuple(person.name for person in demo_world.PATIENTS)
EVERYBODY = (ADMIN, *PRACTITIONERS, *PATIENTS)

BP_AND_HR = "Lifespan Study on BP & HR"
BP = "Lifespan Study on BP"
BGL = "Cardiology Div Study on BGL"
BT = "Nep Pulse Lab Study on BT"
O2 = "Cosmic Cardio Lab Study on O2"


def seed_demo_world() -> None:
    """The demo world without its observations."""
    world.write_vocabulary()
    world.write_people_and_studies()


def user_of(name: str) -> User:
    return User.objects.get(email=f"{name}@example.com")


def patient_of(name: str) -> Patient:
    return Patient.objects.get(user__email=f"{name}@example.com")


def organization_of(name: str) -> Organization:
    return Organization.objects.get(name=name)


def study_of(name: str) -> Study:
    return Study.objects.get(name=name)


def principal_of(user: User, narrowing: Narrowing | None = None) -> Principal:
    """The person as a door that asks the database itself (a session, an opaque token) establishes them."""
    return Principal(user_id=user.pk, user_type=user.user_type, narrowing_id=narrowing and narrowing.pk)
