/* `wide` where no register holds sixteen numbers: two f8. */
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
