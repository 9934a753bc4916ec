"""Classic mistakes of kata 10: chance that depends on threads, threads that outlive loops, files taken on trust."""

from dojo.tree.mistakes import mistake

# Datasets


@mistake(
    "dataloader.TensorDataset.__init__",
    spec="test_tensors_of_a_dataset_have_as_many_rows",
    says="nothing was raised",
    swap=("for each in tensors:", "for each in tensors[:2]:"),
)
def rows_are_not_counted():
    """Only the first two Tensors are compared."""


@mistake(
    "dataloader.TensorDataset.__getitems__", spec="test_many_rows_come_at_once", says="the type of the batch"
)
def many_rows_one_by_one(self, indices):
    """A list of samples: correct in PyTorch, but slow."""
    return [self[index] for index in indices]


@mistake(
    "dataloader.Subset.__getitem__",
    spec="test_a_subset_renumbers",
    says="the list of samples of the subset",
    swap=("self.indices[index]", "index"),
)
def subset_counts_as_the_dataset():
    """The index is used as one of the dataset."""


@mistake(
    "dataloader.Subset.__getitems__",
    spec="test_a_subset_gives_many_at_once_where_its_dataset_does",
    says="two samples of a subset",
    swap=("many(places)", "many(indices)"),
)
def subset_forgets_to_renumber_many():
    """Many indices are passed on as they are."""


@mistake(
    "dataloader.many_at_once",
    spec="test_many_at_once_distrusts_what_a_subclass_inherits",
    says="newer than __getitems__",
)
def many_at_once_trusts_everybody(dataset):
    """An inherited __getitems__ ignores the subclass's own __getitem__."""
    return getattr(dataset, "__getitems__", None)


@mistake(
    "dataloader.split_lengths",
    spec="test_what_fractions_leave_is_dealt_out_from_the_front",
    says="11 in thirds",
    swap=("math.floor(n * each)", "round(n * each)"),
)
def split_rounds():
    """Each part is rounded, and together they are too many."""


@mistake(
    "dataloader.random_split",
    spec="test_a_random_split_loses_nothing",
    says="is the split random?",
    swap=(
        '(generator or default_generator("cpu")).permutation(len(dataset)).tolist()',
        "list(range(len(dataset)))",
    ),
)
def split_cuts():
    """The samples are cut in order, without a permutation."""


@mistake(
    "dataloader.random_split",
    spec="test_a_split_depends_on_its_generator_alone",
    says="the first part, split again",
    swap=('(generator or default_generator("cpu"))', 'default_generator("cpu")'),
)
def split_forgets_its_generator():
    """The default generator draws, even if another one is given."""


@mistake(
    "dataloader.random_split",
    spec="test_a_split_depends_on_its_generator_alone",
    says="split twice without a generator",
    swap=('default_generator("cpu")', "np.random.default_rng(0)"),
)
def every_split_the_same():
    """Without a generator, a new one with a fixed seed: every split is the same."""


# Samplers


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_all_is_drawn_when_an_epoch_begins",
    says="drew nothing: when does the order come about?",
    swap=[
        ("return iter([])", "return"),
        (
            "return iter(generator.integers(n, size=wanted).tolist())",
            """yield from generator.integers(n, size=wanted).tolist()
        return""",
        ),
        (
            "return iter(np.concatenate(rounds)[:wanted].tolist())",
            "yield from np.concatenate(rounds)[:wanted].tolist()",
        ),
    ],
)
def the_order_is_drawn_late():
    """A generator function: it draws when the first index is asked for."""


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_a_random_order_holds_each_index_once",
    says="two epochs have the same order",
    swap=('self.generator or default_generator("cpu")', "np.random.default_rng(0)"),
)
def the_order_is_seeded_anew():
    """Every epoch in the same random order."""


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_an_order_depends_on_its_generator_alone",
    says="without a generator two epochs have the same order",
    swap=('default_generator("cpu")', "np.random.default_rng(0)"),
)
def one_order_for_all_epochs():
    """Without a generator, a new one with a fixed seed: every epoch has the same order."""


@mistake(
    "dataloader.WeightedRandomSampler.__iter__",
    spec="test_an_order_depends_on_its_generator_alone",
    says="without a generator two epochs have the same order",
    swap=('default_generator("cpu")', "np.random.default_rng(0)"),
)
def weighed_once_for_all_epochs():
    """The same mistake in WeightedRandomSampler."""


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_as_many_as_wanted",
    says="the number of samples",
    swap=("range(-(-wanted // n))", "range(1)"),
)
def one_permutation_is_all():
    """num_samples is larger than the data, and only one permutation is given."""


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_with_replacement_each_is_drawn_from_all",
    says="hold one sample twice",
    swap=("if self.replacement:", "if False:"),
)
def replacement_is_ignored():
    """Permutations, even with replacement=True."""


