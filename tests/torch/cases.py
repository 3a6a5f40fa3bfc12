"""Single modules, with the shapes of their inputs: those that PyTorch users write.

Each entry is a function that makes the module, and the shapes of its inputs without the
minibatch. ``REFUSED`` has those that have no form in Keras, with a part of the message.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function, **tensors):
        super().__init__()
        self.function = function
        for name, tensor in tensors.items():
            is_weight = isinstance(tensor, nn.Parameter | nn.Module)
            if is_weight:
                setattr(self, name, tensor)
            else:
                self.register_buffer(name, tensor)
        self.names = tuple(tensors)

    def forward(self, *inputs):
        own = [getattr(self, name) for name in self.names]
        return self.function(*inputs, *own)


def function(f, *shapes, **tensors):
    """Return the case of a function; its tensors come after the inputs."""
    return (lambda: Function(f, **{k: v() for k, v in tensors.items()}), shapes)


def with_averages(norm):
    """Give a normalisation averages other than 0 and 1."""
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    return norm


def weight(*shape):
    return lambda: nn.Parameter(torch.randn(shape))


VECTOR, SERIES, IMAGE, VOLUME = (6,), (4, 11), (4, 9, 10), (2, 5, 6, 7)

CASES = {
    # convolutions
    "conv1d": (lambda: nn.Conv1d(4, 6, 3), (SERIES,)),
    "conv1d_padded": (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=2), (SERIES,)),
    "conv1d_dilated": (lambda: nn.Conv1d(4, 6, 3, dilation=2, bias=False), (SERIES,)),
    "conv1d_groups": (lambda: nn.Conv1d(4, 6, 3, groups=2), (SERIES,)),
    "conv1d_causal": function(
        lambda x, conv: conv(F.pad(x, (2, 0))), SERIES, conv=lambda: nn.Conv1d(4, 5, 3)
    ),
    "conv2d": (lambda: nn.Conv2d(4, 6, 3), (IMAGE,)),
    "conv2d_uneven": (
        lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0)),
        (IMAGE,),
    ),
    "conv2d_same": (lambda: nn.Conv2d(4, 6, 4, padding="same"), (IMAGE,)),
    "conv2d_strided": (lambda: nn.Conv2d(4, 6, 3, 2, 1), (IMAGE,)),
    "conv2d_dilated": (lambda: nn.Conv2d(4, 6, 3, padding=2, dilation=2), (IMAGE,)),
    "conv2d_groups": (lambda: nn.Conv2d(4, 6, 3, groups=2, padding=1), (IMAGE,)),
    "conv2d_depthwise": (lambda: nn.Conv2d(4, 8, 3, groups=4, padding=1), (IMAGE,)),
    "conv2d_depthwise_uneven": (
        lambda: nn.Conv2d(4, 4, 3, groups=4, stride=(2, 1)),
        (IMAGE,),
    ),
    "conv2d_reflect": (
        lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"),
        (IMAGE,),
    ),
    "conv2d_replicate": (
        lambda: nn.Conv2d(4, 6, 3, padding=2, padding_mode="replicate"),
        (IMAGE,),
    ),
    "conv2d_circular": (
        lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"),
        (IMAGE,),
    ),
    "conv3d": (lambda: nn.Conv3d(2, 3, 3, padding=1), (VOLUME,)),
    "conv3d_groups": (lambda: nn.Conv3d(2, 4, 2, stride=2, groups=2), (VOLUME,)),
    "conv_transpose1d": (lambda: nn.ConvTranspose1d(4, 3, 3, stride=2), (SERIES,)),
    "conv_transpose1d_padded": (
        lambda: nn.ConvTranspose1d(4, 3, 4, stride=2, padding=1, output_padding=1),
        (SERIES,),
    ),
    "conv_transpose2d": (lambda: nn.ConvTranspose2d(4, 3, 3), (IMAGE,)),
    "conv_transpose2d_padded": (
        lambda: nn.ConvTranspose2d(4, 3, 3, 2, padding=1, output_padding=1),
        (IMAGE,),
    ),
    "conv_transpose2d_groups": (
        lambda: nn.ConvTranspose2d(4, 6, 3, 2, groups=2),
        (IMAGE,),
    ),
    "conv_transpose2d_dilated": (
        lambda: nn.ConvTranspose2d(4, 3, 3, padding=1, dilation=2),
        (IMAGE,),
    ),
    "conv_transpose2d_wide": (
        lambda: nn.ConvTranspose2d(4, 3, 2, stride=3, bias=False),
        (IMAGE,),
    ),
    "conv_transpose3d": (lambda: nn.ConvTranspose3d(2, 3, 2, stride=2), (VOLUME,)),
    # products with matrices
    "linear": (lambda: nn.Linear(6, 3), (VECTOR,)),
    "linear_no_bias": (lambda: nn.Linear(6, 3, bias=False), (VECTOR,)),
    "linear_on_sequences": (lambda: nn.Linear(11, 3), (SERIES,)),
    "bilinear": (lambda: nn.Bilinear(6, 5, 3), (VECTOR, (5,))),
    "identity": (nn.Identity, (VECTOR,)),
    # pooling
    "max_pool1d": (lambda: nn.MaxPool1d(3), (SERIES,)),
    "max_pool1d_padded": (lambda: nn.MaxPool1d(3, 2, 1, ceil_mode=True), (SERIES,)),
    "max_pool2d": (lambda: nn.MaxPool2d(2), (IMAGE,)),
    "max_pool2d_padded": (lambda: nn.MaxPool2d(3, 2, 1), (IMAGE,)),
    "max_pool2d_after_relu": (
        lambda: nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
        (IMAGE,),
    ),
    "max_pool2d_ceil": (lambda: nn.MaxPool2d((2, 3), 3, ceil_mode=True), (IMAGE,)),
    "max_pool2d_dilated": (lambda: nn.MaxPool2d(2, 1, 1, dilation=2), (IMAGE,)),
    "max_pool3d": (lambda: nn.MaxPool3d(2, padding=1), (VOLUME,)),
    "avg_pool1d": (lambda: nn.AvgPool1d(3, 2, 1), (SERIES,)),
    "avg_pool2d": (lambda: nn.AvgPool2d(3), (IMAGE,)),
    "avg_pool2d_padded": (lambda: nn.AvgPool2d(3, 2, 1), (IMAGE,)),
    "avg_pool2d_without_padding": (
        lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        (IMAGE,),
    ),
    "avg_pool2d_ceil": (lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), (IMAGE,)),
    "avg_pool2d_divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), (IMAGE,)),
    "avg_pool3d": (lambda: nn.AvgPool3d(2, padding=1), (VOLUME,)),
    "adaptive_avg_pool1d": (lambda: nn.AdaptiveAvgPool1d(1), (SERIES,)),
    "adaptive_avg_pool2d": (lambda: nn.AdaptiveAvgPool2d((3, 5)), (IMAGE,)),
    "adaptive_avg_pool2d_one": (lambda: nn.AdaptiveAvgPool2d(1), (IMAGE,)),
    "adaptive_avg_pool2d_unequal": (lambda: nn.AdaptiveAvgPool2d(4), (IMAGE,)),
    "adaptive_avg_pool3d": (lambda: nn.AdaptiveAvgPool3d(1), (VOLUME,)),
    "adaptive_max_pool1d": (lambda: nn.AdaptiveMaxPool1d(1), (SERIES,)),
    "adaptive_max_pool2d": (lambda: nn.AdaptiveMaxPool2d((3, 2)), (IMAGE,)),
    "adaptive_max_pool2d_unequal": (lambda: nn.AdaptiveMaxPool2d(4), (IMAGE,)),
    "lp_pool2d": (lambda: nn.LPPool2d(2, 3), (IMAGE,)),
    # normalisation
    "batch_norm1d": (lambda: with_averages(nn.BatchNorm1d(6)), (VECTOR,)),
    "batch_norm1d_series": (lambda: with_averages(nn.BatchNorm1d(4)), (SERIES,)),
    "batch_norm2d": (lambda: with_averages(nn.BatchNorm2d(4)), (IMAGE,)),
    "batch_norm2d_plain": (
        lambda: with_averages(nn.BatchNorm2d(4, affine=False)),
        (IMAGE,),
    ),
    "batch_norm3d": (lambda: with_averages(nn.BatchNorm3d(2)), (VOLUME,)),
    "layer_norm": (lambda: nn.LayerNorm(6), (VECTOR,)),
    "layer_norm_axes": (lambda: nn.LayerNorm((9, 10)), (IMAGE,)),
    "layer_norm_plain": (
        lambda: nn.LayerNorm(11, elementwise_affine=False),
        (SERIES,),
    ),
    "group_norm": (lambda: nn.GroupNorm(2, 4), (IMAGE,)),
    "instance_norm1d": (lambda: nn.InstanceNorm1d(4), (SERIES,)),
    "instance_norm2d": (lambda: nn.InstanceNorm2d(4, affine=True), (IMAGE,)),
    "instance_norm3d": (lambda: nn.InstanceNorm3d(2), (VOLUME,)),
    "rms_norm": (lambda: nn.RMSNorm(6), (VECTOR,)),
    "local_response_norm": (lambda: nn.LocalResponseNorm(3), (IMAGE,)),
    "normalize": function(lambda x: F.normalize(x, dim=1), IMAGE),
    # activations
    "relu": (nn.ReLU, (IMAGE,)),
    "relu_in_place": (lambda: nn.ReLU(inplace=True), (VECTOR,)),
    "relu6": (nn.ReLU6, (VECTOR,)),
    "leaky_relu": (lambda: nn.LeakyReLU(0.2), (VECTOR,)),
    "prelu": (nn.PReLU, (VECTOR,)),
    "prelu_channels": (lambda: nn.PReLU(4), (IMAGE,)),
    "elu": (lambda: nn.ELU(0.7), (VECTOR,)),
    "selu": (nn.SELU, (VECTOR,)),
    "celu": (lambda: nn.CELU(0.5), (VECTOR,)),
    "gelu": (nn.GELU, (VECTOR,)),
    "gelu_tanh": (lambda: nn.GELU("tanh"), (VECTOR,)),
    "silu": (nn.SiLU, (VECTOR,)),
    "mish": (nn.Mish, (VECTOR,)),
    "sigmoid": (nn.Sigmoid, (VECTOR,)),
    "tanh": (nn.Tanh, (VECTOR,)),
    "softplus": (lambda: nn.Softplus(2.0), (VECTOR,)),
    "softsign": (nn.Softsign, (VECTOR,)),
    "hardtanh": (lambda: nn.Hardtanh(-0.5, 0.8), (VECTOR,)),
    "hardsigmoid": (nn.Hardsigmoid, (VECTOR,)),
    "hardswish": (nn.Hardswish, (VECTOR,)),
    "hardshrink": (nn.Hardshrink, (VECTOR,)),
    "softshrink": (nn.Softshrink, (VECTOR,)),
    "tanhshrink": (nn.Tanhshrink, (VECTOR,)),
    "logsigmoid": (nn.LogSigmoid, (VECTOR,)),
    "threshold": (lambda: nn.Threshold(0.1, 0.3), (VECTOR,)),
    "glu": (lambda: nn.GLU(1), (IMAGE,)),
    "softmax": (lambda: nn.Softmax(-1), (VECTOR,)),
    "softmax_channels": (lambda: nn.Softmax2d(), (IMAGE,)),
    "log_softmax": (lambda: nn.LogSoftmax(1), (IMAGE,)),
    "softmin": (lambda: nn.Softmin(1), (VECTOR,)),
    # dropout, in evaluation
    "dropout": (nn.Dropout, (VECTOR,)),
    "dropout2d": (nn.Dropout2d, (IMAGE,)),
    # padding
    "zero_pad2d": (lambda: nn.ZeroPad2d((1, 2, 0, 3)), (IMAGE,)),
    "constant_pad1d": (lambda: nn.ConstantPad1d((1, 2), 0.5), (SERIES,)),
    "constant_pad2d_crop": (lambda: nn.ConstantPad2d((1, -2, -1, 0), 0.5), (IMAGE,)),
    "constant_pad3d": (lambda: nn.ConstantPad3d(1, -1.0), (VOLUME,)),
    "reflection_pad1d": (lambda: nn.ReflectionPad1d((3, 1)), (SERIES,)),
    "reflection_pad2d": (lambda: nn.ReflectionPad2d(2), (IMAGE,)),
    "replication_pad2d": (lambda: nn.ReplicationPad2d((3, 1, 0, 2)), (IMAGE,)),
    "circular_pad2d": (lambda: nn.CircularPad2d(2), (IMAGE,)),
    # images of other sizes
    "upsample_nearest": (lambda: nn.Upsample(scale_factor=2), (IMAGE,)),
    "upsample_nearest1d": (lambda: nn.Upsample(scale_factor=3), (SERIES,)),
    "upsample_nearest_size": (lambda: nn.Upsample(size=(13, 17)), (IMAGE,)),
    "upsample_bilinear": (
        lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
        (IMAGE,),
    ),
    "upsample_corners": (
        lambda: nn.Upsample(size=(14, 7), mode="bilinear", align_corners=True),
        (IMAGE,),
    ),
    "upsample_factor": (
        lambda: nn.Upsample(scale_factor=1.7, mode="bilinear"),
        (IMAGE,),
    ),
    "upsample_linear": (lambda: nn.Upsample(scale_factor=2, mode="linear"), (SERIES,)),
    "upsample_bicubic": (
        lambda: nn.Upsample(scale_factor=2, mode="bicubic"),
        (IMAGE,),
    ),
    "upsample_trilinear": (
        lambda: nn.Upsample(scale_factor=2, mode="trilinear"),
        (VOLUME,),
    ),
    "pixel_shuffle": (lambda: nn.PixelShuffle(2), (IMAGE,)),
    "pixel_unshuffle": (lambda: nn.PixelUnshuffle(2), ((2, 8, 6),)),
    "channel_shuffle": (lambda: nn.ChannelShuffle(2), (IMAGE,)),
    # other shapes
    "flatten": (nn.Flatten, (IMAGE,)),
    "flatten_some": (lambda: nn.Flatten(2), (IMAGE,)),
    "unflatten": (lambda: nn.Unflatten(1, (2, 3)), (VECTOR,)),
    "view": function(lambda x: x.view(x.size(0), 2, -1), VECTOR),
    "permute": function(lambda x: x.permute(0, 2, 3, 1), IMAGE),
    "transpose": function(lambda x: x.transpose(1, 2), SERIES),
    "squeeze": function(lambda x: x.mean(2, keepdim=True).squeeze(2), SERIES),
    "unsqueeze": function(lambda x: x.unsqueeze(1).unsqueeze(-1), VECTOR),
    "cat": function(lambda x, y: torch.cat([x, y], 1), IMAGE, (2, 9, 10)),
    "stack": function(lambda x, y: torch.stack([x, y], 1), VECTOR, VECTOR),
    "chunk": function(lambda x: x.chunk(2, 1)[1], IMAGE),
    "split": function(lambda x: torch.split(x, [1, 3], 1)[1] * 2, IMAGE),
    "unbind": function(lambda x: x.unbind(1)[2], IMAGE),
    "slices": function(lambda x: x[:, 1:3, ::2, -4:-1], IMAGE),
    "element": function(lambda x: x[:, -1], SERIES),
    "index": function(lambda x: x[:, [2, 0, 1]], SERIES),
    "expand": function(lambda x: x.unsqueeze(2).expand(-1, -1, 3), VECTOR),
    "repeat": function(lambda x: x.repeat(1, 2), VECTOR),
    "flip": function(lambda x: x.flip(-1), IMAGE),
    "roll": function(lambda x: x.roll(2, 3), IMAGE),
    "tril": function(lambda x: x.tril(), IMAGE),
    # arithmetic
    "add": function(lambda x, y: x + 2 * y - 1, VECTOR, VECTOR),
    "reversed": function(lambda x: 1 - x / 3 + 2 / (x * x + 1), VECTOR),
    "broadcast": function(lambda x, y: x * y[:, :, None, None], IMAGE, (4,)),
    "broadcast_channels": function(
        lambda x, w, b: x * w + b, IMAGE, w=weight(4, 1, 1), b=weight(10)
    ),
    "buffer": function(lambda x, b: x - b, VECTOR, b=lambda: torch.randn(6)),
    "power": function(lambda x: (x.abs() + 0.1) ** 1.5 + x**2 + x**3, VECTOR),
    "powers_of_two": function(lambda x: 2**x, VECTOR),
    "extrema": function(lambda x, y: torch.max(x, y) - torch.min(x, y), VECTOR, VECTOR),
    "clamp": function(lambda x: x.clamp(-0.5, 0.4) + x.clamp(min=0.1), VECTOR),
    "where": function(lambda x, y: torch.where(x > y, x, 2 * y), VECTOR, VECTOR),
    "exponential": function(lambda x: x.exp() + (x.abs() + 1).log(), VECTOR),
    "waves": function(lambda x: x.sin() + x.cos() * x.tanh(), VECTOR),
    "roots": function(lambda x: (x * x + 1).sqrt() + (x * x + 1).rsqrt(), VECTOR),
    "mean": function(lambda x: x.mean((2, 3)), IMAGE),
    "sum": function(lambda x: x.sum(1, keepdim=True), IMAGE),
    "maximum": function(lambda x: x.amax((2, 3)) + x.max(3)[0].min(2)[0], IMAGE),
    "variance": function(
        lambda x: x.var(1)[:, 0] + x.std((2,), unbiased=False)[:, 0], IMAGE
    ),
    "norm": function(lambda x: x.norm(dim=1) + x.norm(1, 1), VECTOR),
    "cumsum": function(lambda x: x.cumsum(1), SERIES),
    "logsumexp": function(lambda x: x.logsumexp(1), SERIES),
    "matmul": function(lambda x, w: x @ w, VECTOR, w=weight(6, 3)),
    "matmul_left": function(lambda x, w: w @ x, SERIES, w=weight(5, 4)),
    "matmul_both": function(lambda x, y: x @ y, (3, 4), (4, 5)),
    "einsum": function(
        lambda x, w: torch.einsum("bct,co->bot", x, w), SERIES, w=weight(4, 3)
    ),
    "cosine": (lambda: nn.CosineSimilarity(), (VECTOR, VECTOR)),
    "attention": function(
        F.scaled_dot_product_attention, (2, 5, 4), (2, 7, 4), (2, 7, 3)
    ),
    "class_token": function(
        lambda x, token: torch.cat([token.expand(x.shape[0], -1, -1), x], 1),
        (7, 6),
        token=weight(1, 1, 6),
    ),
    "weight_norm": (
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 3, 3)),
        (IMAGE,),
    ),
    "in_place": function(lambda x: (x * 2).add_(1).mul_(3).relu_(), VECTOR),
    "in_place_view": function(lambda x: _in_place_view(x * 1), IMAGE),
    "tied": (lambda: Tied(), (VECTOR,)),
    "twice": function(
        lambda x, layer: layer(F.relu(layer(x))), VECTOR, layer=lambda: nn.Linear(6, 6)
    ),
}


def _in_place_view(x):
    x[:, 1:3] *= 2
    x[:, 0] = 1
    return x + x.mean((2, 3), keepdim=True)


class Tied(nn.Module):
    """An autoencoder that uses one matrix both ways."""

    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(6, 3)

    def forward(self, x):
        return F.linear(self.encode(x).relu(), self.encode.weight.t())


REFUSED = {
    "rnn": (lambda: First(nn.RNN(4, 3, batch_first=True)), ((11, 4),), "aten.rnn_tanh"),
    "lstm": (lambda: First(nn.LSTM(4, 3, batch_first=True)), ((11, 4),), "aten.lstm"),
    "gru": (lambda: First(nn.GRU(4, 3, batch_first=True)), ((11, 4),), "aten.gru"),
    "rrelu": (nn.RReLU, (VECTOR,), "aten.rrelu"),
    "fold": (lambda: nn.Fold((4, 5), 2), ((12, 12),), "aten.col2im"),
    "unfold": (lambda: nn.Unfold(2), (IMAGE,), "aten.im2col"),
    "alpha_dropout": (nn.AlphaDropout, (VECTOR,), "aten.alpha_dropout"),
    "batch_norm_of_the_minibatch": (
        lambda: nn.BatchNorm1d(6, track_running_stats=False),
        (VECTOR,),
        "track_running_stats",
    ),
    "instance_norm_with_averages": (
        lambda: nn.InstanceNorm2d(4, track_running_stats=True),
        (IMAGE,),
        "track_running_stats",
    ),
    "softmax_over_items": (lambda: nn.Softmax(0), (VECTOR,), "minibatch"),
    "mean_over_items": (*function(lambda x: x - x.mean(0), VECTOR), "minibatch"),
    "sum_of_all": (*function(lambda x: x * x.sum(), VECTOR), "aten.sum.default"),
    "first_item": (*function(lambda x: x - x[0], VECTOR), "minibatch"),
    "items_apart": (*function(lambda x: x @ x.t(), VECTOR), "minibatch"),
    "flat_items": (*function(lambda x: x.reshape(-1), VECTOR), "minibatch"),
    "number_of_items": (*function(lambda x: x / len(x), VECTOR), "number of items"),
    "always_dropout": (
        *function(lambda x: F.dropout(x, 0.5), VECTOR),
        "aten.dropout",
    ),
    "noise": (*function(lambda x: x + torch.randn_like(x), VECTOR), "aten.randn_like"),
    "multihead_attention": (
        *function(
            lambda x, attend: attend(x, x, x)[0],
            (7, 6),
            attend=lambda: nn.MultiheadAttention(6, 2, batch_first=True),
        ),
        "aten.view.default 3 times in attend",
    ),
    "sorted": (*function(lambda x: x.sort(1)[0], VECTOR), "aten.sort"),
}


class First(nn.Module):
    """A module of several outputs, of which the first one counts."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)[0]
