"""Which adapter is behind which port: the only room that knows."""

from atelier.wiring.adapters import Adapters, build_adapters, build_presence, build_store
from atelier.wiring.clock import utc_now
from atelier.wiring.services import Carrier, Services, build_services
from atelier.wiring.upkeep import check_owner_keys, check_start, open_keys, rotate_keys, tidy

__all__ = [
    "Adapters",
    "Carrier",
    "Services",
    "build_adapters",
    "build_presence",
    "build_services",
    "build_store",
    "check_owner_keys",
    "check_start",
    "open_keys",
    "rotate_keys",
    "tidy",
    "utc_now",
]
