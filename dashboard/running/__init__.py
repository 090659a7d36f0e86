"""A process at work: its logs, numbers and probes, and the counting ahead."""