@mistake(
    "dataloader.WeightedRandomSampler.__iter__",
    spec="test_by_weight_without_replacement",
    says="an epoch of 3 of 3 possible ones",
    swap=("self.replacement", "True"),
)
def weights_always_put_back():
    """Drawn with replacement, even with replacement=False."""


@mistake(
    "dataloader.BatchSampler.__len__",
    spec="test_a_batch_sampler_groups_indices",
    says="the length",
    swap=(" if self.drop_last else -(-n // self.batch_size)", ""),
)
def the_last_batch_is_not_counted():
    """The length is rounded down, even if the last batch is kept."""


@mistake(
    "dataloader.batched",
    spec="test_items_in_groups",
    says="the list of groups with drop_last",
    swap=("if len(batch) == batch_size or not drop_last:", "if True:"),
)
def short_groups_are_kept():
    """drop_last is ignored."""


@mistake("dataloader.batched", spec="test_items_in_groups", says="groups that come out even")
def the_last_group_is_dropped(items, batch_size, drop_last):
    """drop_last drops a full group too."""
    groups = []
    while batch := list(islice(items, batch_size)):
        groups.append(batch)
    yield from groups[:-1] if drop_last else groups


# Samples to a batch


@mistake(
    "dataloader.default_collate",
    spec="test_python_numbers_become_a_tensor",
    says="float64",
    swap=("tensor(list(batch))", "Tensor(get_array_module(batch).asarray(batch))"),
)
def numbers_become_what_numpy_makes():
    """Python floats become float64."""


@mistake(
    "dataloader.default_collate",
    spec="test_arrays_keep_their_dtype",
    says="float32",
    swap=("_numeric(each) for", "_numeric(each).astype(np.float32) for"),
)
def everything_becomes_float32():
    """Bytes grow to four times their size."""


@mistake(
    "dataloader.default_collate",
    spec="test_samples_of_a_batch_have_as_many_parts",
    says="nothing was raised",
    swap=[
        ('_alike("lengths", [len(each) for each in batch])', "pass"),
        (", strict=True", ""),
    ],
)
def parts_are_dropped():
    """zip ends with the shortest sample."""


@mistake(
    "dataloader.default_convert",
    spec="test_convert_only_makes_tensors",
    says="written through the Tensor",
    swap=("Tensor(_numeric(data))", "tensor(_numeric(data))"),
)
def convert_copies():
    """Every batch is copied."""


@mistake(
    "dataloader.default_collate",
    spec="test_samples_are_put_together_on_their_device",
    says="get_array_module",
    swap=("_numeric(each)", "np.asarray(_numeric(each))"),
)
def collate_works_on_the_cpu():
    """np.asarray of an array on the device."""


# Chance


@mistake(
    "dataloader.draw_seed",
    spec="test_a_seed_is_drawn",
    says="2**62",
    swap=("2**63", "2**31"),
)
def seeds_of_32_bits():
    """With only 2**31 seeds, two epochs soon have the same one."""


@mistake(
    "dataloader.draw_seed",
    spec="test_a_seed_comes_from_the_generator_that_was_named",
    says="a seed, drawn again",
    swap=('(generator or default_generator("cpu"))', 'default_generator("cpu")'),
)
def seeds_always_from_the_default():
    """The generator that is given is ignored."""


@mistake(
    "dataloader.draw_seed",
    spec="test_a_seed_comes_from_the_generator_that_was_named",
    says="without a generator two seeds are the same",
    swap=('default_generator("cpu")', "np.random.default_rng(0)"),
)
def one_seed_for_all_epochs():
    """Without a generator, a new one with a fixed seed: every epoch draws the same numbers."""


@mistake("dataloader.batch_generator", spec="test_a_batch_has_a_generator_of_its_own", says="draws what seed")
def seed_plus_number(seed, number):
    """Batch 1 of one epoch is batch 0 of another."""
    return np.random.default_rng(seed + number)


@mistake(
    "dataloader.drawing_from",
    spec="test_an_error_ends_a_block_too",
    says="after the error",
    swap=(
        """try:
        yield
    finally:
        current""",
        """yield
    current""",
    ),
)
def blocks_that_errors_leave_open():
    """No finally: after an error the generator is not restored."""


@mistake(
    "dataloader.drawing_from",
    spec="test_a_block_has_its_generator",
    says="not the outer block's again",
    swap=("current.generator = before", "current.generator = None"),
)
def blocks_that_end_all_blocks():
    """The end of an inner block also ends the outer one."""


