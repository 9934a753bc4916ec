"""Classic mistakes of kata 08: rates from rates, means of means, half a file, and forgotten state."""

from dojo.tree.mistakes import mistake

# Schedulers ---------------------------------------------------------------------------------------------


@mistake(
    "training.LRScheduler.__init__",
    spec="test_the_first_rate_is_written_at_once",
    says="expected 0.25",
    swap=(
        """self.last_epoch = last_epoch
    self.step()""",
        "self.last_epoch = last_epoch + 1",
    ),
)
def scheduler_waits():
    """The first rate is not written before the first step."""


@mistake(
    "training.LRScheduler.__init__",
    spec="test_a_group_remembers_its_initial_lr",
    says="second scheduler",
    swap=('group.setdefault("initial_lr", group["lr"])', 'group["initial_lr"] = group["lr"]'),
)
def scheduler_forgets_the_beginning():
    """Each new scheduler takes the current rate for the first one."""


@mistake(
    "training.LRScheduler.step",
    spec="test_every_group_has_its_own_rate",
    says="the rates",
    swap=('group["lr"] = lr', 'group["lr"] = self.get_lr()[0]'),
)
def scheduler_knows_one_group():
    """All groups get the first one's rate."""


@mistake(
    "training.LRScheduler.state_dict",
    spec="test_the_state_of_a_scheduler",
    says="base_lrs in the state",
    swap=("copy.copy(value)", "value"),
)
def scheduler_state_is_shared():
    """The lists in the state are the scheduler's own."""


@mistake(
    "training.LRScheduler.state_dict",
    spec="test_the_state_of_a_scheduler",
    says="has a state of its own",
    swap=(' if name != "optimizer"', ""),
)
def scheduler_state_has_the_optimizer():
    """Every attribute, the optimizer too."""


@mistake(
    "training.StepLR.get_lr",
    spec="test_step_lr_by_hand",
    says="the rates",
    swap=(
        "base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs",
        'group["lr"] * self.gamma for group in self.optimizer.param_groups',
    ),
)
def step_lr_multiplies():
    """gamma times the rate of the step before, at every step."""


@mistake(
    "training.StepLR.get_lr",
    spec="test_step_lr_by_hand",
    says="the rates",
    swap=(
        "self.gamma ** (self.last_epoch // self.step_size)",
        "self.gamma ** (max(self.last_epoch - 1, 0) // self.step_size)",
    ),
)
def step_lr_is_late():
    """The stair comes one step too late."""


@mistake(
    "training.LinearLR.get_lr",
    spec="test_linear_lr_by_hand",
    says="the rates",
    swap=("min(self.last_epoch, self.total_iters)", "self.last_epoch"),
)
def linear_lr_never_stops():
    """The line continues after total_iters."""


@mistake(
    "training.CosineAnnealingLR.get_lr",
    spec="test_cosine_goes_up_again",
    says="after T_max",
    swap=(
        "1 + math.cos(math.pi * self.last_epoch / self.T_max)",
        "1 + math.cos(math.pi * min(self.last_epoch / self.T_max, 1))",
    ),
)
def cosine_stays_down():
    """After T_max the rate stays at eta_min."""


@mistake(
    "training.CosineAnnealingLR.get_lr",
    spec="test_cosine_ends_at_eta_min",
    says="half-way",
    swap=("self.eta_min + (base - self.eta_min) * height", "self.eta_min + base * height"),
)
def cosine_adds_eta_min():
    """eta_min is added on top, and the wave keeps its height."""


@mistake(
    "training.SequentialLR.step",
    spec="test_sequential_lr_by_hand",
    says="the rates",
    swap=("self.milestones[turn - 1] if turn else 0", "0"),
)
def sequential_goes_on_counting():
    """The second scheduler begins at the step of the first."""


@mistake(
    "training.SequentialLR.step",
    spec="test_sequential_lr_has_many_parts",
    says="the rates",
    swap=("bisect_right", "bisect_left"),
)
def sequential_changes_late():
    """At the milestone itself the first scheduler still has its turn."""


@mistake(
    "training.SequentialLR.state_dict",
    spec="test_the_state_of_a_sequential_lr",
    says="LinearLR",
    swap=(
        '**super().state_dict(), "schedulers": [each.state_dict() for each in self.schedulers]',
        'name: value for name, value in vars(self).items() if name != "optimizer"',
    ),
)
def sequential_state_has_schedulers():
    """The state holds the schedulers themselves, optimizer and all."""


@mistake(
    "training.OneCycleLR.between",
    spec="test_one_cycle_by_default",
    says="step 29",
    swap=("self.pct_start * self.total_steps - 1", "self.pct_start * self.total_steps"),
)
def one_cycle_is_a_step_late():
    """The peak is at pct_start * total_steps, and not one step before it."""


@mistake(
    "training.OneCycleLR.between",
    spec="test_the_cycle_ends",
    says="after the last step",
    swap=(
        "min((self.last_epoch - first) / (goal - first), 1.0)",
        "(self.last_epoch - first) / (goal - first)",
    ),
)
def one_cycle_goes_below_its_end():
    """After the last step the line continues, to a negative rate."""


@mistake(
    "training.OneCycleLR.step",
    spec="test_the_first_beta_is_a_momentum",
    says="betas at step",
    swap=('(momentum, *group["betas"][1:])', "(momentum, momentum)"),
)
def one_cycle_loses_the_second_beta():
    """Both betas are made the momentum."""


@mistake(
    "training.OneCycleLR.step",
    spec="test_the_momentum_goes_the_other_way",
    says="the momentum",
    swap=(
        "self.max_momentum, self.base_momentum, self.max_momentum",
        "self.base_momentum, self.max_momentum, self.base_momentum",
    ),
)
def one_cycle_moves_the_momentum_along():
    """The momentum rises with the rate."""


