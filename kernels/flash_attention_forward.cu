// Causal attention of a chunk against its window on tensor cores, forward: FlashAttention-2 (Dao, 2023) for bf16, head_dim 64
// and 128, sm_80 and up (all other widths: flash_attention_forward_padded.cu). The contract is that of
// src/Dataflow.Cpu/Kernels/Attention.cs.
//
//   S = scale q K^T,  P = exp(S - max),  o = P V / rowsum(P),  lse = max + ln rowsum(P)
//   _capped: S = c tanh(scale q K^T / c)
//
// q, o: [T, heads hd]; kv: [window rows, 2 kv_heads hd], keys then values; first_key: [T], never decreasing; token t is window row
// row_offset + t and attends to rows first_key[t] to row_offset + t; query head h reads key/value head h / (heads / kv_heads).
// lse: [heads, T] fp32. o and lse are overwritten. S, P's maxima and sums and o's sums are fp32; P rounds to bf16 before P V (its
// row sums do not), o rounds once, at the end.
//
// A block is 128 tokens of one head, a warp 32 of them. Key blocks lie at multiples of 64 of the window and
// are taken in ascending order; those that first_key or causality hide from all 128 tokens are not visited, those hidden from a
// warp's 32 tokens cost it nothing, and only those that cross an edge of its mask are masked. K and V tiles go through a ring of
// three, so that the copy of the next tile but one is under way while a tile is multiplied.
//
// Expected share of a Hopper's peak, of which nothing is measured yet: by the instructions of _hd128 for sm_90a (NVRTC 12.4), a warp's 32
// rows against 64 keys that need no mask are 256 mma, 1,024 cycles of its tensor unit at the peak's rate; mma.sync is known to reach 0.63
// of that, so 1,626. Beside them stand 627 instructions, and 132 where a maximum grew: with scores at random in 61 of 100 blocks at 8,192
// tokens, in 19 at 65,536. FlashAttention-2, published at 0.337 of the peak at 8,192 and taken to have what this kernel had when it scaled
// in every block (747), pays 1.9 cycles for each. So 1024 / (1626 + 1.9 * 708) = 0.345 at 8,192, 0.36 at 65,536.
//   What would not help: 2^x by multiply-adds (the special function unit is busy for 544 of these cycles, and those would add to the 627);
// blocks of 128 keys (64 registers more, of which there are none). What would is wgmma, which is another kernel.
//
// scale, scale2, inner: scale, log2(e) scale and 0; of _capped c, log2(e) c and 2 log2(e) scale / c. head_dim, the last argument, is
// what the name says.
//
// Launch of flash_attention_forward_hd64, _hd128, _hd64_capped, _hd128_capped:
//   grid ceil(T / 128) heads, block 128, dynamic shared bytes 640 hd + 192, no workspace.
// Launch of flash_attention_forward_segment_hd64, ...: the same, once for every segment of the window, in ascending order; kv
//   is the segment's first row, segment_start and segment_end are window rows, multiples of 64 (the last end may be anything from
//   row_offset + T up), which together cover what is attended to. `first` and `last` are 1 for the first and last segment.
//   Unnormalised o, maxima and sums travel in `state`, ceil(T / 128) heads 128 (hd + 8) 4 bytes, exactly: any cutting gives the
//   bits of the single launch. o and lse are written by the last one, or from
//   the state by flash_attention_forward_finish_hd64, _hd128, launched like it.
#include "flash_attention_forward_kernel.cuh"

FLASH_ATTENTION_FORWARD(hd64, 64, false, false)
FLASH_ATTENTION_FORWARD(hd128, 128, false, false)
FLASH_ATTENTION_FORWARD(hd64_capped, 64, false, true)
FLASH_ATTENTION_FORWARD(hd128_capped, 128, false, true)

FLASH_ATTENTION_FORWARD_FINISH(hd64, 64, false)

FLASH_ATTENTION_FORWARD_FINISH(hd128, 128, false)
