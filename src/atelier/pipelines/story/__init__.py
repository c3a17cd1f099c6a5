"""Illustrated stories: what their jobs do."""
