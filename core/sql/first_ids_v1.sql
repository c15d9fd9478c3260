-- Where each kind's ids begin, so that an id alone says what it is of. ROOT is organization 0 (made by the seed).
ALTER TABLE core_user ALTER COLUMN id RESTART WITH 10001;
ALTER TABLE core_organization ALTER COLUMN id RESTART WITH 20001;
ALTER TABLE core_study ALTER COLUMN id RESTART WITH 30001;
ALTER TABLE core_patient ALTER COLUMN id RESTART WITH 40001;
ALTER TABLE core_codeableconcept ALTER COLUMN id RESTART WITH 50001;
ALTER TABLE core_observation ALTER COLUMN id RESTART WITH 60001;
ALTER TABLE core_datasource ALTER COLUMN id RESTART WITH 70001;
ALTER TABLE core_practitioner ALTER COLUMN id RESTART WITH 80001;