@mistake(
    "training.SequentialLR.__init__",
    spec="test_sequential_lr_refuses_what_does_not_fit",
    says="nothing was raised",
    swap=("late <= early", "late < early"),
)
def sequential_takes_equal_milestones():
    """[2, 2] counts as rising, and the scheduler between the two never has its turn."""


@mistake(
    "training.SequentialLR.step",
    spec="test_a_part_that_is_over_is_not_counted",
    says="last_epoch of both",
    swap=(
        """scheduler.step()
    self.last_epoch += 1""",
        """self.last_epoch += 1
    scheduler.step()""",
    ),
)
def sequential_counts_what_is_refused():
    """The step is counted before the scheduler has made it."""


@mistake(
    "training.OneCycleLR.__init__",
    spec="test_a_cycle_begins_with_a_rate_of_its_own",
    says="the rates at step 0",
    swap=('group["initial_lr"] = peak / div_factor', 'group.setdefault("initial_lr", peak / div_factor)'),
)
def one_cycle_begins_where_another_did():
    """An "initial_lr" that is there already stays, though it is that of another schedule."""


@mistake(
    "training.OneCycleLR.__init__",
    spec="test_one_cycle_refuses_what_makes_no_cycle",
    says="nothing was raised",
    swap=("min(counts)", "math.prod(counts)"),
)
def one_cycle_multiplies_negatives():
    """-1 epochs of -5 steps are 5 steps."""


@mistake(
    "training.OneCycleLR.__init__",
    spec="test_a_cycle_goes_on_in_the_middle",
    says="the rates from step 4 on",
    swap=("super().__init__(optimizer, last_epoch)", "super().__init__(optimizer)"),
)
def one_cycle_begins_again():
    """last_epoch is taken, and not handed on."""


# Clipping -----------------------------------------------------------------------------------------------


@mistake(
    "training.clip_grad_norm_",
    spec="test_clip_grad_norm_by_hand",
    says="the norm",
    swap=(
        "grad.data *= factor",
        """own = xp.sqrt((grad.data**2).sum())
        grad.data *= xp.minimum(max_norm / (own + 1e-6), 1.0)""",
    ),
)
def clip_each_alone():
    """Each gradient is clipped by its own norm."""


@mistake(
    "training.clip_grad_norm_",
    spec="test_small_gradients_stay",
    says="was changed",
    swap=("xp.minimum(max_norm / (norm + 1e-6), 1.0)", "max_norm / (norm + 1e-6)"),
)
def clip_always_scales():
    """Small gradients are scaled up to the norm."""


@mistake(
    "training.clip_grad_norm_",
    spec="test_parameters_may_come_from_a_generator",
    says="bias",
    swap=("for grad in grads:", "for grad in _gradients(parameters):"),
)
def clip_reads_the_generator_twice():
    """The norm uses up the generator, and nothing is left to scale."""


@mistake(
    "training.clip_grad_norm_",
    spec="test_large_gradients_do_not_overflow",
    says="a warning was given",
    swap=("xp.zeros(1)", "xp.zeros(1, grads[0].dtype)"),
)
def clip_overflows():
    """Squares are added up in the gradients' own dtype."""


@mistake(
    "training.clip_grad_norm_",
    spec="test_gradients_of_zero_stay_zero",
    says="a warning was given",
    swap=("norm + 1e-6", "norm"),
)
def clip_divides_by_zero():
    """max_norm / norm without anything added."""


@mistake(
    "training.clip_grad_norm_",
    spec="test_a_norm_that_is_no_number_can_be_an_error",
    says="was changed",
    swap=(
        "raise RuntimeError",
        """for grad in grads:
            grad.data *= max_norm / (norm + 1e-6)
        raise RuntimeError""",
    ),
)
def clip_complains_too_late():
    """The gradients are scaled before the norm is checked."""


@mistake(
    "training.clip_grad_value_",
    spec="test_clip_grad_value_by_hand",
    says="-1.0",
    swap=("clamp(-clip_value, clip_value)", "clamp(max=clip_value)"),
)
def clip_value_only_from_above():
    """Only large positive entries are cut."""


@mistake(
    "training.clip_grad_norm_",
    spec="test_a_norm_of_nan_is_seen_in_every_gradient",
    says="without a nan of its own",
    swap=("xp.minimum(max_norm / (norm + 1e-6), 1.0)", "min(1.0, max_norm / (norm + 1e-6))"),
)
def clip_hides_nan():
    """min(1.0, nan) is 1.0: the gradients stay as large as they are."""


# Metrics ------------------------------------------------------------------------------------------------


@mistake(
    "training.accuracy",
    spec="test_targets_have_to_fit",
    says="nothing was raised",
    swap=("_check(logits, target)\n    ", ""),
)
def accuracy_broadcasts():
    """Shapes are not compared: (3, 1) against (3,) makes (3, 3)."""


@mistake(
    "training.top_k_accuracy",
    spec="test_equal_logits_are_no_answer",
    says="the accuracy",
    swap=[
        (
            "best = logits.detach().argsort(dim=-1, descending=True).data[..., :k]  # (..., k)",
            "chosen = logits.data[range(len(target)), target.data][:, None]",
        ),
        ("(best == target.data[..., None]).any(axis=-1)", "((logits.data > chosen).sum(axis=-1) < k)"),
    ],
)
def accuracy_is_kind():
    """A target counts as found where fewer than k logits are larger: equal ones are no obstacle."""


@mistake(
    "training.Mean.update",
    spec="test_mean_weighs",
    says="expected 3.0",
    swap=[
        ("float(value) * weight", "float(value)"),
        ("self.weight += weight", "self.weight += 1"),
    ],
)
def mean_of_means():
    """Every batch counts the same."""


@mistake(
    "training.Mean.update",
    spec="test_mean_of_nothing",
    says="weighs nothing",
    swap=("if weight:", "if True:"),
)
def mean_takes_in_nan():
    """nan times 0 is nan."""


