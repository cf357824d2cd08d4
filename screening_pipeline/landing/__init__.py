"""What was said: durable, judged, masked. May import base and domain."""
