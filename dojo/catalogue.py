"""The twenty katas: one table, one place. Standard library only, and it runs on Python 3.8: `doctor` reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dojo.errors import DojoError

ROOT = Path(__file__).resolve().parent.parent
STUDENT = ROOT / "tinytorch"
SOLUTIONS = ROOT / "solutions" / "tinytorch"


class Kata(NamedTuple):
    number: int
    slug: str
    discovery: str
    """What the student finds out, in one sentence."""
    question: str
    """What the kata answers."""
    able: str
    """What the student can do after it, in one sentence."""
    milestone: str = ""
    """What `make milestone` shows on the student's code, in a few words; empty if the kata has no milestone."""
    tracks: tuple[str, ...] = ()
    """Parts of which a student chooses one. A track's name is the second word of its spec files' names."""
    track: str = ""
    """The one that is meant; empty for the whole kata. `on` gives a kata with one."""

    @property
    def id(self) -> str:
        return f"{self.number:02d}"

    @property
    def name(self) -> str:
        return f"{self.id}_{self.slug}"

    @property
    def key(self) -> str:
        """What files about the kata, or about one track of it, are called: "07", "20_serve"."""
        return f"{self.id}_{self.track}" if self.track else self.id

    @property
    def title(self) -> str:
        return f"{self.name}, track {self.track}" if self.track else self.name

    @property
    def words(self) -> str:
        """What says to `make` which kata is meant: "N=7", "N=20 TRACK=serve"."""
        return f"N={self.number} TRACK={self.track}" if self.track else f"N={self.number}"

    @property
    def module(self) -> str:
        return f"tinytorch.{self.slug}"

    @property
    def folder(self) -> Path:
        return ROOT / "katas" / self.name

    @property
    def built(self) -> bool:
        return (self.folder / "README.md").is_file()

    @property
    def milestone_script(self) -> Path:
        return self.folder / (f"milestone_{self.track}.py" if self.track else "milestone.py")

    @property
    def parts(self) -> tuple[Kata, ...]:
        """The kata on each of its tracks; the kata itself if it has none, or if one is chosen."""
        return (self,) if self.track or not self.tracks else tuple(self.on(track) for track in self.tracks)

    @property
    def guides(self) -> tuple[str, ...]:
        """The files beside README.md that tell of its tracks: "serve.md"."""
        return tuple(f"{track}.md" for track in self.tracks if (self.folder / f"{track}.md").is_file())

    @property
    def choices(self) -> str:
        """How to type a track: "TRACK=cifar, TRACK=open or TRACK=serve"."""
        *most, last = (f"TRACK={track}" for track in self.tracks)
        return f"{', '.join(most)} or {last}"

    def on(self, track: str) -> Kata:
        """The kata with that track of it chosen; without a word the kata itself. A DojoError if there is none such."""
        if not track:
            return self
        if not self.tracks:
            raise DojoError(f"Kata {self.name} has no tracks: leave TRACK={track} out.")
        if track not in self.tracks:
            raise DojoError(f"Kata {self.name} has no track {track!r}: try {self.choices}.")
        able, milestone = TRACKS[track]
        return self._replace(track=track, able=able, milestone=milestone)

    def track_of(self, name: str) -> str:
        """The track that a spec file of that name belongs to; "" if it names none."""
        return next((track for track in self.tracks if f"_{track}_" in name), "")

    def files(self, tree: Path) -> list[Path]:
        """The kata's module in `tree`: one file, or every file of a package, of any kind and in any folder of it."""
        package = tree / self.slug
        return list(files_below(package)) if package.is_dir() else [package.with_suffix(".py")]


TRACKS = {
    "cifar": (
        "You can train a network with several processes, and make it small without losing what it knows.",
        "75 % on CIFAR-10, with less",
    ),
    "open": (
        "You can hold a competition that is hard to win by cheating, and say which entry is the fastest.",
        "a scoreboard of your own entries",
    ),
    "serve": (
        "You can serve a model that answers others, and show how it does.",
        "a GPT behind a real server",
    ),
}
"""Of each of the capstone's tracks, `able` and `milestone`."""