@mistake(
    "dataloader.drawing_from",
    spec="test_a_block_is_one_threads_own",
    says="another thread",
    swap=[
        (
            "before, current.generator = current.generator, generator",
            "before, Current.generator = Current.generator, generator",
        ),
        ("current.generator = before", "Current.generator = before"),
    ],
)
def blocks_for_every_thread():
    """Kept in the class, which all threads share."""


# prefetch


@mistake(
    "dataloader.prefetch",
    spec="test_the_next_job_is_done_while_the_caller_is_busy",
    says="job 1 was not begun while the caller had the result of job 0",
    swap=("if len(waiting) > ahead:", "if True:"),
)
def one_job_at_a_time():
    """A thread, but nothing is done ahead of time."""


@mistake(
    "dataloader.prefetch",
    spec="test_workers_work_side_by_side",
    says="the list of results",
    swap=(
        """while waiting:
            yield waiting.popleft().result()""",
        """from concurrent.futures import as_completed

        yield from (future.result() for future in as_completed(waiting))""",
    ),
)
def as_they_are_completed():
    """Results come in the order in which they are done."""


@mistake(
    "dataloader.prefetch",
    spec="test_not_more_than_asked_for_is_done_ahead",
    says="the number of jobs begun when 1 results were taken",
    swap=("if len(waiting) > ahead:", "if False:"),
)
def everything_ahead():
    """The whole epoch is in memory."""


@mistake(
    "dataloader.prefetch",
    spec="test_closing_ends_the_threads",
    says="told to stop",
    swap=(
        """if stop:
            stop.set()
        pool.shutdown(cancel_futures=True)""",
        """pool.shutdown(cancel_futures=True)
        if stop:
            stop.set()""",
    ),
)
def stop_comes_too_late():
    """It waits for the running job, and only then sets `stop`."""


@mistake(
    "dataloader.prefetch",
    spec="test_closing_ends_the_threads",
    says="the list of jobs that were begun",
    swap=("cancel_futures=True", ""),
)
def waiting_jobs_are_done():
    """shutdown without cancel_futures does all jobs that were submitted."""


@mistake(
    "dataloader.prefetch",
    spec="test_the_last_result_ends_the_threads",
    says="threads were left behind",
    swap=("pool.shutdown(cancel_futures=True)", "threading.prefetch_pool = pool"),
)
def threads_that_stay():
    """The pool is never shut down."""


@mistake(
    "dataloader.prefetch",
    spec="test_the_job_in_hand_is_waited_for",
    says="the list of jobs that had given up",
    swap=("cancel_futures=True", "wait=False, cancel_futures=True"),
)
def the_end_does_not_wait():
    """The threads are told to end, but not waited for."""


@mistake(
    "dataloader.prefetch",
    spec="test_an_error_comes_in_its_place",
    says="was not raised",
    swap=(
        "finally:",
        """except Exception:
        return
    finally:""",
    ),
)
def errors_end_in_silence():
    """An error ends the results, as if there were no more jobs."""


@mistake(
    "dataloader.prefetch",
    spec="test_jobs_are_taken_in_the_callers_thread",
    says="the set of threads in which jobs were taken",
    swap=(
        """try:
        for job in jobs:""",
        """try:
        taken, end = iter(jobs), object()
        for job in iter(lambda: pool.submit(next, taken, end).result(), end):""",
    ),
)
def jobs_are_taken_in_the_thread():
    """The next job is taken in a thread of the pool."""


# Reading


@mistake(
    "dataloader.fetch",
    spec="test_a_broken_sample_is_named",
    says="should hold 13",
    swap=("_sample(dataset, index)", "dataset[index]"),
)
def errors_without_a_name():
    """The error does not say which sample is broken."""


@mistake(
    "dataloader.fetch",
    spec="test_a_broken_sample_is_named",
    says="RuntimeError",
    swap=(
        "samples.append(_sample(dataset, index))",
        """try:
            samples.append(dataset[index])
        except Exception as error:
            raise RuntimeError(f"sample {index} of {type(dataset).__name__}: {error}") from error""",
    ),
)
def errors_of_another_kind():
    """The error is wrapped in another: `except OSError` no longer catches it."""


@mistake(
    "dataloader.fetch",
    spec="test_reading_stops_when_nobody_waits",
    says="nothing was raised",
    swap=("_go_on(stop)", "pass"),
)
def reading_goes_on():
    """`stop` is never checked."""


