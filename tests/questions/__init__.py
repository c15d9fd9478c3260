"""Questions that clinicians, researchers and patients ask, with the tool calls that answer them.

Each question has two sides that know nothing of each other: `answer` calls tools as an assistant would, over HTTP and
with the asker's token; `expected` works the same out in pandas, from the rows as they were sent (world.py) and what the
asker may see of them (seen.py). test_questions.py holds the two against each other, and each answer against its schema
and what a model can read.

To add one, put it into the file of its subject:

    Question(
        "How many heart rate readings of Pamela's are there?",
        "manager_mary",
        lambda ask: ask(
            "count_patient_observations", patient_id=ask.patient("Pamela"), data_type="heart rate"
        )["total"],
        lambda seen: len(seen.points("omh:heart-rate:2.0", of="Pamela")),
    ),
"""
