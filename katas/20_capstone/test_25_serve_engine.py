"""The engine, step by step, in one thread: who is admitted, who is dropped, and what is told."""

import math
import sys
import time
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.caching import PrefixCache, Request
from tinytorch.capstone import Engine, EngineStopped, Event, Job, QueueFull, score_tokens
from tinytorch.setup import manual_seed
from tinytorch.tensor import tensor
from tinytorch.transformers import GPT, GPTConfig, generate, next_logits

MODEL = []  # made by the first spec that needs it


def model():
    """A GPT in float64 whose logits differ much, so that its text does not depend on rounding."""
    if not MODEL:
        manual_seed(3)
        made = GPT(GPTConfig(vocab_size=11, block_size=16, n_layer=2, n_head=2, n_embd=8, tie_weights=False))
        for parameter in made.parameters():
            parameter.data *= 50
        MODEL.append(made.to(np.float64))
    return MODEL[0]


def alone(ids, tokens):
    """What the model writes after `ids` without a cache and without company."""
    return generate(model(), tensor([ids]), tokens, temperature=0).tolist()[0][len(ids) :]


def job(*prompts, tokens=4, **options):
    """A job with a greedy choice for each prompt."""
    return Job([Request(each, tokens, temperature=0) for each in prompts], **options)


def copies(n, tokens=100):
    return job(*([1, 5, 2] for _ in range(n)), tokens=tokens)


def told(events):
    """What the events say: for each the choice, whether there is a token, and why it ended."""
    return [(each.index, each.token is not None, each.finish_reason) for each in events]


def in_rows(engine, *jobs):
    """How many rows each of the jobs has."""
    return [sum(owner is each for owner, _ in engine.rows.values()) for each in jobs]


# The line


def test_a_job_waits_in_the_line():
    """submit puts a job at the end of `line`, with the numbers of its choices, and touches nothing else."""
    engine, first, second = Engine(model(), rows=2), job([1, 5, 2]), job([7], [3, 3])
    assert_equal(engine.submit(first), None, "what submit gives")
    engine.submit(second)
    assert list(engine.line) == [first, second], (
        "the line is not the two jobs in the order in which they came"
    )
    assert_equal([list(each) for each in engine.line.values()], [[0], [0, 1]], "the choices that wait")
    assert_equal((engine.waiting, engine.active), (2, 0), "how many jobs wait, and how many rows are in use")


