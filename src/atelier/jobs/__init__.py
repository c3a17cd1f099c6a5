"""The engine: durable jobs with one state machine and one numbered log."""
