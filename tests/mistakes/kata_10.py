"""Classic mistakes of kata 10: chance that depends on threads, threads that outlive loops, files taken on trust."""

from dojo.authors.mistakes import mistake

# Datasets


@mistake(
    "dataloader.TensorDataset.__init__",
    spec="test_tensors_of_a_dataset_have_as_many_rows",
    says="nothing was raised",
)
def rows_are_not_counted(self, *tensors):
    """Only the first two Tensors are compared."""
    if len(tensors[0]) != len(tensors[min(1, len(tensors) - 1)]):
        raise ValueError(f"{len(tensors[0])} and {len(tensors[1])} rows")
    self.tensors = tensors


@mistake(
    "dataloader.TensorDataset.__getitems__", spec="test_many_rows_come_at_once", says="the type of the batch"
)
def many_rows_one_by_one(self, indices):
    """A list of samples: right in PyTorch, and slow."""
    return [self[index] for index in indices]


@mistake("dataloader.Subset.__getitem__", spec="test_a_subset_renumbers", says="the samples of the subset")
def subset_counts_as_the_dataset(self, index):
    """The index is taken for one of the dataset's."""
    return self.dataset[index]


@mistake(
    "dataloader.Subset.__getitems__",
    spec="test_a_subset_gives_many_at_once_where_its_dataset_does",
    says="two samples of a subset",
)
def subset_forgets_to_renumber_many(self, indices):
    """Many indices are passed on as they are."""
    many = many_at_once(self.dataset)
    return many(indices) if many else [self.dataset[self.indices[index]] for index in indices]


@mistake(
    "dataloader.many_at_once",
    spec="test_many_at_once_distrusts_what_a_subclass_inherits",
    says="newer than __getitems__",
)
def many_at_once_trusts_everybody(dataset):
    """An inherited __getitems__ passes over the subclass's own __getitem__."""
    return getattr(dataset, "__getitems__", None)


@mistake(
    "dataloader.split_lengths",
    spec="test_what_fractions_leave_is_dealt_out_from_the_front",
    says="11 in thirds",
)
def split_rounds(n, lengths):
    """Each part is rounded, and together they are too many."""
    total = sum(lengths)
    fractions = math.isclose(total, 1)
    if any(each < 0 for each in lengths) or not (fractions or total == n):
        raise ValueError(f"{list(lengths)} sum up to {total}, not to {n}")
    if not fractions and any(each != int(each) for each in lengths):
        raise ValueError(f"{list(lengths)}")
    return [round(n * each) if fractions else int(each) for each in lengths]


@mistake("dataloader.random_split", spec="test_a_random_split_loses_nothing", says="is the split random?")
def split_cuts(dataset, lengths, generator=None):
    """The first ones, then the next ones."""
    sizes = split_lengths(len(dataset), lengths)
    order = list(range(len(dataset)))
    return [Subset(dataset, order[end - n : end]) for end, n in zip(accumulate(sizes), sizes)]


@mistake(
    "dataloader.random_split",
    spec="test_a_split_depends_on_its_generator_alone",
    says="the first part, split again",
)
def split_forgets_its_generator(dataset, lengths, generator=None):
    """The default generator draws, whoever was named."""
    sizes = split_lengths(len(dataset), lengths)
    order = default_generator("cpu").permutation(len(dataset)).tolist()
    return [Subset(dataset, order[end - n : end]) for end, n in zip(accumulate(sizes), sizes)]


@mistake(
    "dataloader.random_split",
    spec="test_a_split_depends_on_its_generator_alone",
    says="split twice without a generator",
)
def every_split_the_same(dataset, lengths, generator=None):
    """Without a generator, one with a seed of its own: every split is the first one."""
    sizes = split_lengths(len(dataset), lengths)
    order = (generator or np.random.default_rng(0)).permutation(len(dataset)).tolist()
    return [Subset(dataset, order[end - n : end]) for end, n in zip(accumulate(sizes), sizes)]


