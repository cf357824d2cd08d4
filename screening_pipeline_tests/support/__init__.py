"""What tests stand on: stages, played worlds, servers of their own, and the long forms of some tests."""