@mistake(
    "dataloader.fetch",
    spec="test_many_samples_are_read_at_once_where_they_can",
    says="what was read",
    swap=("if many := many_at_once(dataset):", "if False:"),
)
def never_many_at_once():
    """One by one, always."""


@mistake(
    "dataloader.read_stream",
    spec="test_a_stream_is_read_as_it_is_asked_for",
    says="how often iter() was called",
)
def the_stream_begins_late(dataset, stop=None):
    """A generator function: iter(dataset) is called only at the first next(), perhaps in another thread."""
    for sample in dataset:
        _go_on(stop)
        yield sample


@mistake(
    "dataloader.read_stream",
    spec="test_a_stream_is_read_as_it_is_asked_for",
    says="how many samples were read",
    swap=("iter(dataset)", "iter(list(dataset))"),
)
def the_stream_is_read_at_once():
    """list(): an endless stream never ends."""


@mistake(
    "dataloader.read_stream",
    spec="test_none_is_a_sample_like_any_other",
    says="the list of samples of read_stream",
)
def none_ends_the_stream(dataset, stop=None):
    """next(it, None), and None is taken for the end."""

    def samples(source):
        while (sample := next(source, None)) is not None:
            _go_on(stop)
            yield sample

    return samples(iter(dataset))


# The loader


@mistake(
    "dataloader.DataLoader._make",
    spec="test_none_is_a_sample_like_any_other",
    says="batch_size=None",
    swap=[
        ("next(indices, NO_MORE)", "next(indices, None)"),
        ("if data is NO_MORE:", "if data is None:"),
    ],
)
def none_ends_the_epoch():
    """The loader's own next(it, None)."""


@mistake("dataloader.read_stream", spec="test_a_broken_sample_of_a_stream_is_named", says="should hold 13")
def a_stream_counts_from_one(dataset, stop=None):
    """The thirteenth sample is called the fourteenth."""

    def samples(source):
        for number in count(1):
            _go_on(stop)
            with _noting(f"sample {number} of {type(dataset).__name__}"):
                sample = next(source, NO_MORE)
            if sample is NO_MORE:
                return
            yield sample

    return samples(iter(dataset))


@mistake(
    "dataloader.DataLoader.__init__",
    spec="test_what_is_false_contradicts_nothing",
    says="exclude each other",
    swap=("bool(shuffle)", "shuffle is not None"),
)
def false_is_taken_for_an_order():
    """shuffle=False with a sampler is refused."""


@mistake(
    "dataloader._count",
    spec="test_options_are_positive_integers",
    says="nothing was raised, expected ValueError with a message that holds num_workers and True",
    swap=("isinstance(value, bool) or ", ""),
)
def true_is_one_worker():
    """isinstance(True, int) is true: num_workers=True counts as 1."""


@mistake(
    "dataloader.DataLoader._collated",
    spec="test_a_list_of_many_samples_is_put_together",
    says="the set of types of the parts of the batches of a Listed",
    swap=(
        "isinstance(data, list):",
        """(
        isinstance(data, list)
        and (isinstance(self.dataset, IterableDataset) or not many_at_once(self.dataset))
    ):""",
    ),
)
def many_at_once_are_a_batch():
    """A list of samples from __getitems__ is taken for a finished batch."""


@mistake(
    "dataloader.DataLoader._collated",
    spec="test_a_collate_fn_gets_samples_all_the_same",
    says="what collate_fn got, where the batch was one array",
    swap=("else list(data)", "else data"),
)
def one_array_is_passed_on():
    """A tuple is taken apart for collate_fn, one array is not."""


@mistake(
    "dataloader.DataLoader._collated",
    spec="test_a_batch_that_is_one_already_is_only_converted",
    says="a batch that was one array is a list",
    swap=("return default_convert(data)", "return [default_convert(part) for part in data]"),
)
def one_array_is_taken_apart():
    """One array becomes a list of its rows."""


@mistake(
    "dataloader.DataLoader.__iter__",
    spec="test_an_abandoned_batch_of_a_stream_is_not_read_to_its_end",
    says="though the loop ended at sample 51",
    swap=("read_stream(self.dataset, stop)", "read_stream(self.dataset)"),
)
def the_stream_is_not_told():
    """fetch gets the `stop` event, but read_stream does not."""


@mistake(
    "dataloader.DataLoader.__iter__",
    spec="test_the_look_ahead_of_a_stream_has_the_same_bound",
    says="batch 4 was not read",
    swap=("ahead = self.num_workers", "ahead = workers"),
)
def a_stream_looks_less_far():
    """A stream has one reader, and is read only as far ahead as for one worker."""


