"""Classic mistakes of kata 20."""

from dojo.tree.mistakes import mistake

# The track open -----------------------------------------------------------------------------------------


@mistake(
    "capstone.read_task",
    spec="test_a_value_has_its_type",
    says="nothing was raised",
    swap=("type(given[key]) is not kind", "not isinstance(given[key], kind)"),
)
def takes_true_for_a_number():
    """`isinstance` finds that true is a number."""


@mistake(
    "capstone.read_task",
    spec="test_a_value_has_a_meaning",
    says="nothing was raised",
    swap=('if not given["goal"] > 1:', 'if given["goal"] <= 1:'),
)
def nan_is_a_goal():
    """nan is not at most 1, so it passes."""


@mistake(
    "capstone.read_task",
    spec="test_a_file_that_is_no_task_is_named",
    says="TOMLDecodeError",
    swap=("except (OSError, ValueError) as", "except OSError as"),
)
def text_that_is_no_toml():
    """A file that is no TOML ends in the parser's own error."""


@mistake(
    "capstone.load_entry",
    spec="test_an_entry_that_is_none_is_named",
    says="SystemExit",
    swap=("except (Exception, SystemExit) as", "except Exception as"),
)
def an_entry_may_end_the_program():
    """SystemExit is no Exception: an entry ends the whole competition."""


@mistake(
    "capstone.load_entry",
    spec="test_an_entry_is_imported_each_time",
    says="what is new in sys.modules",
    swap=("    try:\n", '    module = __import__("sys").modules.setdefault(spec.name, module)\n    try:\n'),
)
def keeps_modules():
    """A module that was imported once is given again."""


@mistake(
    "capstone.load_entry",
    spec="test_an_entry_that_is_none_is_named",
    says="nothing was raised",
    swap=('callable(getattr(module, "load", None))', 'hasattr(module, "load")'),
)
def anything_called_load():
    """What is called load need be no function."""


@mistake(
    "capstone.weigh",
    spec="test_the_weight_is_that_of_arrays_names_and_source",
    says="the weight",
    swap=("array.nbytes", "array.size"),
)
def counts_numbers():
    """The numbers are counted, and not their bytes."""


@mistake(
    "capstone.weigh",
    spec="test_the_weight_is_that_of_arrays_names_and_source",
    says="the weight",
    swap=("len(name.encode())", "len(name)"),
)
def counts_letters():
    """A letter may be two bytes."""


@mistake(
    "capstone.weigh",
    spec="test_numbers_in_the_source_weigh_too",
    says="500 numbers of 9 digits",
    swap=("return len(source) + sum(", "return sum("),
)
def the_source_is_free():
    """Numbers that stand in the source weigh nothing."""


@mistake(
    "capstone.weigh",
    spec="test_only_arrays_of_numbers_are_weights",
    says="nothing was raised",
    swap=("type(array) is not np.ndarray", "not isinstance(array, np.ndarray)"),
)
def takes_subclasses():
    """A subclass of an array can hold anything besides."""


@mistake(
    "capstone.weigh",
    spec="test_only_arrays_of_numbers_are_weights",
    says="nothing was raised",
    swap=(' or array.dtype.kind not in "biufc"', ""),
)
def takes_objects():
    """An array of objects is an array."""


@mistake(
    "capstone.fresh_calls",
    spec="test_questions_do_not_come_again",
    says="how many different seeds",
    swap=("secrets.randbits(32)", "int(np.random.randint(2**31))"),
)
def foretold_seeds():
    """np.random.seed foretells every question."""


@mistake(
    "capstone.fresh_calls",
    spec="test_only_the_answer_is_timed",
    says="the seconds of the calls",
    swap=[
        ("question, outputs = draw(seed), []", "outputs = []"),
        ("answer(*question)", "answer(*draw(seed))"),
    ],
)
def times_the_drawing():
    """The question is made while the clock runs."""


@mistake(
    "capstone.fresh_calls",
    spec="test_a_lazy_answer_is_computed_while_the_clock_runs",
    says="the seconds of the call",
    swap=[
        ("np.array(answer(*question))", "answer(*question)"),
        ("        if outputs[0]", "        outputs[0] = np.array(outputs[0])\n        if outputs[0]"),
    ],
)
def looks_later():
    """The answer is made an array when the clock has stopped."""


@mistake(
    "capstone.fresh_calls",
    spec="test_what_happens_to_an_answer_later_is_not_seen",
    says="the output of a call",
    swap=("np.array(answer", "np.asarray(answer"),
)
def keeps_the_entry_s_own_array():
    """The entry may still write into its answer."""


@mistake(
    "capstone.fresh_calls",
    spec="test_a_clock_that_is_changed_later_does_not_count",
    says="after time.process_time was replaced",
    swap=(", 1, clock)", ", 1, time.process_time)"),
)
def asks_for_the_clock_each_time():
    """Whoever replaces time.process_time makes the time."""


