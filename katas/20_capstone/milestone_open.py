"""An optimisation challenge: your entries beside a simple one and the reference's, on a scoreboard that checks.

`make milestone N=20 TRACK=open ARGS=gpt_step` runs one task of katas/20_capstone/tasks. Your entries are the files
`tinytorch/capstone/entries/TASK*.py`, or those that ARGS names behind the task; open.md says what stands in one. Your
scoreboard measures all of them. Then the dojo loads the best of yours and the simple one itself, asks both questions of
its own, and weighs and measures again.
"""

import importlib.util
import json
import sys
import time
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

import tinytorch.capstone
from dojo.datasets import strokes
from dojo.student import verdicts
from tinytorch.autograd import no_grad
from tinytorch.capstone import METRICS, Call, EntryError, compete, rank, read_task
from tinytorch.dispatch import disabled
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.training import write_atomically
from tinytorch.transformers import GPT, GPTConfig

TASKS = Path(__file__).parent / "tasks"
ENTRIES = Path(tinytorch.capstone.__file__).parent / "entries"
UNITS = {"seconds": "CPU s a call", "rate": "a second", "bytes": "bytes"}


# The tasks: what an entry is given, what it is asked, and whether its answers are right ------------------


def restored(task, given):
    model = GPT(GPTConfig(**task.model))
    model.load_state_dict({name: Tensor(array) for name, array in given.items()})
    return model


def new_weights(task, gain=1.0):
    """Those of a GPT that nobody has seen. With a large gain, what it writes depends on all that stands before."""
    manual_seed(int.from_bytes(np.random.default_rng().bytes(4)))
    state = GPT(GPTConfig(**task.model)).state_dict()
    return {name: each.data * (gain if each.ndim > 1 else 1) for name, each in state.items()}


def gpt_step(task):
    given = new_weights(task)
    shape = (task.data["texts"], task.model["block_size"] + 1)

    def draw(seed):
        ids = np.random.default_rng(seed).integers(0, task.model["vocab_size"], shape)
        return ids[:, :-1], ids[:, 1:]

    def judge(calls):
        model = restored(task, given)
        optimizer = AdamW(model.parameters(), lr=1e-3)
        for number, call in enumerate(calls, 1):
            with disabled():
                optimizer.zero_grad()
                loss = model.loss(*map(Tensor, draw(call.seed)))
                loss.backward()
                optimizer.step()
            if call.output.shape != () or not abs(call.output / loss.item() - 1) <= task.data["tolerance"]:
                raise EntryError(f"the loss in step {number} is {loss.item():.5g}, and it says {call.output}")

    return given, draw, judge


def small_digits(task):
    seeds = np.random.default_rng().integers(0, 2**31, 2)
    images, labels = strokes.digits(task.data["train"], int(seeds[0]))

    def drawn(seed):
        return strokes.digits(task.data["asked"], int(seeds[1]) ^ seed)

    def judge(calls):
        right = []
        for call in calls:
            labels = drawn(call.seed)[1]
            if call.output.shape != labels.shape:
                raise EntryError(f"its answer has the shape {call.output.shape}, not {labels.shape}")
            right.append(np.mean(call.output == labels))
        if not np.mean(right) >= task.data["accuracy"]:
            raise EntryError(
                f"{np.mean(right):.1%} of new digits are right; {task.data['accuracy']:.0%} are needed"
            )

    given = {"images": images.astype(np.float32).reshape(-1, 28, 28), "labels": labels}
    return given, lambda seed: (drawn(seed)[0].astype(np.float32).reshape(-1, 28, 28),), judge


def tokens_2mb(task):
    given = new_weights(task, task.data["gain"])
    model = restored(task, given)
    readers, prompt, new = (task.data[name] for name in ("readers", "prompt", "new"))

    def draw(seed):
        return (np.random.default_rng(seed).integers(0, task.model["vocab_size"], (readers, prompt)),)

    def judge(calls):
        for call in calls:
            [prompts] = draw(call.seed)
            texts = call.output
            if texts.shape != (readers, prompt + new) or not np.array_equal(texts[:, :prompt], prompts):
                raise EntryError(f"its texts, {texts.shape}, are not the prompts and {new} tokens after each")
            if texts.dtype.kind not in "iu" or not 0 <= texts.min() <= texts.max() < task.model["vocab_size"]:
                raise EntryError("its texts are no numbers of tokens")
            with no_grad():
                logits = model(Tensor(texts[:, :-1])).data[:, prompt - 1 :]
            kept = np.mean(logits.argmax(-1) == texts[:, prompt:])
            if not kept >= task.data["kept"]:
                raise EntryError(
                    f"{kept:.0%} of its tokens are the model's likeliest; {task.data['kept']:.0%} are needed"
                )

    return given, draw, judge


SETUPS = {"gpt_step": gpt_step, "small_digits": small_digits, "tokens_2mb": tokens_2mb}


# What the dojo finds by itself --------------------------------------------------------------------------