@mistake(
    "training.top_k_accuracy",
    spec="test_logits_of_nan_are_no_answer",
    says="the accuracy",
    swap=[
        (
            "best = logits.detach().argsort(dim=-1, descending=True).data[..., :k]  # (..., k)",
            """import numpy as np

    scores, places = logits.data, np.arange(logits.shape[-1])
    chosen = np.take_along_axis(scores, target.data[..., None], axis=-1)
    before = (scores > chosen) | ((scores == chosen) & (places < target.data[..., None]))""",
        ),
        ("(best == target.data[..., None]).any(axis=-1)", "(before.sum(axis=-1) < k)"),
    ],
)
def accuracy_counts_what_is_larger():
    """Nothing is larger than nan, and nothing equal: such a row is always right."""


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


@mistake(
    "training.write_atomically",
    spec="test_killed_between_two_steps",
    says="neither old nor new",
    swap=[
        (
            'with open(beside, "wb") as file:',
            """open(beside, "wb").close()
        os.replace(beside, path)
        with open(path, "wb") as file:""",
        ),
        ("        os.replace(beside, path)", "        pass"),
    ],
)
def write_renames_too_early():
    """The new file has its name before it has its bytes."""


@mistake(
    "training.write_atomically",
    spec="test_the_bytes_are_on_the_disk_before_the_name_is",
    says="['rename', 'folder']",
    swap=("os.fsync(file.fileno())", "pass"),
)
def write_without_fsync():
    """Renamed, but never written to the disk."""


@mistake(
    "training.write_atomically",
    spec="test_the_bytes_are_on_the_disk_before_the_name_is",
    says="0 bytes",
    swap=("file.flush()", "pass"),
)
def write_fsyncs_before_the_flush():
    """fsync does not write what is still in Python's own buffer."""


@mistake(
    "training.write_atomically",
    spec="test_the_bytes_are_on_the_disk_before_the_name_is",
    says="['file of 5 bytes', 'rename']",
    swap=("os.fsync(folder)", "pass"),
)
def write_forgets_the_folder():
    """The new name is not written to the disk."""


@mistake(
    "training.write_atomically",
    spec="test_a_failed_write_leaves_nothing_behind",
    says="place.tmp",
    swap=("beside.unlink(missing_ok=True)", "pass"),
)
def write_leaves_its_mess():
    """After an error the file beside it stays."""


@mistake(
    "training.write_atomically",
    spec="test_the_file_is_as_readable_as_any",
    says="permissions",
    swap=(
        'beside = path.with_name(path.name + ".tmp")',
        """import tempfile

    fd, name = tempfile.mkstemp(dir=path.parent)
    os.close(fd)
    beside = Path(name)""",
    ),
)
def write_is_secretive():
    """mkstemp's files are for their owner only."""


@mistake(
    "training.save",
    spec="test_any_tensor_is_saved_as_what_it_shows",
    says="entries wrong",
    swap=("_on_host(value.data)", "value.data"),
)
def save_as_it_lies():
    """safetensors is given transposed arrays as they are, and writes their memory."""


@mistake(
    "training.save",
    spec="test_any_tensor_is_saved_as_what_it_shows",
    says="has shape (1,)",
    swap=("_on_host(value.data)", "np.ascontiguousarray(value.data)"),
)
def save_makes_0d_1d():
    """np.ascontiguousarray makes a 0-d array one with an axis."""


@mistake(
    "training.save",
    spec="test_save_is_atomic",
    says="is damaged",
    swap=("write_atomically(path, ", "Path(path).write_bytes("),
)
def save_with_the_library():
    """safetensors' own save_file writes to the path itself."""


@mistake(
    "training.save",
    spec="test_save_refuses_what_it_cannot_write",
    says="nothing was raised",
    swap=[
        ("not isinstance(value, Tensor)", 'not hasattr(value, "shape")'),
        (
            "_on_host(value.data)",
            '_on_host(getattr(value, "data", value) if isinstance(value, Tensor) else value)',
        ),
    ],
)
def save_takes_arrays():
    """Whatever has entries is saved."""


@mistake(
    "training.load_with_metadata",
    spec="test_a_changed_byte_is_noticed",
    says="was changed, about",
    swap=(
        "if digest is None or hashlib.sha256(_with_digest(blob, digest, NO_DIGEST)).hexdigest() != digest:",
        "if False:",
    ),
)
def load_believes():
    """The checksum is not checked: safetensors itself notices only what breaks its header."""


@mistake(
    "training.load_with_metadata",
    spec="test_a_changed_byte_is_noticed",
    says="was changed, about",
    swap=("metadata.items() >= WRITER.items() or digest is not None", "digest is not None"),
)
def load_trusts_what_has_no_checksum():
    """A file whose checksum lost its name counts as another program's."""


@mistake(
    "training.load_with_metadata",
    spec="test_a_file_cut_short_is_noticed",
    says="SafetensorError",
    swap=("SafetensorError, ", ""),
)
def load_lets_the_library_speak():
    """The library's error is raised, which has no path and is no CheckpointError."""


@mistake(
    "training.load_with_metadata",
    spec="test_the_file_of_another_program_is_read",
    says="its checksum does not fit",
    swap=("if metadata.items() >= WRITER.items() or digest is not None:", "if True:"),
)
def load_wants_its_own():
    """A file without a checksum is refused."""


@mistake(
    "training.write_atomically",
    spec="test_the_new_file_is_written_in_the_folder_of_the_old_one",
    says="was written elsewhere",
    swap=(
        'beside = path.with_name(path.name + ".tmp")',
        'import tempfile\n\n    beside = Path(tempfile.gettempdir()) / f"{os.getpid()}.tmp"',
    ),
)
def write_from_another_disk():
    """The new file is written where temporary files are, perhaps on another disk, and renamed from there."""


