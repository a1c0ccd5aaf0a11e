/* Vectors of the compiler: as many numbers as one register of the target holds. -DPLAIN, or a compiler that has none,
   makes them plain numbers, and the same kernels C99 without extensions. Loads and stores need no alignment. */
#if defined(PLAIN) || !defined(__GNUC__)
#define LANES 1
#define INLINE static inline
#elif defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif

/* Before loops that fill the registers: clang would unroll them, and keep the half in memory. */
#ifdef __clang__
#define AS_IT_IS _Pragma("clang loop unroll(disable)")
#else
#define AS_IT_IS
#endif

#if LANES == 1
typedef float vector;
INLINE vector load(const float *from) { return *from; }
INLINE void store(float *to, vector x) { *to = x; }
INLINE vector splat(float x) { return x; }
INLINE vector at_least(vector x, float low) { return x < low ? low : x; }
INLINE vector at_most(vector x, float high) { return x > high ? high : x; }
INLINE float total(vector x) { return x; }
typedef int mask;
#define EVERY 1
#define NOT_FIRST 0
#define NOT_LAST 0
INLINE vector masked(vector x, mask kept) { return kept ? x : 0; }
#else
/* The kernels below are templates: their first arguments are constants where they are called. */
#define INLINE static inline __attribute__((always_inline))
typedef float vector __attribute__((vector_size(4 * LANES)));
typedef int mask __attribute__((vector_size(4 * LANES)));
typedef float anywhere __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
INLINE vector load(const float *from) { return *(const anywhere *)from; }
INLINE void store(float *to, vector x) { *(anywhere *)to = x; }
INLINE vector splat(float x) { return x - (vector){0}; }
INLINE vector choose(mask where, vector x, vector other) { return (vector)((where & (mask)x) | (~where & (mask)other)); }
INLINE vector at_least(vector x, float low) { return choose(x < splat(low), splat(low), x); }
INLINE vector at_most(vector x, float high) { return choose(x > splat(high), splat(high), x); }
INLINE vector masked(vector x, mask kept) { return (vector)((mask)x & kept); }
#if LANES == 16
#define NOT_FIRST (mask){0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}
#define NOT_LAST (mask){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0}
#elif LANES == 8
#define NOT_FIRST (mask){0, -1, -1, -1, -1, -1, -1, -1}
#define NOT_LAST (mask){-1, -1, -1, -1, -1, -1, -1, 0}
#else
#define NOT_FIRST (mask){0, -1, -1, -1}
#define NOT_LAST (mask){-1, -1, -1, 0}
#endif
#define EVERY (NOT_FIRST | NOT_LAST)
INLINE float total(vector x) {
    float sum = 0;
    for (int k = 0; k < LANES; k++) sum += x[k];
    return sum;
}
#endif
