/* float32 numbers with NEON, which every 64-bit ARM has. */
#include <arm_neon.h>

typedef struct {
    float32x4_t low, high;
} f8;

static inline f8 f8_load(const float *x) { return (f8){vld1q_f32(x), vld1q_f32(x + 4)}; }
static inline void f8_store(float *to, f8 x) {
    vst1q_f32(to, x.low);
    vst1q_f32(to + 4, x.high);
}
static inline f8 f8_all(float x) { return (f8){vdupq_n_f32(x), vdupq_n_f32(x)}; }
static inline f8 f8_add(f8 a, f8 b) { return (f8){vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)}; }
static inline f8 f8_sub(f8 a, f8 b) { return (f8){vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)}; }
static inline f8 f8_mul(f8 a, f8 b) { return (f8){vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
static inline f8 f8_div(f8 a, f8 b) { return (f8){vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)}; }
static inline f8 f8_max(f8 a, f8 b) { return (f8){vmaxq_f32(a.low, b.low), vmaxq_f32(a.high, b.high)}; }
static inline f8 f8_fma(f8 a, f8 b, f8 c) {
    return (f8){vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}
static inline f8 f8_fnma(f8 a, f8 b, f8 c) {
    return (f8){vfmsq_f32(c.low, a.low, b.low), vfmsq_f32(c.high, a.high, b.high)};
}
static inline f8 f8_abs(f8 x) { return (f8){vabsq_f32(x.low), vabsq_f32(x.high)}; }
static inline f8 f8_round(f8 x) { return (f8){vrndnq_f32(x.low), vrndnq_f32(x.high)}; }
static inline float f8_largest(f8 x) { return vmaxvq_f32(vmaxq_f32(x.low, x.high)); }
static inline f8 f8_load_half(const uint16_t *x) {
    float16x8_t half = vreinterpretq_f16_u16(vld1q_u16(x));
    return (f8){vcvt_f32_f16(vget_low_f16(half)), vcvt_f32_f16(vget_high_f16(half))};
}
static inline void f8_store_half(uint16_t *to, f8 x) {
    vst1q_u16(to, vreinterpretq_u16_f16(vcombine_f16(vcvt_f16_f32(x.low), vcvt_f16_f32(x.high))));
}

static inline float32x4_t power_of_two(float32x4_t n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
}
static inline f8 f8_power_of_two(f8 n) { return (f8){power_of_two(n.low), power_of_two(n.high)}; }
static inline float f8_sum(f8 x) { return vaddvq_f32(vaddq_f32(x.low, x.high)); }

static inline int16x8_t nearest_eight(f8 x) {
    return vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(x.low)), vqmovn_s32(vcvtnq_s32_f32(x.high)));
}

typedef struct {
    int32x4_t four[4];
} sums;
static inline sums sums_zero(void) {
    int32x4_t zero = vdupq_n_s32(0);
    return (sums){{zero, zero, zero, zero}};
}

#include "wide.h"