@mistake(
    "training.save",
    spec="test_data_may_look_like_the_place_of_the_checksum",
    says="is damaged",
    swap=(
        "_with_digest(blob, NO_DIGEST, hashlib.sha256(blob).hexdigest())",
        "blob.replace(NO_DIGEST.encode(), hashlib.sha256(blob).hexdigest().encode())",
    ),
)
def save_writes_over_zeros():
    """The checksum takes the place of every run of 64 zeros, data or not."""


@mistake(
    "training._with_digest",
    spec="test_data_may_look_like_the_place_of_the_checksum",
    says="the Tensor",
    swap=(
        'f\'"{DIGEST}":"{old}"\'.encode(), f\'"{DIGEST}":"{new}"\'.encode(), 1',
        "old.encode(), new.encode()",
    ),
)
def zeros_are_written_over_both_ways():
    """Every run of 64 zeros becomes the checksum, and back: the file fits its checksum, and the data is gone."""


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
    """The Tensors are those of the state, and training continues to change them."""
    tensors = {}
    text = json.dumps(_described(state, "", tensors))
    for name, value in tensors.items():
        found = state
        for key in name.split("."):
            found = found[int(key) if key.isdigit() else key]
        tensors[name] = found if isinstance(found, Tensor) else Tensor(found)
    return tensors, text


@mistake(
    "training.pack",
    spec="test_a_state_may_be_one_tensor",
    says="a state is a dict",
    swap=(
        "tensors: dict",
        """if not isinstance(state, (dict, list)):
        raise TypeError("a state is a dict")
    tensors: dict""",
    ),
)
def pack_wants_a_dict():
    """Only a dict or a list is a state."""


# The loop -----------------------------------------------------------------------------------------------


@mistake(
    "training.Trainer.train_step",
    spec="test_gradients_of_the_last_step_are_forgotten",
    says="the slope",
    swap=("self.optimizer.zero_grad()", "pass"),
)
def step_adds_up_gradients():
    """No zero_grad: every gradient so far counts."""


@mistake(
    "training.Trainer.train_step",
    spec="test_a_step_is_clipped",
    says="the slope",
    swap=[
        (
            "if self.clip_grad_norm",
            """self.optimizer.step()
    if self.clip_grad_norm""",
        ),
        ("    self.optimizer.step()", "    pass"),
    ],
)
def step_clips_too_late():
    """The gradient is clipped after the step."""


@mistake(
    "training.Trainer.train_step",
    spec="test_the_scheduler_steps_after_the_optimizer",
    says="the slope",
    swap=[
        ("self.optimizer.step()", "pass"),
        (
            "return loss, output",
            """self.optimizer.step()
    return loss, output""",
        ),
    ],
)
def step_schedules_first():
    """The scheduler steps before the optimizer: the first rate is never used."""


@mistake(
    "training.Trainer.train_epoch",
    spec="test_training_is_in_train_mode_and_evaluation_is_not",
    says="`training` during",
    swap=("self.model.train()", "pass"),
)
def epoch_forgets_the_mode():
    """The model trains in whatever mode it was left in."""


@mistake(
    "training.Trainer.train_epoch",
    spec="test_dropout_on_the_device_is_resumed",
    says="of the resumed run",
    swap=("self._begin_generators()", "pass"),
)
def epoch_leaves_the_device_s_generator():
    """The GPU's generator is left alone, and its state is not saved."""


@mistake(
    "training.Trainer.train_epoch",
    spec="test_no_batches_are_an_error",
    says="nothing was raised",
    swap=("_computed(means)", "{name: mean.compute() for name, mean in means.items()}"),
)
def epoch_of_nothing():
    """An epoch without batches has a loss of nan."""


@mistake(
    "training.evaluating",
    spec="test_afterwards_each_module_is_as_it_was",
    says="`training` of each",
    swap=("module.training = mode", "module.training = True"),
)
def everything_trains_afterwards():
    """model.train() afterwards, whatever was before."""


@mistake(
    "training.evaluating",
    spec="test_afterwards_each_module_is_as_it_was",
    says="`training` of each",
    swap=[
        (
            "modes = {module: module.training for module in model.modules()}",
            "resting = [module for module in model.modules() if not module.training]",
        ),
        (
            """for module, mode in modes.items():
            module.training = mode""",
            """model.train()
        for module in resting:
            module.eval()""",
        ),
    ],
)
def modes_come_back_with_their_parts():
    """eval() puts back what was in eval mode, and its parts with it, whatever they were."""


@mistake(
    "training.evaluating",
    spec="test_evaluating_records_nothing_and_drops_nothing",
    says="`training` of each",
    swap=("model.eval()", "model.training = False"),
)
def only_the_model_itself_evaluates():
    """`training` of the model alone: its Dropout still drops."""


@mistake(
    "training.evaluating",
    spec="test_evaluating_records_nothing_and_drops_nothing",
    says="requires grad",
    swap=("with no_grad():", "if True:"),
)
def evaluating_is_recorded():
    """eval mode without no_grad."""


@mistake(
    "training.evaluating",
    spec="test_an_error_inside_changes_nothing",
    says="after an error",
    swap=[("try:", "if True:"), ("finally:", "if True:")],
)
def an_error_leaves_eval_mode():
    """Without try and finally."""


@mistake(
    "training.evaluating",
    spec="test_an_error_inside_changes_nothing",
    says="nothing was raised",
    swap=("finally:", "except Exception:\n        pass\n    finally:"),
)
def an_error_is_swallowed():
    """Every error of the block is swallowed."""


@mistake(
    "training.Trainer.evaluate",
    spec="test_training_is_in_train_mode_and_evaluation_is_not",
    says="`training` during",
    swap=("evaluating(self.model)", "no_grad()"),
)
def evaluate_in_train_mode():
    """Dropout is on while the model is evaluated."""


