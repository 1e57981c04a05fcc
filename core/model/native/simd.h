/* The few vector operations that the kernels are made of, for each instruction set: AVX2, AVX-512 with VNNI, and NEON.
 *
 * f8 is eight float32 numbers. `weights` are the int8 weights of WIDTH channels for two neighbouring inputs, widened to
 * 16 bits; `sums` are WIDTH int32 sums. All sums of integers are exact, so that all sets give the same integers.
 */
#include <stdint.h>

/* A loop with so many rounds at most, unrolled, so that its arrays become registers. */
#if defined(__clang__)
#define UNROLL(most) _Pragma("clang loop unroll(full)")
#else
#define UNROLL(most) _Pragma(TEXT(GCC unroll most))
#define TEXT(words) #words
#endif

enum { WIDTH = 16 };       /* channels of a panel */
enum { PAIR = 2 * WIDTH }; /* bytes of the weights for a pair of inputs */

#if defined(__AVX2__)
#include <immintrin.h>

typedef __m256 f8;

static inline f8 f8_load(const float *x) { return _mm256_loadu_ps(x); }
static inline void f8_store(float *to, f8 x) { _mm256_storeu_ps(to, x); }
static inline f8 f8_all(float x) { return _mm256_set1_ps(x); }
static inline f8 f8_add(f8 a, f8 b) { return _mm256_add_ps(a, b); }
static inline f8 f8_sub(f8 a, f8 b) { return _mm256_sub_ps(a, b); }
static inline f8 f8_mul(f8 a, f8 b) { return _mm256_mul_ps(a, b); }
static inline f8 f8_max(f8 a, f8 b) { return _mm256_max_ps(a, b); }
static inline f8 f8_fma(f8 a, f8 b, f8 c) { return _mm256_fmadd_ps(a, b, c); }   /* a * b + c */
static inline f8 f8_fnma(f8 a, f8 b, f8 c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a * b */
static inline f8 f8_abs(f8 x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
static inline f8 f8_round(f8 x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline float f8_largest(f8 x) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
static inline f8 f8_load_half(const uint16_t *x) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)x)); }

/* 2^n for whole n from -126 to 127 */
static inline f8 f8_power_of_two(f8 n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}

static inline float f8_sum(f8 x) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

/* 16 numbers, rounded to int16: pairs of neighbours */
static inline void round_pairs(f8 first, f8 second, int32_t *pairs) {
    __m256i packed = _mm256_packs_epi32(_mm256_cvtps_epi32(first), _mm256_cvtps_epi32(second));
    _mm256_storeu_si256((__m256i *)pairs, _mm256_permute4x64_epi64(packed, 0xd8));
}

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#define ROWS 12 /* of a tile; 32 registers would do for more, but not for faster */
typedef __m512i weights, sums;

static inline weights weights_load(const int8_t *w) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)w));
}
static inline sums sums_zero(void) { return _mm512_setzero_si512(); }

/* vpdpwssd multiplies, widens and adds 32 products at once. */
static inline sums sums_add(sums s, weights w, int32_t pair) {
    return _mm512_dpwssd_epi32(s, w, _mm512_set1_epi32(pair));
}
static inline sums sums_join(sums a, sums b) { return _mm512_add_epi32(a, b); }
static inline f8 sums_low(sums s) { return _mm256_cvtepi32_ps(_mm512_castsi512_si256(s)); }
static inline f8 sums_high(sums s) { return _mm256_cvtepi32_ps(_mm512_extracti64x4_epi64(s, 1)); }

#else
#define ROWS 6 /* of a tile: 12 sums, 2 of weights, 1 of x and a product, all 16 registers */
typedef struct {
    __m256i low, high;
} weights, sums;

static inline weights weights_load(const int8_t *w) {
    return (weights){_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w)),
                     _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(w + WIDTH)))};
}
static inline sums sums_zero(void) { return (sums){_mm256_setzero_si256(), _mm256_setzero_si256()}; }

