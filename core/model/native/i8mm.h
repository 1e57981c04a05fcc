/* Products with smmla: it multiplies two rows of 8 bytes with two columns. Our two rows are the high and the low bytes of
 * one row's inputs, so that one row keeps it as busy as many, and the columns are two channels.
 */
#include "bytes.h"

enum { INPUTS = 8 };
typedef int8x16_t inputs; /* the high bytes, then the low ones */
typedef struct {
    int8x16_t two[4]; /* channels */
} weights;

static inline inputs inputs_load(const int16_t *x) { return vld1q_s8((const int8_t *)x); }
static inline void round_eight(f8 x, int16_t *rounded) {
    int16x8_t eight = nearest_eight(x);
    vst1q_s8((int8_t *)rounded, vcombine_s8(high_bytes(eight), low_bytes(eight)));
}

static inline weights weights_load(const int8_t *w) {
    return (weights){{vld1q_s8(w), vld1q_s8(w + 16), vld1q_s8(w + 32), vld1q_s8(w + 48)}};
}

/* Each of the sums is high * two channels, low * the same two channels. */
static inline sums sums_add(sums s, weights w, inputs x) {
    UNROLL(4)
    for (int i = 0; i < 4; i++)
        s.four[i] = vmmlaq_s32(s.four[i], x, w.two[i]);
    return s;
}
static inline float32x4_t four_channels(int32x4_t a, int32x4_t b) {
    return whole(vcombine_s32(vget_low_s32(a), vget_low_s32(b)), vcombine_s32(vget_high_s32(a), vget_high_s32(b)));
}
static inline f8 sums_eight(sums s, int which) {
    (void)which;
    return (f8){four_channels(s.four[0], s.four[1]), four_channels(s.four[2], s.four[3])};
}