@mistake(
    "dataloader.DataLoader._make",
    spec="test_each_batch_draws_from_its_own_generator",
    says="how many different",
    swap=("batch_generator(seed, number)", "batch_generator(seed, 0)"),
)
def every_batch_the_same_chance():
    """One seed for all batches."""


@mistake(
    "dataloader.DataLoader._make",
    spec="test_workers_change_nothing",
    says="two epochs with",
    swap=("with drawing_from(batch_generator(seed, number)):", "if True:"),
)
def workers_share_the_default_generator():
    """The numbers depend on which thread draws first."""


@mistake(
    "dataloader.DataLoader._make",
    spec="test_the_generator_is_current_while_a_batch_is_put_together",
    says="the list of draws, again from the same generator",
    swap=(
        """        if data is NO_MORE:
            return NO_MORE
        with _noting""",
        """    if data is NO_MORE:
        return NO_MORE
    with _noting""",
    ),
)
def collate_is_left_to_chance():
    """The batch's generator is current while reading, but not while collating."""


@mistake(
    "dataloader.DataLoader._collated",
    spec="test_a_batch_that_is_one_already_is_only_converted",
    says="the type of the batch",
    swap=("self.batch_sampler is None or isinstance(data, list)", "True"),
)
def batches_are_stacked_again():
    """The arrays of a batch are taken for samples, and stacked."""


@mistake(
    "dataloader.DataLoader._collated",
    spec="test_a_collate_fn_gets_samples_all_the_same",
    says="what collate_fn got",
    swap=("list(zip(*data, strict=True)) if isinstance(data, tuple) else list(data)", "data"),
)
def collate_fn_gets_a_batch():
    """A collate_fn gets the dataset's batch, not a list of samples."""


@mistake(
    "dataloader.DataLoader.__iter__",
    spec="test_a_stream_has_one_reader",
    says="generator already executing",
    swap=("min(self.num_workers, 1)", "self.num_workers"),
)
def a_stream_with_many_readers():
    """As many readers as workers."""


@mistake(
    "dataloader.DataLoader.__iter__",
    spec="test_an_epoch_draws_when_it_begins_and_never_again",
    says="iter(loader) drew no seed",
    swap=("return _until_no_more", "yield from _until_no_more"),
)
def the_seed_is_drawn_late():
    """A generator function: what the caller draws after iter(loader) comes before the epoch's seed."""


@mistake(
    "dataloader.DataLoader.__iter__",
    spec="test_an_abandoned_batch_is_not_read_to_its_end",
    says="though the loop ended at the third",
    swap=("seed=seed, stop=stop", "seed=seed, stop=threading.Event()"),
)
def workers_are_not_told():
    """The event that prefetch sets is not the one that fetch checks."""


@mistake(
    "dataloader.DataLoader.__iter__",
    spec="test_the_look_ahead_has_a_bound",
    says="was not read while",
    swap=("self.num_workers * (self.prefetch_factor or 0)", "self.prefetch_factor or 0"),
)
def the_factor_counts_once():
    """prefetch_factor batches ahead, for any number of workers."""


# Pictures


@mistake(
    "dataloader.ToDtype.transform",
    spec="test_bytes_become_fractions",
    says="0.9961",
    swap=("np.iinfo(pictures.dtype).max", "256"),
)
def scaled_by_256():
    """255 becomes a little less than 1."""


@mistake(
    "dataloader.Normalize.transform",
    spec="test_each_channel_is_normalised",
    says="was changed",
    swap=(
        "normalized = pictures - xp",
        """normalized = pictures
    normalized -= xp""",
    ),
)
def normalized_in_place():
    """The data set itself is normalised, again in every epoch."""


@mistake(
    "dataloader.Normalize.transform",
    spec="test_each_channel_is_normalised",
    says="the picture",
    swap=[
        ("(self.mean, dtype=pictures.dtype)[:, None, None]", "(self.mean, dtype=pictures.dtype)"),
        ("(self.std, dtype=pictures.dtype)[:, None, None]", "(self.std, dtype=pictures.dtype)"),
    ],
)
def normalized_by_column():
    """mean and std are broadcast along the width."""


@mistake(
    "dataloader.RandomCrop.transform",
    spec="test_every_window_is_as_likely",
    says="upper left pixels",
    swap=[
        ("h - height + 1", "max(h - height, 1)"),
        ("w - width + 1", "max(w - width, 1)"),
    ],
)
def the_last_window_never_comes():
    """integers(n) is never n."""


