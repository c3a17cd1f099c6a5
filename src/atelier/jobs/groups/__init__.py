"""Groups of jobs: one document that names the members; status and counts follow from theirs."""

from atelier.jobs.groups.engine import Groups, GroupSettings
from atelier.jobs.groups.models import Group, NewGroup, NewMember, Phase, Standing, standing_of

__all__ = ["Group", "GroupSettings", "Groups", "NewGroup", "NewMember", "Phase", "Standing", "standing_of"]
