// Causal attention of a chunk against its window on tensor cores, backward: FlashAttention-2 (Dao, 2023) for bf16, head_dim 64
// and 128, sm_80 and up (all other widths: flash_attention_backward_padded.cu). Deterministic. Tensors and masks are those of
// flash_attention_forward.cu.
//
//   P = exp(S - lse),  dP = dO V^T,  delta = rowsum(dO o),  dS = P (dP - delta)
//   dV = P^T dO,  dK = scale dS^T q,  dq = scale dS K
//   _capped: dS = P (dP - delta) (1 - (S / c)^2), S / c taken from P: to keep it there are no registers.
//
// o_gradient: [T, heads hd]. dkv: [window rows, 2 kv_heads hd] fp32, rows below row_offset + T overwritten or, under `accumulate`,
// added to; dq: [T, heads hd], overwritten. Sums are fp32; P and dS round to bf16 before they are multiplied, dq once, at the end.
// scale, scale2, inner: scale, log2(e) scale and 0; of _capped scale, log2(e) c and 2 log2(e) scale / c. head_dim, the last argument, is
// what the name says.
//
// A block is KeyRows window rows of one key/value head; dK and dV stay in registers while it visits the query blocks that see
// them (no others), the last first, and in each the heads of its group in ascending order. A key block's part of dq is added to an fp32
// workspace, which lies in the order of the accumulators' registers. There the order of additions decides the bits, so that key
// blocks take turns, in ascending order: a word for each head and query block says whose turn it is. Recomputing S and dP in a
// kernel for dq alone would need no turns but 7 matrix products instead of 5. Turns need not cost much: blocks of one head that run
// at the same time all walk down from the last query block, each a tile behind the one before, and those further up in the window
// have more tiles to visit and end later. (Walking up, each would start late and all would end with the slowest.)
//   A block waits only for a block with a lower key block, which drew an earlier ticket and so runs already, whatever the order in
// which the GPU starts blocks and however few of them are resident: there is no deadlock.
//
// Expected share of a Hopper's peak, of which nothing is measured yet: by the instructions of hd128 for sm_90a (NVRTC 12.4), a visit of 64
// queries by 128 keys is 320 mma a warp, 1,280 cycles of its tensor unit at the peak's rate and 2,032 at that of mma.sync, beside 740
// others where nothing is masked. FlashAttention-2, which is made of the same, is published at 0.32 of the peak, and keeping an order costs
// kernels that were measured both ways 13 to 21%: 0.26 to 0.28.
//   hd128 takes 254 registers of 255 there. For sm_120 CUDA 13.0 spills one, and it stays: loops that are unrolled by 4 in place of 8 free
// eight of them at the price of 220 instructions a visit.
//
// Variants: hd64 has query blocks of 128 and key blocks of 128, hd128 64 and 128; for GPUs with less than 163 KiB of shared memory
// a block (sm_86, sm_89): hd64_small 64 and 128, hd128_small 32 and 64; each also with _capped
// behind it. With Q, K for these rows and W = 8 warps (4 for hd128_small):
//
//   workspace: stats ceil(T / Q) Q heads 8 bytes; bounds ceil(T / Q) 16 bytes; turns (1 + heads ceil(T / Q)) 4 bytes;
//              dq_sums ceil(T / Q) Q heads hd 4 bytes. Each starts on 16 bytes; nothing need be cleared.
//   1. flash_attention_backward_prepare_hd64, _hd128: grid ceil(ceil(T / Q) Q heads hd / 2048), block 256, no dynamic shared bytes.
//   2. flash_attention_backward_VARIANT, once for every segment of the window, in ascending order (once for a window in one piece:
//      from 0 to row_offset + T): grid ceil((min(segment_end, row_offset + T) - segment_start) / K) kv_heads, block 32 W, dynamic
//      shared bytes 4 K hd + 8 Q hd + 4 Q K + 16 Q + 64. kv and dkv are the segment's first row; segments start at multiples of
//      128. Any cutting gives the same bits.
//   3. flash_attention_backward_finish_VARIANT: grid ceil(T / Q) heads, block 32 W, no dynamic shared bytes.
#include "flash_attention_backward_kernel.cuh"

FLASH_ATTENTION_BACKWARD(hd64, false, 64, false, 128, 128, 8, 2)
FLASH_ATTENTION_BACKWARD(hd128, false, 128, false, 64, 128, 8, 8)
FLASH_ATTENTION_BACKWARD(hd64_small, false, 64, false, 64, 128, 8, 8)
FLASH_ATTENTION_BACKWARD(hd128_small, false, 128, false, 32, 64, 4, 8)
FLASH_ATTENTION_BACKWARD(hd64_capped, true, 64, false, 128, 128, 8, 2)
FLASH_ATTENTION_BACKWARD(hd128_capped, true, 128, false, 64, 128, 8, 8)
FLASH_ATTENTION_BACKWARD(hd64_small_capped, true, 64, false, 64, 128, 8, 8)
FLASH_ATTENTION_BACKWARD(hd128_small_capped, true, 128, false, 32, 64, 4, 8)
