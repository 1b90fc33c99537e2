"""The parser of a verb: what is wrong with the words is an error like any other."""

from __future__ import annotations

import argparse
from typing import NoReturn

from pmpo.foundation.errors import InputError


class VerbParser(argparse.ArgumentParser):
    """Raises InputError where argparse would print its usage and exit; takes no abbreviations."""

    def __init__(self, verb: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=f"pmpo {verb}",
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            description=description,
            epilog=epilog,
        )

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].upper()}{message[1:]}. `{self.prog} --help` lists the options.")
