/* What sdot and smmla, which multiply 8 by 8 bits, make of inputs with 16: each is 256 high + low, two signed bytes.
 *
 * Both bytes have sums of their own, which are put together at the end. 256 times the sum of the high ones alone may not fit
 * into 32 bits; it wraps around then, and adding the low ones brings it back.
 */
#include "arm.h"

#define ROWS 6 /* 24 sums, 2 or 4 of weights and some of x, of 32 registers */
enum { CHANNELS = 8 };

static inline int8x8_t high_bytes(int16x8_t x) { return vrshrn_n_s16(x, 8); } /* (x + 128) / 256, rounded down */
static inline int8x8_t low_bytes(int16x8_t x) { return vmovn_s16(x); }

static inline float32x4_t whole(int32x4_t high, int32x4_t low) { /* unsigned: only they may wrap around in C */
    uint32x4_t sum = vshlq_n_u32(vreinterpretq_u32_s32(high), 8);
    return vcvtq_f32_s32(vreinterpretq_s32_u32(vaddq_u32(sum, vreinterpretq_u32_s32(low))));
}