/* `pair` holds two int16 inputs. vpmaddwd makes 16 products at once, twice as many as float32 has. */
static inline sums sums_add(sums s, weights w, int32_t pair) {
    __m256i both = _mm256_set1_epi32(pair);
    return (sums){_mm256_add_epi32(s.low, _mm256_madd_epi16(both, w.low)),
                  _mm256_add_epi32(s.high, _mm256_madd_epi16(both, w.high))};
}
static inline sums sums_join(sums a, sums b) {
    return (sums){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
static inline f8 sums_low(sums s) { return _mm256_cvtepi32_ps(s.low); }
static inline f8 sums_high(sums s) { return _mm256_cvtepi32_ps(s.high); }
#endif

#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>

#define ROWS 6 /* of a tile */
typedef struct {
    float32x4_t low, high;
} f8;
typedef struct {
    int16x8_t first[2], second[2]; /* inputs of the pair */
} weights;
typedef struct {
    int32x4_t four[4];
} sums;

static inline f8 f8_load(const float *x) { return (f8){vld1q_f32(x), vld1q_f32(x + 4)}; }
static inline void f8_store(float *to, f8 x) {
    vst1q_f32(to, x.low);
    vst1q_f32(to + 4, x.high);
}
static inline f8 f8_all(float x) { return (f8){vdupq_n_f32(x), vdupq_n_f32(x)}; }
static inline f8 f8_add(f8 a, f8 b) { return (f8){vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)}; }
static inline f8 f8_sub(f8 a, f8 b) { return (f8){vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)}; }
static inline f8 f8_mul(f8 a, f8 b) { return (f8){vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
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

static inline float32x4_t power_of_two(float32x4_t n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
}
static inline f8 f8_power_of_two(f8 n) { return (f8){power_of_two(n.low), power_of_two(n.high)}; }
static inline float f8_sum(f8 x) { return vaddvq_f32(vaddq_f32(x.low, x.high)); }

static inline int16x8_t round_eight(f8 x) {
    return vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(x.low)), vqmovn_s32(vcvtnq_s32_f32(x.high)));
}
static inline void round_pairs(f8 first, f8 second, int32_t *pairs) {
    vst1q_s32(pairs, vreinterpretq_s32_s16(round_eight(first)));
    vst1q_s32(pairs + 4, vreinterpretq_s32_s16(round_eight(second)));
}

static inline weights weights_load(const int8_t *w) {
    int8x16x2_t pair = vld2q_s8(w);
    return (weights){{vmovl_s8(vget_low_s8(pair.val[0])), vmovl_s8(vget_high_s8(pair.val[0]))},
                     {vmovl_s8(vget_low_s8(pair.val[1])), vmovl_s8(vget_high_s8(pair.val[1]))}};
}
static inline sums sums_zero(void) {
    int32x4_t zero = vdupq_n_s32(0);
    return (sums){{zero, zero, zero, zero}};
}
static inline sums sums_add(sums s, weights w, int32_t pair) {
    int16_t first = (int16_t)pair, second = (int16_t)(pair >> 16);
    for (int half = 0; half < 2; half++) {
        int32x4_t low = vmlal_n_s16(s.four[2 * half], vget_low_s16(w.first[half]), first);
        int32x4_t high = vmlal_n_s16(s.four[2 * half + 1], vget_high_s16(w.first[half]), first);
        s.four[2 * half] = vmlal_n_s16(low, vget_low_s16(w.second[half]), second);
        s.four[2 * half + 1] = vmlal_n_s16(high, vget_high_s16(w.second[half]), second);
    }
    return s;
}
static inline sums sums_join(sums a, sums b) {
    for (int i = 0; i < 4; i++)
        a.four[i] = vaddq_s32(a.four[i], b.four[i]);
    return a;
}
static inline f8 sums_low(sums s) { return (f8){vcvtq_f32_s32(s.four[0]), vcvtq_f32_s32(s.four[1])}; }
static inline f8 sums_high(sums s) { return (f8){vcvtq_f32_s32(s.four[2]), vcvtq_f32_s32(s.four[3])}; }

#else
#error "the kernels need AVX2 with FMA and F16C, or NEON on a 64-bit ARM"
#endif

/* `wide` is sixteen float32 numbers. */
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
typedef __m512 wide;
static inline wide wide_load(const float *x) { return _mm512_loadu_ps(x); }
static inline void wide_store(float *to, wide x) { _mm512_storeu_ps(to, x); }
static inline wide wide_zero(void) { return _mm512_setzero_ps(); }
static inline wide wide_add(wide sum, float a, wide b) { return _mm512_fmadd_ps(_mm512_set1_ps(a), b, sum); }
#else
typedef struct {
    f8 low, high;
} wide;
static inline wide wide_load(const float *x) { return (wide){f8_load(x), f8_load(x + 8)}; }
static inline void wide_store(float *to, wide x) {
    f8_store(to, x.low);
    f8_store(to + 8, x.high);
}
static inline wide wide_zero(void) { return (wide){f8_all(0), f8_all(0)}; }
static inline wide wide_add(wide sum, float a, wide b) { /* sum + a * b */
    f8 all = f8_all(a);
    return (wide){f8_fma(all, b.low, sum.low), f8_fma(all, b.high, sum.high)};
}
#endif
