"""Which studies there are, what they ask for, who takes part and how much they hold."""

from tests.personas import BGL, BP, BP_AND_HR, BT
from tests.questions.question import Question
from tests.questions.seen import Seen

CGM = "CGM & Wearables Demo"


def _patients(seen: Seen) -> dict[str, int]:
    return {study: len(seen.enrolled(study)) for study in seen.studies.study}


def _consent_rates(seen: Seen) -> dict[str, float]:
    scopes = seen.world.scopes[seen.world.scopes.study_id == seen.study_id(CGM)].code
    yes = seen.consents(CGM).groupby("code").consented.sum()
    return {code: round(100 * int(yes.get(code, 0)) / len(seen.enrolled(CGM)), 1) for code in scopes}


def _last_readings(seen: Seen) -> dict[str, str]:
    return {study: seen.points(through=study).utc.max().isoformat() for study in seen.studies.study}


def _asking_for(seen: Seen, code: str) -> list[str]:
    asking = seen.world.scopes[seen.world.scopes.code == code].study_id
    return list(seen.studies[seen.studies.study_id.isin(asking)].study)


QUESTIONS = (
    Question(
        "How many studies can I see?",
        "manager_mary",
        lambda ask: ask("get_study_count")["total"],
        lambda seen: len(seen.studies),
    ),
    Question(
        "Which organizations run studies, and how many each?",
        "admin",
        lambda ask: {row["name"]: row["studies"] for row in ask("get_study_count")["organizations"]},
        lambda seen: seen.studies.groupby("organization").size().to_dict(),
    ),
    Question(
        "Which of our studies ask for blood pressure?",
        "member_megan",
        lambda ask: [s["name"] for s in ask.all("list_studies", "studies") if "omh:blood-pressure:4.0" in s["scopes"]],
        lambda seen: _asking_for(seen, "omh:blood-pressure:4.0"),
    ),
    Question(
        "How many patients has each of my studies?",
        "three_org_tom",
        lambda ask: {study["name"]: study["patients"] for study in ask.all("list_studies", "studies")},
        _patients,
    ),
    Question(
        "Which studies do I take part in?",
        "ll_patient_peter",
        lambda ask: [study["name"] for study in ask.all("list_studies", "studies")],
        lambda seen: list(seen.studies.study),
    ),
    Question(
        "Do we have a study about oxygen?",
        "three_org_tom",
        lambda ask: [study["name"] for study in ask("list_studies", query="oxygen")["studies"]],
        lambda seen: [row.study for row in seen.studies.itertuples() if "oxygen" in row.description.lower()],
    ),
    Question(
        "Is there a study with continuous glucose here?",
        "viewer_victor",
        lambda ask: ask("list_studies", query="glucose")["total"],
        lambda seen: sum("glucose" in (row.study + row.description).lower() for row in seen.studies.itertuples()),
    ),
    Question(
        "What does the Planetary Research Institute itself run?",
        "manager_mary",
        lambda ask: [
            study["name"]
            for organization in ask("get_study_count")["organizations"]
            if organization["name"] == "Planetary Research Institute"
            for study in ask("list_studies", organization_id=organization["organization_id"])["studies"]
        ],
        lambda seen: list(seen.studies[seen.studies.organization == "Planetary Research Institute"].study),
    ),
    Question(
        "How many people and how many observations has the CGM study?",
        "manager_mary",
        lambda ask: [ask("get_study_metadata", study_id=ask.study(CGM))[key] for key in ("patients", "observations")],
        lambda seen: [len(seen.enrolled(CGM)), len(seen.points(through=CGM))],
        calls=4,
    ),
    Question(
        "What share of the CGM study's people consented to each kind of data?",
        "manager_mary",
        lambda ask: {
            scope["data_type"]: scope["consent_rate"]
            for scope in ask("get_study_metadata", study_id=ask.study(CGM))["scopes"]
        },
        _consent_rates,
    ),
    Question(
        "Which devices send to the study on blood pressure and heart rate?",
        "viewer_victor",
        lambda ask: {
            source["name"] for source in ask("get_study_metadata", study_id=ask.study(BP_AND_HR))["data_sources"]
        },
        lambda seen: set(seen.world.sources[seen.world.sources.study_id == seen.study_id(BP_AND_HR)].source),
    ),
    Question(
        "Who runs the study on body temperature?",
        "manager_mark",
        lambda ask: ask("get_study_metadata", study_id=ask.study(BT))["organization"]["name"],
        lambda seen: seen.studies.set_index("study").organization[BT],
    ),
    Question(
        "When did each of my studies last get a reading?",
        "manager_mark",
        lambda ask: {
            study["name"]: ask("get_study_metadata", study_id=study["study_id"])["last_reading"]
            for study in ask.all("list_studies", "studies")
        },
        _last_readings,
    ),
    Question(
        "How much data have both Lifespan studies, kind by kind?",
        "member_megan",
        lambda ask: {
            name: {row["data_type"]: row["n"] for row in answer["data_types"]}
            for name in (BP_AND_HR, BP)
            for answer in [ask("count_study_observations", study_id=ask.study(name))]
        },
        lambda seen: {name: seen.points(through=name).groupby("code").size().to_dict() for name in (BP_AND_HR, BP)},
        calls=4,
    ),
    Question(
        "How many of my own readings do the people of the glucose study see?",
        "ccl_cardio_patient_pat",
        lambda ask: ask("count_study_observations", study_id=ask.study(BGL))["total"],
        lambda seen: len(seen.points(through=BGL)),
    ),
    Question(
        "Which study is called 100 %?",
        "admin",
        lambda ask: ask("list_studies", query="%")["total"],
        lambda seen: sum("%" in (row.study + row.description) for row in seen.studies.itertuples()),
    ),
)
