"""Kata 08: training runs that survive. Given: the names that the files beside this one define."""

from tinytorch.training.callbacks import (
    Callback as Callback,
    EarlyStopping as EarlyStopping,
    ProgressBar as ProgressBar,
    improves as improves,
    latest as latest,
)
from tinytorch.training.checkpoints import (
    ModelCheckpoint as ModelCheckpoint,
    checkpoint_path as checkpoint_path,
    checkpoints as checkpoints,
)
from tinytorch.training.clipping import (
    clip_grad_norm_ as clip_grad_norm_,
    clip_grad_value_ as clip_grad_value_,
)
from tinytorch.training.files import (
    DIGEST as DIGEST,
    NO_DIGEST as NO_DIGEST,
    WRITER as WRITER,
    CheckpointError as CheckpointError,
    load as load,
    load_with_metadata as load_with_metadata,
    pack as pack,
    save as save,
    unpack as unpack,
    write_atomically as write_atomically,
)
from tinytorch.training.metrics import Mean as Mean, accuracy as accuracy, top_k_accuracy as top_k_accuracy
from tinytorch.training.schedulers import (
    CosineAnnealingLR as CosineAnnealingLR,
    LinearLR as LinearLR,
    LRScheduler as LRScheduler,
    OneCycleLR as OneCycleLR,
    SequentialLR as SequentialLR,
    StepLR as StepLR,
)
from tinytorch.training.trainer import (
    RUN as RUN,
    Batches as Batches,
    Metric as Metric,
    Trainer as Trainer,
    evaluating as evaluating,
)