class Examined:
    """An entry, loaded and asked by the dojo."""

    def __init__(self, path, task, given, draw):
        spec = importlib.util.spec_from_file_location(f"examined_{path.stem}", path)
        self.module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = self.module  # where dataclasses look for it
        spec.loader.exec_module(self.module)
        del sys.modules[spec.name]
        self.path, self.task, self.draw = path, task, draw
        self.weights = self.module.build(task.model, given) if hasattr(self.module, "build") else given
        self.random = np.random.default_rng()

    def asked(self):
        """A few calls, as the judge wants them."""
        answer = self.module.load(self.task.model, self.weights)
        seeds = self.random.integers(0, 2**32, self.task.calls + 1).tolist()
        return [Call(seed, 0.0, np.array(answer(*self.draw(seed)))) for seed in seeds]

    def bytes(self):
        arrays = sum(len(name.encode()) + array.nbytes for name, array in self.weights.items())
        return arrays + len(zlib.compress(self.path.read_bytes(), 9))

    def timed(self):
        """A function of which each call answers a new question; after as much is loaded as the task says."""
        load = self.module.load
        if self.task.count_start:
            return lambda: load(self.task.model, self.weights)(*self.draw(int(self.random.integers(2**32))))
        answer = load(self.task.model, self.weights)
        return lambda: answer(*self.draw(int(self.random.integers(2**32))))


def examine(task, row, simple, own, setup):
    """How many times better `own` is than `simple`, by the dojo's clock and scale. Wrong answers are refused."""
    given, draw, judge = setup
    before, after = (Examined(path, task, given, draw) for path in (simple, own))
    try:
        judge(after.asked())
    except EntryError as error:
        raise verdicts.Refused(
            f"The dojo asked {row.name} itself: {error}. Your scoreboard did not see that."
        ) from None
    if task.metric == "bytes":
        verdicts.agrees(row.value, after.bytes(), f"The weight of {row.name}", "weigh", within=0.05)
        return before.bytes() / after.bytes()
    return verdicts.times_faster(row.times, before.timed(), after.timed(), row.name)


# The scoreboard -----------------------------------------------------------------------------------------


def table(task, rows):
    """The scoreboard as text: a line for each entry."""
    lines = [
        f"{task.title}: {METRICS[task.metric]} are better",
        f"{'':26}{UNITS[task.metric]:>16}  times better",
    ]
    for row in rows:
        if row.rejected:
            lines.append(f"  -  {row.name:<20} rejected: {row.rejected}")
        else:
            interval = f" ({row.low:.3g} to {row.high:.3g})" if row.low < row.high else ""
            lines.append(f"{row.place:>3}  {row.name:<20} {row.value:>16,.5g}  {row.times:.3g}{interval}")
    return lines


def draw_board(task, rows, path):
    """A bar for each entry that was measured: how many times better than the simple one, with its interval."""
    import matplotlib.pyplot as plt

    fine = [row for row in rows if not row.rejected]
    times, low, high = np.array([[row.times, row.low, row.high] for row in fine]).T
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.5 * len(fine)), layout="constrained")
    axes.barh(
        [row.name for row in fine], times, xerr=[times - low, high - times], color="tab:blue", capsize=3
    )
    for place, row in enumerate(fine):
        axes.annotate(
            f"{row.value:,.3g} {UNITS[task.metric]}",
            (0, place),
            (6, 0),
            textcoords="offset points",
            va="center",
        )
    axes.invert_yaxis()
    axes.axvline(task.goal, color="black", linewidth=0.8)
    axes.set(
        xlabel=f"times better than the simple entry (the line is the goal, {task.goal:g})", title=task.title
    )
    figure.savefig(path, dpi=110)


def main(report):
    tasks = sorted(path.stem for path in TASKS.glob("*.toml"))
    name, *files = report.args or [""]
    if name not in SETUPS:
        report.on = "no task"
        typed = f"there is no task {name!r}: " if name else ""
        return report.verdict(False, f"{typed}say which task: ARGS={', ARGS='.join(tasks)}")
    task = read_task(TASKS / f"{name}.toml")
    report.on = task.name
    report.say(f"{task.title}. {' '.join(task.touch.split())}\n")
    paths = [Path(file) for file in files] or sorted(ENTRIES.glob(f"{task.name}*.py"))
    own = {f"your {path.stem}": path for path in paths}
    simple = TASKS / f"{task.name}_simple.py"
    entries = {"simple": simple, "reference": TASKS / f"{task.name}_reference.py", **own}
    setup = SETUPS[task.name](task)
    report.say(f"measuring {len(entries)} entries in {task.rounds} rounds, each in a process of its own ...")
    began = time.monotonic()
    rows = rank(task, compete(task, entries, *setup))
    report.say("\n".join(["", *table(task, rows), ""]))

    path = report.folder("boards") / f"{task.name}.json"
    board = {"task": asdict(task), "seconds": time.monotonic() - began}
    board["rows"] = [{k: v for k, v in row._asdict().items() if v == v} for row in rows]  # JSON has no nan
    write_atomically(path, json.dumps(board, indent=1, allow_nan=False).encode())
    report.say(f"scoreboard: {path}")
    if not all(row.rejected for row in rows):
        draw_board(task, rows, report.figure(task.name))

    mine = [row for row in rows if row.name in own and not row.rejected]
    if not own:
        return report.verdict(
            False, f"there is no entry of yours: write {ENTRIES / task.name}.py (see open.md)"
        )
    if not mine:
        return report.verdict(False, "none of your entries was measured to the end")
    counted = examine(task, mine[0], simple, own[mine[0].name], setup)
    return report.verdict(
        counted >= task.goal,
        f"{mine[0].name} is {counted:.3g} times as good as the simple entry ({task.goal:g} times are needed, by the "
        "dojo's own clock and scale)",
    )
