"""When to ask next, for each open check. Pure, with numpy. May import domain."""
