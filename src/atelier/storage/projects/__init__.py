"""Storyboards' projects, one module per backend, behind `pipelines.projects.Projects`."""
