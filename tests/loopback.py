"""What clients on this machine need not do."""

from __future__ import annotations

import ssl

TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak to loopback, unencrypted: to read whom the world trusts takes 30 ms, each time."""
