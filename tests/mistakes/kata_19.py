"""Classic mistakes of kata 19."""

from dojo.tree.mistakes import mistake


@mistake(
    "benchmarking.time_calls",
    spec="test_calls_are_timed_together",
    says="the seconds of 4 calls",
    swap=("range(number)", "range(1)"),
)
def times_one_call():
    """The function is called once, whatever the number."""


@mistake(
    "benchmarking.time_calls",
    spec="test_calls_are_timed_together",
    says="the seconds of 4 calls",
    swap=("return timer() - start", "return (timer() - start) / number"),
)
def divides_too_early():
    """The seconds are those of one call: whoever calls it divides again."""


@mistake(
    "benchmarking.time_calls",
    spec="test_the_clock_is_read_twice",
    says="how often the clock was read",
    swap=(
        """        start = timer()
        for _ in range(number):
            function()
        return timer() - start""",
        """        total = 0.0
        for _ in range(number):
            start = timer()
            function()
            total += timer() - start
        return total""",
    ),
)
def looks_at_the_clock_each_time():
    """Each call is timed on its own, and the clock with it."""


@mistake(
    "benchmarking.time_calls",
    spec="test_the_collector_is_off_meanwhile",
    says="whether the collector was on in the calls",
    swap=(
        """    gc.disable()
""",
        "",
    ),
)
def lets_the_collector_run():
    """The garbage collector runs when it likes."""


@mistake(
    "benchmarking.time_calls",
    spec="test_the_collector_is_off_meanwhile",
    says="whether it is on afterwards",
    swap=(
        """        if collecting:
            gc.enable()""",
        "        gc.enable()",
    ),
)
def always_turns_the_collector_on():
    """It is on afterwards, although it was off before."""


@mistake(
    "benchmarking.time_calls",
    spec="test_the_collector_comes_back_after_an_error",
    says="stays off",
    swap=(
        """    try:
        start = timer()
        for _ in range(number):
            function()
        return timer() - start
    finally:
        if collecting:
            gc.enable()""",
        """    start = timer()
    for _ in range(number):
        function()
    seconds = timer() - start
    if collecting:
        gc.enable()
    return seconds""",
    ),
)
def forgets_the_collector_after_an_error():
    """No finally: an error leaves the garbage collector off for good."""


@mistake(
    "benchmarking.calls_per_block",
    spec="test_a_block_is_long_enough",
    says="the calls of 0.3 s",
    swap=(
        "time_calls(function, number, timer) < min_block",
        "time_calls(function, number, timer) < min_block / 2",
    ),
)
def blocks_of_half_the_time():
    """Doubling stops one step too early."""


@mistake(
    "benchmarking.calls_per_block",
    spec="test_the_first_call_of_all_does_not_count",
    says="the calls in a block",
    swap=(
        """    function()
""",
        "",
    ),
)
def measures_the_first_call():
    """The first call, which loads and fills caches, decides how long a block is."""


@mistake(
    "benchmarking.calls_per_block",
    spec="test_a_clock_that_does_not_count_is_an_error",
    says="goes on for a block of 1 ms",
    swap=("if waited > 1 + 100 * min_block:", "if False:"),
)
def doubles_for_ever():
    """CPU time does not count sleep, so no block is ever long enough."""


@mistake(
    "benchmarking.format_time",
    spec="test_a_time_in_words",
    says="expected '1 s'",
    swap=('rounded = float(f"{seconds:.3g}")', "rounded = seconds"),
)
def rounds_after_the_unit():
    """0.9996 s is below 1 s, and 1000 ms when it is rounded."""


@mistake(
    "benchmarking.format_time",
    spec="test_a_time_in_words",
    says="expected '1230 s'",
    swap=("{float(f'{rounded / size:.3g}'):.15g}", "{rounded / size:.3g}"),
)
def powers_of_ten():
    """1234 s are 1.23e+03 s."""


@mistake(
    "benchmarking.format_time",
    spec="test_a_time_in_words",
    says="expected '1 s'",
    swap=("rounded >= each[1]", "rounded > each[1]"),
)
def a_second_is_a_thousand_milliseconds():
    """1 s is shown as 1e+03 ms."""


@mistake(
    "benchmarking.format_time",
    spec="test_a_time_in_words",
    says="expected '2 s'",
    swap=("{float(f'{rounded / size:.3g}'):.15g}", "{rounded / size:.2f}"),
)
def two_decimals():
    """Two decimals, however large the number."""


@mistake(
    "benchmarking.Measurement.times",
    spec="test_times_are_those_of_one_call",
    says="times",
    swap=(" / self.number_per_run", ""),
)
def times_are_of_blocks():
    """Nobody divides by the calls in a block."""


@mistake(
    "benchmarking.Measurement.median",
    spec="test_the_median_is_in_the_middle",
    says="the median of 3, 1, 100",
    swap=("np.median", "np.mean"),
)
def the_mean_is_taken():
    """The mean: one disturbed block moves it anywhere."""


@mistake(
    "benchmarking.Measurement.median",
    spec="test_the_median_is_in_the_middle",
    says="the median of 3, 1, 100, 5",
    swap=("np.median(self.times)", "np.sort(self.times)[len(self.times) // 2]"),
)
def the_upper_of_two():
    """Of two in the middle the larger one."""


@mistake(
    "benchmarking.Measurement.iqr",
    spec="test_the_iqr_holds_the_middle_half",
    says="the iqr",
    swap=("[25, 75]", "[0, 100]"),
)
def the_whole_range():
    """The range from the smallest to the largest: one disturbed block is all that it shows."""


