/* Compares the kernels with plain C on random shapes, products bit by bit, and looks for writes beyond their ends.
 * Usage: check_kernel CASES SEED; built with core/model/native's sources and this file's stand-in for OpenMP.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const int8_t *panels;
    const float *scale, *bias, *weight;
    int64_t k, channels, prologue;
    float steps, eps;
} Linear;
enum { NOTHING, RMS_NORM, GELU, SWIGLU };
int permit(void);
int int8_linear(const Linear *, const float *, float *, float *, int64_t, int, int);
int rotate(float *, const float *, const float *, const float *, const int64_t (*)[3], int64_t, int64_t, int64_t, int64_t,
           int64_t, float, int);
int attend(const float *, const int64_t (*)[3], float *, float *, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
           int64_t, int);
int full_attention(const float *, const float *, const float *, float *, float *, int64_t, int64_t, int64_t, int64_t, int);

extern const int32_t panel[]; /* how many channels by how many inputs lie together */
enum { MOST_STEPS = 127 * 256 + 127 };
enum { GUARD = 64 }; /* numbers beyond each output that must stay as they are */
static const float MARK = 12345.0f;
static uint64_t state;
static int failures;

void GOMP_parallel(void (*work)(void *), void *data, unsigned threads, unsigned flags) {
    (void)flags;
    for (unsigned thread = 0; thread < threads; thread++)
        work(data);
}

static uint32_t draw(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}
static int64_t between(int64_t low, int64_t high) { return low + draw() % (high - low + 1); }
static float number(void) { return (float)draw() / 1073741824.0f - 1.0f; }

static float *numbers(int64_t count) {
    float *x = malloc((count + GUARD) * sizeof *x);
    for (int64_t i = 0; i < count; i++)
        x[i] = number();
    for (int64_t i = count; i < count + GUARD; i++)
        x[i] = MARK;
    return x;
}

/* The IEEE half nearest to x: of two equally near ones the even one. */
static uint16_t nearest_half(float x) {
    int exponent;
    frexpf(x, &exponent);
    float step = ldexpf(1, (exponent < -13 ? -13 : exponent) - 11), rounded = rintf(x / step); /* steps of halves here */
    uint16_t whole = (uint16_t)fabsf(rounded), sign = signbit(x) ? 0x8000 : 0;
    return sign | (exponent <= -14 ? whole : whole == 2048 ? (exponent + 15) << 10 : (exponent + 14) << 10 | (whole & 1023));
}

static void expect(int right, const char *what, int64_t a, int64_t b, int64_t c) {
    if (!right && failures++ < 20)
        printf("WRONG: %s (%ld, %ld, %ld)\n", what, (long)a, (long)b, (long)c);
}

static void expect_guard(const float *x, int64_t count, const char *what) {
    for (int64_t i = count; i < count + GUARD; i++)
        expect(x[i] == MARK, what, count, i, 0);
}

/* IEEE half from a float that a half can hold */
static uint16_t half_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xff, fraction = bits & 0x7fffff;
    return exponent == 0 ? sign : sign | (exponent - 112) << 10 | fraction >> 13;
}

/* What `prologue` makes of a row x, in double. */
static void prepare(const Linear *linear, const float *x, double *y) {
    double squares = 0;
    for (int64_t i = 0; i < linear->k; i++)
        squares += (double)x[i] * x[i];
    for (int64_t i = 0; i < linear->k; i++)
        switch (linear->prologue) {
        case RMS_NORM: y[i] = x[i] * linear->weight[i] / sqrt(squares + linear->eps); break;
        case GELU: y[i] = x[i] * 0.5 * (1 + tanh(0.7978845608028654 * (x[i] + 0.044715 * x[i] * x[i] * x[i]))); break;
        case SWIGLU: y[i] = x[i] / (1 + exp(-(double)x[i])) * x[linear->k + i]; break;
        default: y[i] = x[i];
        }
}