KATAS = (
    Kata(
        1,
        "setup",
        "The machine has limits, and you can ask it for them.",
        "What can this machine do, and can a program ask?",
        "You can ask a machine what it is and what it has left, and make a random run repeat itself.",
    ),
    Kata(
        2,
        "tensor",
        "An n-dimensional array is a flat buffer, a shape and strides.",
        "How does a computer hold an array of any number of axes?",
        "You can compute with arrays of any shape in your own Tensor: slices, broadcasts, matrix products.",
    ),
    Kata(
        3,
        "activations",
        "Without a bend between them, a hundred layers are one.",
        "Why is a deep network more than one matrix?",
        "You can bend a layer's output, and say how steep the bend is at every place.",
    ),
    Kata(
        4,
        "layers",
        "A model is a tree of parameters that knows its own names.",
        "Where do all the numbers of a model live, and who finds them?",
        "You can build a model of layers, and name, count, save and load its parameters.",
    ),
    Kata(
        5,
        "losses",
        "How wrong a model is fits in one number, if you keep it from overflowing.",
        "How wrong is a model, in one number?",
        "You can say how wrong a model is, for numbers and for classes, without an overflow.",
    ),
    Kata(
        6,
        "optimizers",
        "A gradient is only a direction; the step is an art.",
        "You know how wrong the model is. How do you make it less wrong?",
        "You can train a network, with gradients that you wrote by hand.",
        "XOR by hand",
    ),
    Kata(
        7,
        "autograd",
        "The gradients you wrote by hand follow from the program itself.",
        "Must somebody write every gradient by hand?",
        "You can train any model that you can write down: its gradients follow from your program.",
    ),
    Kata(
        8,
        "training",
        "A training run is a program that must survive being killed.",
        "What does a training run need to survive the night?",
        "You can start a long training, stop it at any moment, and resume it to the last bit.",
    ),
    Kata(
        9,
        "spatial",
        "A picture is not a list of pixels: share the weights, keep the place.",
        "Why should a network learn the same edge again at every place of a picture?",
        "You can train a network that recognizes pictures, wherever in them the thing is.",
    ),
    Kata(
        10,
        "dataloader",
        "A model learns no faster than its data arrive.",
        "What if the data do not fit into memory, and the model waits for them?",
        "You can train on files of any size, shuffled, transformed, and read ahead of time.",
        "a CNN on CIFAR-10",
    ),
    Kata(
        11,
        "tokenization",
        "Text becomes numbers, and the choice of numbers decides what is easy.",
        "How does a text become numbers?",
        "You can turn any text into tokens and back, with a vocabulary that was learned.",
    ),
    Kata(
        12,
        "embeddings",
        "A row of a matrix is a meaning, and its place must be told apart.",
        "What does a number that stands for a word mean?",
        "You can give each word a meaning and a place, and a model learns both.",
    ),
    Kata(
        13,
        "attention",
        "Every word asks every other one: what do you know?",
        "How does a word know which other words concern it?",
        "You can let every word look at every other one, and see where it looks.",
        "a map of attention",
    ),
    Kata(
        14,
        "transformers",
        "Stack attention deep enough and it writes.",
        "What happens if attention is stacked, many layers deep?",
        "You can train a GPT of your own, and let it write.",
        "a GPT that writes",
    ),
    Kata(
        15,
        "acceleration",
        "The simple version you wrote first is the specification of the fast one.",
        "Where does the time go, and what may be done about it?",
        "You can fuse, tile and profile operations, and prove that the fast one is right.",
    ),
    Kata(
        16,
        "caching",
        "What was computed once need not be computed again.",
        "Why does a GPT compute the same keys and values again for every word?",
        "You can let a GPT write for many readers at once, without computing anything twice.",
    ),
    Kata(
        17,
        "precision",
        "Most of the bits of a weight say nothing.",
        "How many bits does a weight need?",
        "You can store and run a model in 16, 8 or 4 bits, and say what that costs.",
    ),
    Kata(
        18,
        "compression",
        "Most of the weights of a model say little.",
        "How many weights does a model need?",
        "You can make a model small: prune it, factor it, or let a small one learn from a large one.",
    ),
    Kata(
        19,
        "benchmarking",
        "A speed that was not measured well is a rumour.",
        "How do you know that it is faster?",
        "You can measure a speed so that somebody else believes it, and use more than one process.",
        "10 to 100 times faster",
    ),
    Kata(
        20,
        "capstone",
        "A model is worth what it does for somebody else.",
        "What is a model worth that nobody can use?",
        "You can build a system around a model, and show how it does.",
        "a deployed system",
        tuple(TRACKS),
    ),
)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file in a folder and below it, in order, except bytecode and hidden files, such as an editor's."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in inside):
            yield path


NAMED = {name: each for each in KATAS for name in (each.name, each.slug)}


def kata_of(path: Path, tree: Path = ROOT / "katas") -> Kata | None:
    """The kata that a file belongs to. `tree` is katas/ (the file is in the kata's folder) or a tinytorch/."""
    try:
        first = path.relative_to(tree).parts[0]
    except (ValueError, IndexError):  # it lies elsewhere, or is the tree itself
        return None
    return NAMED.get(first[:-3] if first.endswith(".py") else first)


def kata(number: str | int) -> Kata:
    """The kata of that number. Anything that is not a number from 1 to 20 is a DojoError."""
    text = str(number).strip()
    if text.isdecimal() and 1 <= int(text) <= len(KATAS):
        return KATAS[int(text) - 1]
    raise DojoError(f"There is no kata {text!r}. Katas are numbered 1 to {len(KATAS)}: try `make kata N=1`.")


def built_kata(number: str | int, track: str = "") -> Kata:
    """As `kata`, with a track of it if one is named, but one that is written already, or it is a DojoError."""
    found = kata(number).on(track)
    if not found.built:
        last = max(k.number for k in KATAS if k.built)
        raise DojoError(
            f"Kata {found.name} is planned and not written yet. Katas 1 to {last} are ready: "
            f"try `make kata N={last}`."
        )
    return found


def built_part(number: str | int, track: str, command: str) -> Kata:
    """As `built_kata`, but one track if the kata has several, or a DojoError that says how to type `command`."""
    found = built_kata(number, track)
    if len(found.parts) > 1:
        raise DojoError(
            f"You choose one of the tracks of kata {found.name}: `make {command} N={found.number}` with "
            f"{found.choices}."
        )
    return found
