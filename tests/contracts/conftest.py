"""Tests of stores hold for both."""

from tests.stores import backend, store

__all__ = ["backend", "store"]