@mistake(
    "training.Trainer.evaluate",
    spec="test_evaluate_and_metrics_are_not_recorded",
    says="requires_grad of the loss",
    swap=(
        "for x, y in batches:",
        """from tinytorch.dispatch import mode

        mode.grad_enabled = True
        for x, y in batches:""",
    ),
)
def evaluate_is_recorded():
    """Recording stays on: a graph for every batch."""


@mistake(
    "training.Trainer.evaluate",
    spec="test_evaluate_leaves_everything_as_it_was",
    says="`training` of each",
    swap=(
        "return _computed",
        """self.model.train()
    return _computed""",
    ),
)
def evaluate_thaws_the_frozen():
    """Afterwards every module is in train mode, those too that were not."""


@mistake(
    "training.Trainer.evaluate",
    spec="test_evaluate_leaves_the_mode_even_after_an_error",
    says="afterwards",
    swap=[
        (
            "with evaluating(self.model):",
            """modes = {module: module.training for module in self.model.modules()}
    self.model.eval()
    with no_grad():""",
        ),
        (
            "return _computed",
            """for module, mode in modes.items():
        module.training = mode
    return _computed""",
        ),
    ],
)
def evaluate_forgets_errors():
    """The mode is put back only if there is no error."""


@mistake(
    "training.Trainer.evaluate",
    spec="test_a_smaller_batch_counts_less",
    says="the loss",
    swap=(
        "self._update(means, self.loss_fn(output, y), output, y)",
        """means["loss"].update(self.loss_fn(output, y).item())
            for name, metric in self.metrics.items():
                means[name].update(metric(output, y))""",
    ),
)
def evaluate_means_of_means():
    """Every batch counts the same, the small one at the end too."""


@mistake(
    "training.Trainer.fit",
    spec="test_an_iterator_is_refused",
    says="there are no batches",
    swap=("if isinstance(batches, Iterator):", "if False:"),
)
def fit_takes_iterators():
    """A generator is used up in the first epoch: the second one has no batches."""


@mistake(
    "training.Trainer.fit",
    spec="test_epochs_are_counted_in_all",
    says="finished epochs",
    swap=(
        "while self.epoch < epochs",
        """last = self.epoch + epochs
    while self.epoch < last""",
    ),
)
def fit_counts_from_zero():
    """`epochs` more, whatever was trained before."""


@mistake(
    "training.Trainer.fit",
    spec="test_a_callback_sees_the_whole_epoch",
    says="epoch, lengths",
    swap=[
        ('if self.scheduler is not None and self.scheduler_interval == "epoch":', "if False:"),
        (
            'self._tell("on_checkpoint")',
            """self._tell("on_checkpoint")
        if self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()""",
        ),
    ],
)
def fit_schedules_after_the_callbacks():
    """The scheduler steps after the checkpoint is written: a resumed run has one step less."""


@mistake(
    "training.Trainer.fit",
    spec="test_callbacks_are_told",
    says="hooks that were called",
    swap=(
        """self._tell("on_epoch_end")
        self._tell("on_checkpoint")""",
        """for callback in self.callbacks:
            callback.on_epoch_end(self)
            callback.on_checkpoint(self)""",
    ),
)
def fit_saves_in_between():
    """Each callback saves before on_epoch_end of the next one."""


@mistake(
    "training.Trainer.train_step",
    spec="test_gradients_from_elsewhere_are_forgotten",
    says="the slope",
    swap=[
        ("self.optimizer.zero_grad()", "pass"),
        (
            "self.optimizer.step()",
            """self.optimizer.step()
    self.optimizer.zero_grad()""",
        ),
    ],
)
def step_forgets_too_late():
    """zero_grad after the step: what was there before the first one counts."""


@mistake(
    "training.Trainer.train_step",
    spec="test_a_norm_of_zero_is_a_norm",
    says="the slope",
    swap=("self.clip_grad_norm is not None", "self.clip_grad_norm"),
)
def step_takes_zero_for_none():
    """A norm of 0.0 is false, and counts as no clipping."""


@mistake(
    "training.Trainer._update",
    spec="test_evaluate_and_metrics_are_not_recorded",
    says="in training",
    swap=("with no_grad():", "if True:"),
)
def metrics_are_recorded():
    """What a metric computes from the output goes into a graph."""


@mistake(
    "training.Trainer.predict",
    spec="test_predict_leaves_the_mode_as_it_was",
    says="after predict",
    swap=(
        "with evaluating(self.model):",
        """self.model.eval()
    with no_grad():""",
    ),
)
def predict_stays_in_eval_mode():
    """Dropout is off from now on."""


@mistake(
    "training.Trainer.predict",
    spec="test_no_batches_are_an_error",
    says="`training` after predict",
    swap=[
        (
            "with evaluating(self.model):",
            """modes = {module: module.training for module in self.model.modules()}
    self.model.eval()
    with no_grad():""",
        ),
        (
            "return cat(outputs)",
            """for module, mode in modes.items():
        module.training = mode
    return cat(outputs)""",
        ),
    ],
)
def predict_of_nothing_forgets_the_mode():
    """The error comes before the modes are put back."""


@mistake(
    "training.Trainer.fit",
    spec="test_an_empty_validation_set_is_an_error",
    says="nothing was raised",
    swap=("if val is not None:", "if val:"),
)
def fit_leaves_out_what_is_empty():
    """`if val`: an empty list counts as None."""


@mistake(
    "training.Trainer.fit",
    spec="test_the_rate_in_the_history_is_the_first_group_s",
    says="lr in the history",
    swap=(
        '{"lr": float(self.optimizer.param_groups[0]["lr"])}',
        '{"lr": float(group["lr"]) for group in self.optimizer.param_groups}',
    ),
)
def fit_notes_the_last_rate():
    """A loop over the groups, of which only the last one counts."""


# Callbacks ----------------------------------------------------------------------------------------------


