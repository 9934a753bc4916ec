"""Classic mistakes of kata 08: rates from rates, means of means, half a file, and state that nobody thought of."""

from dojo.authors.mistakes import mistake

# Schedulers ---------------------------------------------------------------------------------------------


@mistake("training.LRScheduler.__init__", spec="test_the_first_rate_is_written_at_once", says="expected 0.25")
def scheduler_waits(self, optimizer, last_epoch=-1):
    """The first rate is not written before the first step."""
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    self.optimizer = optimizer
    self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
    self.last_epoch = 0


@mistake(
    "training.LRScheduler.__init__", spec="test_a_group_remembers_its_initial_lr", says="second scheduler"
)
def scheduler_forgets_the_beginning(self, optimizer, last_epoch=-1):
    """Each new scheduler takes the rate as it is now for the beginning."""
    for group in optimizer.param_groups:
        if last_epoch == -1:
            group["initial_lr"] = group["lr"]
        elif "initial_lr" not in group:
            raise KeyError("initial_lr")
    self.optimizer = optimizer
    self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
    self.last_epoch = last_epoch
    self.step()


@mistake("training.LRScheduler.step", spec="test_every_group_has_its_own_rate", says="the rates")
def scheduler_knows_one_group(self):
    """All groups get the first one's rate."""
    self.last_epoch += 1
    for group in self.optimizer.param_groups:
        group["lr"] = self.get_lr()[0]


@mistake(
    "training.LRScheduler.state_dict", spec="test_the_state_of_a_scheduler", says="base_lrs in the state"
)
def scheduler_state_is_shared(self):
    """The lists in the state are the scheduler's own."""
    return {name: value for name, value in vars(self).items() if name != "optimizer"}


@mistake(
    "training.LRScheduler.state_dict", spec="test_the_state_of_a_scheduler", says="has a state of its own"
)
def scheduler_state_has_the_optimizer(self):
    """Every attribute, the optimizer too."""
    return {name: copy.copy(value) for name, value in vars(self).items()}


@mistake("training.StepLR.get_lr", spec="test_step_lr_by_hand", says="the rates")
def step_lr_multiplies(self):
    """gamma times the rate of the step before, at every step."""
    return [group["lr"] * self.gamma for group in self.optimizer.param_groups]


