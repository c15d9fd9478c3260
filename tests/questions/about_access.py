"""What I may see and why, who looked, what was shared with whom, and what the server and its data are like."""

from typing import Any

import jsonschema_rs

from core.seed.scopes import BLOOD_PRESSURE, SCOPES, STEP_COUNT
from tests.personas import BP, BP_AND_HR
from tests.questions.ask import Ask
from tests.questions.question import Question
from tests.questions.seen import Seen


def _shared(seen: Seen, name: str, *studies: str) -> dict[str, list[str]]:
    """What a patient said yes to, by study."""
    return {
        study: [code for _, code, _ in SCOPES if seen.patient_id(name) in set(seen.said_yes(study, code))]
        for study in studies
    }


def _roles(seen: Seen) -> dict[str, list[str]]:
    return {row.organization: [row.role] for row in seen.organizations.sort_values("organization_id").itertuples()}


def _log(ask: Ask, name: str) -> list[dict[str, Any]]:
    return ask.all("get_access_log", "accesses", patient_id=ask.patient(name))


def _valid(ask: Ask, name: str, data_type: str) -> int:
    """How many of a person's data points have a body as the schema wants it, references and all."""
    described = ask("get_omh_schema", name=data_type)
    validator = jsonschema_rs.Draft7Validator(
        described["json_schema"], registry=jsonschema_rs.Registry(list(described["references"].items()))
    )
    rows = ask.all(
        "get_patient_observations",
        "observations",
        patient_id=ask.patient(name),
        data_type=data_type,
        verbosity="full",
    )
    return sum(validator.is_valid(row["omh_data"]["body"]) for row in rows)


QUESTIONS = (
    Question(
        "What am I, and where?",
        "three_org_tom",
        lambda ask: {each["name"]: each["roles"] for each in ask("get_my_access")["organizations"]},
        _roles,
    ),
    Question(
        "How many studies and patients are mine to see?",
        "manager_mark",
        lambda ask: [ask("get_my_access")[count] for count in ("total", "patients")],
        lambda seen: [len(seen.studies), len(seen.patients)],
    ),
    Question(
        "As what do I reach each study?",
        "admin",
        lambda ask: {study["name"]: study["roles"] for study in ask("get_my_access")["studies"]},
        lambda seen: {study: ["superuser"] for study in seen.studies.study},
    ),
    Question(
        "What did I share, and with which study?",
        "ll_patient_peter",
        lambda ask: {
            study["name"]: [scope["data_type"] for scope in study["scopes"] if scope["consented"]]
            for study in ask("get_my_access")["studies"]
        },
        lambda seen: _shared(seen, "Peter", BP_AND_HR, BP),
    ),
    Question(
        "What did Peter share with us, and with whom?",
        "member_megan",
        lambda ask: {
            study["name"]: patient["consented"]
            for study in ask.all("list_studies", "studies")
            for patient in ask.all("list_study_patients", "patients", study_id=study["study_id"])
            if patient["name"] == "Peter Larsen"
        },
        lambda seen: _shared(seen, "Peter", BP_AND_HR, BP),
    ),
    Question(
        "Who looked at my data, and how often?",
        "ll_patient_pamela",
        lambda ask: len(_log(ask, "Pamela")),
        lambda seen: len(seen.accesses(to="Pamela")),
        calls=6,
    ),
    Question(
        "Which of our people looked at Percy?",
        "manager_mark",
        lambda ask: {access["who"] for access in _log(ask, "Percy") if access["role"] == "practitioner"},
        lambda seen: set(seen.accesses(to="Percy").merge(seen.world.members.user_id.drop_duplicates()).person),
    ),
    Question(
        "How often did I look at Pamela, and at what?",
        "viewer_victor",
        lambda ask: [access["action"] for access in _log(ask, "Pamela")],
        lambda seen: list(seen.accesses(to="Pamela", by=seen.user.user_id).action),
    ),
    Question(
        "Who looked at the patient of another clinic whose number I have?",
        "manager_mark",
        lambda ask: ask.refusal("get_access_log", patient_id=ask.leaked_patient("Pamela")),
        lambda seen: f"No patient {seen.patient_id('Pamela')} that you can see.",
    ),
    Question(
        "Are Amelia's blood pressures sound Open mHealth?",
        "manager_mary",
        lambda ask: _valid(ask, "Amelia", BLOOD_PRESSURE),
        lambda seen: len(seen.points(BLOOD_PRESSURE, of="Amelia")),
        calls=4,
    ),
    Question(
        "What must a data point of step count have?",
        "ccl_patient_paul",
        lambda ask: set(ask("get_omh_schema", name="step count")["json_schema"]["required"]),
        lambda seen: (
            set.intersection(*(set(body) for body in seen.world.points.query(f"code == {STEP_COUNT!r}").body))
            | {"effective_time_frame"}
        ),
    ),
    Question(
        "Which kinds of data does this exchange know?",
        "npl_patient_percy",
        lambda ask: [kind["name"] for kind in ask("get_server_capabilities")["data_types"]],
        lambda _: [name for _, _, name in SCOPES],
    ),
    Question(
        "What can you work out about glucose?",
        "viewer_victor",
        lambda ask: [
            tool["name"]
            for subject in ask("get_server_capabilities")["subjects"]
            if subject["subject"] == "glucose"
            for tool in subject["tools"]
        ],
        lambda _: ["get_glucose_metrics"],
    ),
)
