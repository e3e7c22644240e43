-- How often a face engine was right about labelled pairs of photos (S8). The newest measurement of a version counts, also
-- where it is worse than one before. Of the photos one digest over all of them is kept, and nothing of any face.
CREATE TABLE people_face_accuracy (
    engine text NOT NULL,
    version text NOT NULL,
    no bigint GENERATED ALWAYS AS IDENTITY,
    measured_at timestamptz NOT NULL,
    measured_by text NOT NULL,
    accepts_from integer NOT NULL CONSTRAINT people_face_accepts_from CHECK (accepts_from BETWEEN 1 AND 10000),
    liveness boolean NOT NULL,
    same_pairs integer NOT NULL,
    other_pairs integer NOT NULL,
    false_accepts integer NOT NULL,
    false_rejects integer NOT NULL,
    unseen integer NOT NULL,
    accuracy_permyriad integer NOT NULL,
    pairs_digest bytea NOT NULL,
    PRIMARY KEY (engine, version, no),
    CONSTRAINT people_face_pairs CHECK (
        same_pairs > 0 AND other_pairs > 0 AND unseen >= 0
        AND false_accepts BETWEEN 0 AND other_pairs AND false_rejects BETWEEN 0 AND same_pairs
        AND false_accepts + false_rejects + unseen <= same_pairs + other_pairs),
    -- Nobody writes down a better figure than was counted; rounded down.
    CONSTRAINT people_face_adds_up CHECK (
        accuracy_permyriad = (same_pairs + other_pairs - false_accepts - false_rejects - unseen)::bigint * 10000
                             / (same_pairs + other_pairs))
);
CREATE TRIGGER people_face_accuracy_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON people_face_accuracy
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
GRANT INSERT ON people_face_accuracy TO houfu_app;
