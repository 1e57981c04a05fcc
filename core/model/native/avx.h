/* float32 numbers with AVX2, FMA and F16C. */
#include <immintrin.h>

typedef __m256 f8;

static inline f8 f8_load(const float *x) { return _mm256_loadu_ps(x); }
static inline void f8_store(float *to, f8 x) { _mm256_storeu_ps(to, x); }
static inline f8 f8_all(float x) { return _mm256_set1_ps(x); }
static inline f8 f8_add(f8 a, f8 b) { return _mm256_add_ps(a, b); }
static inline f8 f8_sub(f8 a, f8 b) { return _mm256_sub_ps(a, b); }
static inline f8 f8_mul(f8 a, f8 b) { return _mm256_mul_ps(a, b); }
static inline f8 f8_div(f8 a, f8 b) { return _mm256_div_ps(a, b); }
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
static inline void f8_store_half(uint16_t *to, f8 x) {
    _mm_storeu_si128((__m128i *)to, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

/* 2^n for whole n from -126 to 127 */
static inline f8 f8_power_of_two(f8 n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}

static inline float f8_sum(f8 x) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

typedef int32_t inputs; /* two int16 */

static inline inputs inputs_load(const int16_t *x) {
    inputs both;
    memcpy(&both, x, sizeof both);
    return both;
}

static inline void round_eight(f8 x, int16_t *rounded) {
    __m256i eight = _mm256_cvtps_epi32(x);
    __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    _mm_storeu_si128((__m128i *)rounded, packed);
}
