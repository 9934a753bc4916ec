"""How fast is it, how sure is that, and how fast could it be? And two processes instead of one.

A time that was measured once, on a busy machine, against something measured yesterday, is a rumour. Measured in turns,
with an interval, beside the machine's own limit, it is knowledge.
"""

from tinytorch.benchmarking.comparing import (
    Comparison as Comparison,
    alternate as alternate,
    bootstrap as bootstrap,
    compare as compare,
)
from tinytorch.benchmarking.counting import (
    Counts as Counts,
    bytes_moved as bytes_moved,
    count as count,
    flops as flops,
    observing as observing,
)
from tinytorch.benchmarking.limits import (
    Roofline as Roofline,
    bandwidth as bandwidth,
    peak_memory as peak_memory,
    roofline as roofline,
)
from tinytorch.benchmarking.parallel import (
    DistributedSampler as DistributedSampler,
    average_gradients as average_gradients,
    fit_parallel as fit_parallel,
    ring_all_reduce as ring_all_reduce,
    ring_steps as ring_steps,
)
from tinytorch.benchmarking.processes import (
    ProcessGroup as ProcessGroup,
    collect as collect,
    shared_array as shared_array,
    spawn as spawn,
    work as work,
)
from tinytorch.benchmarking.profiler import (
    Record as Record,
    Row as Row,
    profile as profile,
)
from tinytorch.benchmarking.timer import (
    Measurement as Measurement,
    Timer as Timer,
    calls_per_block as calls_per_block,
    format_time as format_time,
    time_calls as time_calls,
)
