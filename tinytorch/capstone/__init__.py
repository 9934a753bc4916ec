"""Kata 20: a model is worth what it does for somebody else. Given: the names that the files beside this one define."""

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