# Samplers


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_all_is_drawn_when_an_epoch_begins",
    says="drew nothing: when does the order come about?",
)
def the_order_is_drawn_late(self):
    """A generator function: it draws when the first index is asked for."""
    generator = self.generator or default_generator("cpu")
    n, wanted = len(self.data_source), self.num_samples
    for _ in range(wanted if n else 0):
        if self.replacement:
            yield int(generator.integers(n))
    if n and not self.replacement:
        rounds = [generator.permutation(n) for _ in range(-(-wanted // n))]
        yield from np.concatenate(rounds)[:wanted].tolist()


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_a_random_order_holds_each_index_once",
    says="two epochs have the same order",
)
def the_order_is_seeded_anew(self):
    """Every epoch in the same random order."""
    n, wanted = len(self.data_source), self.num_samples
    return iter(
        (list(np.random.default_rng(0).permutation(n)) * wanted)[:wanted]
        and [int(i) for i in np.random.default_rng(0).permutation(n)]
    )


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_an_order_depends_on_its_generator_alone",
    says="without a generator two epochs have the same order",
)
def one_order_for_all_epochs(self):
    """Without a generator, one with a seed of its own: shuffled once and for all."""
    n, wanted = len(self.data_source), self.num_samples
    if n == 0:
        return iter([])
    generator = self.generator or np.random.default_rng(0)
    if self.replacement:
        return iter(generator.integers(n, size=wanted).tolist())
    rounds = [generator.permutation(n) for _ in range(-(-wanted // n))]
    return iter(np.concatenate(rounds)[:wanted].tolist())


@mistake(
    "dataloader.WeightedRandomSampler.__iter__",
    spec="test_an_order_depends_on_its_generator_alone",
    says="without a generator two epochs have the same order",
)
def weighed_once_for_all_epochs(self):
    """The same, by weight."""
    generator = self.generator or np.random.default_rng(0)
    p = self.weights / self.weights.sum()
    return iter(generator.choice(len(p), self.num_samples, self.replacement, p).tolist())


@mistake("dataloader.RandomSampler.__iter__", spec="test_as_many_as_wanted", says="the number of samples")
def one_permutation_is_all(self):
    """More samples than there are were asked for, and one permutation is given."""
    generator = self.generator or default_generator("cpu")
    n, wanted = len(self.data_source), self.num_samples
    if self.replacement and n:
        return iter(generator.integers(n, size=wanted).tolist())
    return iter(generator.permutation(n)[:wanted].tolist())


@mistake(
    "dataloader.RandomSampler.__iter__",
    spec="test_with_replacement_each_is_drawn_from_all",
    says="hold one sample twice",
)
def replacement_is_ignored(self):
    """Permutations, with replacement too."""
    n, wanted = len(self.data_source), self.num_samples
    if n == 0:
        return iter([])
    generator = self.generator or default_generator("cpu")
    rounds = [generator.permutation(n) for _ in range(-(-wanted // n))]
    return iter(np.concatenate(rounds)[:wanted].tolist())


@mistake(
    "dataloader.WeightedRandomSampler.__iter__",
    spec="test_by_weight_without_replacement",
    says="an epoch of 3 of 3 possible ones",
)
def weights_always_put_back(self):
    """Drawn with replacement, whatever was asked for."""
    generator = self.generator or default_generator("cpu")
    p = self.weights / self.weights.sum()
    return iter(generator.choice(len(p), self.num_samples, True, p).tolist())


@mistake("dataloader.BatchSampler.__len__", spec="test_a_batch_sampler_groups_indices", says="the length")
def the_last_batch_is_not_counted(self):
    """Rounded down, whether the last batch is dropped or not."""
    return len(self.sampler) // self.batch_size


@mistake("dataloader.batched", spec="test_items_in_groups", says="the groups with drop_last")
def short_groups_are_kept(items, batch_size, drop_last):
    """drop_last is ignored."""
    while batch := list(islice(items, batch_size)):
        yield batch


@mistake("dataloader.batched", spec="test_items_in_groups", says="groups that come out even")
def the_last_group_is_dropped(items, batch_size, drop_last):
    """drop_last drops a full group too."""
    groups = []
    while batch := list(islice(items, batch_size)):
        groups.append(batch)
    yield from groups[:-1] if drop_last else groups


# Samples to a batch


@mistake("dataloader.default_collate", spec="test_python_numbers_become_a_tensor", says="float64")
def numbers_become_what_numpy_makes(batch):
    """Python floats become float64."""
    first = batch[0]
    if isinstance(first, (bool, int, float)):
        return Tensor(np.asarray(batch))
    return stack(list(batch)) if isinstance(first, Tensor) else Tensor(np.stack(batch))


@mistake("dataloader.default_collate", spec="test_arrays_keep_their_dtype", says="float32")
def everything_becomes_float32(batch):
    """Bytes grow to four times their size."""
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    return Tensor(np.stack([np.asarray(each) for each in batch]).astype(np.float32))


@mistake(
    "dataloader.default_collate", spec="test_samples_of_a_batch_have_as_many_parts", says="nothing was raised"
)
def parts_are_dropped(batch):
    """zip ends with the shortest sample."""
    first = batch[0]
    if isinstance(first, (tuple, list)):
        return [default_collate(part) for part in zip(*batch)]
    return tensor(list(batch))


@mistake(
    "dataloader.default_convert", spec="test_convert_only_makes_tensors", says="written through the Tensor"
)
def convert_copies(data):
    """A copy of every batch."""
    if _is_array(data):
        return tensor(np.asarray(data))
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    return [default_convert(each) for each in data] if isinstance(data, (tuple, list)) else data


@mistake(
    "dataloader.default_collate",
    spec="test_samples_are_put_together_on_their_device",
    says="get_array_module",
)
def collate_works_on_the_cpu(batch):
    """np.asarray of an array on the device."""
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    return Tensor(np.stack([np.asarray(each) for each in batch]))


# Chance


@mistake("dataloader.draw_seed", spec="test_a_seed_is_drawn", says="2**62")
def seeds_of_32_bits(generator=None):
    """With 2**31 seeds two epochs of many runs soon are the same."""
    return int((generator or default_generator("cpu")).integers(2**31))


@mistake(
    "dataloader.draw_seed",
    spec="test_a_seed_comes_from_the_generator_that_was_named",
    says="a seed, drawn again",
)
def seeds_always_from_the_default(generator=None):
    """The named generator is ignored."""
    return int(default_generator("cpu").integers(2**63 - 1, endpoint=True))


@mistake(
    "dataloader.draw_seed",
    spec="test_a_seed_comes_from_the_generator_that_was_named",
    says="without a generator two seeds are the same",
)
def one_seed_for_all_epochs(generator=None):
    """Without a generator, one with a seed of its own: every epoch draws the same numbers."""
    return int((generator or np.random.default_rng(0)).integers(2**63 - 1, endpoint=True))


@mistake("dataloader.batch_generator", spec="test_a_batch_has_a_generator_of_its_own", says="draws what seed")
def seed_plus_number(seed, number):
    """Batch 1 of one epoch is batch 0 of another."""
    return np.random.default_rng(seed + number)


@mistake("dataloader.drawing_from", spec="test_an_error_ends_a_block_too", says="after the error")
def blocks_that_errors_leave_open(generator):
    """No finally."""
    before, current.generator = current.generator, generator
    yield
    current.generator = before


@mistake("dataloader.drawing_from", spec="test_a_block_has_its_generator", says="not the outer block's again")
def blocks_that_end_all_blocks(generator):
    """The inner block's end is the outer one's too."""
    current.generator = generator
    try:
        yield
    finally:
        current.generator = None


@mistake("dataloader.drawing_from", spec="test_a_block_is_one_threads_own", says="another thread")
def blocks_for_every_thread(generator):
    """Kept in the class, where all threads look."""
    before, Current.generator = Current.generator, generator
    try:
        yield
    finally:
        Current.generator = before


# prefetch


@mistake(
    "dataloader.prefetch",
    spec="test_the_next_job_is_done_while_the_caller_is_busy",
    says="job 1 was not begun while the caller had the result of job 0",
)
def one_job_at_a_time(work, jobs, num_workers, ahead, stop=None):
    """A thread, and nothing ahead of time."""
    if num_workers == 0:
        yield from map(work, jobs)
        return
    with ThreadPoolExecutor(num_workers) as pool:
        for job in jobs:
            yield pool.submit(work, job).result()


@mistake("dataloader.prefetch", spec="test_workers_work_side_by_side", says="the results")
def as_they_are_completed(work, jobs, num_workers, ahead, stop=None):
    """The first to be done comes first."""
    from concurrent.futures import FIRST_COMPLETED, wait

    if num_workers == 0:
        yield from map(work, jobs)
        return
    with ThreadPoolExecutor(num_workers) as pool:
        waiting = {pool.submit(work, job) for job in jobs}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


@mistake(
    "dataloader.prefetch",
    spec="test_not_more_than_asked_for_is_done_ahead",
    says="the jobs begun when 1 results were taken",
)
def everything_ahead(work, jobs, num_workers, ahead, stop=None):
    """The whole epoch is in memory."""
    if num_workers == 0:
        yield from map(work, jobs)
        return
    pool = ThreadPoolExecutor(num_workers)
    try:
        yield from pool.map(work, jobs)
    finally:
        if stop:
            stop.set()
        pool.shutdown(cancel_futures=True)


@mistake("dataloader.prefetch", spec="test_closing_ends_the_threads", says="told to stop")
def stop_comes_too_late(work, jobs, num_workers, ahead, stop=None):
    """It waits for the job in hand, and then says that it need not be done."""
    if num_workers == 0:
        yield from map(work, jobs)
        return
    pool = ThreadPoolExecutor(num_workers)
    waiting = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        if stop:
            stop.set()


@mistake("dataloader.prefetch", spec="test_closing_ends_the_threads", says="the jobs that were begun")
def waiting_jobs_are_done(work, jobs, num_workers, ahead, stop=None):
    """The executor's own `with`: it does everything that was submitted."""
    if num_workers == 0:
        yield from map(work, jobs)
        return
    waiting = deque()
    with ThreadPoolExecutor(num_workers) as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if stop:
                stop.set()


@mistake("dataloader.prefetch", spec="test_the_last_result_ends_the_threads", says="threads were left behind")
def threads_that_stay(work, jobs, num_workers, ahead, stop=None):
    """Nobody ends the pool."""
    if num_workers == 0:
        yield from map(work, jobs)
        return
    threading.prefetch_pool = pool = ThreadPoolExecutor(num_workers)
    waiting = deque()
    for job in jobs:
        waiting.append(pool.submit(work, job))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
    if stop:
        stop.set()


@mistake(
    "dataloader.prefetch",
    spec="test_the_job_in_hand_is_waited_for",
    says="the jobs that had given up",
)
def the_end_does_not_wait(work, jobs, num_workers, ahead, stop=None):
    """The threads are told to end, and nobody waits until they have."""
    if num_workers == 0:
        yield from map(work, jobs)
        return
    pool = ThreadPoolExecutor(num_workers)
    waiting = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        if stop:
            stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


@mistake("dataloader.prefetch", spec="test_an_error_comes_in_its_place", says="was not raised")
def errors_end_in_silence(work, jobs, num_workers, ahead, stop=None):
    """A thread that dies, and a reader who takes it for the end."""
    for job in jobs:
        try:
            yield work(job)
        except Exception:
            return


@mistake(
    "dataloader.prefetch",
    spec="test_jobs_are_taken_in_the_callers_thread",
    says="the threads in which jobs were taken",
)
def jobs_are_taken_in_the_thread(work, jobs, num_workers, ahead, stop=None):
    """A producer thread with a queue, which also asks for the jobs."""
    import queue

    if num_workers == 0:
        yield from map(work, jobs)
        return
    results, ended = queue.Queue(ahead), stop or threading.Event()

    def produce():
        for job in jobs:
            if ended.is_set():
                return
            results.put(work(job))

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        while thread.is_alive() or not results.empty():
            yield results.get()
    finally:
        ended.set()
        while thread.is_alive():
            if not results.empty():
                results.get()


# Reading


@mistake("dataloader.fetch", spec="test_a_broken_sample_is_named", says="should hold 13")
def errors_without_a_name(dataset, indices, stop=None):
    """Of 50,000 samples one is broken. Which?"""
    many = many_at_once(dataset)
    return many(indices) if many else [dataset[index] for index in indices]


@mistake("dataloader.fetch", spec="test_a_broken_sample_is_named", says="RuntimeError")
def errors_of_another_kind(dataset, indices, stop=None):
    """The error is wrapped: `except OSError` does not see it any more."""
    samples = []
    for index in indices:
        try:
            samples.append(dataset[index])
        except Exception as error:
            raise RuntimeError(f"sample {index} of {type(dataset).__name__}: {error}") from error
    return samples


@mistake("dataloader.fetch", spec="test_reading_stops_when_nobody_waits", says="nothing was raised")
def reading_goes_on(dataset, indices, stop=None):
    """`stop` is never looked at."""
    many = many_at_once(dataset)
    return many(indices) if many else [_sample(dataset, index) for index in indices]


@mistake("dataloader.fetch", spec="test_many_samples_are_read_at_once_where_they_can", says="what was read")
def never_many_at_once(dataset, indices, stop=None):
    """One by one, always."""
    return [_sample(dataset, index) for index in indices]


@mistake(
    "dataloader.read_stream",
    spec="test_a_stream_is_read_as_it_is_asked_for",
    says="how often iter() was called",
)
def the_stream_begins_late(dataset, stop=None):
    """A generator function: iter(dataset) is called at the first next(), in whatever thread that is."""
    for sample in dataset:
        _go_on(stop)
        yield sample


@mistake(
    "dataloader.read_stream",
    spec="test_a_stream_is_read_as_it_is_asked_for",
    says="how many samples were read",
)
def the_stream_is_read_at_once(dataset, stop=None):
    """list(): an endless stream never ends."""
    return iter(list(dataset))


@mistake(
    "dataloader.read_stream",
    spec="test_none_is_a_sample_like_any_other",
    says="the samples of read_stream",
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
)
def none_ends_the_epoch(self, job, seed, stop):
    """The loader's own next(it, None)."""
    number, indices = job
    with drawing_from(batch_generator(seed, number)):
        if isinstance(self.dataset, IterableDataset):
            data = next(indices, None)
            return NO_MORE if data is None else self._collated(data)
        return self._collated(fetch(self.dataset, indices, stop))


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
)
def false_is_taken_for_an_order(
    self,
    dataset,
    batch_size=1,
    shuffle=None,
    sampler=None,
    batch_sampler=None,
    num_workers=0,
    collate_fn=None,
    *,
    drop_last=False,
    generator=None,
    prefetch_factor=None,
):
    """Whoever says shuffle=False beside a sampler is refused."""
    if shuffle is not None and (sampler is not None or batch_sampler is not None):
        raise ValueError("sampler and shuffle exclude each other")
    self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
    self.sampler = sampler or SequentialSampler(dataset)
    self.batch_sampler = batch_sampler or BatchSampler(self.sampler, batch_size, drop_last)
    self.num_workers, self.collate_fn = num_workers, collate_fn or default_collate
    self.generator, self.prefetch_factor = generator, prefetch_factor


@mistake(
    "dataloader._count",
    spec="test_options_are_positive_integers",
    says="nothing was raised, expected ValueError with a message that holds num_workers and True",
)
def true_is_one_worker(name, value, least):
    """isinstance(True, int)."""
    if not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is an integer from {least} on, got {value!r}")


@mistake(
    "dataloader.DataLoader._collated",
    spec="test_a_list_of_many_samples_is_put_together",
    says="the types of the parts of the batches of a Listed",
)
def many_at_once_are_a_batch(self, data):
    """Whatever __getitems__ gave is taken for a finished batch, a list of samples too."""
    if self.batch_sampler is not None and self.collate_fn is default_collate:
        if not isinstance(self.dataset, IterableDataset) and many_at_once(self.dataset):
            return default_convert(data)
    if self.batch_sampler is None or isinstance(data, list):
        return self.collate_fn(data)
    return self.collate_fn(list(zip(*data)) if isinstance(data, tuple) else list(data))


@mistake(
    "dataloader.DataLoader._collated",
    spec="test_a_collate_fn_gets_samples_all_the_same",
    says="what collate_fn got, where the batch was one array",
)
def one_array_is_passed_on(self, data):
    """A tuple is taken apart for collate_fn, one array is not."""
    if self.batch_sampler is None or isinstance(data, list):
        return self.collate_fn(data)
    if self.collate_fn is default_collate:
        return default_convert(data)
    return self.collate_fn(list(zip(*data)) if isinstance(data, tuple) else data)


@mistake(
    "dataloader.DataLoader._collated",
    spec="test_a_batch_that_is_one_already_is_only_converted",
    says="a batch that was one array is a list",
)
def one_array_is_taken_apart(self, data):
    """One array becomes a list of its rows."""
    if self.batch_sampler is None or isinstance(data, list):
        return self.collate_fn(data)
    if self.collate_fn is default_collate:
        return [default_convert(part) for part in data]
    return self.collate_fn(list(zip(*data)) if isinstance(data, tuple) else list(data))


@mistake(
    "dataloader.DataLoader.__iter__",
    spec="test_an_abandoned_batch_of_a_stream_is_not_read_to_its_end",
    says="though the loop ended at sample 51",
)
def the_stream_is_not_told(self):
    """fetch gets the event, read_stream does not."""
    seed, stop = draw_seed(self.generator), threading.Event()
    if isinstance(self.dataset, IterableDataset):
        samples = read_stream(self.dataset)
        jobs = repeat(samples if self.batch_size is None else self._groups(samples))
    else:
        jobs = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
    make = partial(self._make, seed=seed, stop=stop)
    ahead = self.num_workers * (self.prefetch_factor or 0)
    return _until_no_more(prefetch(make, enumerate(jobs), min(1, self.num_workers), ahead, stop))


@mistake(
    "dataloader.DataLoader.__iter__",
    spec="test_the_look_ahead_of_a_stream_has_the_same_bound",
    says="batch 4 was not read",
)
def a_stream_looks_less_far(self):
    """One reader, and so the look-ahead of one worker."""
    seed, stop = draw_seed(self.generator), threading.Event()
    workers = self.num_workers
    if isinstance(self.dataset, IterableDataset):
        samples = read_stream(self.dataset, stop)
        jobs = repeat(samples if self.batch_size is None else self._groups(samples))
        workers = min(workers, 1)
    else:
        jobs = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
    make = partial(self._make, seed=seed, stop=stop)
    ahead = workers * (self.prefetch_factor or 0)
    return _until_no_more(prefetch(make, enumerate(jobs), workers, ahead, stop))


@mistake(
    "dataloader.DataLoader._make",
    spec="test_each_batch_draws_from_its_own_generator",
    says="how many different",
)
def every_batch_the_same_chance(self, job, seed, stop):
    """One seed for all batches."""
    _, indices = job
    with drawing_from(batch_generator(seed, 0)):
        data = (
            next(indices, NO_MORE)
            if isinstance(self.dataset, IterableDataset)
            else fetch(self.dataset, indices, stop)
        )
        return data if data is NO_MORE else self._collated(data)


@mistake("dataloader.DataLoader._make", spec="test_workers_change_nothing", says="two epochs with")
def workers_share_the_default_generator(self, job, seed, stop):
    """Whoever comes first draws first."""
    _, indices = job
    data = (
        next(indices, NO_MORE)
        if isinstance(self.dataset, IterableDataset)
        else fetch(self.dataset, indices, stop)
    )
    return data if data is NO_MORE else self._collated(data)


@mistake(
    "dataloader.DataLoader._make",
    spec="test_the_generator_is_current_while_a_batch_is_put_together",
    says="the draws, again from the same generator",
)
def collate_is_left_to_chance(self, job, seed, stop):
    """Reading has a generator, putting together has not."""
    number, indices = job
    with drawing_from(batch_generator(seed, number)):
        data = (
            next(indices, NO_MORE)
            if isinstance(self.dataset, IterableDataset)
            else fetch(self.dataset, indices, stop)
        )
    return data if data is NO_MORE else self._collated(data)


@mistake(
    "dataloader.DataLoader._collated",
    spec="test_a_batch_that_is_one_already_is_only_converted",
    says="the type of the batch",
)
def batches_are_stacked_again(self, data):
    """The arrays of a batch are taken for two samples."""
    return self.collate_fn(data)


@mistake(
    "dataloader.DataLoader._collated",
    spec="test_a_collate_fn_gets_samples_all_the_same",
    says="what collate_fn got",
)
def collate_fn_gets_a_batch(self, data):
    """A collate_fn gets whatever the dataset gave."""
    if self.collate_fn is default_collate and not isinstance(data, list):
        return default_convert(data)
    return self.collate_fn(data)


@mistake(
    "dataloader.DataLoader.__iter__", spec="test_a_stream_has_one_reader", says="generator already executing"
)
def a_stream_with_many_readers(self):
    """As many readers as workers."""
    seed, stop = draw_seed(self.generator), threading.Event()
    jobs = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
    if isinstance(self.dataset, IterableDataset):

        class Shared:
            source, lock = iter(self.dataset), threading.Lock()

            def __next__(self):
                if batch := list(islice(self.source, 3)):
                    return batch
                raise StopIteration

        from itertools import islice

        jobs = repeat(Shared())
    make = partial(self._make, seed=seed, stop=stop)
    ahead = self.num_workers * (self.prefetch_factor or 0)
    return _until_no_more(prefetch(make, enumerate(jobs), self.num_workers, ahead, stop))


@mistake(
    "dataloader.DataLoader.__iter__",
    spec="test_an_epoch_draws_when_it_begins_and_never_again",
    says="iter(loader) drew no seed",
)
def the_seed_is_drawn_late(self):
    """A generator function: what the caller draws after iter(loader) comes before the epoch's seed."""
    seed, stop = draw_seed(self.generator), threading.Event()
    make = partial(self._make, seed=seed, stop=stop)
    jobs = self.sampler if self.batch_sampler is None else self.batch_sampler
    yield from prefetch(make, enumerate(jobs), self.num_workers, 2 * self.num_workers, stop)


@mistake(
    "dataloader.DataLoader.__iter__",
    spec="test_an_abandoned_batch_is_not_read_to_its_end",
    says="though the loop ended at the third",
)
def workers_are_not_told(self):
    """The event that prefetch sets is another one than the one that the reading looks at."""
    seed = draw_seed(self.generator)
    if isinstance(self.dataset, IterableDataset):
        samples = read_stream(self.dataset)
        jobs = repeat(samples if self.batch_size is None else self._groups(samples))
    else:
        jobs = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
    make = partial(self._make, seed=seed, stop=threading.Event())
    ahead = self.num_workers * (self.prefetch_factor or 0)
    return _until_no_more(prefetch(make, enumerate(jobs), min(1, self.num_workers), ahead, threading.Event()))


@mistake("dataloader.DataLoader.__iter__", spec="test_the_look_ahead_has_a_bound", says="was not read while")
def the_factor_counts_once(self):
    """prefetch_factor batches ahead, however many workers there are."""
    seed, stop = draw_seed(self.generator), threading.Event()
    jobs = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
    make = partial(self._make, seed=seed, stop=stop)
    ahead = self.prefetch_factor or 0
    return _until_no_more(prefetch(make, enumerate(jobs), self.num_workers, ahead, stop))


# Pictures


@mistake("dataloader.ToDtype.transform", spec="test_bytes_become_fractions", says="0.9961")
def scaled_by_256(self, pictures):
    """255 becomes a little less than 1."""
    converted = pictures.astype(self.dtype)
    return converted / 256 if self.scale and pictures.dtype.kind in "iu" else converted


@mistake("dataloader.Normalize.transform", spec="test_each_channel_is_normalised", says="was changed")
def normalized_in_place(self, pictures):
    """The data set itself is normalised, once more in every epoch."""
    if pictures.dtype.kind != "f":
        raise TypeError(f"got {pictures.dtype}")
    pictures -= np.asarray(self.mean, pictures.dtype)[:, None, None]
    pictures /= np.asarray(self.std, pictures.dtype)[:, None, None]
    return pictures


@mistake("dataloader.Normalize.transform", spec="test_each_channel_is_normalised", says="the picture")
def normalized_by_column(self, pictures):
    """mean and std are broadcast along the width."""
    return (pictures - np.asarray(self.mean, pictures.dtype)) / np.asarray(self.std, pictures.dtype)


@mistake("dataloader.RandomCrop.transform", spec="test_every_window_is_as_likely", says="upper left pixels")
def the_last_window_never_comes(self, pictures):
    """integers(n) is never n."""
    (height, width), p = self.size, self.padding
    *lead, c, h, w = pictures.shape
    padded = np.pad(pictures.reshape(-1, c, h, w), ((0, 0), (0, 0), (p, p), (p, p)))
    generator, crops = current_generator(), []
    for picture in padded:
        top = int(generator.integers(max(h + 2 * p - height, 1)))
        left = int(generator.integers(max(w + 2 * p - width, 1)))
        crops.append(picture[:, top : top + height, left : left + width])
    return np.stack(crops).reshape(*lead, c, height, width)


@mistake("dataloader.RandomCrop.transform", spec="test_every_window_is_as_likely", says="upper left pixels")
def one_window_for_all(self, pictures):
    """All pictures of a batch are cropped alike."""
    (height, width), p = self.size, self.padding
    *lead, c, h, w = pictures.shape
    padded = np.pad(pictures.reshape(-1, c, h, w), ((0, 0), (0, 0), (p, p), (p, p)))
    top = int(current_generator().integers(h + 2 * p - height + 1))
    left = int(current_generator().integers(w + 2 * p - width + 1))
    return padded[:, :, top : top + height, left : left + width].reshape(*lead, c, height, width)


@mistake("dataloader.RandomCrop.transform", spec="test_a_margin_is_black", says="of 9 windows")
def a_margin_on_two_sides(self, pictures):
    """The margin is to the right and below."""
    (height, width), p = self.size, self.padding
    *lead, c, h, w = pictures.shape
    padded = np.pad(pictures.reshape(-1, c, h, w), ((0, 0), (0, 0), (0, 2 * p), (0, 2 * p)))
    generator, crops = current_generator(), []
    for picture in padded:
        top = int(generator.integers(h + 2 * p - height + 1))
        left = int(generator.integers(w + 2 * p - width + 1))
        crops.append(picture[:, top : top + height, left : left + width])
    return np.stack(crops).reshape(*lead, c, height, width)


@mistake(
    "dataloader.RandomHorizontalFlip.transform", spec="test_a_flip_turns_left_and_right", says="with p=1"
)
def upside_down(self, pictures):
    """The wrong axis."""
    flips = current_generator().random(pictures.shape[:-3]) < self.p
    return np.where(flips[..., None, None, None], pictures[..., ::-1, :], pictures)


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_each_picture_is_turned_for_itself",
    says="pictures are turned over",
)
def one_coin_for_all(self, pictures):
    """A whole batch is turned over, or not."""
    return (pictures[..., ::-1] if current_generator().random() < self.p else pictures).copy()


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_each_picture_is_turned_for_itself",
    says="pictures are turned over",
)
def p_to_stay(self, pictures):
    """p is the probability to stay."""
    flips = np.asarray(current_generator().random(pictures.shape[:-3]) >= min(self.p, 0.75))
    if self.p in (0, 1):
        flips[...] = self.p
    return np.where(flips[..., None, None, None], pictures[..., ::-1], pictures)


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_a_flip_turns_left_and_right",
    says="with p=0.0 the result is no new array",
)
def nothing_to_do_is_not_copied(self, pictures):
    """A short way for p=0 and p=1: the input itself, or a view of it."""
    if self.p in (0, 1):
        return pictures[..., ::-1] if self.p else pictures
    flips = current_generator().random(pictures.shape[:-3]) < self.p
    return np.where(flips[..., None, None, None], pictures[..., ::-1], pictures)


@mistake(
    "dataloader.RandomHorizontalFlip.transform", spec="test_a_flip_turns_left_and_right", says="was changed"
)
def flipped_in_place(self, pictures):
    """What was given is turned over."""
    flips = current_generator().random(pictures.shape[:-3]) < self.p
    pictures[flips] = pictures[flips][..., ::-1]
    return pictures


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_chance_is_the_current_generators",
    says="the same generator gave other pictures",
)
def flips_from_the_default_generator(self, pictures):
    """The batch's own generator is passed over."""
    from tinytorch.setup import default_generator

    flips = default_generator("cpu").random(pictures.shape[:-3]) < self.p
    return np.where(flips[..., None, None, None], pictures[..., ::-1], pictures)


@mistake(
    "dataloader.RandomHorizontalFlip.transform",
    spec="test_many_random_pictures_at_once",
    says="times faster",
)
def flips_one_by_one(self, pictures):
    """A loop over the pictures."""
    if pictures.ndim > 3:
        return np.stack([self.transform(picture) for picture in pictures])
    return pictures[..., ::-1].copy() if current_generator().random() < self.p else pictures.copy()


@mistake("dataloader.Compose.__call__", spec="test_one_after_the_other", says="Normalize takes")
def composed_backwards(self, pictures):
    """The last one first, as in mathematics."""
    for transform in reversed(self.transforms):
        pictures = transform(pictures)
    return pictures


@mistake("dataloader.ImageDataset.__getitem__", spec="test_a_picture_and_its_label", says="int64")
def labels_of_numpy(self, index):
    """The label is NumPy's number."""
    picture = self.data[index]
    return self.transform(picture) if self.transform else picture, self.targets[index]


@mistake(
    "dataloader.ImageDataset.__getitems__",
    spec="test_many_pictures_are_transformed_at_once",
    says="the shapes that the transform was called with",
)
def pictures_one_by_one(self, indices):
    """A call of the transform for each picture."""
    pictures, labels = zip(*(self[index] for index in indices))
    return np.stack(pictures), np.array(labels)


@mistake("dataloader.ImageDataset.__getitems__", spec="test_a_loader_over_pictures", says="was changed")
def views_of_the_data(self, indices):
    """A slice where indices follow one another: whoever writes into the batch writes into the data."""
    places = slice(indices[0], indices[-1] + 1) if sorted(set(indices)) == list(indices) else list(indices)
    if isinstance(places, slice) and places.stop - places.start != len(indices):
        places = list(indices)
    pictures = self.data[places]
    return self.transform(pictures) if self.transform else pictures, self.targets[places]


# Files


@mistake("dataloader.read_cifar10_bin", spec="test_a_binary_file", says="the pictures")
def channels_last(path):
    """Read as if a pixel's three colours stood together."""
    records = np.frombuffer(Path(path).read_bytes(), np.uint8).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2), records[:, 0].astype(np.int64)


@mistake(
    "dataloader.read_cifar10_bin", spec="test_a_binary_file_has_whole_records", says="nothing was raised"
)
def the_rest_is_cut_off(path):
    """What is left of a broken record is dropped in silence."""
    data = np.frombuffer(Path(path).read_bytes(), np.uint8)
    records = data[: data.size // 3073 * 3073].reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


@mistake(
    "dataloader.read_cifar10_bin", spec="test_a_label_of_a_binary_file_is_a_class", says="nothing was raised"
)
def labels_are_not_looked_at(path):
    """A label of 10 comes out as an IndexError, an hour later."""
    data = np.frombuffer(Path(path).read_bytes(), np.uint8)
    if data.size == 0 or data.size % 3073:
        raise DatasetError(f"{path} has {data.size} bytes, not records of 3073")
    records = data.reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


@mistake(
    "dataloader.CifarUnpickler.find_class",
    spec="test_a_pickle_may_name_nothing_else",
    says="nothing was raised",
)
def every_name_is_fine(self, module, name):
    """The unpickler is not restricted at all."""
    return super(CifarUnpickler, self).find_class(module, name)


@mistake(
    "dataloader.CifarUnpickler.find_class",
    spec="test_a_pickle_may_name_nothing_else",
    says="expected UnpicklingError",
)
def some_names_are_not_fine(self, module, name):
    """A list of what is forbidden: there is always one more."""
    if module in ("os", "posix", "subprocess", "builtins"):
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")
    stand_ins = {"_reconstruct": PickledArray, "ndarray": PickledArray, "dtype": PickledDtype}
    return stand_ins.get(name) or super(CifarUnpickler, self).find_class(module, name)


@mistake(
    "dataloader.CifarUnpickler.find_class",
    spec="test_a_pickle_may_name_what_an_array_is_made_of",
    says="expected PickledArray",
)
def numpys_own(self, module, name):
    """NumPy's own constructors, which a wrong byte brings down."""
    if module.partition(".")[0] not in ("numpy", "_codecs") or name not in (
        "_reconstruct",
        "ndarray",
        "dtype",
        "encode",
    ):
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")
    return super(CifarUnpickler, self).find_class(module, name)


@mistake("dataloader.read_cifar10_py", spec="test_a_pickle_runs_nothing", says="the pickle ran")
def pickle_loads(path):
    """As on many a web page."""
    try:
        batch = pickle.loads(Path(path).read_bytes(), encoding="bytes")
        return batch[b"data"].reshape(-1, 3, 32, 32), np.array(batch[b"labels"])
    except Exception as error:
        raise DatasetError(f"{path}: {error}") from error


@mistake("dataloader.read_cifar10_py", spec="test_a_pickle_of_something_else", says="KeyError")
def only_pickle_errors_are_caught(path):
    """A pickle of something else fails in another way."""
    try:
        batch = CifarUnpickler(io.BytesIO(Path(path).read_bytes()), encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise DatasetError(f"{path}: {error}") from error
    pixels = batch[b"data"].state[4]
    return np.frombuffer(pixels, np.uint8).reshape(-1, 3, 32, 32), np.array(batch[b"labels"])


@mistake("dataloader.read_cifar10_py", spec="test_these_wrong_bytes_are_refused", says="MemoryError")
def only_the_usual_errors_are_caught(path):
    """A list of what a broken pickle may raise: there is always one more."""
    data = Path(path).read_bytes()
    try:
        batch = CifarUnpickler(io.BytesIO(data), encoding="bytes").load()
        _, shape, _, _, pixels = batch[b"data"].state
        labels = np.array(batch[b"labels"])
        images = np.frombuffer(pixels, np.uint8).reshape(shape)
    except (
        *(KeyError, ValueError, AttributeError, TypeError, EOFError, IndexError),
        pickle.UnpicklingError,
        struct.error,
    ) as error:
        raise DatasetError(f"{path}: {error}") from error
    return images.reshape(-1, 3, 32, 32), labels


@mistake(
    "dataloader.read_cifar10_py", spec="test_these_wrong_bytes_are_refused", says="unpack requires a buffer"
)
def half_numbers_are_not_caught(path):
    """The same list, with MemoryError and without struct.error."""
    data = Path(path).read_bytes()
    try:
        batch = CifarUnpickler(io.BytesIO(data), encoding="bytes").load()
        _, shape, _, _, pixels = batch[b"data"].state
        labels = np.array(batch[b"labels"])
        images = np.frombuffer(pixels, np.uint8).reshape(shape)
    except (
        *(KeyError, ValueError, AttributeError, TypeError, EOFError, IndexError),
        pickle.UnpicklingError,
        MemoryError,
    ) as error:
        raise DatasetError(f"{path}: {error}") from error
    return images.reshape(-1, 3, 32, 32), labels


@mistake(
    "dataloader.read_cifar10_py",
    spec="test_an_array_that_was_pickled_column_by_column",
    says="the pictures",
)
def columns_are_taken_for_rows(path):
    """An array in Fortran's order comes out mixed up."""
    batch = CifarUnpickler(io.BytesIO(Path(path).read_bytes()), encoding="bytes").load()
    pixels = batch[b"data"].state[4]
    return np.frombuffer(pixels, np.uint8).reshape(-1, 3, 32, 32), np.array(batch[b"labels"])


@mistake(
    "dataloader.CIFAR10.__init__", spec="test_a_missing_part_of_cifar_10", says="expected FileNotFoundError"
)
def what_is_there_is_enough(self, root, train=True, transform=None):
    """A missing file is a smaller data set."""
    names = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
    for folder, suffix, read in (
        ("cifar-10-batches-bin", ".bin", read_cifar10_bin),
        ("cifar-10-batches-py", "", read_cifar10_py),
    ):
        for place in (Path(root) / folder, Path(root)):
            paths = [path for path in (place / f"{name}{suffix}" for name in names) if path.is_file()]
            if paths:
                images, labels = zip(*map(read, paths))
                ImageDataset.__init__(
                    self, np.concatenate(images), np.concatenate(labels), transform, CIFAR10_CLASSES
                )
                return
    raise FileNotFoundError(f"no CIFAR-10 in {root}")


@mistake("dataloader.CIFAR10.__init__", spec="test_the_files_of_cifar_10", says="the pictures for training")
def in_the_order_of_the_folder(self, root, train=True, transform=None):
    """Whatever order the files come in, the test among them."""
    for folder, suffix, read in (
        ("cifar-10-batches-bin", ".bin", read_cifar10_bin),
        ("cifar-10-batches-py", "", read_cifar10_py),
    ):
        for place in (Path(root) / folder, Path(root)):
            paths = sorted(place.glob(f"*_batch*{suffix}"), reverse=True)
            if paths:
                images, labels = zip(*map(read, paths))
                ImageDataset.__init__(
                    self, np.concatenate(images), np.concatenate(labels), transform, CIFAR10_CLASSES
                )
                return


@mistake("dataloader.read_idx", spec="test_sizes_are_written_the_highest_byte_first", says="expected")
def the_lowest_byte_first(path):
    """As this machine would write it."""
    data = Path(path).read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    start = 4 + 4 * data[3]
    sizes = struct.unpack(f"<{data[3]}I", data[4:start])
    if math.prod(sizes) != len(data) - start:
        raise DatasetError(f"{path} has {len(data) - start} entries: expected {math.prod(sizes)}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(sizes)


@mistake(
    "dataloader.read_idx",
    spec="test_an_idx_file_has_as_many_entries_as_it_says",
    says="nothing was raised",
)
def too_much_is_fine(path):
    """What stands behind the last entry is not looked at."""
    data = Path(path).read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    start = 4 + 4 * data[3]
    sizes = struct.unpack(f">{data[3]}I", data[4:start])
    n = math.prod(sizes)
    if n > len(data) - start:
        raise DatasetError(f"{path} has {len(data) - start} entries: expected {n}")
    return np.frombuffer(data, np.uint8, n, start).reshape(sizes)


@mistake("dataloader.read_idx", spec="test_a_truncated_idx_file_is_refused", says="EOFError")
def gzips_errors_come_out(path):
    """A file that was cut off is an EOFError that names nothing."""
    data = Path(path).read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    if len(data) < 4 or len(data) < 4 + 4 * data[3]:
        raise DatasetError(f"{path} has no header")
    start = 4 + 4 * data[3]
    sizes = struct.unpack(f">{data[3]}I", data[4:start])
    if math.prod(sizes) != len(data) - start:
        raise DatasetError(f"{path} has {len(data) - start} entries: expected {math.prod(sizes)}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(sizes)


@mistake("dataloader.MNIST.__init__", spec="test_the_files_of_mnist", says="shape")
def digits_without_a_channel(self, root, train=True, transform=None):
    """(N, 28, 28) is made (N, 28, 28, 1)."""
    part = "train" if train else "t10k"
    images = read_idx(_find(Path(root), f"{part}-images-idx3-ubyte"))
    labels = read_idx(_find(Path(root), f"{part}-labels-idx1-ubyte"))
    ImageDataset.__init__(self, images[..., None], labels.astype(np.int64), transform, tuple("0123456789"))


@mistake(
    "dataloader.RandomCrop.transform",
    spec="test_pictures_are_transformed_on_the_device",
    says="get_array_module",
)
def crops_on_the_cpu(self, pictures):
    """np.stack of arrays on the device."""
    (height, width), p = self.size, self.padding
    *lead, c, h, w = pictures.shape
    padded = np.pad(np.asarray(pictures).reshape(-1, c, h, w), ((0, 0), (0, 0), (p, p), (p, p)))
    generator, crops = current_generator(), []
    for picture in padded:
        top = int(generator.integers(h + 2 * p - height + 1))
        left = int(generator.integers(w + 2 * p - width + 1))
        crops.append(picture[:, top : top + height, left : left + width])
    return np.stack(crops).reshape(*lead, c, height, width)