@mistake(
    "benchmarking.Measurement.interval",
    spec="test_an_interval_coin_by_coin",
    says="is too narrow",
    swap=("(1 - confidence) / 2:", "1 - confidence:"),
)
def both_ends_have_the_whole_error():
    """Each end may miss with 5 %, and both together with 10 %."""


@mistake(
    "benchmarking.Measurement.interval",
    spec="test_an_interval_by_hand",
    says="the interval",
    swap=("np.sort(self.times)", "self.times"),
)
def forgets_to_sort():
    """The times are taken in the order in which they were measured."""


@mistake(
    "benchmarking.Measurement.interval",
    spec="test_an_interval_by_hand",
    says="the interval",
    swap=(
        """            break
        k = heads""",
        """            break
        k = heads + 1""",
    ),
)
def one_too_far():
    """The first k that is too large is taken for the last one that will do."""


@mistake(
    "benchmarking.Measurement.__str__",
    spec="test_a_measurement_in_one_line",
    says="str without a label",
    swap=('f"{self.label}: " if self.label else ""', 'f"{self.label}: "'),
)
def a_colon_without_a_label():
    """Without a label the line begins with a colon."""


@mistake(
    "benchmarking.Timer.timeit",
    spec="test_timeit_warms_up",
    says="raw_times",
    swap=(
        """    self.function()
""",
        "",
    ),
)
def does_not_warm_up():
    """The first call is measured."""


@mistake(
    "benchmarking.Timer.timeit",
    spec="test_timeit_is_one_block",
    says="raw_times",
    swap=(
        "(time_calls(self.function, number, self.timer),)",
        "tuple(time_calls(self.function, 1, self.timer) for _ in range(number))",
    ),
)
def many_blocks_of_one():
    """Each call is a block of its own."""


@mistake(
    "benchmarking.Timer.blocked_autorange",
    spec="test_a_block_is_a_twentieth_of_the_time",
    says="the calls of 24.5 ms",
    swap=("min_run_time / 20", "0.0"),
)
def a_call_is_a_block():
    """Every block is a single call, however short."""


@mistake(
    "benchmarking.Timer.blocked_autorange",
    spec="test_blocks_until_the_time_is_over",
    says="raw_times",
    swap=(
        """    raw_times: list[float] = []
    while sum(raw_times) < min_run_time:
        raw_times.append(time_calls(self.function, number, self.timer))""",
        "    raw_times = [time_calls(self.function, number, self.timer)]",
    ),
)
def one_block_is_enough():
    """A single block: a number without a spread."""


@mistake(
    "benchmarking.bootstrap",
    spec="test_the_interval_of_a_mean",
    says="the interval of the mean",
    swap=(
        "generator.integers(len(x), size=(resamples, len(x)))",
        "np.array([generator.permutation(len(x)) for _ in range(resamples)])",
    ),
)
def draws_without_replacement():
    """Each experiment is the sample in another order, so all have one mean."""


@mistake(
    "benchmarking.bootstrap",
    spec="test_the_interval_of_a_mean",
    says="the interval of the mean",
    swap=("size=(resamples, len(x))", "size=(resamples, len(x) // 2 or 1)"),
)
def draws_half_a_sample():
    """Experiments of half the size vary too much."""


@mistake(
    "benchmarking.bootstrap",
    spec="test_the_interval_of_a_mean",
    says="the interval of the mean",
    swap=("tail = 50 * (1 - confidence)", "tail = 100 * (1 - confidence)"),
)
def the_error_is_on_both_sides():
    """5 % are cut off on each side: it is an interval of 90 %."""


@mistake(
    "benchmarking.bootstrap",
    spec="test_less_confidence_is_a_narrower_interval",
    says="the interval of 50 %",
    swap=("tail = 50 * (1 - confidence)", "tail = 2.5"),
)
def always_95_percent():
    """The confidence is checked, and then forgotten."""


@mistake(
    "benchmarking.bootstrap",
    spec="test_all_experiments_are_given_at_once",
    says="the shapes that the statistic was given",
    swap=(
        "np.percentile(statistic(drawn, axis=1), [tail, 100 - tail])",
        "np.percentile([statistic(each[None], axis=1)[0] for each in drawn], [tail, 100 - tail])",
    ),
)
def one_experiment_at_a_time():
    """A loop over the experiments: a thousand calls for one."""


@mistake(
    "benchmarking.bootstrap",
    spec="test_the_same_sample_has_the_same_interval",
    says="the interval of the second call",
    swap=("np.random.default_rng(0)", "np.random.default_rng()"),
)
def another_answer_each_time():
    """Without a generator the verdict is different from call to call."""


@mistake(
    "benchmarking.bootstrap",
    spec="test_a_generator_that_is_given_draws",
    says="two calls with one generator",
    swap=("generator or np.random.default_rng(0)", "np.random.default_rng(0)"),
)
def ignores_the_generator():
    """The generator that was given is not asked."""


@mistake(
    "benchmarking.bootstrap",
    spec="test_a_confidence_is_between_0_and_1",
    says="nothing was raised",
    swap=("    if not 0 < confidence < 1:", "    if False:"),
)
def takes_95_for_a_confidence():
    """95 is taken as it is, for a tail of -4700 %."""


@mistake(
    "benchmarking.Comparison.verdict",
    spec="test_a_verdict_is_of_the_whole_interval",
    says="of 0.99 to 1.3",
    swap=("self.low > 1 + self.margin", "self.ratio > 1 + self.margin"),
)
def the_ratio_decides():
    """The ratio alone says it, however wide the interval is."""


@mistake(
    "benchmarking.Comparison.verdict",
    spec="test_a_verdict_is_of_the_whole_interval",
    says="the verdict",
    swap=(
        '"slower" if self.high < 1 / (1 + self.margin) else "no difference"',
        '"no difference" if self.high > 1 else "slower"',
    ),
)
def slower_without_a_margin():
    """The margin counts only where it is faster."""


