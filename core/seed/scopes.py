"""The vocabulary: the kinds of data that a study can request and a patient can consent to."""

from core.models.code import IEEE_1752, OPEN_MHEALTH

FHIR_RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"

BLOOD_GLUCOSE = "omh:blood-glucose:4.0"
BLOOD_PRESSURE = "omh:blood-pressure:4.0"
BODY_TEMPERATURE = "omh:body-temperature:4.0"
HEART_RATE = "omh:heart-rate:2.0"
OXYGEN_SATURATION = "omh:oxygen-saturation:2.0"
RESPIRATORY_RATE = "omh:respiratory-rate:2.0"
RR_INTERVAL = "omh:rr-interval:1.0"
BODY_WEIGHT = "omh:body-weight:3.0"
FORCED_VITAL_CAPACITY = "omh:forced-vital-capacity:1.0"
FORCED_EXPIRATORY_VOLUME = "omh:forced-expiratory-volume-1-second:1.0"
PHYSICAL_ACTIVITY = "omh:physical-activity:1.2"
STEP_COUNT = "omh:step-count:3.0"
SLEEP_EPISODE = "omh:sleep-episode:1.1"
SLEEP_DURATION = "omh:sleep-duration:2.0"
SLEEP_STAGE_SUMMARY = "ieee:sleep-stage-summary:1.0"
QUESTIONNAIRE_RESPONSE = "QuestionnaireResponse"

SCOPES = (
    (OPEN_MHEALTH, BLOOD_GLUCOSE, "Blood glucose"),
    (OPEN_MHEALTH, BLOOD_PRESSURE, "Blood pressure"),
    (OPEN_MHEALTH, BODY_TEMPERATURE, "Body temperature"),
    (OPEN_MHEALTH, HEART_RATE, "Heart rate"),
    (OPEN_MHEALTH, OXYGEN_SATURATION, "Oxygen saturation"),
    (OPEN_MHEALTH, RESPIRATORY_RATE, "Respiratory rate"),
    (OPEN_MHEALTH, RR_INTERVAL, "RR interval"),
    (OPEN_MHEALTH, BODY_WEIGHT, "Body weight"),
    (OPEN_MHEALTH, FORCED_VITAL_CAPACITY, "Forced vital capacity"),
    (OPEN_MHEALTH, FORCED_EXPIRATORY_VOLUME, "Forced expiratory volume in 1 second"),
    (OPEN_MHEALTH, PHYSICAL_ACTIVITY, "Physical activity"),
    (OPEN_MHEALTH, STEP_COUNT, "Step count"),
    (OPEN_MHEALTH, SLEEP_EPISODE, "Sleep episode"),
    (OPEN_MHEALTH, SLEEP_DURATION, "Sleep duration"),
    (IEEE_1752, SLEEP_STAGE_SUMMARY, "Sleep stage summary"),
    (FHIR_RESOURCE_TYPES, QUESTIONNAIRE_RESPONSE, "Questionnaire response"),
)
"""(coding system, coding code, text); made in this order, so that a fresh exchange numbers them 50001 to 50016."""
