"""Kata 20: a model is worth what it does for somebody else. Given: the names that the files beside this one define."""

from tinytorch.capstone.bundle import (
    Bundle as Bundle,
    BundleError as BundleError,
    check_files as check_files,
    load_bundle as load_bundle,
    save_bundle as save_bundle,
)
from tinytorch.capstone.chat import (
    CHAT_STOP as CHAT_STOP,
    message_text as message_text,
    render_chat as render_chat,
)
from tinytorch.capstone.engine import (
    Engine as Engine,
    EngineStopped as EngineStopped,
    Event as Event,
    Job as Job,
    QueueFull as QueueFull,
    Scored as Scored,
    score_tokens as score_tokens,
)
from tinytorch.capstone.quantized import (
    QuantizedConv2d as QuantizedConv2d,
    fold_batch_norms as fold_batch_norms,
    quantize_network as quantize_network,
)
from tinytorch.capstone.scoreboard import (
    METRICS as METRICS,
    Call as Call,
    EntryError as EntryError,
    Result as Result,
    Row as Row,
    Task as Task,
    TaskError as TaskError,
    Trial as Trial,
    check_trial as check_trial,
    compete as compete,
    end_after as end_after,
    fresh_calls as fresh_calls,
    load_entry as load_entry,
    prepare as prepare,
    rank as rank,
    read_task as read_task,
    rejecting as rejecting,
    run_trial as run_trial,
    seconds_of_children as seconds_of_children,
    weigh as weigh,
)
from tinytorch.capstone.shapes import (
    Choice as Choice,
    chat_chunk as chat_chunk,
    chat_completion as chat_completion,
    chat_logprobs as chat_logprobs,
    completion as completion,
    completion_logprobs as completion_logprobs,
    error_body as error_body,
    token_text as token_text,
    usage as usage,
)
from tinytorch.capstone.text import (
    TextStream as TextStream,
    Tokenizer as Tokenizer,
    bytes_of as bytes_of,
    held_back as held_back,
)
from tinytorch.capstone.trainer import (
    ParallelTrainer as ParallelTrainer,
    WeightAveraging as WeightAveraging,
    average_buffers as average_buffers,
    shares as shares,
    train_share as train_share,
)