@mistake(
    "benchmarking.compare",
    spec="test_the_confidence_reaches_the_interval",
    says="two calls with one generator",
    swap=(", generator=generator", ""),
)
def its_own_generator_draws():
    """The generator that is given is not handed on."""


@mistake(
    "benchmarking.compare",
    spec="test_rounds_belong_together",
    says="ratio, low and high",
    swap=("ratios = np.log(times[0] / times[1])", "ratios = np.log(times[0] / np.median(times[1]))"),
)
def rounds_do_not_belong_together():
    """Each time is divided by the median of the others: what disturbs a round stays in."""


@mistake(
    "benchmarking.compare",
    spec="test_the_ratio_is_the_median_over_the_rounds",
    says="the ratio",
    swap=[
        (
            "low, high = bootstrap(ratios, np.median, confidence",
            "low, high = bootstrap(ratios, np.mean, confidence",
        ),
        ("math.exp(np.median(ratios))", "math.exp(np.mean(ratios))"),
    ],
)
def the_mean_of_the_ratios():
    """The mean, which a single disturbed round moves anywhere."""


@mistake(
    "benchmarking.compare",
    spec="test_the_ratio_is_the_median_over_the_rounds",
    says="the ratio",
    swap=("np.log(times[0] / times[1])", "np.log(times[1] / times[0])"),
)
def upside_down():
    """after / before: faster is below 1."""


@mistake(
    "benchmarking.compare",
    spec="test_the_middle_of_two_ratios_is_that_of_their_logarithms",
    says="the ratio",
    swap=[
        ("ratios = np.log(times[0] / times[1])", "ratios = times[0] / times[1]"),
        (
            "Comparison(math.exp(np.median(ratios)), math.exp(low), math.exp(high), margin)",
            "Comparison(float(np.median(ratios)), low, high, margin)",
        ),
    ],
)
def ratios_without_logarithms():
    """The middle of 1 and 4 is 2.5, and of 1 and 1/4 it is not one over that."""


@mistake(
    "benchmarking.compare",
    spec="test_no_difference_is_seldom_called_one",
    says="of 400 comparisons of equal programs",
    swap=(
        "bootstrap(ratios, np.median, confidence, generator=generator)",
        "bootstrap(np.tile(ratios, 4), np.median, confidence, generator=generator)",
    ),
)
def as_if_there_were_more_rounds():
    """The sample counts four times, so the interval has half of its width."""


@mistake(
    "benchmarking.compare",
    spec="test_a_tenth_is_found",
    says="of 400 find the 10 %",
    swap=(
        "bootstrap(ratios, np.median, confidence, generator=generator)",
        "bootstrap(ratios, np.mean, confidence, generator=generator)",
    ),
)
def the_interval_of_the_mean():
    """Heavy tails make the mean's interval so wide that nothing is ever faster."""


@mistake(
    "benchmarking.compare",
    spec="test_the_margin_is_given_to_the_verdict",
    says="the verdict",
    swap=("math.exp(high), margin)", "math.exp(high))"),
)
def forgets_the_margin():
    """The margin stays 0."""


@mistake(
    "benchmarking.compare",
    spec="test_the_confidence_reaches_the_interval",
    says="is not narrower",
    swap=("np.median, confidence, generator", "np.median, generator"),
)
def forgets_the_confidence():
    """The interval is always one of 95 %."""


@mistake(
    "benchmarking.compare",
    spec="test_rounds_are_equally_many_and_enough",
    says="nothing was raised",
    swap=(" or len(times[0]) < MIN_ROUNDS", ""),
)
def five_rounds_are_enough():
    """With few rounds luck alone makes a difference."""


@mistake(
    "benchmarking.compare",
    spec="test_a_time_is_above_zero",
    says="nothing was raised",
    swap=("not smallest > 0", "smallest < 0"),
)
def a_time_of_0():
    """A time of 0 makes a ratio of infinity."""


@mistake(
    "benchmarking.compare",
    spec="test_a_time_is_above_zero",
    says="nothing was raised",
    swap=("not smallest > 0", "smallest <= 0"),
)
def a_time_of_nan():
    """nan is not below 0 either."""


@mistake(
    "benchmarking.alternate",
    spec="test_the_rounds_alternate",
    says="the calls of each of four rounds",
    swap=(
        """    for i in range(rounds):
        for each in (0, 1) if i % 2 == 0 else (1, 0):
            times[each, i] = time_calls(functions[each], numbers[each], timer) / numbers[each]""",
        """    for each in (0, 1):
        for i in range(rounds):
            times[each, i] = time_calls(functions[each], numbers[each], timer) / numbers[each]""",
    ),
)
def first_all_of_one():
    """All rounds of one, and then all of the other: what happens meanwhile hits one of them."""


@mistake(
    "benchmarking.alternate",
    spec="test_the_one_that_begins_takes_turns",
    says="of two equal programs",
    swap=("(0, 1) if i % 2 == 0 else (1, 0)", "(0, 1)"),
)
def the_same_one_begins():
    """`before` is always the first of a round."""


@mistake(
    "benchmarking.alternate",
    spec="test_each_round_has_a_time_of_both",
    says="the times of before",
    swap=(" / numbers[each]", ""),
)
def seconds_of_a_block():
    """The times are those of a block."""


@mistake(
    "benchmarking.observing",
    spec="test_an_observer_sees_nothing_after_an_error",
    says="the number of observers that are left",
    swap=(
        """    try:
        yield
    finally:
        observers.remove(observer)""",
        """    yield
    observers.remove(observer)""",
    ),
)
def observes_after_an_error():
    """After an error the observer stays."""