@mistake("training.StepLR.get_lr", spec="test_step_lr_by_hand", says="the rates")
def step_lr_is_late(self):
    """The stair comes one step too late."""
    return [base * self.gamma ** (max(self.last_epoch - 1, 0) // self.step_size) for base in self.base_lrs]


@mistake("training.LinearLR.get_lr", spec="test_linear_lr_by_hand", says="the rates")
def linear_lr_never_stops(self):
    """The line goes on after total_iters."""
    factor = self.start_factor + (self.end_factor - self.start_factor) * self.last_epoch / self.total_iters
    return [base * factor for base in self.base_lrs]


@mistake("training.CosineAnnealingLR.get_lr", spec="test_cosine_goes_up_again", says="after T_max")
def cosine_stays_down(self):
    """After T_max the rate stays at eta_min."""
    height = (1 + math.cos(math.pi * min(self.last_epoch / self.T_max, 1))) / 2
    return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]


@mistake("training.CosineAnnealingLR.get_lr", spec="test_cosine_ends_at_eta_min", says="half-way")
def cosine_adds_eta_min(self):
    """eta_min is added on top, and the wave keeps its height."""
    height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
    return [self.eta_min + base * height for base in self.base_lrs]


@mistake("training.SequentialLR.step", spec="test_sequential_lr_by_hand", says="the rates")
def sequential_goes_on_counting(self):
    """The second scheduler begins at the step of the first."""
    self.last_epoch += 1
    scheduler = self.schedulers[bisect.bisect_right(self.milestones, self.last_epoch)]
    scheduler.last_epoch = self.last_epoch - 1
    scheduler.step()


@mistake("training.SequentialLR.step", spec="test_sequential_lr_has_many_parts", says="the rates")
def sequential_changes_late(self):
    """At the milestone itself the first scheduler is still on."""
    self.last_epoch += 1
    turn = bisect.bisect_left(self.milestones, self.last_epoch)
    scheduler = self.schedulers[turn]
    scheduler.last_epoch = self.last_epoch - (self.milestones[turn - 1] if turn else 0) - 1
    scheduler.step()


@mistake("training.SequentialLR.state_dict", spec="test_the_state_of_a_sequential_lr", says="LinearLR")
def sequential_state_has_schedulers(self):
    """The state holds the schedulers themselves, optimizer and all."""
    return {name: value for name, value in vars(self).items() if name != "optimizer"}


@mistake("training.OneCycleLR.between", spec="test_one_cycle_by_default", says="step 29")
def one_cycle_is_a_step_late(self, low, high, end):
    """The peak is at pct_start * total_steps, and not one step before it."""
    peak, last = self.pct_start * self.total_steps, self.total_steps - 1
    rising = self.last_epoch <= peak
    first, goal = (0.0, peak) if rising else (peak, float(last))
    a, b = (low, high) if rising else (high, end)
    share = min((self.last_epoch - first) / (goal - first), 1.0) if goal > first else 1.0
    if self.anneal_strategy == "linear":
        return a + (b - a) * share
    return b + (a - b) * (1 + math.cos(math.pi * share)) / 2


@mistake("training.OneCycleLR.between", spec="test_the_cycle_ends", says="after the last step")
def one_cycle_goes_below_its_end(self, low, high, end):
    """Past the last step the line goes on, to a negative rate."""
    peak, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
    rising = self.last_epoch <= peak
    first, goal = (0.0, peak) if rising else (peak, float(last))
    a, b = (low, high) if rising else (high, end)
    share = (self.last_epoch - first) / (goal - first) if goal > first else 1.0
    if self.anneal_strategy == "linear":
        return a + (b - a) * share
    return b + (a - b) * (1 + math.cos(math.pi * share)) / 2


@mistake("training.OneCycleLR.step", spec="test_the_first_beta_is_a_momentum", says="betas at step")
def one_cycle_loses_the_second_beta(self):
    """Both betas are made the momentum."""
    LRScheduler.step(self)
    momentum = self.between(self.max_momentum, self.base_momentum, self.max_momentum)
    for group in self.optimizer.param_groups if self.cycle_momentum else []:
        if "betas" in group:
            group["betas"] = (momentum, momentum)
        else:
            group["momentum"] = momentum


@mistake("training.OneCycleLR.step", spec="test_the_momentum_goes_the_other_way", says="the momentum")
def one_cycle_moves_the_momentum_along(self):
    """The momentum rises with the rate."""
    LRScheduler.step(self)
    momentum = self.between(self.base_momentum, self.max_momentum, self.base_momentum)
    for group in self.optimizer.param_groups if self.cycle_momentum else []:
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


@mistake(
    "training.SequentialLR.__init__",
    spec="test_sequential_lr_refuses_what_does_not_fit",
    says="nothing was raised",
)
def sequential_takes_equal_milestones(self, optimizer, schedulers, milestones, last_epoch=-1):
    """[2, 2] is said to rise, and the scheduler between the two never has its turn."""
    if len(milestones) != len(schedulers) - 1:
        raise ValueError(f"{len(schedulers) - 1} milestones, got {len(milestones)}")
    if any(late < early for early, late in itertools.pairwise(milestones)):
        raise ValueError(f"the milestones must rise, got {list(milestones)}")
    if any(each.optimizer is not optimizer for each in schedulers):
        raise ValueError("a scheduler of another optimizer")
    self.schedulers, self.milestones = list(schedulers), list(milestones)
    super().__init__(optimizer, last_epoch)


@mistake(
    "training.SequentialLR.step", spec="test_a_part_that_is_over_is_not_counted", says="last_epoch of both"
)
def sequential_counts_what_is_refused(self):
    """The step is counted before the scheduler has made it."""
    self.last_epoch += 1
    turn = bisect.bisect_right(self.milestones, self.last_epoch)
    scheduler = self.schedulers[turn]
    start = self.milestones[turn - 1] if turn else 0
    scheduler.last_epoch = self.last_epoch - start - 1
    scheduler.step()


@mistake(
    "training.OneCycleLR.__init__",
    spec="test_a_cycle_begins_with_a_rate_of_its_own",
    says="the rates at step 0",
)
def one_cycle_begins_where_another_did(
    self,
    optimizer,
    max_lr,
    total_steps=None,
    epochs=None,
    steps_per_epoch=None,
    pct_start=0.3,
    anneal_strategy="cos",
    cycle_momentum=True,
    base_momentum=0.85,
    max_momentum=0.95,
    div_factor=25.0,
    final_div_factor=1e4,
    last_epoch=-1,
):
    """An "initial_lr" that is there already stays, though it is that of another schedule."""
    groups = optimizer.param_groups
    peaks = list(max_lr) if isinstance(max_lr, Sequence) else [max_lr] * len(groups)
    self.total_steps = epochs * steps_per_epoch if total_steps is None else total_steps
    self.pct_start, self.anneal_strategy = pct_start, anneal_strategy
    self.cycle_momentum = cycle_momentum
    self.base_momentum, self.max_momentum = base_momentum, max_momentum
    self.div_factor, self.final_div_factor = div_factor, final_div_factor
    for group, peak in zip(groups, peaks, strict=True):
        group.setdefault("initial_lr", peak / div_factor)
    super().__init__(optimizer, last_epoch)


@mistake(
    "training.OneCycleLR.__init__",
    spec="test_one_cycle_refuses_what_makes_no_cycle",
    says="nothing was raised",
)
def one_cycle_multiplies_negatives(
    self,
    optimizer,
    max_lr,
    total_steps=None,
    epochs=None,
    steps_per_epoch=None,
    pct_start=0.3,
    anneal_strategy="cos",
    cycle_momentum=True,
    base_momentum=0.85,
    max_momentum=0.95,
    div_factor=25.0,
    final_div_factor=1e4,
    last_epoch=-1,
):
    """-1 epochs of -5 steps are 5 steps."""
    if total_steps is None and epochs is not None and steps_per_epoch is not None:
        total_steps = epochs * steps_per_epoch
    if total_steps is None or total_steps < 1:
        raise ValueError(f"total_steps is {total_steps}")
    groups = optimizer.param_groups
    self.total_steps, self.pct_start, self.anneal_strategy = total_steps, pct_start, anneal_strategy
    self.cycle_momentum = cycle_momentum
    self.base_momentum, self.max_momentum = base_momentum, max_momentum
    self.div_factor, self.final_div_factor = div_factor, final_div_factor
    for group in groups:
        group["initial_lr"] = max_lr / div_factor
    super().__init__(optimizer, last_epoch)


# Clipping -----------------------------------------------------------------------------------------------


@mistake("training.clip_grad_norm_", spec="test_clip_grad_norm_by_hand", says="the norm")
def clip_each_alone(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """Each gradient is clipped by its own norm."""
    norm = 0.0
    for grad in _gradients(parameters):
        norm = float((grad.data**2).sum()) ** 0.5
        grad.mul_(min(1.0, max_norm / (norm + 1e-6)))
    return Tensor(np.array(norm, np.float32))


@mistake("training.clip_grad_norm_", spec="test_small_gradients_stay", says="was changed")
def clip_always_scales(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """Small gradients are scaled up to the norm."""
    grads = _gradients(parameters)
    norm = sum(float((abs(g.data) ** norm_type).sum()) for g in grads) ** (1 / norm_type)
    for grad in grads:
        grad.mul_(max_norm / (norm + 1e-6))
    return Tensor(np.array(norm, np.float32))


@mistake("training.clip_grad_norm_", spec="test_parameters_may_come_from_a_generator", says="bias")
def clip_reads_the_generator_twice(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """The norm uses the generator up, and nothing is left to scale."""
    norm = sum(float((p.grad.data**2).sum()) for p in parameters if p.grad is not None) ** 0.5
    for p in parameters:
        if p.grad is not None:
            p.grad.mul_(min(1.0, max_norm / (norm + 1e-6)))
    return Tensor(np.array(norm, np.float32))


@mistake("training.clip_grad_norm_", spec="test_large_gradients_do_not_overflow", says="a warning was given")
def clip_overflows(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """Squares are added up in the gradients' own dtype."""
    grads = _gradients(parameters)
    norm = sum(((g.data**2).sum() for g in grads), np.zeros((), np.float32)) ** 0.5
    for grad in grads:
        grad.mul_(float(min(1.0, max_norm / (norm + 1e-6))))
    return Tensor(np.asarray(norm, np.float32))


@mistake("training.clip_grad_norm_", spec="test_gradients_of_zero_stay_zero", says="a warning was given")
def clip_divides_by_zero(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """max_norm / norm without anything added."""
    grads = _gradients(parameters)
    norm = np.sqrt(sum((g.data.astype(np.float64) ** 2).sum() for g in grads))
    factor = np.minimum(max_norm / norm, 1.0)
    for grad in grads:
        grad.mul_(float(factor))
    return Tensor(np.asarray(norm, np.float32))


@mistake("training.clip_grad_norm_", spec="test_a_norm_that_is_no_number_can_be_an_error", says="was changed")
def clip_complains_too_late(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """The gradients are scaled before the norm is looked at."""
    grads = _gradients(parameters)
    norm = sum(float((g.data**2).sum()) for g in grads) ** 0.5
    for grad in grads:
        grad.data *= min(1.0, max_norm / (norm + 1e-6))
    if error_if_nonfinite and not np.isfinite(norm):
        raise RuntimeError(f"the norm is {norm}")
    return Tensor(np.array(norm, np.float32))


@mistake("training.clip_grad_value_", spec="test_clip_grad_value_by_hand", says="-1.0")
def clip_value_only_from_above(parameters, clip_value):
    """Only large positive entries are cut."""
    for grad in _gradients(parameters):
        grad.copy_(grad.detach().clamp(max=clip_value))


@mistake(
    "training.clip_grad_norm_",
    spec="test_a_norm_of_nan_is_seen_in_every_gradient",
    says="without a nan of its own",
)
def clip_hides_nan(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """min(1.0, nan) is 1.0: the gradients stay as large as they are."""
    grads = _gradients(parameters)
    norm = sum(float((g.data.astype(np.float64) ** 2).sum()) for g in grads) ** 0.5
    for grad in grads:
        grad.mul_(min(1.0, max_norm / (norm + 1e-6)))
    return Tensor(np.array(norm, np.float32))


# Metrics ------------------------------------------------------------------------------------------------


@mistake("training.top_k_accuracy", spec="test_targets_have_to_fit", says="nothing was raised")
def accuracy_broadcasts(logits, target, k=5):
    """Shapes are not compared: (3, 1) against (3,) makes (3, 3)."""
    if not 1 <= k <= logits.shape[-1]:
        raise ValueError(f"k is {k} of {logits.shape[-1]}")
    best = logits.detach().argsort(dim=-1, descending=True).data[..., :k]
    return float((best == target.data[..., None]).any(axis=-1).mean())


@mistake("training.top_k_accuracy", spec="test_equal_logits_are_no_answer", says="the accuracy")
def accuracy_is_kind(logits, target, k=5):
    """A target counts as found where fewer than k logits are larger: equal ones are no obstacle."""
    if logits.shape[:-1] != target.shape:
        raise ValueError(f"{logits.shape} and {target.shape}")
    chosen = logits.data[range(len(target)), target.data][:, None]
    return float(((logits.data > chosen).sum(-1) < k).mean())


@mistake("training.Mean.update", spec="test_mean_weighs", says="expected 3.0")
def mean_of_means(self, value, weight=1.0):
    """Every batch counts the same."""
    self.total += float(value)
    self.weight += 1


@mistake("training.Mean.update", spec="test_mean_of_nothing", says="weighs nothing")
def mean_takes_in_nan(self, value, weight=1.0):
    """nan times 0 is nan."""
    if weight < 0:
        raise ValueError(f"{weight}")
    self.total += float(value) * weight
    self.weight += weight


@mistake("training.top_k_accuracy", spec="test_logits_of_nan_are_no_answer", says="the accuracy")
def accuracy_counts_what_is_larger(logits, target, k=5):
    """Nothing is larger than nan, and nothing equal: such a row is always right."""
    import numpy as np

    scores, places = logits.data, np.arange(logits.shape[-1])
    chosen = np.take_along_axis(scores, target.data[..., None], axis=-1)
    before = (scores > chosen) | ((scores == chosen) & (places < target.data[..., None]))
    return float((before.sum(axis=-1) < k).mean())


# Files --------------------------------------------------------------------------------------------------


@mistake(
    "training.write_atomically", spec="test_the_old_file_is_replaced_and_not_written_over", says="old file"
)
def write_in_place(path, data):
    """The file itself is opened and written over."""
    Path(path).write_bytes(data)


@mistake("training.write_atomically", spec="test_killed_in_the_middle_of_a_write", says="killed after")
def write_after_unlink(path, data):
    """The old file is deleted first, then the new one written."""
    Path(path).unlink(missing_ok=True)
    Path(path).write_bytes(data)


@mistake("training.write_atomically", spec="test_killed_between_two_steps", says="neither old nor new")
def write_renames_too_early(path, data):
    """The new file has its name before it has its bytes."""
    path = Path(path)
    beside = path.with_name(path.name + ".tmp")
    with open(beside, "wb") as file:
        os.replace(beside, path)
        os.replace(path, beside)
        os.replace(beside, path)
        file.write(data)


@mistake(
    "training.write_atomically", spec="test_the_bytes_are_on_the_disk_before_the_name_is", says="['rename']"
)
def write_without_fsync(path, data):
    """Renamed, but never brought to the disk."""
    beside = Path(path).with_name(Path(path).name + ".tmp")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@mistake(
    "training.write_atomically", spec="test_the_bytes_are_on_the_disk_before_the_name_is", says="0 bytes"
)
def write_fsyncs_before_the_flush(path, data):
    """fsync knows nothing of what is still in Python's own buffer."""
    path = Path(path)
    beside = path.with_name(path.name + ".tmp")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


@mistake(
    "training.write_atomically",
    spec="test_the_bytes_are_on_the_disk_before_the_name_is",
    says="['file of 5 bytes', 'rename']",
)
def write_forgets_the_folder(path, data):
    """The new name is not brought to the disk."""
    path = Path(path)
    beside = path.with_name(path.name + ".tmp")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@mistake("training.write_atomically", spec="test_a_failed_write_leaves_nothing_behind", says="place.tmp")
def write_leaves_its_mess(path, data):
    """After an error the file beside it stays."""
    path = Path(path)
    beside = path.with_name(path.name + ".tmp")
    with open(beside, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


@mistake("training.write_atomically", spec="test_the_file_is_as_readable_as_any", says="permissions")
def write_is_secretive(path, data):
    """mkstemp's files are for their owner only."""
    import tempfile

    path = Path(path)
    fd, beside = tempfile.mkstemp(dir=path.parent)
    with open(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


@mistake("training.save", spec="test_any_tensor_is_saved_as_what_it_shows", says="entries wrong")
def save_as_it_lies(state, path, metadata={}):
    """safetensors is given transposed arrays as they are, and writes their memory."""
    arrays = {name: value.data for name, value in state.items()}
    blob = safetensors.numpy.save(arrays, {**metadata, **WRITER, DIGEST: NO_DIGEST})
    write_atomically(path, _with_digest(blob, NO_DIGEST, hashlib.sha256(blob).hexdigest()))


@mistake("training.save", spec="test_any_tensor_is_saved_as_what_it_shows", says="has shape (1,)")
def save_makes_0d_1d(state, path, metadata={}):
    """np.ascontiguousarray makes a 0-d array one with an axis."""
    arrays = {name: np.ascontiguousarray(value.data) for name, value in state.items()}
    blob = safetensors.numpy.save(arrays, {**metadata, **WRITER, DIGEST: NO_DIGEST})
    write_atomically(path, _with_digest(blob, NO_DIGEST, hashlib.sha256(blob).hexdigest()))


@mistake("training.save", spec="test_save_is_atomic", says="is damaged")
def save_with_the_library(state, path, metadata={}):
    """safetensors' own save_file writes to the path itself."""
    arrays = {name: _on_host(value.data) for name, value in state.items()}
    blob = safetensors.numpy.save(arrays, {**metadata, **WRITER, DIGEST: NO_DIGEST})
    Path(path).write_bytes(_with_digest(blob, NO_DIGEST, hashlib.sha256(blob).hexdigest()))


@mistake("training.save", spec="test_save_refuses_what_it_cannot_write", says="nothing was raised")
def save_takes_arrays(state, path, metadata={}):
    """Whatever has entries is saved."""
    arrays = {
        str(name): _on_host(getattr(value, "data", value)) for name, value in state.items() if name != "x"
    }
    blob = safetensors.numpy.save(arrays, {**WRITER, DIGEST: NO_DIGEST})
    write_atomically(path, _with_digest(blob, NO_DIGEST, hashlib.sha256(blob).hexdigest()))


@mistake("training.load_with_metadata", spec="test_a_changed_byte_is_noticed", says="was changed, about")
def load_believes(path):
    """No checksum is looked at: safetensors itself notices only what breaks its header."""
    blob = Path(path).read_bytes()
    try:
        arrays = safetensors.numpy.load(blob)
        header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    metadata = header.get("__metadata__") or {}
    for name in (*WRITER, DIGEST):
        metadata.pop(name, None)
    return {name: Tensor(array) for name, array in arrays.items()}, metadata


@mistake("training.load_with_metadata", spec="test_a_changed_byte_is_noticed", says="was changed, about")
def load_trusts_what_has_no_checksum(path):
    """A file whose checksum lost its name counts as another program's."""
    blob = Path(path).read_bytes()
    try:
        arrays = safetensors.numpy.load(blob)
        header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    metadata = header.get("__metadata__") or {}
    digest = metadata.pop(DIGEST, None)
    if digest is not None and hashlib.sha256(_with_digest(blob, digest, NO_DIGEST)).hexdigest() != digest:
        raise CheckpointError(f"{path} is damaged")
    metadata.pop("writer", None)
    return {name: Tensor(array) for name, array in arrays.items()}, metadata


@mistake("training.load_with_metadata", spec="test_a_file_cut_short_is_noticed", says="SafetensorError")
def load_lets_the_library_speak(path):
    """The library's error comes through, which knows no path and is no CheckpointError."""
    blob = Path(path).read_bytes()
    arrays = safetensors.numpy.load(blob)
    header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    metadata = header.get("__metadata__") or {}
    digest = metadata.pop(DIGEST, None)
    if metadata.items() >= WRITER.items() or digest is not None:
        if digest is None or hashlib.sha256(_with_digest(blob, digest, NO_DIGEST)).hexdigest() != digest:
            raise CheckpointError(f"{path} is damaged")
        metadata.pop("writer", None)
    return {name: Tensor(array) for name, array in arrays.items()}, metadata


@mistake("training.load_with_metadata", spec="test_the_file_of_another_program_is_read", says="no checksum")
def load_wants_its_own(path):
    """A file without a checksum is refused."""
    blob = Path(path).read_bytes()
    try:
        arrays = safetensors.numpy.load(blob)
        header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    metadata = header.get("__metadata__") or {}
    digest = metadata.pop(DIGEST, None)
    if digest is None:
        raise CheckpointError(f"{path} has no checksum")
    if hashlib.sha256(_with_digest(blob, digest, NO_DIGEST)).hexdigest() != digest:
        raise CheckpointError(f"{path} is damaged")
    metadata.pop("writer", None)
    return {name: Tensor(array) for name, array in arrays.items()}, metadata


@mistake(
    "training.write_atomically",
    spec="test_the_new_file_is_written_in_the_folder_of_the_old_one",
    says="was written elsewhere",
)
def write_from_another_disk(path, data):
    """The new file is written where temporary files are, perhaps on another disk, and renamed from there."""
    import tempfile

    path = Path(path)
    beside = Path(tempfile.gettempdir()) / f"{os.getpid()}.tmp"
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


@mistake("training.save", spec="test_data_may_look_like_the_place_of_the_checksum", says="is damaged")
def save_writes_over_zeros(state, path, metadata={}):
    """The checksum takes the place of every run of 64 zeros, data or not."""
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise TypeError(f"{type(value).__name__} for {name!r}")
    arrays = {name: _on_host(value.data) for name, value in state.items()}
    blob = safetensors.numpy.save(arrays, {**metadata, **WRITER, DIGEST: NO_DIGEST})
    write_atomically(path, blob.replace(NO_DIGEST.encode(), hashlib.sha256(blob).hexdigest().encode()))


@mistake("training._with_digest", spec="test_data_may_look_like_the_place_of_the_checksum", says="the Tensor")
def zeros_are_written_over_both_ways(blob, old, new):
    """Every run of 64 zeros becomes the checksum, and back: the file fits its checksum, and the data is gone."""
    return blob.replace(old.encode(), new.encode())


# States -------------------------------------------------------------------------------------------------


@mistake("training.pack", spec="test_plain_values_keep_their_types", says="yours:")
def pack_lets_json_choose(state):
    """Plain JSON: tuples become lists, and integer keys strings."""
    tensors = {}

    def described(value, path):
        if isinstance(value, dict):
            return {"dict": [[str(k), described(v, _joined(path, k))] for k, v in value.items()]}
        if isinstance(value, (list, tuple)):
            return [described(each, _joined(path, i)) for i, each in enumerate(value)]
        return _described(value, path, tensors)

    return tensors, json.dumps(described(state, ""))


@mistake("training.pack", spec="test_what_is_packed_does_not_change", says="the packed")
def pack_shares_memory(state):
    """The Tensors are those of the state, and training goes on in them."""
    tensors = {}
    text = json.dumps(_described(state, "", tensors))
    for name, value in tensors.items():
        found = state
        for key in name.split("."):
            found = found[int(key) if key.isdigit() else key]
        tensors[name] = found if isinstance(found, Tensor) else Tensor(found)
    return tensors, text


@mistake("training.pack", spec="test_a_state_may_be_one_tensor", says="a state is a dict")
def pack_wants_a_dict(state):
    """Only a dict or a list is a state."""
    if not isinstance(state, (dict, list)):
        raise TypeError("a state is a dict")
    tensors = {}
    return tensors, json.dumps(_described(state, "", tensors))


# The loop -----------------------------------------------------------------------------------------------


@mistake(
    "training.Trainer.train_step", spec="test_gradients_of_the_last_step_are_forgotten", says="the slope"
)
def step_adds_up_gradients(self, x, y):
    """No zero_grad: every gradient so far counts."""
    output = self.model(x)
    loss = self.loss_fn(output, y)
    loss.backward()
    if self.clip_grad_norm is not None:
        clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
    self.optimizer.step()
    if self.scheduler is not None and self.scheduler_interval == "step":
        self.scheduler.step()
    return loss, output


@mistake("training.Trainer.train_step", spec="test_a_step_is_clipped", says="the slope")
def step_clips_too_late(self, x, y):
    """The gradient is clipped when the step is made already."""
    self.optimizer.zero_grad()
    output = self.model(x)
    loss = self.loss_fn(output, y)
    loss.backward()
    self.optimizer.step()
    if self.clip_grad_norm is not None:
        clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
    if self.scheduler is not None and self.scheduler_interval == "step":
        self.scheduler.step()
    return loss, output


@mistake("training.Trainer.train_step", spec="test_the_scheduler_steps_after_the_optimizer", says="the slope")
def step_schedules_first(self, x, y):
    """The scheduler steps before the optimizer: the first rate is never used."""
    self.optimizer.zero_grad()
    output = self.model(x)
    loss = self.loss_fn(output, y)
    loss.backward()
    if self.clip_grad_norm is not None:
        clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
    if self.scheduler is not None and self.scheduler_interval == "step":
        self.scheduler.step()
    self.optimizer.step()
    return loss, output


@mistake(
    "training.Trainer.train_epoch",
    spec="test_training_is_in_train_mode_and_evaluation_is_not",
    says="`training` during",
)
def epoch_forgets_the_mode(self, batches):
    """The model trains in whatever mode it was left in."""
    self._begin_generators()
    means = self._means()
    for x, y in batches:
        loss, output = self.train_step(x, y)
        self._update(means, loss, output, y)
        self._tell("on_step_end", loss.item(), len(y))
    return _computed(means)


@mistake(
    "training.Trainer.train_epoch", spec="test_dropout_on_the_device_is_resumed", says="of the resumed run"
)
def epoch_leaves_the_device_s_generator(self, batches):
    """The GPU's generator goes on as it will, and nobody remembers where it was."""
    self.model.train()
    means = self._means()
    for x, y in batches:
        loss, output = self.train_step(x, y)
        self._update(means, loss, output, y)
        self._tell("on_step_end", loss.item(), len(y))
    return _computed(means)


@mistake("training.Trainer.train_epoch", spec="test_no_batches_are_an_error", says="nothing was raised")
def epoch_of_nothing(self, batches):
    """An epoch without batches has a loss of nan."""
    self._begin_generators()
    self.model.train()
    means = self._means()
    for x, y in batches:
        loss, output = self.train_step(x, y)
        self._update(means, loss, output, y)
        self._tell("on_step_end", loss.item(), len(y))
    return {name: mean.compute() for name, mean in means.items()}


@mistake(
    "training.Trainer.evaluate",
    spec="test_training_is_in_train_mode_and_evaluation_is_not",
    says="`training` during",
)
def evaluate_in_train_mode(self, batches):
    """Dropout is on while the model is judged."""
    means = self._means()
    with no_grad():
        for x, y in batches:
            output = self.model(x)
            self._update(means, self.loss_fn(output, y), output, y)
    return _computed(means)


@mistake(
    "training.Trainer.evaluate",
    spec="test_evaluate_and_metrics_are_not_recorded",
    says="requires_grad of the loss",
)
def evaluate_is_recorded(self, batches):
    """No no_grad: a graph for every batch."""
    means = self._means()
    modes = {module: module.training for module in self.model.modules()}
    self.model.eval()
    for x, y in batches:
        output = self.model(x)
        self._update(means, self.loss_fn(output, y), output, y)
    for module, mode in modes.items():
        module.training = mode
    return _computed(means)


@mistake(
    "training.Trainer.evaluate", spec="test_evaluate_leaves_everything_as_it_was", says="`training` of each"
)
def evaluate_thaws_the_frozen(self, batches):
    """Afterwards every module is in train mode, those too that were not."""
    means = self._means()
    self.model.eval()
    try:
        with no_grad():
            for x, y in batches:
                output = self.model(x)
                self._update(means, self.loss_fn(output, y), output, y)
    finally:
        self.model.train()
    return _computed(means)


@mistake(
    "training.Trainer.evaluate", spec="test_evaluate_leaves_the_mode_even_after_an_error", says="afterwards"
)
def evaluate_forgets_errors(self, batches):
    """The mode is put back where all goes well."""
    means = self._means()
    modes = {module: module.training for module in self.model.modules()}
    self.model.eval()
    with no_grad():
        for x, y in batches:
            output = self.model(x)
            self._update(means, self.loss_fn(output, y), output, y)
    for module, mode in modes.items():
        module.training = mode
    return _computed(means)


@mistake("training.Trainer.evaluate", spec="test_a_smaller_batch_counts_less", says="the loss")
def evaluate_means_of_means(self, batches):
    """Every batch counts the same, the small one at the end too."""
    means = self._means()
    with evaluating(self.model):
        for x, y in batches:
            output = self.model(x)
            means["loss"].update(self.loss_fn(output, y).item())
            for name, metric in self.metrics.items():
                means[name].update(metric(output, y))
    return _computed(means)


@mistake("training.evaluating", spec="test_afterwards_each_module_is_as_it_was", says="`training` of each")
def everything_trains_afterwards(model):
    """model.train() afterwards, whatever was before."""
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train()


@mistake("training.evaluating", spec="test_afterwards_each_module_is_as_it_was", says="`training` of each")
def modes_come_back_with_their_parts(model):
    """eval() puts back what was in eval mode, and its parts with it, whatever they were."""
    resting = [module for module in model.modules() if not module.training]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        model.train()
        for module in resting:
            module.eval()


@mistake(
    "training.evaluating", spec="test_evaluating_records_nothing_and_drops_nothing", says="`training` of each"
)
def only_the_model_itself_evaluates(model):
    """`training` of the model alone: its Dropout goes on."""
    mode, model.training = model.training, False
    try:
        with no_grad():
            yield
    finally:
        model.training = mode


@mistake(
    "training.evaluating", spec="test_evaluating_records_nothing_and_drops_nothing", says="requires grad"
)
def evaluating_is_recorded(model):
    """eval mode without no_grad."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@mistake("training.evaluating", spec="test_an_error_inside_changes_nothing", says="after an error")
def an_error_leaves_eval_mode(model):
    """Without try and finally."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with no_grad():
        yield
    for module, mode in modes.items():
        module.training = mode


@mistake("training.evaluating", spec="test_an_error_inside_changes_nothing", says="nothing was raised")
def an_error_is_swallowed(model):
    """Every error of the block ends in silence."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with no_grad():
            yield
    except Exception:
        return
    finally:
        for module, mode in modes.items():
            module.training = mode


@mistake("training.Trainer.fit", spec="test_an_iterator_is_refused", says="nothing was raised")
def fit_takes_iterators(self, train, val=None, epochs=1):
    """A generator is used up in the first epoch: here only that one is trained."""
    self.steps_per_epoch = operator.length_hint(train) or None
    for self.epoch in range(1, epochs):
        pass
    return self.history


@mistake("training.Trainer.fit", spec="test_epochs_are_counted_in_all", says="finished epochs")
def fit_counts_from_zero(self, train, val=None, epochs=1):
    """`epochs` more, whatever was trained before."""
    for batches in (train, val):
        if isinstance(batches, Iterator):
            raise TypeError(type(batches).__name__)
    self.steps_per_epoch = operator.length_hint(train) or None
    self._tell("on_fit_start")
    for _ in range(epochs):
        self._tell("on_epoch_start")
        numbers = {"lr": float(self.optimizer.param_groups[0]["lr"])}
        numbers |= {f"train_{name}": value for name, value in self.train_epoch(train).items()}
        if val is not None:
            numbers |= {f"val_{name}": value for name, value in self.evaluate(val).items()}
        if self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()
        for name, value in {**numbers, "seconds": 0.0}.items():
            self.history.setdefault(name, []).append(value)
        self.epoch += 1
        self._tell("on_epoch_end")
        self._tell("on_checkpoint")
        if self.stopped:
            break
    self._tell("on_fit_end")
    return self.history


@mistake("training.Trainer.fit", spec="test_a_callback_sees_the_whole_epoch", says="epoch, lengths")
def fit_schedules_after_the_callbacks(self, train, val=None, epochs=1):
    """The scheduler steps when the checkpoint is written already: a resumed run has one step less."""
    for batches in (train, val):
        if isinstance(batches, Iterator):
            raise TypeError(type(batches).__name__)
    self.steps_per_epoch = operator.length_hint(train) or None
    self._tell("on_fit_start")
    while self.epoch < epochs and not self.stopped:
        self._tell("on_epoch_start")
        numbers = {"lr": float(self.optimizer.param_groups[0]["lr"])}
        numbers |= {f"train_{name}": value for name, value in self.train_epoch(train).items()}
        if val is not None:
            numbers |= {f"val_{name}": value for name, value in self.evaluate(val).items()}
        for name, value in {**numbers, "seconds": 0.0}.items():
            self.history.setdefault(name, []).append(value)
        self.epoch += 1
        self._tell("on_epoch_end")
        self._tell("on_checkpoint")
        if self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()
    self._tell("on_fit_end")
    return self.history


@mistake("training.Trainer.fit", spec="test_callbacks_are_told", says="hooks that were called")
def fit_saves_in_between(self, train, val=None, epochs=1):
    """Each callback saves before the next has heard of the end of the epoch."""
    self.steps_per_epoch = operator.length_hint(train) or None
    self._tell("on_fit_start")
    while self.epoch < epochs and not self.stopped:
        self._tell("on_epoch_start")
        numbers = {"lr": float(self.optimizer.param_groups[0]["lr"])}
        numbers |= {f"train_{name}": value for name, value in self.train_epoch(train).items()}
        if val is not None:
            numbers |= {f"val_{name}": value for name, value in self.evaluate(val).items()}
        if self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()
        for name, value in {**numbers, "seconds": 0.0}.items():
            self.history.setdefault(name, []).append(value)
        self.epoch += 1
        for callback in self.callbacks:
            callback.on_epoch_end(self)
            callback.on_checkpoint(self)
    self._tell("on_fit_end")
    return self.history


@mistake("training.Trainer.train_step", spec="test_gradients_from_elsewhere_are_forgotten", says="the slope")
def step_forgets_too_late(self, x, y):
    """zero_grad after the step: what was there before the first one counts."""
    output = self.model(x)
    loss = self.loss_fn(output, y)
    loss.backward()
    if self.clip_grad_norm is not None:
        clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
    self.optimizer.step()
    self.optimizer.zero_grad()
    if self.scheduler is not None and self.scheduler_interval == "step":
        self.scheduler.step()
    return loss, output


@mistake("training.Trainer.train_step", spec="test_a_norm_of_zero_is_a_norm", says="the slope")
def step_takes_zero_for_none(self, x, y):
    """A norm of 0.0 is false, and counts as no clipping."""
    self.optimizer.zero_grad()
    output = self.model(x)
    loss = self.loss_fn(output, y)
    loss.backward()
    if self.clip_grad_norm:
        clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
    self.optimizer.step()
    if self.scheduler is not None and self.scheduler_interval == "step":
        self.scheduler.step()
    return loss, output


@mistake("training.Trainer._update", spec="test_evaluate_and_metrics_are_not_recorded", says="in training")
def metrics_are_recorded(self, means, loss, output, y):
    """What a metric computes from the output goes into a graph."""
    means["loss"].update(loss.item(), len(y))
    for name, metric in self.metrics.items():
        means[name].update(metric(output, y), len(y))


@mistake("training.Trainer.predict", spec="test_predict_leaves_the_mode_as_it_was", says="after predict")
def predict_stays_in_eval_mode(self, batches):
    """Dropout is off from now on."""
    self.model.eval()
    with no_grad():
        outputs = [self.model(x) for x, _ in batches]
    if not outputs:
        raise ValueError("there are no batches")
    return cat(outputs)


@mistake("training.Trainer.predict", spec="test_no_batches_are_an_error", says="`training` after predict")
def predict_of_nothing_forgets_the_mode(self, batches):
    """The error comes before the modes are put back."""
    modes = {module: module.training for module in self.model.modules()}
    self.model.eval()
    with no_grad():
        outputs = [self.model(x) for x, _ in batches]
        output = cat(outputs) if outputs else None
        if output is None:
            raise ValueError("there are no batches")
    for module, mode in modes.items():
        module.training = mode
    return output


@mistake("training.Trainer.fit", spec="test_an_empty_validation_set_is_an_error", says="nothing was raised")
def fit_leaves_out_what_is_empty(self, train, val=None, epochs=1):
    """`if val`: an empty list counts as None."""
    for batches in (train, val):
        if isinstance(batches, Iterator):
            raise TypeError(type(batches).__name__)
    self.steps_per_epoch = operator.length_hint(train) or None
    self._tell("on_fit_start")
    while self.epoch < epochs and not self.stopped:
        self._tell("on_epoch_start")
        numbers = {"lr": float(self.optimizer.param_groups[0]["lr"])}
        numbers |= {f"train_{name}": value for name, value in self.train_epoch(train).items()}
        if val:
            numbers |= {f"val_{name}": value for name, value in self.evaluate(val).items()}
        if self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()
        for name, value in {**numbers, "seconds": 0.0}.items():
            self.history.setdefault(name, []).append(value)
        self.epoch += 1
        self._tell("on_epoch_end")
        self._tell("on_checkpoint")
    self._tell("on_fit_end")
    return self.history


@mistake(
    "training.Trainer.fit", spec="test_the_rate_in_the_history_is_the_first_group_s", says="lr in the history"
)
def fit_notes_the_last_rate(self, train, val=None, epochs=1):
    """A loop over the groups, of which the last one stays."""
    for batches in (train, val):
        if isinstance(batches, Iterator):
            raise TypeError(type(batches).__name__)
    self.steps_per_epoch = operator.length_hint(train) or None
    self._tell("on_fit_start")
    while self.epoch < epochs and not self.stopped:
        self._tell("on_epoch_start")
        numbers = {"lr": float(group["lr"]) for group in self.optimizer.param_groups}
        numbers |= {f"train_{name}": value for name, value in self.train_epoch(train).items()}
        if val is not None:
            numbers |= {f"val_{name}": value for name, value in self.evaluate(val).items()}
        if self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()
        for name, value in {**numbers, "seconds": 0.0}.items():
            self.history.setdefault(name, []).append(value)
        self.epoch += 1
        self._tell("on_epoch_end")
        self._tell("on_checkpoint")
    self._tell("on_fit_end")
    return self.history


# Callbacks ----------------------------------------------------------------------------------------------


@mistake("training.improves", spec="test_nan_never_improves", says="nan improves")
def nan_improves(value, best, mode, min_delta=0.0):
    """Not worse is better: nan is not worse than anything."""
    if mode not in ("min", "max"):
        raise ValueError(repr(mode))
    return not value >= best - min_delta if mode == "min" else not value <= best + min_delta


@mistake("training.improves", spec="test_improves_by_hand", says='with "min"')
def equal_improves(value, best, mode, min_delta=0.0):
    """The same value again counts as an improvement."""
    if mode not in ("min", "max"):
        raise ValueError(repr(mode))
    return value <= best - min_delta if mode == "min" else value >= best + min_delta


@mistake("training.improves", spec="test_improves_by_more_than_min_delta", says="improve on 2")
def min_delta_has_one_sign(value, best, mode, min_delta=0.0):
    """min_delta is taken away in both modes."""
    if mode not in ("min", "max"):
        raise ValueError(repr(mode))
    return value < best - min_delta if mode == "min" else value > best - min_delta


@mistake(
    "training.EarlyStopping.on_epoch_end",
    spec="test_an_improvement_starts_the_count_anew",
    says="the number of epochs",
)
def stopping_never_forgives(self, trainer):
    """Epochs without improvement add up over the whole run."""
    value = latest(trainer, self.monitor)
    if improves(value, self.best, self.mode, self.min_delta):
        self.best = value
    else:
        self.wait += 1
        trainer.stopped |= self.wait >= self.patience


@mistake(
    "training.EarlyStopping.on_epoch_end",
    spec="test_a_run_without_improvement_is_stopped",
    says="the number of epochs",
)
def stopping_is_too_patient(self, trainer):
    """One epoch more than `patience`."""
    value = latest(trainer, self.monitor)
    if improves(value, self.best, self.mode, self.min_delta):
        self.best, self.wait = value, 0
    else:
        self.wait += 1
        trainer.stopped |= self.wait > self.patience


@mistake("training.EarlyStopping.on_epoch_end", spec="test_the_best_weights_come_back", says="the weight")
def stopping_keeps_no_copy(self, trainer):
    """The state_dict shares its memory with the model, which goes on learning."""
    value = latest(trainer, self.monitor)
    if improves(value, self.best, self.mode, self.min_delta):
        self.best, self.wait = value, 0
        if self.restore_best:
            self.weights = trainer.model.state_dict()
    else:
        self.wait += 1
        trainer.stopped |= self.wait >= self.patience


@mistake(
    "training.EarlyStopping.state_dict", spec="test_the_state_of_early_stopping", says="the number of epochs"
)
def stopping_forgets_its_wait(self):
    """A resumed run is patient again from the beginning."""
    return {"best": self.best, "wait": 0, "weights": dict(self.weights)}


@mistake(
    "training.ProgressBar.on_step_end",
    spec="test_a_log_has_a_line_for_each_epoch",
    says="the number of lines",
)
def bar_floods_the_log(self, trainer, loss, samples):
    """The line is written anew where there is no terminal too."""
    self.steps += 1
    self.samples += samples
    self.loss = loss
    self.stream.write(f"\r{self.line(trainer)}")


@mistake(
    "training.ProgressBar.on_step_end", spec="test_nothing_stays_of_a_longer_line", says="the terminal shows"
)
def bar_leaves_its_tail(self, trainer, loss, samples):
    """Only a carriage return: of a longer line the end is still there."""
    self.steps += 1
    self.samples += samples
    self.loss = loss
    if self.stream.isatty():
        self.stream.write(f"\r{self.line(trainer)}")
        self.stream.flush()


@mistake(
    "training.ProgressBar.on_epoch_end",
    spec="test_nothing_stays_of_a_longer_line",
    says="what the terminal shows in the end",
)
def bar_stays_behind_the_numbers(self, trainer):
    """The line of the epoch is written over the bar, and is shorter."""
    numbers = ", ".join(f"{name} {values[-1]:.4g}" for name, values in trainer.history.items())
    start = "\r" if self.stream.isatty() else ""
    self.stream.write(f"{start}epoch {trainer.epoch}: {numbers}\n")
    self.stream.flush()


# The state of a run -------------------------------------------------------------------------------------


@mistake(
    "training.Trainer.state_dict",
    spec="test_a_resumed_run_ends_where_an_unstopped_one_does",
    says="resumed run",
)
def state_without_generators(self):
    """Chance is forgotten: dropout and shuffling begin anew."""
    return {
        "model": self.model.state_dict(),
        "optimizer": self.optimizer.state_dict(),
        "scheduler": self.scheduler.state_dict() if self.scheduler is not None else {},
        "callbacks": {name: each.state_dict() for name, each in self._named_callbacks().items()},
        "generators": [np.random.default_rng(0).bit_generator.state for each in self._generators()],
        "epoch": self.epoch,
        "history": {name: list(values) for name, values in self.history.items()},
        "stopped": self.stopped,
        "classes": self._classes(),
    }


@mistake(
    "training.Trainer.state_dict",
    spec="test_a_resumed_run_ends_where_an_unstopped_one_does",
    says="resumed run",
)
def state_without_optimizer(self):
    """The optimizer's averages are forgotten."""
    state = self.optimizer.state_dict()
    return {
        "model": self.model.state_dict(),
        "optimizer": {"state": {}, "param_groups": state["param_groups"]},
        "scheduler": self.scheduler.state_dict() if self.scheduler is not None else {},
        "callbacks": {name: each.state_dict() for name, each in self._named_callbacks().items()},
        "generators": [each.bit_generator.state for each in self._generators()],
        "epoch": self.epoch,
        "history": {name: list(values) for name, values in self.history.items()},
        "stopped": self.stopped,
        "classes": self._classes(),
    }


@mistake("training.Trainer.state_dict", spec="test_a_generator_of_its_own_is_resumed", says="resumed run")
def state_of_one_generator(self):
    """Only the default generator is remembered."""
    state = [each.bit_generator.state for each in self._generators()]
    fresh = [np.random.default_rng(0).bit_generator.state for _ in self.generators]
    return {
        "model": self.model.state_dict(),
        "optimizer": self.optimizer.state_dict(),
        "scheduler": self.scheduler.state_dict() if self.scheduler is not None else {},
        "callbacks": {name: each.state_dict() for name, each in self._named_callbacks().items()},
        "generators": [state[0], *fresh],
        "epoch": self.epoch,
        "history": {name: list(values) for name, values in self.history.items()},
        "stopped": self.stopped,
        "classes": self._classes(),
    }


@mistake(
    "training.Trainer.load_state_dict",
    spec="test_a_run_that_fits_half_changes_nothing",
    says="after a refused checkpoint",
)
def load_does_half(self, state_dict):
    """The model is loaded before anybody has looked at the optimizer."""
    if state_dict["classes"] != self._classes():
        raise ValueError(f"{state_dict['classes']}, {self._classes()}")
    self._load(state_dict)


@mistake(
    "training.Trainer.load_state_dict",
    spec="test_the_checkpoint_of_another_run_changes_nothing",
    says="nothing was raised",
)
def load_takes_any_optimizer(self, state_dict):
    """Adam takes over the state of SGD."""
    before = pack(self.state_dict())
    try:
        self._load(state_dict)
    except Exception as error:
        self._load(unpack(*before))
        raise ValueError(str(error)) from error


@mistake(
    "training.Trainer.load_state_dict",
    spec="test_a_resumed_run_ends_where_an_unstopped_one_does",
    says="in the history",
)
def load_forgets_the_history(self, state_dict):
    """The history begins anew."""
    if state_dict["classes"] != self._classes():
        raise ValueError(f"{state_dict['classes']}, {self._classes()}")
    self._load(state_dict)
    self.history = {}


@mistake(
    "training.Trainer.load_state_dict",
    spec="test_a_stopped_run_stays_stopped",
    says="number of finished epochs is 4",
)
def load_starts_what_was_stopped(self, state_dict):
    """A run that was ended goes on after a resume."""
    if state_dict["classes"] != self._classes():
        raise ValueError(f"{state_dict['classes']}, {self._classes()}")
    self._load(state_dict)
    self.stopped = False


@mistake(
    "training.Trainer._named_callbacks",
    spec="test_two_callbacks_of_one_class_have_two_states",
    says="the names of the states",
)
def callbacks_by_their_place(self):
    """The second EarlyStopping is called by its place in the list: a callback more before it, and its state is lost."""
    named = {}
    for place, callback in enumerate(self.callbacks):
        name = type(callback).__name__
        named[f"{name}.{place}" if name in named else name] = callback
    return named


@mistake("training.Trainer._load", spec="test_the_history_in_a_state_is_its_own", says="loaded run went on")
def load_shares_the_history(self, state):
    """The lists of the state are the run's own from now on."""
    self.model.load_state_dict(state["model"])
    self.optimizer.load_state_dict(state["optimizer"])
    if self.scheduler is not None:
        self.scheduler.load_state_dict(state["scheduler"])
    for name, callback in self._named_callbacks().items():
        if name in state["callbacks"]:
            callback.load_state_dict(state["callbacks"][name])
    for generator, saved in zip(self._generators(), state["generators"], strict=True):
        generator.bit_generator.state = saved
    self.epoch, self.stopped = state["epoch"], state["stopped"]
    self.history = dict(state["history"])


@mistake(
    "training.Trainer.load_state_dict",
    spec="test_a_callback_that_refuses_changes_nothing",
    says="last_epoch of the scheduler",
)
def load_takes_back_half(self, state_dict):
    """After an error model and optimizer are put back, and nothing else."""
    if state_dict["classes"] != self._classes():
        raise ValueError(f"{state_dict['classes']}, {self._classes()}")
    if len(state_dict["generators"]) != len(self._generators()):
        raise ValueError(f"{len(state_dict['generators'])} and {len(self._generators())} generators")
    before = pack(self.state_dict())
    try:
        self._load(state_dict)
    except Exception as error:
        state = unpack(*before)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        raise ValueError(str(error)) from error


# Checkpoints --------------------------------------------------------------------------------------------


@mistake("training.checkpoints", spec="test_checkpoints_are_found", says="epochs")
def checkpoints_by_name(directory):
    """Sorted as text: 100000 comes before 99999."""
    paths = sorted(Path(directory).glob("epoch-*.safetensors"))
    return {int(path.stem[6:]): path for path in paths if path.stem[6:].isdigit()}


@mistake(
    "training.ModelCheckpoint.on_checkpoint",
    spec="test_killed_at_any_change_of_the_directory",
    says="was saved before",
)
def checkpoint_makes_room_first(self, trainer):
    """The old checkpoint is deleted before the new one is written."""
    found = [path for epoch, path in checkpoints(self.directory).items() if epoch <= trainer.epoch]
    for path in found[: len(found) - self.keep + 1]:
        path.unlink()
    if self.is_best:
        trainer.save_checkpoint(self.directory / "best.safetensors")
    trainer.save_checkpoint(checkpoint_path(self.directory, trainer.epoch))


@mistake(
    "training.ModelCheckpoint.on_checkpoint",
    spec="test_killed_at_any_change_of_the_directory",
    says="best.safetensors",
)
def checkpoint_writes_the_best_last(self, trainer):
    """Killed between the two, the new run believes that the best one is saved."""
    trainer.save_checkpoint(checkpoint_path(self.directory, trainer.epoch))
    if self.is_best:
        trainer.save_checkpoint(self.directory / "best.safetensors")
    for path in [path for epoch, path in checkpoints(self.directory).items()][: -self.keep]:
        path.unlink()


@mistake(
    "training.ModelCheckpoint.on_checkpoint",
    spec="test_the_newest_two_are_kept",
    says="epochs of the checkpoints",
)
def checkpoint_keeps_all(self, trainer):
    """Nothing is ever deleted: the disk is full by the morning."""
    if self.is_best:
        trainer.save_checkpoint(self.directory / "best.safetensors")
    trainer.save_checkpoint(checkpoint_path(self.directory, trainer.epoch))


@mistake(
    "training.ModelCheckpoint.on_epoch_end", spec="test_a_checkpoint_is_the_whole_run", says="how often Late"
)
def checkpoint_is_too_early(self, trainer):
    """Saved in on_epoch_end, when the callbacks behind it have not heard of the epoch."""
    trainer.save_checkpoint(checkpoint_path(self.directory, trainer.epoch))
    self.on_checkpoint = print


@mistake("training.ModelCheckpoint.state_dict", spec="test_the_best_is_remembered", says="best.safetensors")
def checkpoint_forgets_the_best(self):
    """A resumed run takes its first epoch for the best."""
    return {"best": math.inf if self.mode == "min" else -math.inf}


@mistake(
    "training.ModelCheckpoint.on_fit_start",
    spec="test_a_run_does_not_write_over_one_that_came_further",
    says="nothing was raised",
)
def checkpoint_writes_over_anything(self, trainer):
    """A program that forgot to resume destroys the run that it was to go on with."""
    self.directory.mkdir(parents=True, exist_ok=True)


@mistake("training.Trainer.resume", spec="test_a_damaged_checkpoint_is_passed_over", says="CheckpointError")
def resume_gives_up(self, directory):
    """Only the newest checkpoint is tried."""
    found = checkpoints(directory)
    if not found:
        return None
    path = found[max(found)]
    self.load_checkpoint(path)
    return path


@mistake(
    "training.Trainer.resume",
    spec="test_the_run_of_another_model_is_not_passed_over",
    says="nothing was raised",
)
def resume_shrugs(self, directory):
    """Whatever goes wrong, an older one is tried, or the run begins anew."""
    for path in reversed(checkpoints(directory).values()):
        try:
            self.load_checkpoint(path)
            return path
        except ValueError:
            pass
    return None


@mistake("training.Trainer.resume", spec="test_all_damaged_is_no_beginning", says="nothing was raised")
def resume_begins_anew(self, directory):
    """Where all checkpoints are damaged, it begins from nothing without a word."""
    for path in reversed(checkpoints(directory).values()):
        try:
            self.load_checkpoint(path)
            return path
        except CheckpointError as error:
            warnings.warn(str(error))
    return None


@mistake(
    "training.Trainer.save_checkpoint",
    spec="test_a_checkpoint_is_a_safetensors_file",
    says="Safetensor",
)
def checkpoint_is_a_pickle(self, path):
    """pickle: reading a checkpoint runs whatever is in it."""
    import pickle

    with open(path, "wb") as file:
        pickle.dump(pack(self.state_dict())[1], file)


@mistake(
    "training.ModelCheckpoint.on_checkpoint",
    spec="test_damaged_checkpoints_of_later_epochs_do_not_count",
    says="left after epoch 4",
)
def checkpoint_keeps_the_damaged(self, trainer):
    """The newest of all are kept, and damaged ones of later epochs push out the whole ones."""
    if self.is_best:
        trainer.save_checkpoint(self.directory / "best.safetensors")
    trainer.save_checkpoint(checkpoint_path(self.directory, trainer.epoch))
    for path in list(checkpoints(self.directory).values())[: -self.keep]:
        path.unlink()
