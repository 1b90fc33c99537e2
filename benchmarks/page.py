"""What a benchmark prints and writes: a page in Markdown with the command that made it."""

from collections.abc import Sequence
from pathlib import Path

from pmpo.foundation.files import write_whole


def report(title: str, command: str, lines: Sequence[str], output: Path | None) -> None:
    """Print a benchmark's lines, and write them under their title and command where a file is named."""
    print("\n".join(lines))
    if output:
        head = f"# {title}\n\n```\npython benchmarks/{command}\n```\n\n"
        write_whole(output, head + "\n".join(lines))