@mistake(
    "benchmarking.flops",
    spec="test_a_rule_has_a_product_for_each_gradient",
    says="the flops of 35 products",
    swap=("else event.args[0]", "else event.args[1]"),
)
def as_many_products_as_a_has():
    """The leading axes of a are counted, and not those that a and b make together."""


@mistake(
    "benchmarking.flops",
    spec="test_a_product_by_hand",
    says="the flops of (2, 3) @ (3, 4)",
    swap=("matmul_flops(a.shape[-2], a.shape[-1], b.shape[-1])", "a.shape[-2] * a.shape[-1] * b.shape[-1]"),
)
def counts_multiplications_only():
    """A multiplication and an addition count as one."""


@mistake(
    "benchmarking.flops",
    spec="test_products_that_broadcast",
    says="the flops of (5, 1, 2, 3)",
    swap=("out.shape[:-2]", "a.shape[:-2]"),
)
def leading_axes_of_one_operand():
    """The products are counted by the axes of the first operand."""


@mistake(
    "benchmarking.flops",
    spec="test_a_rule_has_a_product_for_each_gradient",
    says="the flops",
    swap=("sum(each is not None for each in result)", "2"),
)
def a_rule_is_always_two():
    """A gradient that nobody asked for counts, too."""


@mistake(
    "benchmarking.flops",
    spec="test_everything_else_has_no_flops",
    says="the flops of add",
    swap=("        return 0", "        return int(getattr(result, 'size', 0))"),
)
def an_addition_counts():
    """Every entry of every result is an operation."""


@mistake(
    "benchmarking.bytes_moved",
    spec="test_bytes_by_hand",
    says="the bytes of (2, 3) + (3,)",
    swap=("(*read, *written)", "read"),
)
def only_reads():
    """What is written does not count."""


@mistake(
    "benchmarking.bytes_moved",
    spec="test_bytes_by_hand",
    says="the bytes of (2, 3) + (3,)",
    swap=("each.nbytes for", "4 * each.size for"),
)
def four_bytes_each():
    """Every number is taken for a float32."""


@mistake(
    "benchmarking.bytes_moved",
    spec="test_a_single_number_of_numpy_has_bytes",
    says="the bytes of the sum",
    swap=("if each is not None]", "if hasattr(each, 'ndim') and hasattr(each, '__setitem__')]"),
)
def a_sum_writes_nothing():
    """NumPy's single number is taken for no array."""


@mistake(
    "benchmarking.bytes_moved",
    spec="test_a_view_moves_nothing",
    says="of a view",
    swap=(" if written else 0", ""),
)
def a_view_reads():
    """A view reads all that it shows."""


@mistake(
    "benchmarking.bytes_moved",
    spec="test_a_view_moves_nothing",
    says="of a rule that gives grad",
    swap=(
        "[each for each in results if not any(share(each, given) for given in read)]",
        "[] if any(share(each, given) for each in results for given in read) else results",
    ),
)
def one_view_hides_all():
    """A rule that gives one view is taken to write nothing."""


@mistake(
    "benchmarking.bytes_moved",
    spec="test_a_kernel_is_counted_by_what_it_calls",
    says="the bytes of a kernel",
    swap=(
        """    if event.kind == "kernel":
        return 0
""",
        """    if event.kind == "kernel":
        return int(result.data.nbytes)
""",
    ),
)
def counts_a_kernel_twice():
    """A kernel counts, and what it calls counts again."""


@mistake(
    "benchmarking.count",
    spec="test_count_adds_everything_up",
    says="the bytes",
    swap=('total["bytes"] += bytes_moved', 'total["bytes"] = bytes_moved'),
)
def the_last_one_counts():
    """Each operation overwrites the count of the one before."""


@mistake(
    "benchmarking.count",
    spec="test_kernels_are_off_while_counting",
    says="whether kernels were on",
    swap=("with disabled(), observing(add):", "with observing(add):"),
)
def counts_with_kernels():
    """Kernels hide what they compute."""


@mistake(
    "benchmarking.count",
    spec="test_count_adds_everything_up",
    says="how often the function was called",
    swap=(
        "        function()",
        """        function()
    function()""",
    ),
)
def calls_twice():
    """The function is called once more, to warm up."""


@mistake(
    "benchmarking.profile.__call__",
    spec="test_results_come_through",
    says="expected an array",
    swap=("    return result", "    return None"),
)
def keeps_the_result():
    """The observer returns nothing, so nobody has a result."""


@mistake(
    "benchmarking.profile.__call__",
    spec="test_start_and_seconds_of_an_operation",
    says="start and seconds",
    swap=("event.kind, start, seconds", "event.kind, self.timer(), seconds"),
)
def the_end_for_the_start():
    """start is read again when the operation has ended."""


@mistake(
    "benchmarking.profile.__call__",
    spec="test_own_time_is_without_what_was_called",
    says="own",
    swap=("own = seconds - self.inside.seconds", "own = seconds"),
)
def own_time_is_all_time():
    """What was called counts twice: in its own row, and in its caller's."""


@mistake(
    "benchmarking.profile.__call__",
    spec="test_own_time_is_without_what_was_called",
    says="own",
    swap=("self.inside.seconds = outside + seconds", "self.inside.seconds = seconds"),
)
def forgets_the_first_of_two():
    """Of several operations inside only the last one is subtracted."""


@mistake(
    "benchmarking.profile.__call__",
    spec="test_three_deep",
    says="own time by name",
    swap=("self.inside.seconds = outside + seconds", "self.inside.seconds += outside + seconds"),
)
def subtracts_grandchildren_twice():
    """The inner operations of an inner one are subtracted again."""


