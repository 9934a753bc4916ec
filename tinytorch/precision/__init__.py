"""Kata 17: fewer bits for a number. Given: the names that the files beside this one define."""

from tinytorch.precision.affine import (
    calculate_qparams as calculate_qparams,
    dequantize_per_channel as dequantize_per_channel,
    dequantize_per_tensor as dequantize_per_tensor,
    quantize_per_channel as quantize_per_channel,
    quantize_per_tensor as quantize_per_tensor,
    value_range as value_range,
)
from tinytorch.precision.calibration import (
    MinMaxObserver as MinMaxObserver,
    MovingAverageMinMaxObserver as MovingAverageMinMaxObserver,
    StaticQuantizedLinear as StaticQuantizedLinear,
    convert as convert,
    fuse_conv_bn_eval as fuse_conv_bn_eval,
    fuse_conv_bn_weights as fuse_conv_bn_weights,
    prepare as prepare,
)
from tinytorch.precision.files import load_model as load_model, save_model as save_model
from tinytorch.precision.floats import (
    BFLOAT16 as BFLOAT16,
    FLOAT16 as FLOAT16,
    FLOAT32 as FLOAT32,
    FloatFormat as FloatFormat,
    FloatInfo as FloatInfo,
    finfo as finfo,
    float_fields as float_fields,
    float_value as float_value,
    from_bfloat16 as from_bfloat16,
    to_bfloat16 as to_bfloat16,
)
from tinytorch.precision.groups import (
    dequantize_rows as dequantize_rows,
    pack_int4 as pack_int4,
    quantize_rows as quantize_rows,
    unpack_int4 as unpack_int4,
)
from tinytorch.precision.modules import (
    QuantizedEmbedding as QuantizedEmbedding,
    QuantizedLinear as QuantizedLinear,
    QuantizedRows as QuantizedRows,
    memory_footprint as memory_footprint,
    quantize_dynamic as quantize_dynamic,
    quantize_layers as quantize_layers,
)
from tinytorch.precision.scaling import GradScaler as GradScaler