@mistake(
    "training.improves",
    spec="test_nan_never_improves",
    says="nan improves",
    swap=[
        ("value < best", "not value >= best"),
        ("value > best", "not value <= best"),
    ],
)
def nan_improves():
    """Not worse is better: nan is not worse than anything."""


@mistake(
    "training.improves",
    spec="test_improves_by_hand",
    says='with "min"',
    swap=[
        ("value < best", "value <= best"),
        ("value > best", "value >= best"),
    ],
)
def equal_improves():
    """The same value again counts as an improvement."""


@mistake(
    "training.improves",
    spec="test_improves_by_more_than_min_delta",
    says="improve on 2",
    swap=("best + min_delta", "best - min_delta"),
)
def min_delta_has_one_sign():
    """min_delta is subtracted in both modes."""


@mistake(
    "training.EarlyStopping.on_epoch_end",
    spec="test_an_improvement_starts_the_count_anew",
    says="the number of epochs",
    swap=("self.best, self.wait = value, 0", "self.best = value"),
)
def stopping_never_forgives():
    """Epochs without improvement add up over the whole run."""


@mistake(
    "training.EarlyStopping.on_epoch_end",
    spec="test_a_run_without_improvement_is_stopped",
    says="the number of epochs",
    swap=(">= self.patience", "> self.patience"),
)
def stopping_is_too_patient():
    """One epoch more than `patience`."""


@mistake(
    "training.EarlyStopping.on_epoch_end",
    spec="test_the_best_weights_come_back",
    says="the weight",
    swap=("each.detach().clone()", "each.detach()"),
)
def stopping_keeps_no_copy():
    """The state_dict shares its memory with the model, which continues to learn."""


@mistake(
    "training.EarlyStopping.state_dict",
    spec="test_the_state_of_early_stopping",
    says="the number of epochs",
    swap=("self.wait", "0"),
)
def stopping_forgets_its_wait():
    """A resumed run counts its patience from 0 again."""


@mistake(
    "training.ProgressBar.on_step_end",
    spec="test_a_log_has_a_line_for_each_epoch",
    says="the number of lines",
    swap=("if self.stream.isatty():", "if True:"),
)
def bar_floods_the_log():
    """The line is written again where there is no terminal too."""


@mistake(
    "training.ProgressBar.on_step_end",
    spec="test_nothing_stays_of_a_longer_line",
    says="the terminal shows",
    swap=(r"\x1b[K", ""),
)
def bar_leaves_its_tail():
    """Only a carriage return: the end of a longer line remains."""


@mistake(
    "training.ProgressBar.on_epoch_end",
    spec="test_nothing_stays_of_a_longer_line",
    says="what the terminal shows in the end",
    swap=(r"\x1b[K", ""),
)
def bar_stays_behind_the_numbers():
    """The line of the epoch is written over the bar, and is shorter."""


# The state of a run -------------------------------------------------------------------------------------


@mistake(
    "training.Trainer.state_dict",
    spec="test_a_resumed_run_ends_where_an_unstopped_one_does",
    says="resumed run",
    swap=("each.bit_generator.state", "np.random.default_rng(0).bit_generator.state"),
)
def state_without_generators():
    """The generator's state is forgotten: dropout and shuffling begin again."""


@mistake(
    "training.Trainer.state_dict",
    spec="test_a_resumed_run_ends_where_an_unstopped_one_does",
    says="resumed run",
    swap=(
        "self.optimizer.state_dict()",
        '{"state": {}, "param_groups": self.optimizer.state_dict()["param_groups"]}',
    ),
)
def state_without_optimizer():
    """The optimizer's averages are forgotten."""


@mistake(
    "training.Trainer.state_dict",
    spec="test_a_generator_of_its_own_is_resumed",
    says="resumed run",
    swap=(
        "each.bit_generator.state for",
        "(np.random.default_rng(0) if each in self.generators else each).bit_generator.state for",
    ),
)
def state_of_one_generator():
    """Only the default generator is remembered."""


@mistake(
    "training.Trainer.load_state_dict",
    spec="test_a_run_that_fits_half_changes_nothing",
    says="after a refused checkpoint",
    swap=("self._load(unpack(*before))", "pass"),
)
def load_does_half():
    """What was loaded before an error stays loaded."""


@mistake(
    "training.Trainer.load_state_dict",
    spec="test_the_checkpoint_of_another_run_changes_nothing",
    says="nothing was raised",
    swap=('if state_dict["classes"] != self._classes():', "if False:"),
)
def load_takes_any_optimizer():
    """Adam loads the state of SGD."""


@mistake(
    "training.Trainer.load_state_dict",
    spec="test_a_resumed_run_ends_where_an_unstopped_one_does",
    says="in the history",
    swap=(
        "self._load(state_dict)",
        """self._load(state_dict)
        self.history = {}""",
    ),
)
def load_forgets_the_history():
    """The history begins again."""


@mistake(
    "training.Trainer.load_state_dict",
    spec="test_a_stopped_run_stays_stopped",
    says="number of finished epochs is 4",
    swap=(
        "self._load(state_dict)",
        """self._load(state_dict)
        self.stopped = False""",
    ),
)
def load_starts_what_was_stopped():
    """A run that was ended continues after a resume."""


@mistake(
    "training.Trainer._named_callbacks",
    spec="test_two_callbacks_of_one_class_have_two_states",
    says="the names of the states",
    swap=[
        ("for callback in self.callbacks:", "for place, callback in enumerate(self.callbacks):"),
        ("{name}.{same}", "{name}.{place}"),
    ],
)
def callbacks_by_their_place():
    """The second EarlyStopping is named by its place in the list: one more before it, and its state is lost."""


@mistake(
    "training.Trainer._load",
    spec="test_the_history_in_a_state_is_its_own",
    says="loaded run went on",
    swap=('{name: list(values) for name, values in state["history"].items()}', 'dict(state["history"])'),
)
def load_shares_the_history():
    """The lists of the state are the run's own from now on."""


