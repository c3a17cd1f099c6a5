"""The service with short waits and room for few connections, so that tests of its limits take a second each."""

from __future__ import annotations

HEAD_SECONDS = 0.5
BODY_SECONDS = 0.8
SEND_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 1.5
MOST = 64

if __name__ == "__main__":
    import resource

    import main

    from atelier.api import connections

    vars(connections).update(HEAD_SECONDS=HEAD_SECONDS, BODY_SECONDS=BODY_SECONDS, SEND_SECONDS=SEND_SECONDS)
    vars(main).update(KEEP_ALIVE_SECONDS=KEEP_ALIVE_SECONDS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST + connections.FILES_KEPT, MOST + connections.FILES_KEPT))
    main.serve()
