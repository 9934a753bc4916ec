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
