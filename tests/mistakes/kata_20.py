"""Classic mistakes of kata 20."""

from dojo.tree.mistakes import mistake

# The real server: specs 28 and 29


@mistake(
    "capstone.engine.Engine.step",
    spec="test_an_answer_over_http_is_what_the_model_writes",
    says="the text",
    swap=("Event(job, index, each.written[-1]", "Event(job, index, each.written[0]"),
)
def tells_the_first_token_again():
    """Every event has the first token that was written."""


@mistake(
    "capstone.shapes.completion",
    spec="test_usage_counts_the_tokens",
    says="KeyError: 'usage'",
    swap=('"text_completion", "choices": found, **more}', '"text_completion", "choices": found}'),
)
def leaves_out_what_is_more():
    """The usage is not in the answer."""


@mistake(
    "capstone.engine.Engine.drop",
    spec="test_a_client_that_leaves_frees_its_row",
    says="KeyError",
    swap=(
        """                self.batch.release(request)
""",
        "",
    ),
)
def forgets_a_row_that_is_still_written():
    """A cancelled choice is forgotten, but its row goes on."""


@mistake(
    "capstone.engine.Engine.run",
    spec="test_a_dead_engine_is_told_to_everybody",
    says="the code of the last event",
    swap=(
        """            self.fail(error)
""",
        "",
    ),
)
def dies_in_silence():
    """An exception ends the thread, and nobody is told."""


@mistake(
    "capstone.engine.Engine.run",
    spec="test_the_end_is_orderly",
    says="the exit status",
    swap=("lambda: self.busy or self.stopping", "lambda: self.busy"),
)
def sleeps_for_ever():
    """The thread does not notice that it was told to stop."""
