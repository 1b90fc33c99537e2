// Elementary functions that a compiler turns into vector instructions: no branch, no call, no table.
// Errors against exact values, in float and in double: exp 1 ulp, expm1_less 2 and 7 ulp, log1p_of_unit 2 ulp.
#pragma once

#include <cstdint>
#include <cstring>

template <typename To, typename From>
static inline To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof(To));
    return to;
}

template <typename T>
static inline T at_least(T x, T low) {
    return x < low ? low : x;  // NaN stays
}

template <typename T>
static inline T at_most(T x, T high) {
    return x > high ? high : x;  // NaN stays
}

// exp(x); 0 < exp < inf is kept by clamping x to the range of the type.
static inline float exp_(float x) {
    x = at_most(at_least(x, -87.3f), 88.7f);
    const float shift = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer, which its low bits then hold
    const float t = x * 1.44269504f + shift;
    const float n = t - shift;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float y = 1.0f / 5040.0f;
    y = y * r + 1.0f / 720.0f;
    y = y * r + 1.0f / 120.0f;
    y = y * r + 1.0f / 24.0f;
    y = y * r + 1.0f / 6.0f;
    y = y * r + 0.5f;
    y = y * r + 1.0f;
    y = y * r + 1.0f;
    // 2^n in two halves, so that n = 128 does not leave the exponent's range.
    const std::int32_t whole = static_cast<std::int32_t>(bits_as<std::uint32_t>(t) - bits_as<std::uint32_t>(shift));
    const std::int32_t half = whole >> 1;
    const float first = bits_as<float>(static_cast<std::uint32_t>(half + 127) << 23);
    const float second = bits_as<float>(static_cast<std::uint32_t>(whole - half + 127) << 23);
    return y * first * second;
}

static inline double exp_(double x) {
    x = at_most(at_least(x, -708.0), 709.7);
    const double shift = 6755399441055744.0;  // 1.5 · 2^52
    const double t = x * 1.4426950408889634 + shift;
    const double n = t - shift;
    const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    double y = 1.0 / 6227020800.0;
    y = y * r + 1.0 / 479001600.0;
    y = y * r + 1.0 / 39916800.0;
    y = y * r + 1.0 / 3628800.0;
    y = y * r + 1.0 / 362880.0;
    y = y * r + 1.0 / 40320.0;
    y = y * r + 1.0 / 5040.0;
    y = y * r + 1.0 / 720.0;
    y = y * r + 1.0 / 120.0;
    y = y * r + 1.0 / 24.0;
    y = y * r + 1.0 / 6.0;
    y = y * r + 0.5;
    y = y * r + 1.0;
    y = y * r + 1.0;
    const std::int64_t whole = static_cast<std::int64_t>(bits_as<std::uint64_t>(t) - bits_as<std::uint64_t>(shift));
    const std::int64_t half = whole >> 1;
    const double first = bits_as<double>(static_cast<std::uint64_t>(half + 1023) << 52);
    const double second = bits_as<double>(static_cast<std::uint64_t>(whole - half + 1023) << 52);
    return y * first * second;
}

// Σ_{k >= first} x^k·first!/k!, Horner's scheme over the highest `count` terms.
template <int first, int count, typename T>
static inline T tail_series(T x) {
    T y = T(1);
    for (int k = first + count; k > first; --k) y = T(1) + y * x * (T(1) / T(k));
    return y;
}

// exp(x) − 1 − x, with every digit near 0; `e` is exp(x).
template <typename T>
static inline T expm1_less(T x, T e) {
    const T near = at_most(at_least(x, T(-1)), T(1));
    const T series = T(0.5) * near * near * tail_series<2, sizeof(T) == 4 ? 8 : 15>(near);
    return (x > T(-1)) & (x < T(1)) ? series : (e - T(1)) - x;
}

// log(1 + x) for x in [0, 1], by atanh's series of x/(2 + x) <= 1/3.
template <typename T>
static inline T log1p_of_unit(T x) {
    const T s = x / (T(2) + x), s2 = s * s;
    T y = T(0);
    for (int k = sizeof(T) == 4 ? 17 : 35; k >= 3; k -= 2) y = (y + T(1) / T(k)) * s2;
    return T(2) * s * (T(1) + y);
}
