/* Products with AVX-512 VNNI: vpdpwssd multiplies 32 pairs of 16 bits, widens and adds them at once. */
#include "avx.h"

#define ROWS 12 /* more are not faster */
#define SUMS 16 /* of 32 registers: with 24, 12 rows by two panels, zig keeps some in memory */
#if defined(__AMX_INT8__) || defined(__AMXINT8__) /* as clang 14 calls it */
#define AMX
enum { CHANNELS = 16, INPUTS = 4 }; /* see amx.h */
#else
enum { CHANNELS = 16, INPUTS = 2 };
#endif
typedef __m512i weights, sums;

static inline weights weights_load(const int8_t *w) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)w));
}
static inline sums sums_zero(void) { return _mm512_setzero_si512(); }
static inline sums sums_add(sums s, weights w, inputs x) { return _mm512_dpwssd_epi32(s, w, _mm512_set1_epi32(x)); }
static inline f8 sums_eight(sums s, int which) {
    return _mm256_cvtepi32_ps(which ? _mm512_extracti64x4_epi64(s, 1) : _mm512_castsi512_si256(s));
}

typedef __m512 wide;
static inline wide wide_load(const float *x) { return _mm512_loadu_ps(x); }
static inline void wide_store(float *to, wide x) { _mm512_storeu_ps(to, x); }
static inline wide wide_zero(void) { return _mm512_setzero_ps(); }
static inline wide wide_add(wide sum, float a, wide b) { return _mm512_fmadd_ps(_mm512_set1_ps(a), b, sum); }