@mistake(
    "training.Trainer.load_state_dict",
    spec="test_a_callback_that_refuses_changes_nothing",
    says="last_epoch of the scheduler",
    swap=(
        "self._load(unpack(*before))",
        """state = unpack(*before)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])""",
    ),
)
def load_takes_back_half():
    """After an error model and optimizer are put back, and nothing else."""


# Checkpoints --------------------------------------------------------------------------------------------


@mistake(
    "training.checkpoints",
    spec="test_checkpoints_are_found",
    says="epochs",
    swap=("sorted(found.items())", "sorted(found.items(), key=lambda item: item[1].name)"),
)
def checkpoints_by_name():
    """Sorted as text: 100000 comes before 99999."""


@mistake(
    "training.ModelCheckpoint.on_checkpoint",
    spec="test_killed_at_any_change_of_the_directory",
    says="was saved before",
    swap=(
        "if self.is_best:",
        """found = [path for epoch, path in checkpoints(self.directory).items() if epoch <= trainer.epoch]
    for path in found[: max(len(found) - self.keep + 1, 0)]:
        path.unlink()
    if self.is_best:""",
    ),
)
def checkpoint_makes_room_first():
    """The old checkpoint is deleted before the new one is written."""


@mistake(
    "training.ModelCheckpoint.on_checkpoint",
    spec="test_killed_at_any_change_of_the_directory",
    says="best.safetensors",
    swap=(
        """if self.is_best:
        trainer.save_checkpoint(self.directory / "best.safetensors")
    trainer.save_checkpoint(checkpoint_path(self.directory, trainer.epoch))""",
        """trainer.save_checkpoint(checkpoint_path(self.directory, trainer.epoch))
    if self.is_best:
        trainer.save_checkpoint(self.directory / "best.safetensors")""",
    ),
)
def checkpoint_writes_the_best_last():
    """Killed between the two, the new run believes that the best one is saved."""


@mistake(
    "training.ModelCheckpoint.on_checkpoint",
    spec="test_the_newest_two_are_kept",
    says="epochs of the checkpoints",
    swap=("path.unlink()", "pass"),
)
def checkpoint_keeps_all():
    """Nothing is ever deleted: the disk is full by the morning."""


@mistake(
    "training.ModelCheckpoint.on_epoch_end",
    spec="test_a_checkpoint_is_the_whole_run",
    says="how often Late",
    swap=(
        "if self.monitor is not None:",
        """trainer.save_checkpoint(checkpoint_path(self.directory, trainer.epoch))
    self.on_checkpoint = lambda trainer: None
    if self.monitor is not None:""",
    ),
)
def checkpoint_is_too_early():
    """Saved in on_epoch_end, before that of the callbacks after it."""


@mistake("training.ModelCheckpoint.state_dict", spec="test_the_best_is_remembered", says="best.safetensors")
def checkpoint_forgets_the_best(self):
    """A resumed run takes its first epoch for the best."""
    return {"best": math.inf if self.mode == "min" else -math.inf}


@mistake(
    "training.ModelCheckpoint.on_fit_start",
    spec="test_a_run_does_not_write_over_one_that_came_further",
    says="nothing was raised",
    swap=("if epoch > trainer.epoch and _is_whole(path):", "if False:"),
)
def checkpoint_writes_over_anything():
    """A program that forgot to resume destroys the run that it should have resumed."""


@mistake(
    "training.Trainer.resume",
    spec="test_a_damaged_checkpoint_is_passed_over",
    says="CheckpointError",
    swap=("reversed(found.values())", "list(found.values())[-1:]"),
)
def resume_gives_up():
    """Only the newest checkpoint is tried."""


@mistake(
    "training.Trainer.resume",
    spec="test_the_run_of_another_model_is_not_passed_over",
    says="nothing was raised",
    swap=[
        ("except CheckpointError", "except ValueError"),
        ("if found:", "if False:"),
    ],
)
def resume_shrugs():
    """Whatever goes wrong, an older one is tried, or the run begins again."""


@mistake(
    "training.Trainer.resume",
    spec="test_all_damaged_is_no_beginning",
    says="nothing was raised",
    swap=("if found:", "if False:"),
)
def resume_begins_anew():
    """If all checkpoints are damaged, it silently begins from nothing."""


@mistake(
    "training.Trainer.save_checkpoint", spec="test_a_checkpoint_is_a_safetensors_file", says="Safetensor"
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
    swap=(" if epoch <= trainer.epoch", ""),
)
def checkpoint_keeps_the_damaged():
    """The newest of all are kept, and damaged ones of later epochs displace the good ones."""


@mistake(
    "training._with_digest",
    spec="test_data_may_look_like_the_place_of_the_checksum",
    says="the Tensor",
    swap=(".encode(), 1)", ".encode())"),
)
def the_place_is_replaced_wherever_it_is():
    """Data that reads like the header's entry is written over as well."""


@mistake(
    "training.write_atomically",
    spec="test_an_interrupted_write_leaves_nothing_behind",
    says="file.tmp",
    swap=("except BaseException:", "except Exception:"),
)
def tmp_left_by_ctrl_c():
    """Ctrl-C is no Exception: the file beside stays there."""


@mistake(
    "training._described",
    spec="test_numpy_s_numbers_become_python_s",
    says="float",
    swap=("return value.item()", "return float(value)"),
)
def numbers_of_numpy_as_floats():
    """Every number of NumPy's becomes a float, integers and booleans too."""


@mistake(
    "training._described",
    spec="test_numpy_s_numbers_become_python_s",
    says="numpy.bool",
    swap=("isinstance(value, np.generic)", "isinstance(value, np.number)"),
)
def booleans_of_numpy_are_refused():
    """NumPy's floats are taken, and its booleans are not."""


