"""How the planner thinks: `calendar` tells time, `model` knows durations, `rule` weighs, `schedule` spends calls."""
