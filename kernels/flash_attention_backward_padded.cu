// flash_attention_backward.cu, whose head comment has the rest, for heads of any even width: to64 takes those up to 64 columns, to128 those
// up to 128, to256 those up to 256. Tiles and dq_sums have W columns, as many as the name says; those from head_dim on are zeros, which add
// nothing, and are not stored. What is multiplied is the padded width.
//
// to64 and to128 have the blocks of hd64 and hd128. Of to256 the sums of dK and dV take as many bytes of registers as 2 K W floats, 128 a
// thread where there is a warp for 8 key rows: so key blocks are of 64 rows with 8 warps, and query blocks of 32, whose two stages fill 137
// KiB. to256_small has 32 and 32 with 4 warps; its two stages leave 3 KiB for scores, so that dS takes the place of P once dV has been
// multiplied, which costs two barriers. Tiles of S and dq are 16 rows high, so that there is one for each warp. A block of to256 adds its
// part of dq twice as often as one of hd128, to256_small four times: where that binds, wider key blocks would help, for which there are no
// registers.
//
// Variants: to64 has query blocks of Q = 128 and key blocks of K = 128, to128 64 and 128, to256 32 and 64; to64_small 64 and 128,
// to128_small 32 and 64, to256_small 32 and 32; each also with _capped behind it. 8 warps, of to128_small and to256_small 4. The launches
// are those of flash_attention_backward.cu with W for hd; the dynamic shared bytes of to256_small 2 Q K less.
#include "flash_attention_backward_kernel.cuh"

FLASH_ATTENTION_BACKWARD(to64, false, 64, true, 128, 128, 8, 2)
FLASH_ATTENTION_BACKWARD(to128, false, 128, true, 64, 128, 8, 8)
FLASH_ATTENTION_BACKWARD(to256, false, 256, true, 32, 64, 8, 8)
FLASH_ATTENTION_BACKWARD(to64_small, false, 64, true, 64, 128, 8, 8)
FLASH_ATTENTION_BACKWARD(to128_small, false, 128, true, 32, 64, 4, 8)
FLASH_ATTENTION_BACKWARD(to256_small, false, 256, true, 32, 32, 4, 8)
FLASH_ATTENTION_BACKWARD(to64_capped, true, 64, true, 128, 128, 8, 2)
FLASH_ATTENTION_BACKWARD(to128_capped, true, 128, true, 64, 128, 8, 8)
FLASH_ATTENTION_BACKWARD(to256_capped, true, 256, true, 32, 64, 8, 8)
FLASH_ATTENTION_BACKWARD(to64_small_capped, true, 64, true, 64, 128, 8, 8)
FLASH_ATTENTION_BACKWARD(to128_small_capped, true, 128, true, 32, 64, 4, 8)
FLASH_ATTENTION_BACKWARD(to256_small_capped, true, 256, true, 32, 32, 4, 8)
