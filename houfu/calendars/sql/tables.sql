-- calendars: which days are workdays in China. Only what differs from the week is kept; a year that is not here is
-- unknown, and nobody guesses it (I-19).

CREATE TABLE calendars_year (
    year smallint PRIMARY KEY,
    source text NOT NULL,
    loaded_at timestamptz NOT NULL
);
CREATE TABLE calendars_day (
    day date PRIMARY KEY,
    workday boolean NOT NULL,
    name text NOT NULL,
    -- A make-up workday lies on a weekend, a day off on a weekday; anything else follows the week.
    CONSTRAINT calendars_day_is_exception CHECK (workday = (extract(isodow FROM day) >= 6))
);
GRANT INSERT, UPDATE (source, loaded_at) ON calendars_year TO houfu_app;
GRANT INSERT, DELETE ON calendars_day TO houfu_app;
