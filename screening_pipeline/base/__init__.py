"""What knows nothing of screening: errors, time, files, locks, inert text. Imports nothing of ours."""