@mistake(
    "dataloader.RandomCrop.transform",
    spec="test_every_window_is_as_likely",
    says="upper left pixels",
    swap=[
        (
            "generator.integers(h - height + 1, size=n).tolist()",
            "[int(generator.integers(h - height + 1))] * n",
        ),
        (
            "generator.integers(w - width + 1, size=n).tolist()",
            "[int(generator.integers(w - width + 1))] * n",
        ),
    ],
)
def one_window_for_all():
    """All pictures of a batch are cropped at the same place."""


@mistake(
    "dataloader.RandomCrop.transform",
    spec="test_a_margin_is_black",
    says="of 9 windows",
    swap=("p : h - p, p : w - p", ": h - 2 * p, : w - 2 * p"),
)
def a_margin_on_two_sides():
    """The margin is only at the right and at the bottom."""


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_a_flip_turns_left_and_right",
    says="with p=1",
    swap=("::-1", "::-1, :"),
)
def upside_down():
    """The wrong axis."""


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_each_picture_is_turned_for_itself",
    says="pictures are turned over",
    swap=(
        "current_generator().random(pictures.shape[:-3]) < self.p",
        "np.full(pictures.shape[:-3], current_generator().random() < self.p)",
    ),
)
def one_coin_for_all():
    """One draw for the whole batch: all pictures are mirrored, or none."""


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_each_picture_is_turned_for_itself",
    says="pictures are turned over",
    swap=("< self.p", ">= self.p"),
)
def p_to_stay():
    """p is the probability to stay."""


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_a_flip_turns_left_and_right",
    says="with p=0.0 the result is no new array",
    swap=(
        "flips = current",
        """if self.p in (0, 1):
        return pictures[..., ::-1] if self.p else pictures
    flips = current""",
    ),
)
def nothing_to_do_is_not_copied():
    """A shortcut for p=0 and p=1 returns the input itself, or a view of it."""


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_a_flip_turns_left_and_right",
    says="was changed",
    swap=("pictures.copy()", "pictures"),
)
def flipped_in_place():
    """The input itself is mirrored."""


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_chance_is_the_current_generators",
    says="the same generator gave other pictures",
    swap=(
        "flips = current_generator()",
        """from tinytorch.setup import default_generator

    flips = default_generator("cpu")""",
    ),
)
def flips_from_the_default_generator():
    """The batch's own generator is not used."""


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_many_random_pictures_at_once",
    says="times faster",
    swap=(
        "flips = current",
        """if pictures.ndim > 3:
        return np.stack([self.transform(picture) for picture in pictures])
    flips = current""",
    ),
)
def flips_one_by_one():
    """A loop over the pictures."""


@mistake(
    "dataloader.Compose.__call__",
    spec="test_one_after_the_other",
    says="Normalize takes",
    swap=("self.transforms", "reversed(self.transforms)"),
)
def composed_backwards():
    """The last transform is applied first, as in mathematics."""


@mistake(
    "dataloader.ImageDataset.__getitem__",
    spec="test_a_picture_and_its_label",
    says="int64",
    swap=("int(self.targets[index])", "self.targets[index]"),
)
def labels_of_numpy():
    """The label is NumPy's number."""


@mistake(
    "dataloader.ImageDataset.__getitems__",
    spec="test_many_pictures_are_transformed_at_once",
    says="the list of shapes that the transform was called with",
)
def pictures_one_by_one(self, indices):
    """A call of the transform for each picture."""
    pictures, labels = zip(*(self[index] for index in indices))
    return np.stack(pictures), np.array(labels)


@mistake(
    "dataloader.ImageDataset.__getitems__",
    spec="test_many_pictures_are_transformed_at_once",
    says="IndexError",
    swap=(", dtype=np.int64", ""),
)
def no_indices_are_floats():
    """An array of an empty list is float64, which cannot be an index."""


@mistake(
    "dataloader.ImageDataset.__getitems__",
    spec="test_a_loader_over_pictures",
    says="was changed",
    swap=(
        "places = get_array_module(self.data).asarray(indices, dtype=np.int64)",
        """start, stop = indices[0], indices[-1] + 1
    places = slice(start, stop) if list(indices) == list(range(start, stop)) else list(indices)""",
    ),
)
def views_of_the_data():
    """A slice for consecutive indices: writing into the batch changes the data."""


# Files


@mistake(
    "dataloader.read_cifar10_bin",
    spec="test_a_binary_file",
    says="the array of pictures",
    swap=("reshape(-1, *CIFAR10_SHAPE)", "reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)"),
)
def channels_last():
    """Read as if the three colours of a pixel were next to each other."""


