"""One text as tokens, each in a colour: characters, and byte pairs after more and more merges."""

import matplotlib
import matplotlib.figure
from matplotlib.colors import to_hex
from rich.console import Console
from rich.text import Text

from dojo.datasets import stdlib
from tinytorch.tokenization import BPETokenizer, CharTokenizer

SAMPLE = """    def encode(self, text):
        \"\"\"Return the text as a list of integers.\"\"\"
        return [self.vocab[each] for each in text]
"""
COLOURS = [to_hex(each) for each in matplotlib.colormaps["Set3"].colors[:8]]
SIZES = (300, 600, 1500)  # tokens in the vocabulary
Pieces = list[str]


def tokens() -> dict[str, Pieces]:
    """The pieces of SAMPLE by the name of their tokenizer."""
    text = stdlib.text(300_000)
    characters = CharTokenizer.train(text)
    found = {"CharTokenizer": [characters.decode([each]) for each in characters.encode(SAMPLE)]}
    whole = BPETokenizer.train(text, max(SIZES))
    for size in SIZES:  # the first merges of many are the merges of a smaller vocabulary
        small = BPETokenizer(whole.merges[: size - 256])
        found[f"BPETokenizer, {size} tokens"] = [small.decode([each]) for each in small.encode(SAMPLE)]
    return found


def draw() -> matplotlib.figure.Figure:
    """The terminal gets the same as the picture."""
    console = Console(highlight=False)
    every = tokens()
    lines = SAMPLE.count("\n") + 2
    figure = matplotlib.figure.Figure(figsize=(9, 0.32 * lines * len(every)))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-1, 60), ylim=(lines * len(every), -0.5))
    axes.axis("off")
    for place, (name, pieces) in enumerate(every.items()):
        title = f"{name}: {len(pieces)} tokens for {len(SAMPLE)} characters"
        console.print(f"\n{title}", style="bold")
        axes.text(0, place * lines + 0.5, title, weight="bold", va="center")
        shown = Text()
        row, column = place * lines + 1, 0
        for number, piece in enumerate(pieces):
            colour = COLOURS[number % len(COLOURS)]
            shown.append(piece, style=f"black on {colour}")
            for character in piece:
                if character == "\n":
                    row, column = row + 1, 0
                    continue
                axes.barh(row + 0.5, 1, 0.92, column, color=colour)
                axes.text(column + 0.5, row + 0.5, character, family="monospace", ha="center", va="center")
                column += 1
        console.print(shown)
    return figure
