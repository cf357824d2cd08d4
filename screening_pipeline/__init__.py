"""Background-check status from several screening vendors, in one DuckDB star schema.

To read the program in the order of the data: `domain` (what a vendor declares) and `vendors`, `settings`, `orders`
(which checks exist), `http` and `landing` (asking, and keeping what was said), `warehouse` and `sql/` (from what was
said to the star), `planning` (what is asked next), `runtime` and `cycle` (all of it, once), `orchestration` (the same
as Dagster sees it), `cli` (as a person does). What each room may import stands in docs/architecture.md.
"""
