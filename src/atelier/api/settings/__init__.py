"""What owners set for themselves."""