@pytest.mark.parametrize(
    ("error", "bad"),
    [
        (ValueError, lambda: Job([])),
        (ValueError, lambda: job([])),
        (ValueError, lambda: job([1], tokens=0)),
        (ValueError, lambda: Job([Request([1], 2), Request([1], 2, temperature=-1)])),
        (ValueError, lambda: Job([Request([1], 2, top_p=2)])),
        (IndexError, lambda: job([1], [11])),
        (TypeError, lambda: Job([Request([1], 2, stop=2.5)])),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(error, bad):
    """submit raises what check_request raises for one of the requests, and ValueError for a job without any.

    Then nothing waits: in the engine's thread the error would end the work for all.
    """
    engine = Engine(model(), rows=2)
    with raises(error):
        engine.submit(bad())
    assert_equal(engine.waiting, 0, "how many jobs wait")


def test_a_full_line_is_refused():
    """If queue_size jobs wait, submit raises QueueFull, which names the number; jobs with rows do not count."""
    engine = Engine(model(), rows=1, queue_size=2)
    engine.submit(copies(1))
    engine.step()
    for _ in range(2):
        engine.submit(copies(1))
    with raises(QueueFull, 2):
        engine.submit(copies(1))
    assert_equal((engine.waiting, engine.active), (2, 1), "how many jobs wait, and how many rows are in use")


def test_an_engine_that_has_ended_takes_no_job():
    """After stop, and after fail, submit raises EngineStopped; so does ask."""
    stopped, failed = Engine(model(), rows=1), Engine(model(), rows=1)
    stopped.stop()
    failed.fail(ZeroDivisionError("broken here"))
    for engine, word in ((stopped, "stopped"), (failed, "broken here")):
        with raises(EngineStopped, word):
            engine.submit(copies(1))
        with raises(EngineStopped, word):
            engine.ask(len)
        assert_equal(engine.waiting, 0, "how many jobs wait")


# Rows


def test_waiting_choices_get_the_free_rows():
    """admit gives rows to the choices that wait, as long as there are free ones; rows says whose each request is."""
    engine, first, second = Engine(model(), rows=2), job([1, 5, 2]), job([7], [3, 3])
    engine.submit(first)
    engine.submit(second)
    engine.admit()
    assert engine.rows == {first.requests[0]: (first, 0), second.requests[0]: (second, 0)}, (
        f"rows is {engine.rows}"
    )
    assert_equal(engine.batch.requests, [first.requests[0], second.requests[0]], "the requests in the batch")
    assert_equal([list(each) for each in engine.line.values()], [[1]], "the choices that still wait")


def test_a_job_whose_choices_have_rows_has_left_the_line():
    """A job of which no choice waits leaves the line; admit of an empty line does nothing."""
    engine = Engine(model(), rows=4)
    engine.admit()
    engine.submit(copies(3))
    engine.admit()
    assert_equal((engine.waiting, engine.active), (0, 3), "how many jobs wait, and how many rows are in use")


def test_one_job_may_have_all_rows_if_nobody_else_waits():
    """A job alone gets all rows."""
    engine, large = Engine(model(), rows=4), copies(6)
    engine.submit(large)
    engine.admit()
    assert_equal(in_rows(engine, large), [4], "how many rows the job has")


@pytest.mark.parametrize(("rows", "has"), [(4, [2, 2, 0]), (5, [3, 2, 0]), (1, [1, 0, 0])])
def test_half_of_the_rows_are_for_others(rows, has):
    """While another job waits, a job gets no more than half of all rows, rounded up: then it is the next one's turn."""
    engine, jobs = Engine(model(), rows=rows), [copies(6), copies(6), copies(1)]
    for each in jobs:
        engine.submit(each)
    engine.admit()
    assert_equal(in_rows(engine, *jobs), has, f"how many of {rows} rows each of three jobs has")


def test_what_is_left_goes_to_the_one_who_waits():
    """When the others have their rows, the job that still waits gets the rest."""
    engine, jobs = Engine(model(), rows=5), [copies(6), copies(1)]
    for each in jobs:
        engine.submit(each)
    engine.admit()
    assert_equal(in_rows(engine, *jobs), [4, 1], "how many of 5 rows each of two jobs has")


def test_what_has_a_row_keeps_it():
    """A job that has all rows keeps them when another one comes; the next free row is the other one's."""
    engine, large, late = Engine(model(), rows=2), copies(9), copies(1)
    engine.submit(large)
    engine.admit()
    engine.submit(late)
    engine.admit()
    assert_equal(in_rows(engine, large, late), [2, 0], "how many rows each job has")
    engine.cancel(large, 0)
    engine.drop()
    engine.admit()
    assert_equal(in_rows(engine, large, late), [1, 1], "how many rows each job has, when a row was free")


def test_first_come_is_first_served():
    """Of jobs with one choice each, those that came first have the rows."""
    engine, jobs = Engine(model(), rows=2), [copies(1) for _ in range(4)]
    for each in jobs:
        engine.submit(each)
    engine.admit()
    assert_equal(in_rows(engine, *jobs), [1, 1, 0, 0], "how many rows each job has")


# Steps


def test_a_step_writes_a_token_for_each_row():
    """step gives an Event for each row, with job, index and token; the tokens are those that the model writes alone."""
    engine, first, second = Engine(model(), rows=3), job([1, 5, 2]), job([7], [3, 3])
    engine.submit(first)
    engine.submit(second)
    events = engine.step()
    assert all(isinstance(each, Event) for each in events), f"step() gives {events!r}"
    assert [each.job for each in events] == [first, second, second], "the events are not of the three choices"
    assert_equal(told(events), [(0, True, None), (0, True, None), (1, True, None)], "what is told")
    right = [alone(ids, 1)[0] for ids in ([1, 5, 2], [7], [3, 3])]
    assert_equal([each.token for each in events], right, "the tokens")


def test_a_text_in_a_crowd_is_the_text_alone():
    """Choices that join and leave at any time get the text that each would get alone, past block_size too."""
    engine, texts = Engine(model(), rows=3, prefixes=PrefixCache(model().config, 2, np.float64)), {}
    prompts = [[1, 5, 2], [7], [3, 3, 9], [1, 5, 4], [8, 8], [1]]
    jobs = [job(*prompts[:2], tokens=5), job(*prompts[2:5], tokens=7), job(prompts[5], tokens=9)]
    for each in jobs:
        engine.submit(each)
        for event in engine.step():
            texts.setdefault((jobs.index(event.job), event.index), []).append(event.token)
    while engine.busy:
        for event in engine.step():
            texts.setdefault((jobs.index(event.job), event.index), []).append(event.token)
    for place, each in enumerate(jobs):
        for index, request in enumerate(each.requests):
            right = alone(list(request.ids), request.max_new_tokens)
            assert_equal(texts.get((place, index)), right, f"the text after {request.ids}")
    long = job([1, 5, 2], tokens=40)
    engine.submit(long)
    number = sum(len(engine.step()) for _ in range(40))
    assert_equal(
        (number, long.requests[0].finish_reason), (40, "length"), "tokens past block_size, and the end"
    )


def test_the_last_event_says_why():
    """The event with the last token has the finish_reason of the request, and the row is free.

    It is "stop" with a stop token, which is the event's token, and "length" with max_new_tokens.
    """
    text = alone([1, 5, 2], 3)
    long, short = job([1, 5, 2], tokens=9), job([1, 5, 2], tokens=1)
    long.requests[0].stop = [text[2]]
    engine = Engine(model(), rows=2)
    engine.submit(long)
    engine.submit(short)
    events = [engine.step() for _ in range(text.index(text[2]) + 1)]
    assert_equal(told(events[0])[1], (0, True, "length"), "the event of the short job")
    assert_equal((events[-1][0].token, events[-1][0].finish_reason), (text[2], "stop"), "the last event")
    assert_equal((engine.active, len(engine.rows)), (0, 0), "rows in use, and entries of `rows`")
    assert_equal(engine.step(), [], "the events of a step when all is done")


def test_all_events_of_a_step_are_delivered_together():
    """deliver is called once a step, with the list of all its events, and not at all if there are none."""
    calls = []
    engine = Engine(model(), rows=4, deliver=calls.append)
    engine.step()
    assert_equal(calls, [], "what was delivered by an engine without jobs")
    engine.submit(copies(3))
    gone = copies(1)
    engine.submit(gone)
    engine.cancel(gone)
    returned = engine.step()
    assert_equal(len(calls), 1, "how often deliver was called")
    assert_equal(len(calls[0]), 4, "how many events were delivered: three tokens, and one choice that ended")
    assert calls[0] == returned, "step() returns other events than it delivers"


# Cancelled and late


def test_cancel_only_sets_flags():
    """cancel(job, index) adds the number to job.cancelled, cancel(job) adds all; rows and line stay until a step."""
    engine, running, waits = Engine(model(), rows=1), copies(1), copies(3)
    engine.submit(running)
    engine.step()
    engine.submit(waits)
    assert_equal(engine.cancel(waits, 1), None, "what cancel gives")
    assert_equal(waits.cancelled, {1}, "the flags after cancel(job, 1)")
    engine.cancel(waits)
    engine.cancel(running)
    assert_equal((waits.cancelled, running.cancelled), ({0, 1, 2}, {0}), "the flags after cancel(job)")
    assert_equal((engine.waiting, engine.active), (1, 1), "how many jobs wait, and how many rows are in use")


def test_a_cancelled_choice_ends():
    """drop ends a choice that was cancelled, in a row and in the line: an Event without a token says "cancelled"."""
    engine, running, waits = Engine(model(), rows=2), copies(2), copies(2)
    engine.submit(running)
    engine.step()
    engine.submit(waits)
    engine.cancel(running, 1)
    engine.cancel(waits, 0)
    events = engine.drop()
    assert [each.job for each in events] == [running, waits], "the events are not those of the two choices"
    assert_equal(told(events), [(1, False, "cancelled"), (0, False, "cancelled")], "what is told")
    assert_equal(engine.batch.requests, [running.requests[0]], "the requests in the batch")
    assert_equal([list(each) for each in engine.line.values()], [[1]], "the choices that wait")
    assert_equal(engine.drop(), [], "what a second drop gives")


def test_a_job_that_is_cancelled_leaves_the_line():
    """If all choices that wait were cancelled, the job is not in the line any more, and the next one has its turn."""
    engine, gone, next_one = Engine(model(), rows=1), copies(2), copies(1)
    engine.submit(gone)
    engine.submit(next_one)
    engine.cancel(gone)
    assert_equal(len(engine.drop()), 2, "how many events there are")
    assert_equal(engine.waiting, 1, "how many jobs wait")
    engine.admit()
    assert_equal(in_rows(engine, next_one), [1], "how many rows the next job has")


def test_the_row_of_a_cancelled_choice_is_free_at_once():
    """The step that drops a choice admits another one, and the choice that stays does not notice."""
    engine, stays, goes, comes = (
        Engine(model(), rows=2),
        *(job(ids, tokens=6) for ids in ([1, 5, 2], [7], [3, 3])),
    )
    for each in (goes, stays, comes):
        engine.submit(each)
    engine.step()
    engine.cancel(goes)
    events = engine.step()
    found = {(id(each.job), each.token is None) for each in events}
    assert found == {(id(goes), True), (id(stays), False), (id(comes), False)}, (
        f"the events are {told(events)}"
    )
    while engine.busy:
        engine.step()
    assert_equal(stays.requests[0].written, alone([1, 5, 2], 6), "the text of the choice that stays")
    assert_equal(comes.requests[0].written, alone([3, 3], 6), "the text of the choice that came")


def test_the_flag_of_a_choice_that_has_ended_changes_nothing():
    """A choice that was written to its end gets no second end when it is cancelled."""
    engine, done = Engine(model(), rows=1), copies(1, tokens=1)
    engine.submit(done)
    engine.step()
    engine.cancel(done)
    assert_equal(engine.step(), [], "the events")


def test_a_late_choice_ends(monkeypatch):
    """drop ends what is not finished at job.deadline, in a row or in the line, with "timeout"; not before.

    The spec sets the clock: drop calls time.monotonic() by that name.
    """
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    engine, running, waits, patient = Engine(model(), rows=1), copies(1), copies(2), copies(1)
    running.deadline = waits.deadline = 105.0
    for each in (running, waits, patient):
        engine.submit(each)
    engine.step()
    now[0] = 104.5
    assert_equal(engine.drop(), [], "what ends before its time")
    now[0] = 105.0
    expected = [(0, False, "timeout"), (0, False, "timeout"), (1, False, "timeout")]
    assert_equal(told(engine.drop()), expected, "what is told at its time")
    assert_equal((engine.waiting, engine.active), (1, 0), "how many jobs wait, and how many rows are in use")


def test_cancelled_counts_more_than_late():
    """A choice that was cancelled and is late ends once, with "cancelled"."""
    engine, gone = Engine(model(), rows=1), copies(1)
    gone.deadline = -math.inf
    engine.submit(gone)
    engine.cancel(gone)
    assert_equal(told(engine.drop()), [(0, False, "cancelled")], "what is told")


def test_what_was_dropped_is_told_though_the_batch_breaks():
    """If the batch raises in a step, what the step has dropped before is delivered, and the error goes on."""

    def broken():
        raise ZeroDivisionError("broken here")

    heard = []
    engine, gone, stays = Engine(model(), rows=2, deliver=heard.extend), copies(1), copies(1)
    engine.submit(gone)
    engine.submit(stays)
    engine.step()
    engine.cancel(gone)
    heard.clear()
    engine.batch.step = broken
    with raises(ZeroDivisionError):
        engine.step()
    assert_equal(told(heard), [(0, False, "cancelled")], "what was delivered")


# How likely


def test_logprobs_are_told_where_they_are_asked_for():
    """A job with logprobs=2 gets the logprob of each token and the two likeliest tokens; logprobs=0 gets no others.

    A job with logprobs=None gets neither.
    """
    engine, none, own, two = Engine(model(), rows=3), copies(1), copies(1), copies(1)
    none.logprobs, own.logprobs, two.logprobs = None, 0, 2
    for each in (none, own, two):
        engine.submit(each)
    events = {id(each.job): each for each in engine.step()}
    logits = next_logits(model(), tensor([1, 5, 2])).data
    scores = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
    order = np.argsort(-scores)[:2].tolist()
    assert_equal(events[id(none)].logprob, None, "the logprob of a job that did not ask")
    assert_equal(list(events[id(none)].top), [], "the likeliest tokens of a job that did not ask")
    assert_equal(list(events[id(own)].top), [], "the likeliest tokens of a job with logprobs=0")
    for each in (own, two):
        assert_close(events[id(each)].logprob, float(scores[order[0]]), "the logprob", rtol=1e-5, atol=1e-6)
    assert_equal([token for token, _ in events[id(two)].top], order, "the likeliest tokens")
    assert_close(
        [score for _, score in events[id(two)].top], scores[order].tolist(), "their logprobs", rtol=1e-5
    )


def test_logprobs_are_those_of_the_raw_logits():
    """Neither temperature nor top_k changes a logprob: it is what the model said."""
    engine = Engine(model(), rows=1)
    request = Request([1, 5, 2], 1, temperature=5.0, top_k=3, generator=np.random.default_rng(0))
    engine.submit(Job([request], logprobs=5))
    event = engine.step()[0]
    logits = next_logits(model(), tensor([1, 5, 2])).data
    scores = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
    assert_close(event.logprob, float(scores[event.token]), "the logprob of the token", rtol=1e-5, atol=1e-6)
    assert_equal(len(event.top), 5, "how many likeliest tokens there are")


def test_all_rows_are_scored_at_once(monkeypatch):
    """step calls score_tokens at most once, with the rows of jobs that ask for logprobs, and not at all without any.

    The spec counts the calls of what has the name score_tokens in the Engine's module.
    """
    rows = []

    def counted(logits, tokens, top):
        rows.append(len(tokens))
        return score_tokens(logits, tokens, top)

    monkeypatch.setattr(sys.modules[Engine.__module__], "score_tokens", counted, raising=False)
    engine, jobs = Engine(model(), rows=4), [copies(1) for _ in range(4)]
    jobs[1].logprobs, jobs[2].logprobs = 0, 3
    for each in jobs:
        engine.submit(each)
    engine.step()
    assert len(rows) <= 1, f"score_tokens was called {len(rows)} times in one step"
    assert sum(rows) <= 2, f"two of four jobs asked for logprobs, and {sum(rows)} rows were scored"
    engine.cancel(jobs[1])
    engine.cancel(jobs[2])
    rows.clear()
    engine.step()
    assert_equal(rows, [], "the rows that were scored in a step in which nobody asks")


# Questions


def test_a_step_answers_a_question():
    """step first answers a question: the Future of ask gets function(model), also when there is no job."""
    engine = Engine(model(), rows=1)
    answer = engine.ask(lambda each: each.config.n_embd)
    assert_equal(answer.done(), False, "whether the answer is there before a step")
    assert_equal(engine.busy, True, "whether the engine has something to do")
    assert_equal(engine.step(), [], "the events of a step with nothing but a question")
    assert_equal(answer.result(timeout=0), 8, "the answer")


def test_a_question_that_raises_harms_nobody():
    """What a question raises is raised by its Future; the step goes on."""
    engine = Engine(model(), rows=1)
    engine.submit(copies(1))
    answer = engine.ask(lambda each: 1 / 0)
    assert_equal(len(engine.step()), 1, "how many events the step gave")
    with raises(ZeroDivisionError):
        answer.result(timeout=0)


# Any order


@given(
    orders=st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 5)), min_size=1, max_size=6
    ),
    rows=st.integers(1, 4),
)
@settings(max_examples=15)
def test_every_choice_ends_exactly_once(orders, rows):
    """Whatever comes in whatever order: each choice has one last event, and no event after it; all rows are free."""
    engine, ends, jobs = Engine(model(), rows=rows), {}, []
    steps = count()
    arrivals = list(orders)
    while engine.busy or arrivals:
        number = next(steps)
        assert number < 200, "the engine is not done after 200 steps"
        if arrivals:
            choices, tokens, cancelled = arrivals.pop()
            jobs.append((copies(choices, tokens), cancelled))
            engine.submit(jobs[-1][0])
            if cancelled < choices:
                engine.cancel(jobs[-1][0], cancelled)
        for event in engine.step():
            key = (event.job, event.index)
            assert key not in ends, "an event came after the last one of its choice"
            if event.finish_reason:
                ends[key] = event.finish_reason
    for each, cancelled in jobs:
        right = ["cancelled" if index == cancelled else "length" for index in range(len(each.requests))]
        found = [ends.get((each, index)) for index in range(len(each.requests))]
        assert_equal(found, right, "why the choices of a job ended")
    assert_equal(
        (engine.active, engine.waiting, len(engine.rows)), (0, 0, 0), "rows in use, jobs that wait, `rows`"
    )
