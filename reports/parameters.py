"""The parameter support matrix of a run: what the server does with each option."""

from __future__ import annotations

from dataclasses import dataclass

from .fields import DocumentError, Fields

SIGNS = {  # support: the outcome whose colour it has, and a sign; colour is never the only one
    "effective": ("passed", "✓"),
    "accepted but ignored": ("failed", "∅"),
    "refused": ("failed", "✗"),
    "unknown": ("not_judged", "?"),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One option; `failed` are the checks that say it is not done well."""

    option: str
    support: str
    failed: tuple[str, ...]

    @property
    def outcome(self) -> str:
        """The outcome whose colour it has."""
        return SIGNS[self.support][0]

    @property
    def sign(self) -> str:
        """What stands before the word."""
        return SIGNS[self.support][1]


def parameters_of(footer: Fields) -> tuple[Parameter, ...]:
    """The matrix in a footer; none where it has none.

    :raises DocumentError: where a row says what is not known.
    """
    if "parameters" not in footer:
        return ()
    found = []
    for row in footer.each("parameters"):
        if row.text("support") not in SIGNS:
            raise DocumentError(f"{row.where}: there is no support {row.text('support')!r}.")
        found.append(Parameter(row.text("option"), row.text("support"), row.texts("failed")))
    return tuple(found)
