-- What is in a file is compressed already: the database shall not try again on every row.
ALTER TABLE core_bulkfile ALTER COLUMN content SET STORAGE EXTERNAL;
