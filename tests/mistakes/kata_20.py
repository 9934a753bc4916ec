"""Classic mistakes of kata 20."""

from dojo.tree.mistakes import mistake

# cifar --------------------------------------------------------------------------------------------------


@mistake(
    "capstone.shares",
    spec="test_every_second_sample",
    says="the y of process 0",
    swap=(
        "yield x[rank::world_size], y[rank::world_size]",
        "yield x[: len(y) // world_size], y[: len(y) // world_size]",
    ),
)
def the_first_half_for_everybody():
    """Each process takes the first half of the batch."""


@mistake(
    "capstone.shares",
    spec="test_every_second_sample",
    says="the y of process",
    swap=("y[rank::world_size]", "y[:: world_size]"),
)
def labels_of_another_process():
    """Every process has the labels of process 0."""


@mistake(
    "capstone.shares",
    spec="test_a_batch_that_cannot_be_shared",
    says="ValueError",
    swap=("if len(y) % world_size:", "if len(y) < world_size:"),
)
def shares_that_are_not_equal():
    """One process has a sample more than the other, and the mean of both is not that of the batch."""


@mistake(
    "capstone.shares",
    spec="test_one_batch_at_a_time",
    says="shares",
    swap=(
        """    for x, y in batches:
""",
        """    everything = []
    for each in batches:
        everything.append(each)
        if len(everything) == 1000:
            raise MemoryError("shares has asked for 1000 batches")
    for x, y in everything:
""",
    ),
)
def asks_for_all_batches_first():
    """All batches are in memory before the first share is given."""


@mistake(
    "capstone.average_buffers",
    spec="test_statistics_become_their_mean",
    says="running_mean of 0",
    swap=("each.data /= group.world_size", "pass"),
)
def the_sum_for_the_mean():
    """The sum over the processes: the running variance is twice as large."""


@mistake(
    "capstone.average_buffers",
    spec="test_three_processes_have_a_mean_too",
    says="running_mean of process 2",
    swap=("each.data /= group.world_size", "each.data /= 2"),
)
def always_two_processes():
    """The sum is divided by 2, whatever the number of processes."""


@mistake(
    "capstone.average_buffers",
    spec="test_counts_and_parameters_stay",
    says="the weight of 0",
    swap=("model.buffers()", "model.state_dict().values()"),
)
def averages_the_parameters_too():
    """Parameters are averaged as well: where they differ, something is wrong that this hides."""


@mistake(
    "capstone.train_share",
    spec="test_two_learn_as_one",
    says="first.weight",
    swap=("trainer.group = group", "pass"),
)
def a_run_of_its_own():
    """The trainer is not told of the group: no gradient is averaged, and each process learns from its share alone."""


@mistake(
    "capstone.train_share",
    spec="test_each_process_has_a_share",
    says="the samples that each process trained on",
    swap=("shares(batches, group.rank, group.world_size)", "batches"),
)
def the_whole_batch_in_each_process():
    """Each process trains on everything: right, and twice the work."""


@mistake(
    "capstone.train_share",
    spec="test_statistics_are_those_of_all",
    says="the running mean",
    swap=(
        """    average_buffers(trainer.model, group)
""",
        "",
    ),
)
def statistics_of_rank_0():
    """Batch norm's statistics are those of the samples that rank 0 has seen."""


@mistake(
    "capstone.train_share",
    spec="test_cpu_seconds_of_the_slowest",
    says="train_cpu_seconds is",
    swap=("time.process_time() - began}", "0.0 * began}"),
)
def needs_no_time():
    """The CPU seconds are 0."""


@mistake(
    "capstone.ParallelTrainer.train_step",
    spec="test_the_whole_gradient_is_clipped",
    says="first.weight",
    swap=[
        (
            """    if self.group is not None:
        average_gradients(self.model.parameters(), self.group)
""",
            "",
        ),
        (
            "    self.optimizer.step()\n",
            """    if self.group is not None:
        average_gradients(self.model.parameters(), self.group)
    self.optimizer.step()
""",
        ),
    ],
)
def clips_before_it_averages():
    """Each process clips the gradient of its own share."""


@mistake(
    "capstone.ParallelTrainer.train_step",
    spec="test_a_step_without_a_group",
    says="None",
    swap=("if self.group is not None:", "if True:"),
)
def needs_a_group():
    """Outside of a fork there is no group, and the step fails."""