static void check_linear(void) {
    int extreme = between(0, 3) == 0; /* one channel's sums are as large as 32 bits allow */
    int many = between(0, 9) == 0;    /* more channels than one piece of work has, and the last piece shorter */
    int64_t rows = between(many ? 17 : extreme, 20), k = 16 * between(1, extreme ? 40 : 12);
    int64_t channels = 16 * between(1, many ? 200 : 6), threads = between(1, 3);
    float steps = between(0, 1) ? between(100, MOST_STEPS) : between(MOST_STEPS, 40000);
    if (extreme)
        steps = INT32_MAX / (127 * k);
    float *x = numbers(rows * k), *scale = numbers(channels), *bias = between(0, 1) ? numbers(channels) : NULL;
    int64_t needed = (rows + 11) * k / 2 + rows + threads * k;
    float *y = numbers(rows * channels), *room = numbers(needed);
    int8_t *panels = malloc(channels * k);
    for (int64_t i = 0; i < channels * k; i++)
        panels[i] = (int8_t)between(-127, 127);
    for (int64_t i = 0; extreme && i < k; i++) {
        panels[i / panel[1] * panel[0] * panel[1] + i % panel[1]] = x[i] < 0 ? -127 : 127;
        for (int64_t row = 0; row < rows; row++)
            x[row * k + i] = (row % 2 ? 0.5f : 1) * (x[i] < 0 ? -1 : 1);
    }
    Linear linear = {panels, scale, bias, NULL, k, channels, NOTHING, steps, 0};
    int result = int8_linear(&linear, x, y, room, rows, 0, (int)threads);
    expect(result == 0, "linear refuses good shapes", rows, k, channels);
    for (int64_t row = 0; row < rows; row++) {
        float top = 1e-20f;
        for (int64_t i = 0; i < k; i++)
            top = fabsf(x[row * k + i]) > top ? fabsf(x[row * k + i]) : top;
        float most = steps < MOST_STEPS ? steps : MOST_STEPS, factor = most / top;
        for (int64_t channel = 0; channel < channels; channel++) {
            const int8_t *own = panels + channel / panel[0] * panel[0] * k + channel % panel[0] * panel[1];
            int64_t sum = 0;
            for (int64_t i = 0; i < k; i++)
                sum += own[i / panel[1] * panel[0] * panel[1] + i % panel[1]] * (int64_t)lrintf(x[row * k + i] * factor);
            float right = fmaf((float)sum, scale[channel] * (top / most), bias ? bias[channel] : 0);
            expect(y[row * channels + channel] == right, "linear", row, channel, k);
        }
    }
    expect_guard(y, rows * channels, "linear writes beyond y");
    expect_guard(room, needed, "linear writes beyond its room");
    free(x), free(scale), free(bias), free(y), free(room), free(panels);
}

/* With a prologue, and added to what y holds. */
static void check_fused(void) {
    int64_t rows = between(1, between(0, 3) ? 20 : 160), k = 16 * between(1, 12), channels = 16 * between(1, 6), threads = between(1, 3);
    Linear linear = {.k = k, .channels = channels, .prologue = between(NOTHING, SWIGLU), .steps = MOST_STEPS, .eps = 0.01f};
    int64_t width = linear.prologue == SWIGLU ? 2 * k : k, needed = (rows + 11) * k / 2 + rows + threads * k;
    float *x = numbers(rows * width), *scale = numbers(channels), *weight = numbers(k);
    float *y = numbers(rows * channels), *held = numbers(rows * channels), *room = numbers(needed);
    int8_t *panels = malloc(channels * k);
    for (int64_t i = 0; i < rows * width; i++)
        x[i] *= between(0, 3) ? 3 : 100; /* far into where gates are open or shut */
    for (int64_t i = 0; i < channels * k; i++)
        panels[i] = (int8_t)between(-127, 127);
    memcpy(y, held, rows * channels * sizeof *y);
    linear.panels = panels, linear.scale = scale, linear.weight = weight;
    int result = int8_linear(&linear, x, y, room, rows, 1, (int)threads);
    expect(result == 0, "linear refuses good shapes", rows, k, channels);
    for (int64_t row = 0; row < rows; row++) {
        double prepared[192], top = 0;
        prepare(&linear, x + row * width, prepared);
        for (int64_t i = 0; i < k; i++)
            top = fabs(prepared[i]) > top ? fabs(prepared[i]) : top;
        for (int64_t channel = 0; channel < channels; channel++) {
            const int8_t *own = panels + channel / panel[0] * panel[0] * k + channel % panel[0] * panel[1];
            double sum = 0;
            for (int64_t i = 0; i < k; i++)
                sum += own[i / panel[1] * panel[0] * panel[1] + i % panel[1]] * prepared[i];
            double right = held[row * channels + channel] + sum * scale[channel];
            expect(fabs(y[row * channels + channel] - right) < 3e-5 * 127 * k * top, "fused", row, channel, linear.prologue);
        }
    }
    expect_guard(y, rows * channels, "linear writes beyond y");
    expect_guard(room, needed, "linear writes beyond its room");
    free(x), free(scale), free(weight), free(y), free(held), free(room), free(panels);
}