@mistake(
    "capstone.run_trial",
    spec="test_one_more_call_than_counts",
    says="the number of calls",
    swap=("task.warmup + task.calls + 1", "task.warmup + task.calls"),
)
def no_call_after_the_last():
    """The last call that counts is the last of all."""


@mistake(
    "capstone.run_trial",
    spec="test_importing_and_loading_are_the_start",
    says="the start",
    swap=(
        "    began = clock()\n    answer = load_entry(path).load(",
        "    entry = load_entry(path)\n    began = clock()\n    answer = entry.load(",
    ),
)
def importing_is_free():
    """The clock starts after the import."""


@mistake(
    "capstone.run_trial",
    spec="test_a_trial_without_end_is_ended",
    says="limit",
    swap=("    end_after(task.limit)\n", ""),
)
def waits_for_ever():
    """Nothing ends an entry that never answers."""


@mistake(
    "capstone.run_trial",
    spec="test_the_task_s_tables_stay_as_they_are",
    says="the gain, and the number of weights",
    swap=("dict(task.model)", "task.model"),
)
def hands_out_the_task():
    """An entry can change the task."""


@mistake(
    "capstone.check_trial",
    spec="test_a_trial_that_took_longer_than_it_says_is_refused",
    says="nothing was raised",
    swap=("if not said >= (counted - SLACK) / 2:", "if said < (counted - SLACK) / 2:"),
)
def nan_is_believed():
    """nan is not less than anything."""


@mistake(
    "capstone.check_trial",
    spec="test_a_call_that_took_no_time_is_refused",
    says="nothing was raised",
    swap=("if not fastest > 0:", "if fastest < 0:"),
)
def no_time_at_all():
    """A clock that stands still says 0 s, which nothing can be compared with."""


@mistake(
    "capstone.check_trial",
    spec="test_an_honest_trial_is_believed",
    says="the system counted",
    swap=("(counted - SLACK) / 2", "counted"),
)
def no_slack():
    """Drawing questions is taken for cheating."""


@mistake(
    "capstone.compete",
    spec="test_a_round_is_judged_by_all_of_its_calls",
    says="how many calls the judge got",
    swap=("judge(trial.calls)", "judge(trial.calls[: task.warmup])"),
)
def judges_the_warm_up():
    """Only the warm-up is looked at."""


@mistake(
    "capstone.compete",
    spec="test_the_order_alternates",
    says="who loaded, in order",
    swap=("results if turn % 2 == 0 else results[::-1]", "results"),
)
def always_the_same_order():
    """The last one is always measured on a machine that is warm."""


@mistake(
    "capstone.compete",
    spec="test_the_last_call_does_not_count",
    says="the seconds of a call",
    swap=("sum(seconds[task.warmup :])", "sum(seconds)"),
)
def the_warm_up_counts():
    """The first, slow call counts whatever the task says."""


@mistake(
    "capstone.compete",
    spec="test_the_start_counts_where_the_task_says_so",
    says="where the start alone takes",
    swap=(
        "trial.start + sum(seconds) if task.count_start else sum(seconds[task.warmup :])",
        "sum(seconds[task.warmup :])",
    ),
)
def the_start_is_free():
    """count_start changes nothing."""


@mistake(
    "capstone.compete",
    spec="test_work_in_other_processes_is_counted",
    says="rejected: ''",
    swap=("                check_trial(trial, seconds_of_children() - before)\n", ""),
)
def believes_every_clock():
    """What the entry's own process says is believed."""


@mistake(
    "capstone.compete",
    spec="test_a_bad_entry_is_rejected_and_the_others_are_measured",
    says="rejected: ''",
    swap=("result.nbytes > task.max_bytes", "False"),
)
def no_limit_of_weight():
    """An entry may weigh what it likes."""


@mistake(
    "capstone.rank",
    spec="test_the_median_decides",
    says="the first",
    swap=("float(np.median(result.seconds))", "float(np.mean(result.seconds))"),
)
def the_mean_decides():
    """One disturbed round costs a place."""


@mistake(
    "capstone.rank",
    spec="test_those_who_cannot_be_told_apart_share_a_place",
    says="the places",
    swap=('found.verdict != "no difference"', "True"),
)
def always_a_place_of_its_own():
    """A difference that may be none decides."""


@mistake(
    "capstone.rank",
    spec="test_a_rate_is_work_for_each_second",
    says="the values",
    swap=("task.work / cost(result)", "1 / cost(result)"),
)
def forgets_the_work():
    """The rate is that of calls."""


@mistake(
    "capstone.rank",
    spec="test_every_row_is_compared_with_the_first_entry",
    says="how many times better",
    swap=("*better(result, fine[0])[:3]", "*better(result, leader)[:3]"),
)
def compares_with_the_leader():
    """`times` says how much worse an entry is than the best."""


@mistake(
    "capstone.rank",
    spec="test_nobody_is_left",
    says="IndexError",
    swap=(
        "fine = [each for each in results if not each.rejected]",
        "fine = [each for each in results if not each.rejected]\n    first = fine[0]",
    ),
)
def needs_somebody():
    """Without an entry that is left there is an IndexError."""
