"""The engine in a thread of its own: it serves all the others, sleeps, stops, and does not die in silence.

Nothing here waits for ever: after five seconds a spec fails and says what did not happen.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

import numpy as np
import pytest

from dojo.spec import assert_equal, raises
from dojo.spec.engine import PATIENCE, Counted, Inbox, running
from tinytorch.caching import Request
from tinytorch.capstone import Bundle, Engine, EngineStopped, Job, TextStream, load_bundle, save_bundle
from tinytorch.setup import manual_seed
from tinytorch.tensor import tensor
from tinytorch.tokenization import BPETokenizer
from tinytorch.transformers import GPT, GPTConfig, generate


class Watched(GPT):
    """A GPT in float64 whose logits differ much. It notes the threads that call it, and can be told to break."""

    def __init__(self):
        manual_seed(3)
        super().__init__(
            GPTConfig(vocab_size=258, block_size=16, n_layer=1, n_head=2, n_embd=8, tie_weights=False)
        )
        for parameter in self.parameters():
            parameter.data *= 50
        self.to(np.float64)
        self.threads, self.breaks, self.hold = set(), False, None

    def forward(self, ids, cache=None):
        self.threads.add(threading.current_thread())
        if self.hold is not None:
            self.hold.wait(PATIENCE)
        if self.breaks:
            raise ZeroDivisionError("broken here")
        return super().forward(ids, cache)


def alone(ids, tokens):
    return generate(Watched(), tensor([ids]), tokens, temperature=0).tolist()[0][len(ids) :]


def job(*prompts, tokens=5):
    return Job([Request(each, tokens, temperature=0) for each in prompts])


def test_what_is_submitted_is_written():
    """run makes steps for jobs that other threads submit, now and later, until the engine is stopped."""
    inbox = Inbox()
    engine, first, second = Engine(Watched(), rows=2, deliver=inbox), job([1, 5, 2]), job([7], [3, 3])
    with running(engine) as thread:
        engine.submit(first)
        inbox.wait(first)
        engine.submit(second)
        inbox.wait(second)
    assert_equal(inbox.text(first), alone([1, 5, 2], 5), "the text of the first job")
    assert_equal(inbox.text(second, 1), alone([3, 3], 5), "the text of the second choice of the second job")
    assert_equal(thread.raised, None, "what run raised")


def test_run_returns_when_it_is_stopped():
    """stop wakes an engine that sleeps, and run returns None."""
    engine = Engine(Watched(), rows=1)
    with running(engine) as thread:
        time.sleep(0.05)  # it sleeps now
        engine.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "run has not returned"
    assert_equal((thread.returned, thread.raised), (None, None), "what run returned, and what it raised")


def test_what_was_taken_is_finished():
    """After stop, run writes what was submitted before to its end, the jobs in the line too, and then returns."""
    inbox = Inbox()
    engine, jobs = Engine(Watched(), rows=1, deliver=inbox), [job([n], tokens=6) for n in (1, 2, 3)]
    for each in jobs:
        engine.submit(each)
    answer = engine.ask(lambda model: "answered")
    engine.stop()
    with running(engine) as thread:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "run has not returned"
    for each in jobs:
        assert_equal(inbox.text(each), alone(list(each.requests[0].ids), 6), "the text of a job")
    assert_equal(answer.result(timeout=0), "answered", "the answer to a question")


def test_only_its_own_thread_touches_the_model():
    """The model is called, events are delivered and questions are answered by the thread of run, whoever submits."""
    inbox, asked = Inbox(), []
    engine = Engine(Watched(), rows=2, deliver=inbox)
    jobs = [job([1, n]) for n in range(7)]

    def client(mine):
        engine.submit(mine)
        asked.append(engine.ask(lambda model: threading.current_thread()))

    with running(engine) as thread:
        client(jobs.pop())
        clients = [threading.Thread(target=client, args=(each,)) for each in jobs]
        for each in clients:
            each.start()
        for each in clients:
            each.join(PATIENCE)
        inbox.wait(*jobs)
        answered = {each.result(PATIENCE) for each in asked}
    found = {"called the model": engine.batch.model.threads, "delivered": inbox.threads, "answered": answered}
    for what, threads in found.items():
        assert threads == {thread}, f"other threads than the engine's {what}: {threads - {thread}}"
    for each in jobs:
        assert_equal(inbox.text(each), alone(list(each.requests[0].ids), 5), "the text of a job")


def test_an_idle_engine_sleeps():
    """Without anything to do, run waits for self.changed, once: it does not look again and again, or every moment."""
    engine = Engine(Watched(), rows=1)
    engine.changed = Counted()
    with running(engine):
        deadline = time.monotonic() + 0.5
        while not engine.changed.number and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.1)
        number = engine.changed.number
    assert_equal(number, 1, "how often run has waited for self.changed, without a job")


def test_the_lock_is_free_while_the_model_works():
    """While the model computes, other threads submit and ask without waiting for it."""
    model, inbox = Watched(), Inbox()
    engine = Engine(model, rows=1, deliver=inbox)
    model.hold = threading.Event()
    first, second, done = job([1, 5, 2]), job([7]), threading.Event()

    def client():
        engine.submit(second)
        engine.cancel(second)
        done.set()

    with running(engine):
        engine.submit(first)
        deadline = time.monotonic() + PATIENCE
        while not model.threads and time.monotonic() < deadline:
            time.sleep(0.001)
        thread = threading.Thread(target=client, daemon=True)
        thread.start()
        free = done.wait(1.0)
        model.hold.set()
        thread.join(PATIENCE)
        inbox.wait(first, second)
    assert free, "submit waits until the model is done: the lock is held while it computes"


def test_cancel_does_not_wait():
    """cancel returns at once, even while another thread is inside `with engine.changed`: it only sets flags."""
    engine, unwanted = Engine(Watched(), rows=1), job([7])
    with ThreadPoolExecutor(1) as pool, engine.changed:
        done, _ = wait([pool.submit(engine.cancel, unwanted)], 1.0)
    for each in done:
        each.result()
    assert done, "cancel waits until engine.changed is free"
    assert_equal(unwanted.cancelled, {0}, "the flags")


def test_a_cancelled_text_ends_while_others_go_on():
    """A choice that is cancelled from another thread ends soon; the choice beside it gets its whole text."""
    inbox = Inbox()
    engine, endless, other = (
        Engine(Watched(), rows=2, deliver=inbox),
        job([7], tokens=10**9),
        job([1, 5], tokens=30),
    )
    with running(engine):
        try:
            engine.submit(endless)
            engine.submit(other)
            with inbox.news:
                inbox.news.wait_for(lambda: inbox.of(endless), PATIENCE)
        finally:
            engine.cancel(endless)
        inbox.wait(endless, other)
    assert_equal(inbox.reasons(endless), ["cancelled"], "why the endless text ended")
    assert_equal(inbox.reasons(other), ["length"], "why the other one ended")


def test_a_dead_engine_tells_everybody():
    """If the model raises, run raises it, `failure` is the exception, and every open choice gets an "error" event.

    Those in rows and those in the line; and a question that waits gets EngineStopped. Nothing is taken any more.
    """
    model, inbox = Watched(), Inbox()
    engine, jobs = Engine(model, rows=2, deliver=inbox), [job([1, 2], [3, 4], [5, 6]), job([7, 8])]
    for each in jobs:
        engine.submit(each)
    answers = [engine.ask(lambda each: "answered") for _ in range(2)]
    model.breaks = True
    with running(engine) as thread:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "run goes on after the model has raised"
    assert isinstance(thread.raised, ZeroDivisionError), f"run raised {thread.raised!r}"
    assert engine.failure is thread.raised, f"failure is {engine.failure!r}"
    for each in jobs:
        inbox.wait(each)
        assert_equal(set(inbox.reasons(each)), {"error"}, "why the choices of a job ended")
    with raises(EngineStopped):
        answers[1].result(PATIENCE)
    with raises(EngineStopped, "broken here"):
        engine.submit(job([1]))


def test_a_broken_receiver_ends_the_engine():
    """If deliver raises, nobody hears anything any more: run raises it too, and `failure` is set."""
    calls = []

    def deliver(events):
        calls.append(events)
        if len(calls) == 1:
            raise BufferError("nobody there")

    engine = Engine(Watched(), rows=1, deliver=deliver)
    engine.submit(job([1, 2]))
    with running(engine) as thread:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "run goes on after deliver has raised"
    assert isinstance(thread.raised, BufferError), f"run raised {thread.raised!r}"
    assert isinstance(engine.failure, BufferError), f"failure is {engine.failure!r}"


@pytest.mark.parametrize("bits", [None, 8])
def test_a_model_is_of_use_to_somebody_else(tmp_path, bits):
    """The whole path: a bundle is saved and loaded, an engine writes for six strangers, and each reads their text.

    The text of each is what the model of the bundle writes for them alone, up to the stop string.
    """
    tokenizer = BPETokenizer([(b"t", b"o")], ["<|end|>"])
    save_bundle(
        Bundle(GPT(Watched().config).to(np.float32), tokenizer, {"name": "tiny"}), tmp_path / "b", bits
    )
    bundle, inbox = load_bundle(tmp_path / "b"), Inbox()
    engine = Engine(bundle.model, rows=4, deliver=inbox)
    prompts = [
        bundle.tokenizer.encode(text) for text in ("to be", "or not", "to", "be", "that is", "the question")
    ]
    whole = [
        generate(bundle.model, tensor([ids]), 8, temperature=0).tolist()[0][len(ids) :] for ids in prompts
    ]
    stop = bundle.tokenizer.decode(whole[0])[3:5]
    jobs = [job(ids, tokens=8) for ids in prompts]
    with running(engine), suppress(EngineStopped):
        for each in jobs:
            engine.submit(each)
        inbox.wait(*jobs)
    for each, ids in zip(jobs, whole, strict=True):
        stream = TextStream(bundle.tokenizer, [stop])
        text = "".join(map(stream.push, inbox.text(each))) + stream.flush()
        assert_equal(text, bundle.tokenizer.decode(ids).split(stop)[0], "the text of a stranger")