static void check_rotation(void) {
    int64_t kv_heads = between(1, 4), heads = kv_heads * between(1, 5), dim = 16 * between(1, 8), layers = between(1, 2);
    int64_t rows = between(1, 9), capacity = between(rows, 20), layer = between(0, layers - 1), all = heads + 2 * kv_heads;
    int64_t size = layers * 2 * kv_heads * capacity * dim, turning = heads + kv_heads, seen[9][3];
    uint16_t *kv = calloc(size, sizeof *kv);
    float *x = numbers(rows * all * dim), *norm = numbers(turning * dim), *cosine = numbers(rows * dim), *sine = numbers(rows * dim);
    double *right = malloc(rows * all * dim * sizeof *right);
    for (int64_t row = 0; row < rows; row++) {
        seen[row][0] = (int64_t)(intptr_t)kv, seen[row][1] = capacity, seen[row][2] = capacity - row;
        for (int64_t head = 0; head < all; head++) {
            const float *own = x + (row * all + head) * dim;
            double squares = 0.01, normed[128];
            for (int64_t i = 0; i < dim; i++)
                squares += (double)own[i] * own[i];
            for (int64_t i = 0; i < dim; i++)
                normed[i] = head < turning ? own[i] * norm[head * dim + i] / sqrt(squares) : own[i];
            for (int64_t i = 0; i < dim; i++) {
                double *to = right + (row * all + head) * dim + i;
                *to = normed[i] * cosine[row * dim + i] + normed[(i + dim / 2) % dim] * sine[row * dim + i];
                *to = head < turning ? *to : normed[i];
            }
        }
    }
    int result = rotate(x, norm, cosine, sine, (const int64_t (*)[3])seen, rows, heads, kv_heads, dim, layer, 0.01f, (int)between(1, 3));
    expect(result == 0, "rotation refuses good shapes", heads, kv_heads, dim);
    int64_t stored = 0;
    for (int64_t i = 0; i < size; i++)
        stored += kv[i] != 0;
    expect(stored <= rows * 2 * kv_heads * dim, "rotation stores elsewhere, too", stored, rows, capacity);
    for (int64_t i = 0; i < rows * all * dim; i++) {
        int64_t row = i / dim / all, head = i / dim % all - heads;
        expect(fabs(x[i] - right[i]) < 1e-5, "rotation", row, head + heads, i % dim);
        if (head >= 0)
            expect(kv[((layer * 2 * kv_heads + head) * capacity + seen[row][2] - 1) * dim + i % dim] == nearest_half(x[i]),
                   "rotation stores", row, head, i % dim);
    }
    expect_guard(x, rows * all * dim, "rotation writes beyond x");
    free(kv), free(x), free(norm), free(cosine), free(sine), free(right);
}

