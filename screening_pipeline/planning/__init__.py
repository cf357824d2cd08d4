"""When to ask next, for each open check. Pure, with numpy. Imports nothing of ours."""