@mistake(
    "dataloader.read_cifar10_bin",
    spec="test_a_binary_file_has_whole_records",
    says="nothing was raised",
    swap=[
        ("data.size == 0 or data.size % record", "data.size == 0"),
        ("data.reshape(-1, record)", "data[: data.size // record * record].reshape(-1, record)"),
    ],
)
def the_rest_is_cut_off():
    """The rest of a broken record is dropped silently."""


@mistake(
    "dataloader.read_cifar10_bin",
    spec="test_a_label_of_a_binary_file_is_a_class",
    says="nothing was raised",
    swap=("_labels(path, records[:, 0], CIFAR10_CLASSES)", "records[:, 0].astype(np.int64)"),
)
def labels_are_not_looked_at():
    """A label of 10 comes out as an IndexError, an hour later."""


@mistake(
    "dataloader.CifarUnpickler.find_class",
    spec="test_a_pickle_may_name_nothing_else",
    says="nothing was raised",
    swap=(
        'raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no picture needs")',
        "return super().find_class(module, name)",
    ),
)
def every_name_is_fine():
    """The unpickler is not restricted at all."""


@mistake(
    "dataloader.CifarUnpickler.find_class",
    spec="test_a_pickle_may_name_nothing_else",
    says="expected UnpicklingError",
    swap=(
        "raise pickle",
        """if module not in ("os", "posix", "subprocess", "builtins"):
            return super().find_class(module, name)
        raise pickle""",
    ),
)
def some_names_are_not_fine():
    """A list of forbidden names, which is never complete."""


@mistake(
    "dataloader.CifarUnpickler.find_class",
    spec="test_a_pickle_may_name_what_an_array_is_made_of",
    says="expected PickledArray",
    swap=("stand_ins[module, name]", "super().find_class(module, name)"),
)
def numpys_own():
    """NumPy's own constructors, which a wrong byte can crash."""


@mistake(
    "dataloader.read_cifar10_py",
    spec="test_a_pickle_runs_nothing",
    says="the pickle ran",
    swap=(
        'CifarUnpickler(io.BytesIO(data), encoding="bytes").load()',
        'pickle.loads(data, encoding="bytes")',
    ),
)
def pickle_loads():
    """pickle.loads, as in many tutorials."""


@mistake(
    "dataloader.read_cifar10_py",
    spec="test_a_pickle_of_something_else",
    says="KeyError",
    swap=("except Exception", "except (pickle.UnpicklingError, EOFError)"),
)
def only_pickle_errors_are_caught():
    """Only UnpicklingError is caught; a pickle of something else fails with other errors."""


@mistake(
    "dataloader.read_cifar10_py",
    spec="test_these_wrong_bytes_are_refused",
    says="MemoryError",
    swap=(
        "except Exception",
        "except (LookupError, ValueError, AttributeError, TypeError, EOFError, pickle.UnpicklingError, struct.error)",
    ),
)
def only_the_usual_errors_are_caught():
    """A list of the errors that a broken pickle may raise, which is never complete."""


@mistake(
    "dataloader.read_cifar10_py",
    spec="test_these_wrong_bytes_are_refused",
    says="unpack requires a buffer",
    swap=(
        "except Exception",
        "except (LookupError, ValueError, AttributeError, TypeError, EOFError, pickle.UnpicklingError, MemoryError)",
    ),
)
def half_numbers_are_not_caught():
    """The same list, with MemoryError and without struct.error."""


@mistake(
    "dataloader.read_cifar10_py",
    spec="test_an_array_that_was_pickled_column_by_column",
    says="the array of pictures",
    swap=(', order="F" if columns_first else "C"', ""),
)
def columns_are_taken_for_rows():
    """An array in Fortran order comes out with its entries mixed up."""


@mistake(
    "dataloader.CIFAR10.__init__",
    spec="test_a_missing_part_of_cifar_10",
    says="expected FileNotFoundError",
    swap=(
        '[place / f"{name}{suffix}" for name in names]',
        '[path for name in names if (path := place / f"{name}{suffix}").is_file()]',
    ),
)
def what_is_there_is_enough():
    """A missing file only makes the data set smaller."""


@mistake(
    "dataloader.CIFAR10.__init__",
    spec="test_the_files_of_cifar_10",
    says="the array of pictures for training",
    swap=(
        '[place / f"{name}{suffix}" for name in names]',
        'sorted(place.glob(f"*_batch*{suffix}"), reverse=True)',
    ),
)
def in_the_order_of_the_folder():
    """Files in the order of the folder, with the test file among them."""


@mistake(
    "dataloader.read_idx",
    spec="test_sizes_are_written_the_highest_byte_first",
    says="expected",
    swap=(">{axes}I", "<{axes}I"),
)
def the_lowest_byte_first():
    """Sizes are read in this machine's byte order."""