@mistake(
    "benchmarking.profile.__call__",
    spec="test_an_operation_that_raises_spends_time_too",
    says="own",
    swap=(
        """    try:
        result = run()
    finally:
        seconds = self.timer() - start
        own = seconds - self.inside.seconds
        self.inside.seconds = outside + seconds
""",
        """    result = run()
    seconds = self.timer() - start
    own = seconds - self.inside.seconds
    self.inside.seconds = outside + seconds
""",
    ),
)
def an_error_stops_the_clock():
    """After an operation that raised, its caller's time is wrong."""


@mistake(
    "benchmarking.profile.__call__",
    spec="test_records_have_counts",
    says="flops and bytes by name",
    swap=(
        "counts = flops(event, result), bytes_moved(event, result)",
        "counts = 0, bytes_moved(event, result)",
    ),
)
def does_not_count():
    """The operations of a record are not counted."""


@mistake(
    "benchmarking.profile.__call__",
    spec="test_threads_do_not_mix",
    says="both have thread",
    swap=("threading.get_native_id()", "threading.main_thread().native_id or 0"),
)
def all_in_one_thread():
    """Every record is said to be of the main thread."""


@mistake(
    "benchmarking.profile.key_averages",
    spec="test_rows_add_up",
    says="calls and flops",
    swap=("(record.name, record.kind)", "(record.name, 'primitive')"),
)
def an_operation_and_its_rule_are_one():
    """Rows are told apart by the name alone."""


@mistake(
    "benchmarking.profile.key_averages",
    spec="test_the_row_with_the_most_own_time_is_first",
    says="expected 'outer'",
    swap=(", reverse=True", ""),
)
def the_least_first():
    """The table begins with what costs least."""


@mistake(
    "benchmarking.profile.key_averages",
    spec="test_the_row_with_the_most_own_time_is_first",
    says="expected 'outer'",
    swap=('attrgetter("own")', 'attrgetter("seconds")'),
)
def sorted_by_all_time():
    """The outermost operation is always first, and says nothing."""


@mistake(
    "benchmarking.profile.table",
    spec="test_the_table",
    says="ZeroDivisionError",
    swap=("row.own / total if total else 0", "row.own / total"),
)
def a_share_of_nothing():
    """Where nothing took any time, nothing is divided by nothing."""


@mistake(
    "benchmarking.profile.table",
    spec="test_a_long_table_is_cut",
    says="the number of lines",
    swap=("rows[:row_limit]", "rows"),
)
def a_table_without_end():
    """row_limit is ignored."""


@mistake(
    "benchmarking.profile.table",
    spec="test_the_table",
    says="the words of the last line",
    swap=("sum(row.own for row in rows)", "sum(row.own for row in rows[:row_limit][:1])"),
)
def a_share_of_the_first_row():
    """The share is of the largest row."""


@mistake(
    "benchmarking.profile.export_chrome_trace",
    spec="test_a_trace_opens_in_perfetto",
    says="ts, dur",
    swap=('"dur": r.seconds * 1e6', '"dur": r.seconds * 1e3'),
)
def milliseconds_in_the_trace():
    """The trace format has microseconds."""


@mistake(
    "benchmarking.profile.export_chrome_trace",
    spec="test_a_trace_opens_in_perfetto",
    says="ts, dur",
    swap=("(r.start - began)", "r.start"),
)
def begins_when_the_machine_did():
    """ts is the timer's own time: the picture begins with days of nothing."""


@mistake(
    "benchmarking.profile.export_chrome_trace",
    spec="test_a_trace_of_nothing",
    says="min()",
    swap=(", default=0.0", ""),
)
def nothing_is_an_error():
    """Without a record there is no smallest start."""


@mistake(
    "benchmarking.peak_memory",
    spec="test_together_they_add_up",
    says="the peak of 3 MB and 2 MB together",
    swap=(
        "return tracemalloc.get_traced_memory()[1] - before",
        "return tracemalloc.get_traced_memory()[0] - before",
    ),
)
def what_is_left_at_the_end():
    """Measured when all is over, most has been given back."""


@mistake(
    "benchmarking.peak_memory",
    spec="test_what_was_there_before_does_not_count",
    says="the peak of 2 MB above 5 MB",
    swap=(
        """    tracemalloc.reset_peak()
    """,
        "",
    ),
)
def an_earlier_peak():
    """The peak is that of the whole program."""


@mistake(
    "benchmarking.peak_memory",
    spec="test_what_was_there_before_does_not_count",
    says="the peak of 2 MB above 5 MB",
    swap=("[1] - before", "[1]"),
)
def counts_what_was_there():
    """What was there before counts as well."""


@mistake(
    "benchmarking.peak_memory",
    spec="test_what_was_there_before_does_not_count",
    says="was running before",
    swap=(
        """        if not running:
            tracemalloc.stop()""",
        "        tracemalloc.stop()",
    ),
)
def stops_what_others_started():
    """tracemalloc is stopped, although somebody else had started it."""


@mistake(
    "benchmarking.peak_memory",
    spec="test_tracing_ends",
    says="still running",
    swap=(
        """    finally:
        if not running:
            tracemalloc.stop()""",
        """    finally:
        pass""",
    ),
)
def traces_for_ever():
    """tracemalloc runs from then on."""


@mistake(
    "benchmarking.bandwidth",
    spec="test_the_source_is_filled",
    says="of memory",
    swap=("np.empty(nbytes, np.uint8)", "np.empty(nbytes)"),
)
def eight_bytes_for_each():
    """The copy is of float64: eight times as much is written as is counted."""


@mistake(
    "benchmarking.bandwidth",
    spec="test_a_copy_reads_and_writes",
    says="bandwidth(1)",
    swap=("2 * nbytes / fastest", "nbytes / fastest"),
)
def a_copy_only_writes():
    """What is read does not count."""


