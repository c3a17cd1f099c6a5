"""`python main.py doctor`: tries every part with the configured credentials and says in plain words what to mend."""

from atelier.doctor.findings import Finding, ill
from atelier.doctor.visit import examine

__all__ = ["Finding", "examine", "ill"]