static void check_attention(void) {
    int64_t kv_heads = between(1, 4), heads = kv_heads * between(1, 5), dim = 8 * between(1, 16), layers = between(1, 2);
    int64_t rows = between(1, 6), capacity = between(1, 70), layer = between(0, layers - 1), longest = 1;
    int64_t size = layers * 2 * kv_heads * capacity * dim;
    uint16_t *kv = malloc(size * sizeof *kv);
    float *exact = malloc(size * sizeof *exact);
    for (int64_t i = 0; i < size; i++) {
        exact[i] = between(-2048, 2047) / 1024.0f; /* a half holds it exactly */
        kv[i] = half_of(exact[i]);
    }
    int64_t (*seen)[3] = malloc(rows * sizeof *seen);
    for (int64_t row = 0; row < rows; row++) {
        seen[row][0] = (int64_t)(intptr_t)kv, seen[row][1] = capacity, seen[row][2] = between(1, capacity);
        longest = seen[row][2] > longest ? seen[row][2] : longest;
    }
    int64_t stride = (longest + 7) / 8 * 8, threads = between(1, 3), groups = heads / kv_heads;
    float *queries = numbers(rows * heads * dim), *y = numbers(rows * heads * dim), *scores = numbers(threads * 2 * stride);
    int result = attend(queries, seen, y, scores, rows, heads * dim, heads, kv_heads, dim, layer, stride, (int)threads);
    expect(result == 0, "attention refuses good shapes", heads, kv_heads, dim);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t head = 0; head < heads; head++) {
            const float *query = queries + (row * heads + head) * dim, *keys = exact + layer * 2 * kv_heads * capacity * dim;
            keys += head / groups * capacity * dim;
            const float *values = keys + kv_heads * capacity * dim;
            double weights[80], most = -1e30, all = 0;
            for (int64_t n = 0; n < seen[row][2]; n++) {
                weights[n] = 0;
                for (int64_t i = 0; i < dim; i++)
                    weights[n] += (double)query[i] * keys[n * dim + i] / sqrt((double)dim);
                most = weights[n] > most ? weights[n] : most;
            }
            for (int64_t n = 0; n < seen[row][2]; n++)
                all += weights[n] = exp(weights[n] - most);
            for (int64_t i = 0; i < dim; i++) {
                double right = 0;
                for (int64_t n = 0; n < seen[row][2]; n++)
                    right += weights[n] / all * values[n * dim + i];
                expect(fabs(y[(row * heads + head) * dim + i] - right) < 2e-5, "attention", row, head, i);
            }
        }
    expect_guard(y, rows * heads * dim, "attention writes beyond y");
    expect_guard(scores, threads * 2 * stride, "attention writes beyond scores");
    free(kv), free(exact), free(seen), free(queries), free(y), free(scores);
}

static void check_full_attention(void) {
    int64_t rows = between(0, 30), heads = between(1, 3), dim = 16 * between(1, 4), length = between(1, 70);
    int64_t panels = (length + 15) / 16, padded = 16 * panels, threads = between(1, 3);
    float *queries = numbers(rows * heads * dim), *keys = numbers(heads * padded * dim), *values = numbers(heads * padded * dim);
    float *y = numbers(rows * heads * dim), *room = numbers(threads * 12 * (2 * dim + padded));
    int result = full_attention(queries, keys, values, y, room, rows, heads, dim, length, (int)threads);
    expect(result == 0, "full attention refuses good shapes", rows, heads, dim);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t head = 0; head < heads; head++) {
            const float *query = queries + (row * heads + head) * dim, *own = values + head * padded * dim;
            double weights[80], most = -1e30, all = 0;
            for (int64_t n = 0; n < length; n++) {
                weights[n] = 0;
                for (int64_t i = 0; i < dim; i++)
                    weights[n] += (double)query[i] * keys[((head * panels + n / 16) * dim + i) * 16 + n % 16] / sqrt((double)dim);
                most = weights[n] > most ? weights[n] : most;
            }
            for (int64_t n = 0; n < length; n++)
                all += weights[n] = exp(weights[n] - most);
            for (int64_t i = 0; i < dim; i++) {
                double right = 0;
                for (int64_t n = 0; n < length; n++)
                    right += weights[n] / all * own[(i / 16 * padded + n) * 16 + i % 16];
                expect(fabs(y[(row * heads + head) * dim + i] - right) < 2e-5, "full attention", row, head, i);
            }
        }
    expect_guard(y, rows * heads * dim, "full attention writes beyond y");
    expect_guard(room, threads * 12 * (2 * dim + padded), "full attention writes beyond its room");
    free(queries), free(keys), free(values), free(y), free(room);
}