@mistake(
    "capstone.ParallelTrainer.train_step",
    spec="test_two_learn_as_one",
    says="first.weight",
    swap=("self.scheduler.step()", "pass"),
)
def forgets_the_schedule():
    """The learning rate stays what it was."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_a_further_epoch",
    says="first.weight",
    swap=("self.load_state_dict(results[0][1])", 'self.model.load_state_dict(results[0][1]["model"])'),
)
def brings_only_the_weights():
    """Momentum, schedule and generators of the fork are lost."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_the_history_is_of_the_whole_batches",
    says="train_loss",
    swap=("fmean(each[name] for each in numbers)", "numbers[0][name]"),
)
def the_loss_of_rank_0():
    """The history has the loss of rank 0's share."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_cpu_seconds_of_the_slowest",
    says="train_cpu_seconds is",
    swap=(' | {"cpu_seconds": max(each["cpu_seconds"] for each in numbers)}', ""),
)
def the_mean_of_the_seconds():
    """The CPU seconds are the mean over the processes, though all wait for the slowest."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_a_model_may_be_large",
    says="does not fit",
    swap=(", buffer_bytes=room", ""),
)
def a_row_of_any_size():
    """The gradients of a large model do not fit into the rows."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_each_process_has_a_share",
    says="the samples that each process trained on",
    swap=("self.world_size, self,", "2, self,"),
)
def two_whatever_was_said():
    """There are two processes, also where three were asked for."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_the_second_step_moves_them",
    says="the weight after two steps",
    swap=("decay = min(self.decay, (1 + self.steps) / (10 + self.steps))", "decay = self.decay"),
)
def remembers_the_beginning_for_long():
    """The decay is large from the first step on: the weights of the beginning count for hundreds of steps."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_the_decay_by_hand",
    says="the weight after 30 steps",
    swap=("min(self.decay,", "max(self.decay,"),
)
def the_longer_memory():
    """The larger of the two decays."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_a_count_has_no_mean",
    says="count",
    swap=(' or now.data.dtype.kind != "f"', ""),
)
def the_mean_of_a_count():
    """Integers are averaged too."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_the_weights_are_its_own",
    says="the averaged weight",
    swap=("now.detach().clone()", "now"),
)
def the_models_own_arrays():
    """The averages are the model's own Tensors, so nothing is averaged."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_the_second_step_moves_them",
    says="the weight after two steps",
    swap=("mean += (1 - decay) * (now.data - mean)", "mean += decay * (now.data - mean)"),
)
def the_other_way_round():
    """The new weights count by `decay`, and the old ones by 1 - decay."""


@mistake(
    "capstone.WeightAveraging.averaged",
    spec="test_averaged_is_for_a_block",
    says="the weight behind the block",
    swap=("name: each.detach().clone()", "name: each"),
)
def keeps_no_copy():
    """What is to come back is the model's own memory, which has the averages by then."""


@mistake(
    "capstone.WeightAveraging.averaged",
    spec="test_its_own_weights_come_back_after_an_error",
    says="the weight after an error",
    swap=(
        """    try:
        yield
    finally:
        model.load_state_dict(own)""",
        """    yield
    model.load_state_dict(own)""",
    ),
)
def lost_by_an_error():
    """After an error the model keeps the averages."""


@mistake(
    "capstone.fold_batch_norms",
    spec="test_batch_norms_behind_a_convolution_go",
    says="how many batch norms are left",
    swap=("for each in model.modules():", "for each in [model]:"),
)
def only_the_outermost():
    """Blocks inside of the model keep their batch norms."""


@mistake(
    "capstone.fold_batch_norms",
    spec="test_folded_says_the_same",
    says="the answer",
    swap=("memo[id(conv)] = fuse_conv_bn_eval(conv, norm)", "fuse_conv_bn_eval(conv, norm)"),
)
def drops_the_batch_norm():
    """The batch norm is gone, and the convolution is what it was."""


@mistake(
    "capstone.fold_batch_norms",
    spec="test_folding_leaves_a_subclass_alone",
    says="the layers",
    swap=("type(conv) is Conv2d", "isinstance(conv, Conv2d)"),
)
def folds_into_a_subclass():
    """A batch norm is folded into a convolution that does something else."""


@mistake(
    "capstone.QuantizedConv2d.from_float",
    spec="test_each_channel_has_its_scale",
    says="the channel with small weights is off by",
    swap=(
        "layer.rows.quantize_(conv.weight.detach().reshape(len(conv.weight), -1))",
        """layer.rows = QuantizedRows(1, conv.weight.numel(), bits, group_size)
    layer.rows.quantize_(conv.weight.detach().reshape(1, -1))""",
    ),
)
def one_scale_for_all():
    """All output channels share one scale."""


@mistake(
    "capstone.QuantizedConv2d.from_float",
    spec="test_a_quantized_convolution",
    says="the shape of the answer",
    swap=("conv.stride, conv.padding,", "1, 0,"),
)
def forgets_the_options():
    """Stride and padding are those of a plain convolution."""


@mistake(
    "capstone.QuantizedConv2d.from_float",
    spec="test_the_convolution_stays_as_it_is",
    says="the answer after conv was set to 0",
    swap=("copy.deepcopy(conv.bias)", "conv.bias"),
)
def shares_the_bias():
    """The bias is that of the convolution itself."""


@mistake(
    "capstone.QuantizedConv2d.forward",
    spec="test_a_quantized_convolution",
    says="the answer is off by",
    swap=("self.bias, *self.options", "None, *self.options"),
)
def without_the_bias():
    """The bias is left out."""


@mistake(
    "capstone.quantize_network",
    spec="test_a_quantized_network",
    says="convolutions and Linears left",
    swap=(
        "return quantize_dynamic(copy.deepcopy(model, memo), bits, group_size)",
        "return copy.deepcopy(model, memo)",
    ),
)
def forgets_the_last_layer():
    """Linear layers keep their float32 weights."""


@mistake(
    "capstone.quantize_network",
    spec="test_quantized_layers_keep_their_mode",
    says="the modes of all modules",
    swap=(".train(each.training)", ""),
)
def in_training_mode():
    """The new layers are in training mode."""


@mistake(
    "capstone.quantize_network",
    spec="test_with_four_bits",
    says="bits and group_size of all layers",
    swap=("QuantizedConv2d.from_float(each, bits, group_size)", "QuantizedConv2d.from_float(each)"),
)
def eight_bits_always():
    """Convolutions have 8 bits, whatever was said."""
