// flash_attention_forward.cu, whose head comment has the rest, for heads of any even width: to64 takes those up to 64 columns, to128 those
// up to 128, to256 those up to 256. Tiles have as many columns as the name says; those from head_dim on are zeros, which add nothing, and
// are not stored. Rows that start on 16 bytes (head_dim a multiple of 8) are copied by 16 bytes, others by 4. What is multiplied is the
// padded width: a head of 96 columns takes as long as one of 128.
//
// Of to256 the sums of o alone take 128 registers a thread where a warp has 16 rows, and would take all 255 with 32. So a warp has 16, a
// block 64 tokens, and key blocks are of 32 rows: a ring of three tiles and the queries then fill the 80 KiB that those of hd128 do, which
// is what two blocks on sm_80 and one on sm_86 have room for. (Splitting a head's columns over warps instead would need scores to go
// through shared memory.) Each operand that is loaded from a tile is multiplied once instead of twice: shared memory's rate is nearer to
// being the limit than with narrower heads.
//
// Launch of flash_attention_forward_to64, _to128, ... with W = 64, 128, 256 columns and F = 128 tokens (to256: 64):
//   grid ceil(T / F) heads, block 128, dynamic shared bytes 640 W + 192 (to256: 320 W + 192); `state`: ceil(T / F) heads F (W + 8) 4 bytes.
#include "flash_attention_forward_kernel.cuh"

FLASH_ATTENTION_FORWARD(to64, 64, true, false)
FLASH_ATTENTION_FORWARD(to128, 128, true, false)
FLASH_ATTENTION_FORWARD(to256, 256, true, false)
FLASH_ATTENTION_FORWARD(to64_capped, 64, true, true)
FLASH_ATTENTION_FORWARD(to128_capped, 128, true, true)
FLASH_ATTENTION_FORWARD(to256_capped, 256, true, true)

FLASH_ATTENTION_FORWARD_FINISH(to64, 64, true)

FLASH_ATTENTION_FORWARD_FINISH(to128, 128, true)

FLASH_ATTENTION_FORWARD_FINISH(to256, 256, true)
