"""Write docs/configuration.md and .env.example from the settings themselves."""

from __future__ import annotations

from pathlib import Path

from atelier.settings import catalogue

ROOT = Path(__file__).parent.parent

HEAD = """# Configuration

Settings come from the environment or from a file `.env` in the working directory; the environment wins. They are read once,
at start. A wrong value stops the start with a sentence that names the setting; an empty one means its default. This page
is written by `docs/write_configuration.py`.

| setting | default | meaning |
|---|---|---|
"""


def configuration() -> str:
    """Return the page."""
    rows = [f"| `{name}` | {f'`{default}`' if default else ''} | {text} |" for name, default, text in catalogue()]
    return HEAD + "\n".join(rows) + "\n"


def example() -> str:
    """Return the example file: every setting, commented out, with its default."""
    blocks = [f"# {text}\n#{name}={default}\n" for name, default, text in catalogue()]
    return "# Copy to .env and uncomment what you change.\n\n" + "\n".join(blocks)


if __name__ == "__main__":
    (ROOT / "docs" / "configuration.md").write_text(configuration())
    (ROOT / ".env.example").write_text(example())