@mistake(
    "benchmarking.bandwidth",
    spec="test_the_fastest_copy_counts",
    says="the fastest copy",
    swap=("min(fastest, clock() - start)", "clock() - start"),
)
def the_last_copy_counts():
    """The last of the copies is taken, however disturbed."""


@mistake(
    "benchmarking.bandwidth",
    spec="test_bandwidth_needs_something_to_copy",
    says="nothing was raised",
    swap=("if nbytes < 1 or repeats < 1:", "if nbytes < 1:"),
)
def nothing_timed():
    """Without a repeat the speed is 0, or nobody knows."""


@mistake(
    "benchmarking.bandwidth",
    spec="test_the_source_is_filled",
    says="bytes of memory",
    swap=("np.ones(nbytes, np.uint8)", "np.zeros(nbytes, np.uint8)"),
)
def copies_what_is_not_there():
    """All pages of zeros are one page, in the cache."""


@mistake(
    "benchmarking.bandwidth",
    spec="test_a_copy_takes_time_on_the_clock",
    says="ZeroDivisionError",
    swap=("if not fastest > 0:", "if False:"),
)
def divides_by_no_time():
    """A clock that did not move is the error of a division."""


@mistake(
    "benchmarking.roofline",
    spec="test_under_the_roof_of_the_memory",
    says="the least seconds",
    swap=("least = max(computing, moving)", "least = computing + moving"),
)
def one_after_the_other():
    """Computing waits for the memory, and the memory for the computing."""


@mistake(
    "benchmarking.roofline",
    spec="test_under_the_roof_of_the_arithmetic",
    says="the share of 2 s",
    swap=("least / seconds)", "seconds / least)"),
)
def the_share_upside_down():
    """The share is above 1."""


@mistake(
    "benchmarking.roofline",
    spec="test_the_edge_of_the_roof",
    says="the bound",
    swap=("computing >= moving", "computing > moving"),
)
def memory_at_a_tie():
    """Where both take equally long it is said to be memory."""


@mistake(
    "benchmarking.roofline",
    spec="test_a_roof_needs_bytes_and_times",
    says="ZeroDivisionError",
    swap=(" or nbytes < 1", ""),
)
def divides_by_no_bytes():
    """Without bytes the division says it, in words of its own."""


@mistake(
    "benchmarking.roofline",
    spec="test_a_roof_needs_bytes_and_times",
    says="nothing was raised",
    swap=(
        "not all(each > 0 for each in (seconds, peak_gflops, peak_bandwidth))",
        "min(seconds, peak_gflops, peak_bandwidth) <= 0",
    ),
)
def nan_is_not_below_0():
    """A time of nan passes, and every share is nan."""


@mistake(
    "benchmarking.shared_array",
    spec="test_what_a_fork_writes_is_seen_here",
    says="the shared array",
    swap=("np.frombuffer(memory, dtype, size)", "np.frombuffer(memory, dtype, size).copy()"),
)
def copies_the_shared_memory():
    """The array is a copy, which every fork has for itself."""


@mistake(
    "benchmarking.shared_array",
    spec="test_a_shared_array_is_an_array_of_zeros",
    says="mmap.mmap",
    swap=("max(size * dtype.itemsize, 1)", "size * dtype.itemsize"),
)
def nothing_cannot_be_mapped():
    """An array of no entries asks for no memory."""


@mistake(
    "benchmarking.ProcessGroup.barrier",
    spec="test_nobody_passes_a_barrier_alone",
    says="behind the barrier",
    swap=("        self.gate.wait(self.timeout)", "        pass"),
)
def nobody_waits():
    """Everybody walks through."""


@mistake(
    "benchmarking.ProcessGroup.barrier",
    spec="test_a_barrier_has_a_time_limit",
    says="BrokenBarrierError",
    swap=("except threading.BrokenBarrierError:", "except TimeoutError:"),
)
def an_error_without_words():
    """What the barrier raises says neither who nor how long."""


@mistake(
    "benchmarking.ProcessGroup.row",
    spec="test_an_array_must_fit",
    says="could not broadcast",
    swap=("if array.nbytes > self.rows.shape[1]:", "if False:"),
)
def cuts_off_what_does_not_fit():
    """A row that is too short is cut off without a word."""


@mistake(
    "benchmarking.ProcessGroup.row",
    spec="test_all_reduce_of_any_array",
    says="could not broadcast",
    swap=(".view(array.dtype)", ""),
)
def rows_of_bytes():
    """A row is used as bytes, and each number becomes a byte."""


@mistake(
    "benchmarking.ProcessGroup.all_reduce",
    spec="test_all_reduce_of_two",
    says="the arrays of both",
    swap=("        total += self.row(rank, array)", "        total = self.row(rank, array)"),
)
def the_last_row_for_the_sum():
    """The result is the row of the last process."""


@mistake(
    "benchmarking.ProcessGroup.all_reduce",
    spec="test_all_have_the_same_sum_bit_for_bit",
    says="the sum of rank",
    swap=[
        ("total = self.row(0, array).copy()", "total = array.reshape(-1).copy()"),
        (
            "for rank in range(1, self.world_size):",
            "for rank in (r for r in range(self.world_size) if r != self.rank):",
        ),
    ],
)
def each_begins_with_its_own():
    """Everybody begins with its own row, and the sums round differently."""


@mistake(
    "benchmarking.ProcessGroup.all_reduce",
    spec="test_one_after_the_other",
    says="the number of wrong ones",
    swap=(
        """self.row(self.rank, array)[...] = array.reshape(-1)
    self.barrier()""",
        "self.row(self.rank, array)[...] = array.reshape(-1)",
    ),
)
def reads_before_it_is_written():
    """Nobody waits until all have written."""


