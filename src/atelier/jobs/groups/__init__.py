"""Groups of jobs: one document that names the members; status and counts follow from theirs."""

from atelier.jobs.groups.engine import Groups, GroupSettings
from atelier.jobs.groups.making import Place
from atelier.jobs.groups.models import Group, Item, Mark, NewGroup, NewMember, Phase, Standing, standing_of
from atelier.jobs.groups.revisions import Redraw, Revision

__all__ = [
    "Group",
    "GroupSettings",
    "Groups",
    "Item",
    "Mark",
    "NewGroup",
    "NewMember",
    "Phase",
    "Place",
    "Redraw",
    "Revision",
    "Standing",
    "standing_of",
]
