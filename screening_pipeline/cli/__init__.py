"""The command line, one file per command. May import anything but the sandbox's inside."""