@mistake(
    "benchmarking.ProcessGroup.all_reduce",
    spec="test_one_after_the_other",
    says="the number of wrong ones",
    swap=(
        """array[...] = total.reshape(array.shape)
    self.barrier()""",
        "array[...] = total.reshape(array.shape)",
    ),
)
def writes_while_others_read():
    """Nobody waits until all have read."""


@mistake(
    "benchmarking.ProcessGroup.all_reduce",
    spec="test_all_reduce_of_any_array",
    says="the sums",
    swap=("array[...] = total.reshape(array.shape)", "array.reshape(-1)[...] = total"),
)
def writes_into_a_copy():
    """reshape copies an array with gaps, and the sum goes into that copy."""


@mistake(
    "benchmarking.work",
    spec="test_a_worker_sends_its_error",
    says="SystemExit",
    swap=("except BaseException:", "except Exception:"),
)
def exit_is_no_error():
    """SystemExit is no Exception, and goes through."""


@mistake(
    "benchmarking.work",
    spec="test_a_worker_sends_its_error",
    says="is missing in the traceback",
    swap=("traceback.format_exc()", "'it failed'"),
)
def it_failed():
    """The error says that there was one."""


@mistake(
    "benchmarking.collect",
    spec="test_a_process_that_goes_is_an_error",
    says="EOFError",
    swap=("except EOFError:", "except BrokenPipeError:"),
)
def the_end_of_a_pipe():
    """A worker that died is the error of a pipe."""


@mistake(
    "benchmarking.collect",
    spec="test_an_exception_reaches_the_parent",
    says="nothing was raised",
    swap=("if not fine:", "if False:"),
)
def an_error_is_a_result():
    """The text of the error is given as if it were a result."""


@mistake(
    "benchmarking.collect",
    spec="test_results_come_by_rank_although_the_first_is_last",
    says="the results",
    swap=("[results[rank] for rank in range(len(pipes))]", "list(results.values())"),
)
def as_they_come():
    """The results are in the order in which they came."""


@mistake(
    "benchmarking.collect",
    spec="test_a_result_may_be_larger_than_a_pipe",
    says="still running",
    swap=(
        "        ready = wait(list(waiting.values()))",
        """        wait([workers[rank].sentinel for rank in waiting])
        ready = wait(list(waiting.values()))""",
    ),
)
def waits_for_the_end_first():
    """It waits for a process to end, which waits for somebody to read."""


@mistake(
    "benchmarking.collect",
    spec="test_a_killed_process_is_an_error",
    says="should hold process 1",
    swap=(
        """        ready = wait(list(waiting.values()))
""",
        """        waiting = dict(list(waiting.items())[:1])
        ready = list(waiting.values())
""",
    ),
)
def one_worker_after_the_other():
    """It waits for rank 0, and does not see that rank 1 has died."""


@mistake(
    "benchmarking.spawn",
    spec="test_nothing_is_left_when_all_is_well",
    says="a process is left",
    swap=(
        """                worker.kill()
                worker.join()""",
        "                worker.kill()",
    ),
)
def leaves_the_dead():
    """Nobody waits for the processes that were ended."""


@mistake(
    "benchmarking.spawn",
    spec="test_the_others_are_ended",
    says="spawn waited until rank 0 was done",
    swap=(
        """                worker.kill()
""",
        "",
    ),
)
def waits_for_the_others():
    """After an error the others work on to their end, for nothing."""


@mistake(
    "benchmarking.spawn",
    spec="test_an_exception_reaches_the_parent",
    says="a process is left",
    swap=(
        """    finally:
        for worker in workers:
            if worker.pid is not None:  # it was started
                worker.kill()
                worker.join()""",
        """    finally:
        pass""",
    ),
)
def leaves_the_others():
    """After an error the others wait on at their barrier."""


@mistake(
    "benchmarking.spawn",
    spec="test_a_killed_process_is_an_error",
    says="should hold process 1",
    swap=(
        "        theirs.close()  # the worker has it now; when it dies, nobody has it, and `ours` comes to its end",
        "        pipes[-1].other = theirs  # type: ignore[attr-defined]",
    ),
)
def holds_the_other_end():
    """This process keeps the end into which the worker writes, so the pipe never comes to its end."""


@mistake(
    "benchmarking.spawn",
    spec="test_without_fork_it_says_so",
    says="fork",
    swap=('    if not hasattr(os, "fork"):', "    if False:"),
)
def does_not_ask_for_fork():
    """What happens on Windows is left to chance."""


@mistake(
    "benchmarking.spawn",
    spec="test_threads_come_after_the_fork",
    says="nothing was raised",
    swap=(
        "    if others := [each.name for each in threading.enumerate() if each is not here and not each.daemon]:",
        "    if others := []:",
    ),
)
def forks_beside_threads():
    """A fork beside a thread is made, and may never end."""


@mistake(
    "benchmarking.DistributedSampler.__init__",
    spec="test_a_rank_is_one_of_them",
    says="nothing was raised",
    swap=("0 <= rank < num_replicas", "rank <= num_replicas"),
)
def ranks_from_1():
    """The rank of the last process is taken to be num_replicas."""


@mistake(
    "benchmarking.DistributedSampler.__iter__",
    spec="test_every_second_index",
    says="the indices of both ranks",
    swap=("[self.rank :: self.num_replicas]", "[self.rank * len(self) : (self.rank + 1) * len(self)]"),
)
def blocks_for_turns():
    """Each has a block, so that the processes together do not go through the order in batches."""


@mistake(
    "benchmarking.DistributedSampler.__iter__",
    spec="test_what_is_missing_is_repeated",
    says="the indices of three ranks",
    swap=("np.resize(order, len(self) * self.num_replicas)", "order"),
)
def fewer_for_the_last():
    """The last ranks have fewer, and the others wait for them in vain."""


