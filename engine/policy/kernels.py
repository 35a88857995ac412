"""The products and the attention of stacked experts as fused kernels for CUDA devices, in Triton.

One launch a product: what stands before it (root mean square normalisation) and after it (rotation, gating, the residual) rides along, so
that a step of the flow reads the experts' weights once and little else. Axes: E members, R rows (streams x horizon), D of a head. Tiles
that reach past a member's rows read the next member's and are not written.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator,import-untyped,import-not-found"

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor


@triton.jit
def _pair(x_desc, w_desc, x_row, w_row, apart, inner, eps, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    """(BM, BN) twice: normalised rows of ``x`` times the rows of ``w`` from ``w_row`` on, and times those ``apart`` rows further on."""
    one = tl.zeros((BM, BN), dtype=tl.float32)
    other = tl.zeros((BM, BN), dtype=tl.float32)
    square = tl.zeros((BM, BK), dtype=tl.float32)
    for start in range(0, inner, BK):
        x = x_desc.load([x_row, start])
        one = tl.dot(x, w_desc.load([w_row, start]).T, one)
        other = tl.dot(x, w_desc.load([w_row + apart, start]).T, other)
        wide = x.to(tl.float32)
        square += wide * wide
    scale = tl.rsqrt(tl.sum(square, axis=1) / inner + eps)[:, None]
    return one * scale, other * scale


@triton.jit
def _projected(
    x_desc, w_desc, cos_at, sin_at, q_at, kv_at, rows, inner, q_heads, kv_width, horizon, eps,
    turned: tl.constexpr, heads: tl.constexpr, half: tl.constexpr, BM: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """Normalised ``x`` (E * R, inner) times ``w`` (E * heads * D, inner): one head a program; the first ``turned`` heads are rotated."""
    head, block, member = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    row = block * BM + tl.arange(0, BM)
    column = tl.arange(0, half)
    x_row, w_row = member * rows + block * BM, (member * heads + head) * 2 * half
    first, second = _pair(x_desc, w_desc, x_row, w_row, half, inner, eps, BM, half, BK)
    valid = row < rows
    if head < turned:
        table = (row % horizon)[:, None] * half + column[None, :]
        cos, sin = tl.load(cos_at + table), tl.load(sin_at + table)
        first, second = first * cos - second * sin, second * cos + first * sin
    if head < q_heads:
        out = q_at + ((member * rows + row[:, None]) * q_heads + head).to(tl.int64) * 2 * half + column[None, :]
    else:
        out = kv_at + (member * rows + row[:, None]).to(tl.int64) * kv_width + (head - q_heads) * 2 * half + column[None, :]
    tl.store(out, first.to(q_at.dtype.element_ty), mask=valid[:, None])
    tl.store(out + half, second.to(q_at.dtype.element_ty), mask=valid[:, None])


@triton.jit
def _seen(score, v, top, total, found):
    """Scores of further keys taken into a running softmax."""
    higher = tl.maximum(top, tl.max(score, axis=1))
    share = tl.exp2(score - higher[:, None])
    fade = tl.exp2(top - higher)
    total = total * fade + tl.sum(share, axis=1)
    found = tl.dot(share.to(v.dtype), v, found * fade[:, None])
    return higher, total, found


@triton.jit
def _attended(
    q_at, k_at, v_at, own_at, place_at, out_at, rows, prefix, kv_width, k_member, k_observation, k_head, k_token,
    v_member, v_observation, v_head, v_token, scale,
    horizon: tl.constexpr, heads: tl.constexpr, key_heads: tl.constexpr, D: tl.constexpr, itself: tl.constexpr, own_state: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    """One head of one stream a program: its queries over the prefix of its observation and, if ``itself``, over its own past.

    With ``own_state`` the prefix ends with a token for each member, of which each sees its own.
    """
    head, stream, member = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    step, d = tl.arange(0, BM), tl.arange(0, D)
    key_head = head // (heads // key_heads)
    observation = tl.load(place_at + stream).to(tl.int64)
    row = member * rows + stream * horizon
    inside = step < horizon
    q = tl.load(q_at + ((row + step[:, None]) * heads + head).to(tl.int64) * D + d[None, :], mask=inside[:, None], other=0.0)
    k_row = k_at + member.to(tl.int64) * k_member + observation * k_observation + key_head * k_head
    v_row = v_at + member.to(tl.int64) * v_member + observation * v_observation + key_head * v_head
    top = tl.full((BM,), -1e30, dtype=tl.float32)
    total = tl.zeros((BM,), dtype=tl.float32)
    found = tl.zeros((BM, D), dtype=tl.float32)
    for start in range(0, prefix, BN):
        token = start + tl.arange(0, BN)
        within = token < prefix
        if own_state:
            token = tl.where(token == prefix - 1, token + member, token)
        k = tl.load(k_row + token[None, :] * k_token + d[:, None], mask=within[None, :], other=0.0)
        v = tl.load(v_row + token[:, None] * v_token + d[None, :], mask=within[:, None], other=0.0)
        top, total, found = _seen(tl.where(within[None, :], tl.dot(q, k) * scale, -1e30), v, top, total, found)
    if itself:
        own = own_at + (row + step).to(tl.int64) * kv_width + key_head * D
        k = tl.load(own[None, :] + d[:, None], mask=inside[None, :], other=0.0)
        v = tl.load(own[:, None] + key_heads * D + d[None, :], mask=inside[:, None], other=0.0)
        past = (step[:, None] >= step[None, :]) & inside[None, :]
        top, total, found = _seen(tl.where(past, tl.dot(q, k) * scale, -1e30), v, top, total, found)
    out = out_at + ((row + step[:, None]) * heads + head).to(tl.int64) * D + d[None, :]
    tl.store(out, (found / total[:, None]).to(out_at.dtype.element_ty), mask=inside[:, None])


@triton.jit
def _added(
    x_desc, w_desc, into_at, out_at, rows, inner, outer, into_row,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """``into`` (E, R or 1, outer) plus ``x`` (E * R, inner) times ``w`` (E * outer, inner)."""
    strip, block, member = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    row, column = block * BM + tl.arange(0, BM), strip * BN + tl.arange(0, BN)
    x_row, w_row = member * rows + block * BM, member * outer + strip * BN
    y = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, inner, BK):
        y = tl.dot(x_desc.load([x_row, start]), w_desc.load([w_row, start]).T, y)
    valid = (row < rows)[:, None] & (column < outer)[None, :]
    seen = member * (rows * into_row + 1 - into_row) + row * into_row
    y += tl.load(into_at + seen[:, None].to(tl.int64) * outer + column[None, :], mask=valid, other=0.0).to(tl.float32)
    at = (member * rows + row[:, None]).to(tl.int64) * outer + column[None, :]
    tl.store(out_at + at, y.to(out_at.dtype.element_ty), mask=valid)


@triton.jit
def _gated(
    x_desc, w_desc, out_at, rows, inner, outer, eps,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """Normalised ``x`` (E * R, inner) times ``w`` (E * 2 * outer, inner), its first half through SiLU and times its second."""
    strip, block, member = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    row, column = block * BM + tl.arange(0, BM), strip * BN + tl.arange(0, BN)
    x_row, w_row = member * rows + block * BM, member * 2 * outer + strip * BN
    gate, up = _pair(x_desc, w_desc, x_row, w_row, outer, inner, eps, BM, BN, BK)
    y = gate * tl.sigmoid(gate) * up
    at = (member * rows + row[:, None]).to(tl.int64) * outer + column[None, :]
    tl.store(out_at + at, y.to(out_at.dtype.element_ty), mask=(row < rows)[:, None] & (column < outer)[None, :])


@triton.jit
def _entered(
    x_at, w_at, term_at, out_at, rows, actions, outer, term_member,
    BM: tl.constexpr, BN: tl.constexpr, BA: tl.constexpr,
):  # fmt: skip
    """SiLU of ``x`` (E, R, actions) times ``w`` (E, outer, actions) plus ``term`` (E, outer), in float32."""
    strip, block, member = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    row, column, a = block * BM + tl.arange(0, BM), strip * BN + tl.arange(0, BN), tl.arange(0, BA)
    x = tl.load(
        x_at + (member * rows + row[:, None]) * actions + a[None, :], mask=(row < rows)[:, None] & (a < actions)[None, :], other=0.0
    )
    within = (a < actions)[:, None] & (column < outer)[None, :]
    w = tl.load(w_at + (member * outer + column[None, :]) * actions + a[:, None], mask=within, other=0.0)
    y = tl.dot(x, w, input_precision="tf32x3")
    y += tl.load(term_at + member * term_member + column, mask=column < outer, other=0.0)[None, :]
    at = (member * rows + row[:, None]) * outer + column[None, :]
    tl.store(out_at + at, (y * tl.sigmoid(y)).to(out_at.dtype.element_ty), mask=(row < rows)[:, None] & (column < outer)[None, :])


@triton.jit
def _left(
    hidden_at, w_at, bias_at, x_at, v_at, out_at, rows, inner, actions, eps, step,
    BM: tl.constexpr, BA: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """Velocity, float32: normalised ``hidden`` (E, R, inner) times ``w`` (E, actions, inner) plus bias; and ``x`` less ``step`` of it."""
    block, member = tl.program_id(0), tl.program_id(1)
    row, a, k = block * BM + tl.arange(0, BM), tl.arange(0, BA), tl.arange(0, BK)
    valid = (row < rows)[:, None] & (a < actions)[None, :]
    v = tl.zeros((BM, BA), dtype=tl.float32)
    square = tl.zeros((BM, BK), dtype=tl.float32)
    for start in range(0, inner, BK):
        within = start + k < inner
        at = hidden_at + (member * rows + row[:, None]).to(tl.int64) * inner + start + k[None, :]
        h = tl.load(at, mask=(row < rows)[:, None] & within[None, :], other=0.0).to(tl.float32)
        w_here = w_at + (member * actions + a[None, :]) * inner + start + k[:, None]
        w = tl.load(w_here, mask=(a < actions)[None, :] & within[:, None], other=0.0)
        v = tl.dot(h, w, v, input_precision="tf32x3")
        square += h * h
    v = v * tl.rsqrt(tl.sum(square, axis=1) / inner + eps)[:, None]
    v += tl.load(bias_at + member * actions + a, mask=a < actions, other=0.0)[None, :]
    at = (member * rows + row[:, None]) * actions + a[None, :]
    x = tl.load(x_at + at, mask=valid, other=0.0)
    tl.store(v_at + at, v, mask=valid)
    tl.store(out_at + at, x - v * step, mask=valid)


# (rows, columns, inner) of a tile, warps and stages for few and for many rows, as measured on an H200 with 50 and with 200.
TILES: dict[str, tuple[tuple[int, int, int, int, int], tuple[int, int, int, int, int]]] = {
    "project": ((64, 32, 128, 4, 4), (128, 32, 64, 4, 4)),
    "attend": ((64, 128, 64, 4, 3), (64, 64, 64, 4, 3)),
    "out": ((64, 32, 128, 4, 6), (64, 128, 64, 4, 4)),
    "down": ((64, 32, 128, 4, 6), (128, 64, 128, 8, 3)),
    "gate": ((64, 64, 64, 4, 4), (64, 64, 64, 4, 3)),
}
FEW = 64  #: rows


def _tile(what: str, rows: int) -> tuple[int, int, int, int, int]:
    return TILES[what][rows > FEW]


def _tiled(x: Tensor, rows: int, columns: int) -> Any:
    """A matrix, its leading axes laid one after another, to be read in tiles."""
    return TensorDescriptor.from_tensor(x.view(-1, x.shape[-1]), [rows, columns])


def projected(
    x: Tensor, w: Tensor, table: tuple[Tensor, ...], turned: int, q_heads: int, width: int, horizon: int, eps: float
) -> tuple[Tensor, Tensor]:
    """Normalised ``x`` (E, R, K) to queries (E, R, q_heads, D), rotated, and what other heads there are (E, R, heads - q_heads, D)."""
    members, rows, inner = x.shape
    heads = w.shape[1] // width
    q = x.new_empty(members, rows, q_heads, width)
    rest = x.new_empty(members, rows, heads - q_heads, width)
    bm, _, bk, warps, stages = _tile("project", rows)
    grid = (heads, triton.cdiv(rows, bm), members)
    _projected[grid](
        _tiled(x, bm, bk), _tiled(w, width // 2, bk), *table, q, rest, rows, inner, q_heads, (heads - q_heads) * width,
        horizon, eps, turned=turned, heads=heads, half=width // 2, BM=bm, BK=bk, num_warps=warps, num_stages=stages,
    )  # fmt: skip
    return q, rest


def attended(q: Tensor, k: Tensor, v: Tensor, own: Tensor | None, place: Tensor, horizon: int, own_state: bool = False) -> Tensor:
    """``q`` (E, R, heads, D) over ``k`` and ``v`` (E, N, key heads, P, D), D contiguous -> (E, R, heads * D).

    ``own`` are a chunk's keys and values (E, R, 2 * key heads, D), ``place`` (M,) int32 each stream's observation. With ``own_state`` the
    last E of the P are one for each member.
    """
    members, rows, heads, width = q.shape
    out = torch.empty_like(q)
    _, bn, _, warps, stages = _tile("attend", rows)
    grid = (heads, len(place), members)
    _attended[grid](
        q, k, v, own, place, out, rows, k.shape[3] - (members - 1) * own_state, 2 * k.shape[2] * width,
        *k.stride()[:4], *v.stride()[:4], width**-0.5 * 1.4426950408889634,
        horizon=horizon, heads=heads, key_heads=k.shape[2], D=width, itself=own is not None, own_state=own_state,
        BM=max(16, triton.next_power_of_2(horizon)), BN=bn, num_warps=warps, num_stages=stages,
    )  # fmt: skip
    return out.flatten(2)


def added(into: Tensor, x: Tensor, w: Tensor) -> Tensor:
    """``into`` (E, R or 1, N) + ``x`` (E, R, K) times ``w`` (E, N, K)."""
    members, rows, inner = x.shape
    outer = w.shape[1]
    bm, bn, bk, warps, stages = _tile("down" if inner > outer * 2 else "out", rows)
    out = x.new_empty(members, rows, outer)
    grid = (triton.cdiv(outer, bn), triton.cdiv(rows, bm), members)
    _added[grid](
        _tiled(x, bm, bk), _tiled(w, bn, bk), into, out, rows, inner, outer, int(into.shape[1] > 1),
        BM=bm, BN=bn, BK=bk, num_warps=warps, num_stages=stages,
    )  # fmt: skip
    return out


def gated(x: Tensor, w: Tensor, eps: float) -> Tensor:
    """Normalised ``x`` (E, R, K) through gate and up projection ``w`` (E, 2 * N, K) and SiLU -> (E, R, N)."""
    members, rows, inner = x.shape
    outer = w.shape[1] // 2
    bm, bn, bk, warps, stages = _tile("gate", rows)
    out = x.new_empty(members, rows, outer)
    grid = (triton.cdiv(outer, bn), triton.cdiv(rows, bm), members)
    _gated[grid](
        _tiled(x, bm, bk), _tiled(w, bn, bk), out, rows, inner, outer, eps,
        BM=bm, BN=bn, BK=bk, num_warps=warps, num_stages=stages,
    )  # fmt: skip
    return out


def entered(x: Tensor, w: Tensor, term: Tensor, dtype: torch.dtype) -> Tensor:
    """SiLU of ``x`` (E, R, A) times ``w`` (E, N, A) plus ``term`` (E, N), all float32 -> (E, R, N) in ``dtype``."""
    members, rows, actions = x.shape
    out = torch.empty(members, rows, w.shape[1], dtype=dtype, device=x.device)
    _entered[(triton.cdiv(w.shape[1], 64), triton.cdiv(rows, 64), members)](
        x, w, term, out, rows, actions, w.shape[1], term.stride(0), BM=64, BN=64, BA=max(16, triton.next_power_of_2(actions)), num_warps=4
    )
    return out


def left(hidden: Tensor, w: Tensor, bias: Tensor, x: Tensor, eps: float, step: float) -> tuple[Tensor, Tensor]:
    """The velocity (E, R, A) of normalised ``hidden`` (E, R, K) by ``w`` (E, A, K) and ``bias`` (E, A), and ``x`` less ``step`` of it."""
    members, rows, inner = hidden.shape
    v, out = torch.empty_like(x), torch.empty_like(x)
    _left[(triton.cdiv(rows, 16), members)](
        hidden,
        w,
        bias,
        x,
        v,
        out,
        rows,
        inner,
        w.shape[1],
        eps,
        step,
        BM=16,
        BA=max(16, triton.next_power_of_2(w.shape[1])),
        BK=128,
        num_warps=4,
    )
    return v, out
