-- Organizations make a tree: an organization cannot come to be part of itself by any way round.
CREATE FUNCTION organization_refuse_loop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One writer at a time moves the tree, or two moves could close a loop that neither sees.
    PERFORM pg_advisory_xact_lock(hashtext('core_organization.part_of'));
    IF EXISTS (
        WITH RECURSIVE above AS (
            SELECT id, part_of_id FROM core_organization WHERE id = NEW.part_of_id
            UNION
            SELECT parent.id, parent.part_of_id
            FROM core_organization parent JOIN above ON parent.id = above.part_of_id
        )
        SELECT FROM above WHERE id = NEW.id
    ) THEN
        RAISE EXCEPTION 'An organization cannot be part of one of its own sub-organizations.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'organization_tree_without_loop';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER organization_tree_without_loop BEFORE INSERT OR UPDATE OF part_of_id ON core_organization
FOR EACH ROW WHEN (NEW.part_of_id IS NOT NULL) EXECUTE FUNCTION organization_refuse_loop();