/* What would read or write beyond its ends is refused before anything is touched: NULL stands for all memory. */
static void check_refusals(void) {
    Linear odd = {.k = 24, .channels = 16}, wide = {.k = 16, .channels = 24}, good = {.k = 16, .channels = 16};
    expect(int8_linear(&odd, 0, 0, 0, 1, 0, 1), "linear takes k = 24", 1, 24, 16);
    expect(int8_linear(&wide, 0, 0, 0, 1, 0, 1), "linear takes 24 channels", 1, 16, 24);
    expect(int8_linear(&good, 0, 0, 0, -1, 0, 1), "linear takes -1 rows", -1, 16, 16);
    expect(int8_linear(&good, 0, 0, 0, 1, 0, 0), "linear takes 0 threads", 1, 16, 16);
    expect(full_attention(0, 0, 0, 0, 0, 1, 1, 24, 16, 1), "full attention takes a dim of 24", 1, 24, 16);
    expect(full_attention(0, 0, 0, 0, 0, 1, 1, 16, 0, 1), "full attention takes no keys", 1, 16, 0);
    expect(full_attention(0, 0, 0, 0, 0, 1, 1, 16, 16, 0), "full attention takes 0 threads", 1, 16, 16);
    int64_t seen[1][3] = {{0, 8, 9}};
    expect(attend(0, seen, 0, 0, 1, 64, 4, 2, 12, 0, 16, 1), "attention takes a dim of 12", 4, 2, 12);
    expect(attend(0, seen, 0, 0, 1, 64, 4, 2, 20, 0, 16, 1), "attention takes a dim of 20", 4, 2, 20);
    expect(attend(0, seen, 0, 0, 1, 64, 4, 3, 16, 0, 16, 1), "attention takes 4 heads over 3", 4, 3, 16);
    expect(attend(0, seen, 0, 0, 1, 64, 4, 2, 16, 0, 12, 1), "attention takes a stride of 12", 4, 2, 16);
    expect(attend(0, seen, 0, 0, 1, 64, 4, 2, 16, 0, 16, 1), "attention takes a row beyond its room", 4, 2, 16);
    expect(rotate(0, 0, 0, 0, seen, 1, 4, 2, 16, 0, 1, 1), "rotation takes a row beyond its room", 4, 2, 16);
    seen[0][2] = 8;
    expect(rotate(0, 0, 0, 0, seen, 1, 4, 2, 24, 0, 1, 1), "rotation takes a dim of 24", 4, 2, 24);
    seen[0][2] = 0;
    expect(rotate(0, 0, 0, 0, seen, 1, 4, 2, 16, 0, 1, 1), "rotation takes a row without a place", 4, 2, 16);
    expect(attend(0, seen, 0, 0, 1, 64, 4, 2, 16, 0, 16, 1), "attention takes a row that sees nothing", 4, 2, 16);
    seen[0][1] = 32, seen[0][2] = 17;
    expect(attend(0, seen, 0, 0, 1, 64, 4, 2, 16, 0, 16, 1), "attention takes a row beyond the scores", 4, 2, 16);
}

int main(int count, char **words) {
    int64_t cases = count > 1 ? atoll(words[1]) : 100;
    state = count > 2 ? strtoull(words[2], NULL, 10) : 1;
    if (permit())
        return printf("not allowed\n"), 1;
    check_refusals();
    for (int64_t i = 0; i < cases; i++) {
        check_linear();
        check_fused();
        check_rotation();
        check_attention();
        check_full_attention();
    }
    printf("%ld cases, %d wrong\n", (long)cases, failures);
    return failures > 0;
}
