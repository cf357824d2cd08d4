"""Background-check status from several screening vendors, in one DuckDB star schema.

To read the program in the order of the data: `model` (what a vendor declares) and `vendors/`, `settings`, `intake`
(which checks exist), `client` and `landing` (asking, and keeping what was said), `normalise`, `build` and `sql/`
(from what was said to the star), `planner` and `replan` (what is asked next), `cycle` (all of it, once), `assets`
and `automation` (the same as Dagster sees it), `commands` (as a person does).
"""