@mistake(
    "training._described",
    spec="test_plain_values_keep_their_types",
    says="float",
    swap=(
        "if value is None or isinstance(value, (bool, int, float, str)):",
        "if type(value) is int and abs(value) < 2**53:\n        return float(value)\n"
        "    if value is None or isinstance(value, (bool, int, float, str)):",
    ),
)
def integers_as_floats():
    """An integer comes back as a float, which equals it."""


@mistake(
    "training.SequentialLR.load_state_dict",
    spec="test_each_part_of_a_sequential_lr_takes_its_own_state",
    says="the rates afterwards",
    swap=("scheduler.load_state_dict(state)", 'scheduler.last_epoch = state["last_epoch"]'),
)
def parts_take_their_step_alone():
    """The parts take the number of their step from the state, and not their options."""


@mistake(
    "training.SequentialLR.load_state_dict",
    spec="test_each_part_of_a_sequential_lr_takes_its_own_state",
    says="the rates afterwards",
    swap=("scheduler.load_state_dict(state)", "scheduler.load_state_dict(states[0])"),
)
def every_part_takes_the_first_state():
    """All parts take the state of the first one."""


@mistake(
    "training.Mean.update",
    spec="test_a_mean_does_not_hide_nan",
    says="expected nan",
    swap=("if weight:", "if weight and value == value:"),
)
def mean_without_nan():
    """Values of nan are left out."""


@mistake(
    "training.evaluating",
    spec="test_an_error_inside_changes_nothing",
    says="`training` after an error",
    swap=(
        "yield\n    finally:\n",
        "yield\n    except Exception:\n        model.train()\n        raise\n    else:\n",
    ),
)
def mode_after_ctrl_c():
    """Ctrl-C is no Exception: the model stays in eval mode."""


@mistake(
    "training.LRScheduler.step",
    spec="test_a_group_that_came_later_is_refused",
    says="the rates afterwards",
    swap=("if len(groups) != len(self.base_lrs):", "if False:"),
)
def half_of_the_groups_move():
    """zip notices the other group when the first one has its new rate."""


@mistake(
    "training.clip_grad_norm_",
    spec="test_a_used_up_generator_is_worth_a_warning",
    says="DID NOT WARN",
    swap=("_gradients(parameters)", "_gradients(list(parameters))"),
)
def a_used_up_generator_is_an_empty_list():
    """The norm is 0 without a word."""


@mistake(
    "training.EarlyStopping.on_epoch_end",
    spec="test_early_stopping_takes_no_stop_back",
    says="the number of epochs",
    swap=("trainer.stopped |= ", "trainer.stopped = "),
)
def early_stopping_starts_a_run_again():
    """In an epoch without improvement it says that nothing has stopped the run."""


@mistake(
    "training.ProgressBar.line",
    spec="test_the_speed_and_the_time_left",
    says="the line after a minute",
    swap=("self.clock() - self.started", "self.clock()"),
)
def seconds_since_the_machine_began():
    """A clock need not begin at 0."""


@mistake(
    "training.ProgressBar.line",
    spec="test_the_speed_and_the_time_left",
    says="half a second",
    swap=(", 1e-9)", ", 1)"),
)
def an_epoch_takes_a_second():
    """Half a second counts as a whole one."""


@mistake(
    "training.ProgressBar.line",
    spec="test_the_speed_and_the_time_left",
    says="the second step is the last",
    swap=("max(total - self.steps, 0)", "max(total - self.steps, 1)"),
)
def one_step_is_always_left():
    """After the last step there is still the time of one."""


@mistake(
    "training.ProgressBar.__init__",
    spec="test_the_bar_goes_to_stderr",
    says="sys.stderr got ''",
    swap=("else sys.stderr", "else sys.stdout"),
)
def bar_among_the_results():
    """The bar goes to sys.stdout, into what a program prints."""


@mistake(
    "training.clip_grad_value_",
    spec="test_clip_grad_value_needs_a_bound",
    says="clip_value must not be negative",
    swap=("clip_value >= 0", "clip_value > 0"),
)
def clip_value_refuses_0():
    """0 is not negative."""


@mistake(
    "training.StepLR.__init__",
    spec="test_every_schedule_can_go_on_in_the_middle",
    says="the rates of StepLR",
    swap=("super().__init__(optimizer, last_epoch)", "super().__init__(optimizer)"),
)
def step_lr_begins_at_0():
    """last_epoch is taken, and forgotten."""


@mistake(
    "training.CosineAnnealingLR.__init__",
    spec="test_every_schedule_can_go_on_in_the_middle",
    says="the rates of CosineAnnealingLR",
    swap=("super().__init__(optimizer, last_epoch)", "super().__init__(optimizer)"),
)
def cosine_begins_at_0():
    """last_epoch is taken, and forgotten."""


@mistake(
    "training.top_k_accuracy",
    spec="test_top_k_accuracy_by_hand",
    says="nan",
    swap=("target.numel() == 0", "target.numel() < 2"),
)
def one_row_has_no_accuracy():
    """A single row is right or wrong."""


@mistake(
    "training.OneCycleLR.__init__",
    spec="test_one_cycle_refuses_what_makes_no_cycle",
    says="nothing was raised",
    swap=("epochs or 0", "epochs or 1"),
)
def one_epoch_is_taken_for_granted():
    """Without epochs the number of steps is not known."""


@mistake(
    "training.Trainer.fit",
    spec="test_the_history_has_a_number_for_every_epoch",
    says="fit took",
    swap=("time.monotonic() - began", "time.monotonic()"),
)
def seconds_are_the_time_of_day():
    """What a clock shows is no duration."""


@mistake(
    "training._restored",
    spec="test_a_state_may_be_one_tensor",
    says="the Tensor in a tuple",
    swap=("tuple(_restored(each, tensors) for each in content)", "tuple(content)"),
)
def tuples_are_not_looked_into():
    """A Tensor in a tuple stays the description of one."""