@mistake(
    "benchmarking.DistributedSampler.__iter__",
    spec="test_an_order_is_drawn_from_the_seed_and_the_epoch",
    says="epoch 1 has the order of epoch 0",
    swap=("[self.seed, self.epoch]", "[self.seed]"),
)
def every_epoch_alike():
    """The epoch does not count."""


@mistake(
    "benchmarking.DistributedSampler.__iter__",
    spec="test_together_they_have_all",
    says="in the order of their places",
    swap=("[self.seed, self.epoch]", "[self.seed, self.epoch, self.rank]"),
)
def an_order_for_each_rank():
    """Each rank shuffles for itself: some samples come twice, and others never."""


@mistake(
    "benchmarking.DistributedSampler.__len__",
    spec="test_what_is_too_much_is_dropped",
    says="the indices of three ranks",
    swap=(" if self.drop_last else -(-n // self.num_replicas)", " + (n % self.num_replicas > 0)"),
)
def never_drops():
    """drop_last is ignored."""


@mistake(
    "benchmarking.average_gradients",
    spec="test_gradients_become_their_mean",
    says="the gradients in both processes",
    swap=("flat /= group.world_size", "pass"),
)
def the_sum_for_the_mean():
    """The sum: twice the step, with two processes."""


@mistake(
    "benchmarking.average_gradients",
    spec="test_a_missing_gradient_counts_as_zero",
    says="0",
    swap=(
        "parts = [np.zeros_like(each.data) if each.grad is None else each.grad.data for each in learned]",
        """learned = [each for each in learned if each.grad is not None]
    parts = [each.grad.data for each in learned]""",
    ),
)
def leaves_out_what_is_missing():
    """A process without a gradient leaves it out, and the arrays no longer fit together."""


@mistake(
    "benchmarking.average_gradients",
    spec="test_gradients_keep_their_dtypes",
    says="the dtypes",
    swap=(".astype(each.dtype)", ""),
)
def one_dtype_for_all():
    """The gradients have the dtype of the flat array."""


@mistake(
    "benchmarking.fit_parallel",
    spec="test_the_model_has_learned_here",
    says="first.weight",
    swap=(
        """    model.load_state_dict(model_state)
""",
        "",
    ),
)
def learns_only_there():
    """The model here stays what it was."""


@mistake(
    "benchmarking.fit_parallel",
    spec="test_the_optimizer_goes_on_from_there",
    says="after one further step",
    swap=(
        """    optimizer.load_state_dict(optimizer_state)
""",
        "",
    ),
)
def forgets_the_momentum():
    """The optimizer here has no state."""


@mistake(
    "benchmarking.fit_parallel",
    spec="test_a_model_may_be_large",
    says="does not fit",
    swap=(
        """        buffer_bytes=8 * sum(each.data.size for each in model.parameters()),  # float64 at most
""",
        "",
    ),
)
def a_row_of_any_size():
    """The gradients of a large model do not fit into the rows."""


@mistake(
    "benchmarking.fit_parallel",
    spec="test_a_process_has_a_loss_of_its_own",
    says="the first loss of each process",
    swap=("np.array([losses for losses, _, _ in results])", "np.array([results[0][0]] * len(results))"),
)
def rank_0_for_all():
    """The losses of rank 0 are given for all."""


@mistake(
    "benchmarking.ring_steps",
    spec="test_two_in_a_ring",
    says="the pieces of both",
    swap=("(rank - 1 - s) % world_size", "(rank - s) % world_size"),
)
def adds_its_own_piece_first():
    """It begins with a piece that its neighbour has not got ready."""


@mistake(
    "benchmarking.ring_steps",
    spec="test_a_ring_step_by_step",
    says="the pieces of 3 processes",
    swap=("taking = [(rank - s) % world_size", "taking = [(rank + s) % world_size"),
)
def copies_the_wrong_way():
    """The finished pieces are looked for in the wrong direction."""


@mistake(
    "benchmarking.ring_all_reduce",
    spec="test_one_ring_after_the_other",
    says="the number of wrong ones",
    swap=(
        """array[...] = group.row(group.rank, array).reshape(array.shape)
    group.barrier()""",
        "array[...] = group.row(group.rank, array).reshape(array.shape)",
    ),
)
def ring_without_an_end():
    """Nobody waits at the end, before the rows are written again."""


@mistake(
    "benchmarking.ring_all_reduce",
    spec="test_ring_all_reduce",
    says="the sums of",
    swap=("(group.rank - 1) % group.world_size", "(group.rank + 1) % group.world_size"),
)
def the_right_neighbour():
    """Each takes from its right neighbour, which has other pieces ready."""


@mistake(
    "benchmarking.bytes_moved",
    spec="test_operations_on_a_device_are_written_down",
    says="the list of records",
    swap=('if hasattr(each, "nbytes")]', "if type(each).__module__ == 'numpy']"),
)
def only_numpy_reads():
    """Only arrays of NumPy are counted among what is read."""


@mistake(
    "benchmarking.ProcessGroup.all_reduce",
    spec="test_an_array_on_a_gpu_is_not_summed_up",
    says="TypeError",
    swap=("= array.reshape(-1)", '= (array.get() if hasattr(array, "get") else array).reshape(-1)'),
)
def reduced_through_the_cpu():
    """An array of a GPU is copied to the CPU in silence."""


@mistake(
    "benchmarking.average_gradients",
    spec="test_gradients_on_a_gpu_are_not_averaged",
    says="nothing was raised",
    swap=("else each.grad.data for", 'else each.grad.to("cpu").data for'),
)
def gradients_come_home():
    """Gradients are brought to the CPU in silence, and stay there."""
