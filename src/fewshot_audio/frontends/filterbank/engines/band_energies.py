"""The energies of filters in blocks, each from the bins of its band."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fewshot_audio.frontends.filterbank.engines.overlap_save import (
    AT_ONCE,
    at_once,
    doubled,
    mattering,
    of_responses,
    opposite,
    parts,
    whole,
)

TILE = 48  # blocks whose bands are filtered together, more than at the full rate: less to call


class BandEnergies(torch.autograd.Function):
    """Spectra (blocks, size // 2 + 1) and groups of filters to energies (blocks, frames, filters), group after group.

    Of each group come the first bin of each filter, and responses (filters, count), windows (filters, frames, count).
    """

    @staticmethod
    def forward(ctx: Any, half: Tensor, begins: list[Tensor], *groups: Tensor) -> Tensor:
        ctx.save_for_backward(half, *groups)
        ctx.begins = begins
        found = half.real.new_empty(
            sum(map(len, begins)), groups[1].shape[1], len(half)
        )  # (filters, frames, blocks)
        for some, rows in zip(
            half.split(at_once(half, TILE)), found.split(at_once(half, TILE), 2), strict=True
        ):
            spectrum, done = _more_than_whole(some), 0
            for begin, response, pool in _some(spectrum, begins, groups):
                squares = parts(
                    torch.fft.ifft(
                        _inside(spectrum, begin, response).mul_(response), norm="forward"
                    )
                ).square_()
                rows[done : done + len(begin)] = torch.bmm(doubled(pool), squares.transpose(1, 2))
                done += len(begin)
        return found.permute(2, 1, 0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half, *groups = ctx.saved_tensors
        gradient, half = mattering(gradient, half)
        found = [torch.zeros_like(tensor) for tensor in groups]
        for some, wanted in zip(
            half.split(at_once(half, TILE)), gradient.split(at_once(half, TILE)), strict=True
        ):
            spectrum, done = _more_than_whole(some), 0
            steps = zip(
                _some(spectrum, ctx.begins, groups), _some(spectrum, ctx.begins, found), strict=True
            )
            for (begin, response, pool), (_, of_response, of_pool) in steps:
                out = (
                    wanted[:, :, done : done + len(begin)].permute(2, 0, 1).contiguous()
                )  # (filters, blocks, frames)
                done += len(begin)
                inside = _inside(spectrum, begin, response)
                filtered = torch.fft.ifft(inside * response, norm="forward")
                of_pool += (
                    torch.bmm(out.transpose(1, 2), parts(filtered).square())
                    .unflatten(2, (-1, 2))
                    .sum(3)
                )
                filtered *= torch.bmm(out, pool)
                symmetric = not response.is_complex()
                of_response += (
                    2
                    * of_responses(torch.fft.fft(filtered), opposite(inside, symmetric), symmetric)[
                        :, None
                    ]
                )
        return None, None, *found


def _some(
    spectrum: Tensor, begins: list[Tensor], groups: Sequence[Tensor]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Some filters of a group at a time: first bins, responses (filters, 1, count) and windows, all views."""
    for begin, response, pool in zip(begins, groups[::2], groups[1::2], strict=True):
        size = max(1, at_once(spectrum, AT_ONCE) // (len(spectrum) * response.shape[1]))
        for first in range(0, len(begin), size):
            some = slice(first, first + size)
            yield begin[some], response[some, None], pool[some]


def _more_than_whole(half: Tensor) -> Tensor:
    """Spectra of real blocks to all their bins and the first half of them again, so that no band has to be broken."""
    spectrum = whole(half)
    return torch.cat([spectrum, spectrum[:, : spectrum.shape[1] // 2]], 1)


def _inside(spectrum: Tensor, begins: Tensor, response: Tensor) -> Tensor:
    """The bins of each filter's band (filters, blocks, count)."""
    return spectrum.unfold(1, response.shape[2], 1).transpose(0, 1)[begins]
