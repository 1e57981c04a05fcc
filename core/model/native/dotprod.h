/* Products with sdot: 4 channels' sums of 4 inputs at once. */
#include "bytes.h"

enum { INPUTS = 4 };
typedef int8x8_t inputs; /* the high bytes, then the low ones */
typedef struct {
    int8x16_t four[2]; /* channels */
} weights;

static inline inputs inputs_load(const int16_t *x) { return vld1_s8((const int8_t *)x); }
static inline void round_eight(f8 x, int16_t *rounded) {
    int16x8_t eight = nearest_eight(x);
    int32x2x2_t pieces = vzip_s32(vreinterpret_s32_s8(high_bytes(eight)), vreinterpret_s32_s8(low_bytes(eight)));
    vst1_s16(rounded, vreinterpret_s16_s32(pieces.val[0]));
    vst1_s16(rounded + 4, vreinterpret_s16_s32(pieces.val[1]));
}

static inline weights weights_load(const int8_t *w) { return (weights){{vld1q_s8(w), vld1q_s8(w + 16)}}; }

/* Sums are those of the high bytes for 8 channels, then those of the low ones. */
static inline sums sums_add(sums s, weights w, inputs x) {
    UNROLL(2)
    for (int i = 0; i < 2; i++) {
        s.four[i] = vdotq_lane_s32(s.four[i], w.four[i], x, 0);
        s.four[2 + i] = vdotq_lane_s32(s.four[2 + i], w.four[i], x, 1);
    }
    return s;
}
static inline f8 sums_eight(sums s, int which) {
    (void)which;
    return (f8){whole(s.four[0], s.four[2]), whole(s.four[1], s.four[3])};
}
