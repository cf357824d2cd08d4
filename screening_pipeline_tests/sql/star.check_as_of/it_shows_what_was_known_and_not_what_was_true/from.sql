star.check_as_of(timestamptz '2026-03-02 10:30:00Z')
