"""Decoders beside each other: their accuracies with intervals, and what they are to be compared with."""

from collections.abc import Sequence

from experiments.analysis.decoders import DecoderResult
from experiments.analysis.items import Table, figure_json
from experiments.tables import MISSING, interval

REFERENCES = ("accuracy", "chance", "shuffled control")


def decoder_table(section: str, name: str, caption: str, decoded: str, decoders: Sequence[DecoderResult]) -> Table:
    """A row for each decoder, figures in percent.

    Args:
        decoded: heading of the decoders' names.
    """
    found = [(decoder.name, decoder.figures()) for decoder in decoders]
    rows = [
        [title, *(interval(figures[column], 100) if column in figures else MISSING for column in REFERENCES)]
        for title, figures in found
    ]
    records = [
        {"decoder": title, **{column: figure_json(value) for column, value in figures.items()}} for title, figures in found
    ]
    return Table(section, name, caption, [decoded, *(f"{column}, %" for column in REFERENCES)], rows, records=records, key=True)