@mistake(
    "dataloader.read_idx",
    spec="test_an_idx_file_has_as_many_entries_as_it_says",
    says="nothing was raised",
    swap=[
        ("found != expected", "found < expected"),
        ("np.uint8, offset=start", "np.uint8, expected, start"),
    ],
)
def too_much_is_fine():
    """Bytes after the last entry are ignored."""


@mistake(
    "dataloader.read_idx",
    spec="test_a_truncated_idx_file_is_refused",
    says="EOFError",
    swap=("EOFError, ", ""),
)
def gzips_errors_come_out():
    """A file that was cut off is an EOFError that does not name the file."""


@mistake(
    "dataloader.read_idx",
    spec="test_an_idx_file_begins_as_it_should",
    says="nothing was raised",
    swap=("1 <= axes <= 3", "1 <= axes"),
)
def any_number_of_axes():
    """The number of axes has no upper limit."""


@mistake(
    "dataloader.MNIST.__init__",
    spec="test_the_files_of_mnist",
    says="shape",
    swap=("images[:, None]", "images[..., None]"),
)
def digits_without_a_channel():
    """(N, 28, 28) becomes (N, 28, 28, 1)."""


@mistake(
    "dataloader.RandomCrop.transform",
    spec="test_pictures_are_transformed_on_the_device",
    says="get_array_module",
    swap=("get_array_module(pictures)", "np"),
)
def crops_on_the_cpu():
    """NumPy makes the arrays, even if the pictures are on a GPU."""


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_a_part_is_a_part_of_all",
    says="the indices that came is [0, 1], expected [0, 1, 2",
    swap=[
        ("generator.permutation(n)", "generator.permutation(min(n, wanted))"),
        ("-(-wanted // n)", "-(-wanted // min(n, wanted))"),
    ],
)
def part_of_the_first():
    """A part of the samples is always the first ones, shuffled."""


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_a_part_is_a_part_of_all",
    says="the indices that came is [0, 1], expected [0, 1, 2",
    swap=("generator.integers(n, size=wanted)", "generator.integers(min(n, wanted), size=wanted)"),
)
def part_of_the_first_with_replacement():
    """With replacement, a part of the samples is drawn from the first ones."""


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_each_round_is_shuffled_anew",
    says="both rounds have the order",
    swap=(
        "[generator.permutation(n) for _ in range(-(-wanted // n))]",
        "[generator.permutation(n)] * -(-wanted // n)",
    ),
)
def one_permutation_again_and_again():
    """Every round has the order of the first one."""


@mistake(
    "dataloader.read_stream",
    spec="test_a_stream_has_one_end",
    says="what comes after the end is [3, 4]",
    swap=(
        "return _samples(source, type(dataset).__name__, stop)",
        """def one(number):
        _go_on(stop)
        with _noting(f"while sample {number} of {type(dataset).__name__} was read"):
            return next(source)

    return map(one, count())""",
    ),
)
def stream_that_is_asked_again():
    """map asks the stream again after its end."""


@mistake(
    "dataloader.WeightedRandomSampler.__iter__",
    spec="test_a_weight_of_0_is_never_drawn",
    says="the samples is [0, 0, 0], expected [1, 1, 1]",
    swap=(
        "generator.choice(len(p), self.num_samples, self.replacement, p)",
        "generator.choice(len(p), self.num_samples, False, p) if not self.replacement else "
        "np.searchsorted(np.cumsum(p), generator.random(self.num_samples))",
    ),
)
def draw_of_0_by_weight():
    """A draw of 0 takes the first sample, be its weight 0 or not."""


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_a_probability_of_0_is_never_and_of_1_always",
    says="the pictures with p=0.0",
    swap=("< self.p", "<= self.p"),
)
def flip_at_a_draw_of_0():
    """A draw of 0 is not above a probability of 0: the picture is turned over."""


@mistake(
    "dataloader.drawing_from",
    spec="test_an_error_ends_a_block_too",
    says="not the default one again",
    swap=(
        "    finally:\n        current.generator = before",
        "    except Exception:\n        current.generator = before\n        raise\n"
        "    else:\n        current.generator = before",
    ),
)
def block_that_ctrl_c_leaves_open():
    """Ctrl-C is no Exception: the generator of the block stays current."""


@mistake(
    "dataloader.prefetch",
    spec="test_stop_iteration_is_an_error_like_any_other",
    says="nothing was raised",
    swap=("for job in jobs:\n            yield work(job)", "yield from map(work, jobs)"),
)
def stop_iteration_ends_the_epoch():
    """map cannot tell the end of the jobs from a StopIteration of the work."""
