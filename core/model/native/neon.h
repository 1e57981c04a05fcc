/* Products with NEON alone: smlal multiplies 4 pairs of 16 bits at once and adds to 32. */
#include "arm.h"

#define ROWS 6 /* 24 sums, 4 of weights and 1 of x, of 32 registers */
enum { CHANNELS = 16, INPUTS = 2 };
typedef int16x4_t inputs; /* two, twice */
typedef struct {
    int16x8_t first[2], second[2]; /* inputs of the pair */
} weights;

static inline inputs inputs_load(const int16_t *x) {
    int32_t both;
    memcpy(&both, x, sizeof both);
    return vreinterpret_s16_s32(vdup_n_s32(both));
}
static inline void round_eight(f8 x, int16_t *rounded) { vst1q_s16(rounded, nearest_eight(x)); }

static inline weights weights_load(const int8_t *w) {
    int8x16x2_t pair = vld2q_s8(w);
    return (weights){{vmovl_s8(vget_low_s8(pair.val[0])), vmovl_high_s8(pair.val[0])},
                     {vmovl_s8(vget_low_s8(pair.val[1])), vmovl_high_s8(pair.val[1])}};
}
static inline sums sums_add(sums s, weights w, inputs x) {
    UNROLL(2)
    for (int half = 0; half < 2; half++) {
        int32x4_t *low = s.four + 2 * half, *high = low + 1;
        *low = vmlal_lane_s16(*low, vget_low_s16(w.first[half]), x, 0);
        *high = vmlal_high_lane_s16(*high, w.first[half], x, 0);
        *low = vmlal_lane_s16(*low, vget_low_s16(w.second[half]), x, 1);
        *high = vmlal_high_lane_s16(*high, w.second[half], x, 1);
    }
    return s;
}
static inline f8 sums_eight(sums s, int which) {
    return (f8){vcvtq_f32_s32(s.four[2 * which]), vcvtq_f32_s32(s.four[2 * which + 1])};
}
