// One completion at a time, while it is in the cache: clip, find p, take the power mean, and write its part of the loss,
// its diagnostics and its gradient. What is computed is defined by pmpo/objective/policy_loss.py, of which this is a
// faster form; the codes and numbers are those of pmpo/kernels/plan.py. Names as there: l, c, rho, p, omega.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "vector_math.h"

enum Region { MIN_RULE, TWO_SIDED, PASSING_CAP, SOFT_GATE, DIVERGENCE_TV, DIVERGENCE_KL };
enum Target { GIVEN, LINEAR, POWER, RAMP, ABSOLUTE };

struct Scalars {
    double down, up, log_cap, tau_positive, tau_negative, fall, rise, mean_down, mean_up, mean_log_cap, target;
    double omega, omega_per_token, kl_coef, old_kl_coef;
};

struct Plan {
    int region, target, one_sided, over_unclipped, kl_bias_correction;
};

namespace {

constexpr double SATURATION = 80.0;   // pmpo.objective.batch.SATURATION_NATS
constexpr double OLD_KL = 10.0;       // pmpo.objective.policy_loss.OLD_KL_NATS
constexpr double EXPM1_LIMIT = 40.0;  // pmpo.objective.power_mean
constexpr int EVALUATIONS = 80;       // of the solver; every other one halves the bracket or the error

template <typename T>
struct Inputs {
    const T *new_log_probs, *old_log_probs, *weights, *reference;  // [T]; weights and reference may be null
    const unsigned char *mask;
    T advantage, exponent;
};

// Counted tokens with rho != 0 of one completion, side by side.
template <typename T>
struct Row {
    std::vector<T> l, c, rho, open, term;  // open: dc/dl, 0 where the gradient stops; term: exp(p(c − mean c))
    std::vector<T> outside_flag;
    std::vector<int> place;
    int n = 0, counted = 0, width = 0;
    bool prefix = false, weighted = false, finite = true, has_nan = false;
    T rho_sum = 0, rho_mean = 0, largest = 0, smallest = 0, kl = 0;
    T changed = 0, outside = 0;  // shares of rho

    void reserve(int T_) {
        width = T_;
        for (auto *each : {&l, &c, &rho, &open, &term, &outside_flag})
            if (static_cast<int>(each->size()) < T_) each->resize(T_);
        if (static_cast<int>(place.size()) < T_) place.resize(T_);
    }
    int at(int k) const { return prefix ? k : place[k]; }
};

template <typename T>
void gather(const Inputs<T> &in, Row<T> &row) {
    const auto *mask = in.mask;
    const void *stop = std::memchr(mask, 0, row.width);
    const int first = stop ? static_cast<int>(static_cast<const unsigned char *>(stop) - mask) : row.width;
    row.weighted = in.weights != nullptr;
    row.prefix = !row.weighted && !(first < row.width && std::memchr(mask + first, 1, row.width - first));
    T *l = row.l.data(), *rho = row.rho.data();
    if (row.prefix) {
        row.n = row.counted = first;
#pragma omp simd
        for (int t = 0; t < first; ++t) l[t] = in.new_log_probs[t] - in.old_log_probs[t];
    } else {
        int n = 0, counted = 0;
        int *place = row.place.data();
        for (int t = 0; t < row.width; ++t) {
            const T weight = row.weighted ? in.weights[t] : T(1);
            l[n] = in.new_log_probs[t] - in.old_log_probs[t];
            rho[n] = weight;
            place[n] = t;
            counted += mask[t];
            n += mask[t] & (weight != T(0));
        }
        row.n = n, row.counted = counted;
    }
    const int n = row.n;
    T sum = 0, peak = 0;
    int finite = 1, has_nan = 0;
    if (row.weighted) {
#pragma omp simd reduction(+ : sum) reduction(max : peak) reduction(& : finite)
        for (int k = 0; k < n; ++k) {
            sum += rho[k];
            peak = rho[k] > peak ? rho[k] : peak;
            finite &= rho[k] - rho[k] == T(0);
        }
        if (!finite) row.has_nan = true;
        row.rho_mean = row.counted ? sum / row.counted : T(0);
        sum = 0;  // relative to the largest from here on: no mean changes, and products of small rho stay in range
#pragma omp simd reduction(+ : sum)
        for (int k = 0; k < n; ++k) {
            rho[k] /= peak;
            sum += rho[k];
        }
        row.rho_sum = sum;
    } else {
        row.rho_mean = n ? T(1) : T(0);
        row.rho_sum = n;
    }
    T largest = -std::numeric_limits<T>::infinity(), smallest = std::numeric_limits<T>::infinity();
    T *open = row.open.data();
#pragma omp simd reduction(max : largest) reduction(min : smallest) reduction(& : finite) reduction(| : has_nan)
    for (int k = 0; k < n; ++k) {
        const T raw = l[k], x = at_most(at_least(raw, T(-SATURATION)), T(SATURATION));
        finite &= raw - raw == T(0);
        has_nan |= raw != raw;
        open[k] = x == raw ? T(1) : T(0);
        l[k] = x;
        largest = x > largest ? x : largest;
        smallest = x < smallest ? x : smallest;
    }
    row.finite = finite;
    row.has_nan = row.has_nan || has_nan;
    row.largest = n ? largest : T(0);
    row.smallest = n ? smallest : T(0);
}

// Σ rho f(k) with rho = 1 left out where all weights are.
template <typename T, typename F>
inline T sum_over(const Row<T> &row, F f) {
    T sum = 0;
    const T *rho = row.rho.data();
    const int n = row.n;
    if (row.weighted) {
#pragma omp simd reduction(+ : sum)
        for (int k = 0; k < n; ++k) sum += rho[k] * f(k);
    } else {
#pragma omp simd reduction(+ : sum)
        for (int k = 0; k < n; ++k) sum += f(k);
    }
    return sum;
}

// c, where its gradient stops, and the shares of tokens that were changed and that are outside the bounds.
template <typename T>
void clip(const Plan &plan, const Scalars &s, const Inputs<T> &in, Row<T> &row) {
    const int n = row.n;
    const T *l = row.l.data();
    T *c = row.c.data(), *open = row.open.data(), *flag = row.term.data();  // term is not in use yet
    T *outside = row.outside_flag.data();
    const T A = in.advantage, up = s.up, down = -s.down, cap = s.log_cap;
    const bool positive = A > 0, negative = A < 0, active = A != 0;
    switch (plan.region) {
        case MIN_RULE: {
            const T high = positive ? up : negative ? cap : std::numeric_limits<T>::infinity();
            const T low = negative ? down : -std::numeric_limits<T>::infinity();
#pragma omp simd
            for (int k = 0; k < n; ++k) {
                const T x = l[k];
                const bool held = (x > high) | (x < low);
                c[k] = at_least(at_most(x, high), low);
                flag[k] = held ? T(1) : T(0);
                outside[k] = (x > up) | (x < down) ? T(1) : T(0);
                open[k] = held ? T(0) : open[k];
            }
            break;
        }
        case TWO_SIDED:
#pragma omp simd
            for (int k = 0; k < n; ++k) {
                const T x = l[k];
                const bool out = (x > up) | (x < down);
                c[k] = at_least(at_most(x, up), down);
                outside[k] = out ? T(1) : T(0);
                flag[k] = out & active ? T(1) : T(0);
                open[k] = out ? T(0) : open[k];
            }
            break;
        case PASSING_CAP:
#pragma omp simd
            for (int k = 0; k < n; ++k) {
                const bool above = l[k] > up;
                c[k] = at_most(l[k], up);
                outside[k] = above ? T(1) : T(0);
                flag[k] = above & active ? T(1) : T(0);
            }
            break;
        case SOFT_GATE: {
            const T tau = positive ? s.tau_positive : s.tau_negative, scale = std::log(T(4)) - std::log(tau);
#pragma omp simd
            for (int k = 0; k < n; ++k) {
                const T e = exp_(l[k]), z = tau * (l[k] + expm1_less(l[k], e));
                const T size = z < 0 ? -z : z, small = exp_(-size), tail = log1p_of_unit(small);
                c[k] = (z < 0 ? z : T(0)) - tail + scale;
                const T other = (z < 0 ? T(1) : small) / (T(1) + small);  // 1 − sigmoid(z)
                open[k] *= other * tau * e;
                flag[k] = outside[k] = T(0);
            }
            break;
        }
        default: {
            const T limit = s.up, rise = s.rise, fall = -s.fall;  // up is the cap here
            for (int k = 0; k < n; ++k) {
                const T now = in.new_log_probs[row.at(k)], then = now - l[k];
                const T p_now = std::exp(now), p_then = std::exp(then);
                T moved = p_now - p_then;
                if (plan.region == DIVERGENCE_KL) {
                    const T q_now = -std::min(std::expm1(now), T(0)), q_then = -std::min(std::expm1(then), T(0));
                    const T floor = 1e-8;
                    const T size = p_then * (then - now) + q_then * (std::log(q_then + floor) - std::log(q_now + floor));
                    moved = std::copysign(T(1), moved) * (moved != 0) * std::abs(size);
                }
                const bool risen = moved > rise, fallen = moved < fall, far = positive ? risen : fallen;
                const bool above = l[k] > limit;
                c[k] = at_most(l[k], limit);
                outside[k] = risen | fallen | above ? T(1) : T(0);
                flag[k] = (far | above) & active ? T(1) : T(0);
                if (far) open[k] = T(0);
            }
        }
    }
    const bool any = row.rho_sum != 0;
    row.changed = any ? sum_over(row, [=](int k) { return flag[k]; }) / row.rho_sum : T(0);
    row.outside = any ? sum_over(row, [=](int k) { return outside[k]; }) / row.rho_sum : T(0);
}

template <typename T>
struct Ess {
    T ess, slope;
};

// nESS(p) of values x below their largest, and its derivative, 2 (E_w(p)[x] − E_w(2p)[x]) nESS <= 0.
template <bool weighted, typename T>
Ess<T> evaluate(const Row<T> &row, const T *x, T peak, T p) {
    T first = 0, second = 0, first_x = 0, second_x = 0;
    const T *rho = row.rho.data();
    const int n = row.n;
#pragma omp simd reduction(+ : first, second, first_x, second_x)
    for (int k = 0; k < n; ++k) {
        const T below = x[k] - peak, e = exp_(p * below);
        const T one = weighted ? rho[k] * e : e, two = one * e;
        first += one, second += two;
        first_x += one * below, second_x += two * below;
    }
    const T ess = std::min(first * first / (row.rho_sum * second), T(1));
    return {ess, T(2) * (first_x / first - second_x / second) * ess};
}

template <typename T>
Ess<T> evaluate(const Row<T> &row, const T *x, T peak, T p) {
    return row.weighted ? evaluate<true>(row, x, peak, p) : evaluate<false>(row, x, peak, p);
}

template <typename T>
T spread(T ess) {
    return std::sqrt(std::max(-std::log(std::max(std::min(ess, T(1)), std::numeric_limits<T>::min())), T(0)));
}

// g(f) of plan.target.
template <typename T>
T mapped(const Plan &plan, const Scalars &s, T f) {
    if (plan.target == POWER) return std::pow(f, T(s.target));
    return plan.target == RAMP ? std::min(f / T(s.target), T(1)) : f;
}

// The largest p in [0, 1] with nESS(p) >= τ: Newton's method inside a bracket, as in pmpo/objective/solver.py.
template <typename T>
T solve(const Plan &plan, const Scalars &s, const Row<T> &row, int *evaluations, T *residual) {
    const T *x = plan.over_unclipped ? row.l.data() : row.c.data();
    T peak = x[0], bottom = x[0];
#pragma omp simd reduction(max : peak) reduction(min : bottom)
    for (int k = 0; k < row.n; ++k) {
        peak = x[k] > peak ? x[k] : peak;
        bottom = x[k] < bottom ? x[k] : bottom;
    }
    *evaluations = 0, *residual = 0;
    const T f = plan.one_sided ? row.changed : row.outside;
    if (peak == bottom || (plan.target != ABSOLUTE && f == 0)) return T(1);
    const Ess<T> at_one = evaluate(row, x, peak, T(1));
    *evaluations = 1;
    const T e = at_one.ess, target = plan.target == ABSOLUTE ? T(s.target) : e + (T(1) - e) * mapped(plan, s, f);
    if (e >= target) return T(1);
    if (target >= T(1)) return T(0);
    const T tiny = std::sqrt(std::numeric_limits<T>::min());
    const T floor = std::max(at_one.ess + at_one.slope, T(0)), s_target = spread(target);
    const T y_target = std::log(std::max(target - floor, tiny));
    const bool far = target < floor + T(0.3) * (T(1) - floor);
    const T met = sizeof(T) == 4 ? T(2e-7) : T(1e-12);  // what rounding leaves of the sums
    T low = 0, high = 1, best = 0, best_error = T(1) - target, before = T(1);
    T p = std::min(s_target / std::max(spread(e), tiny), T(1));
    while (*evaluations < EVALUATIONS && best_error > met && high - low > std::numeric_limits<T>::epsilon() * high) {
        const Ess<T> now = evaluate(row, x, peak, p);
        ++*evaluations;
        const T error = std::abs(now.ess - target);
        if (error < best_error) best = p, best_error = error;
        (now.ess >= target ? low : high) = p;
        const T fall = std::max(-now.slope, tiny), s_now = spread(now.ess), above = std::max(now.ess - floor, tiny);
        T next = far && now.ess < T(0.9) ? p + (std::log(above) - y_target) * above / fall
                                         : p - (s_now - s_target) * T(2) * s_now * now.ess / fall;
        const bool creeps = error > T(0.5) * before;  // as where nESS has two steps
        before = error;
        p = next > low && next < high && !creeps ? next : T(0.5) * (low + high);
    }
    *residual = best_error;
    return best;
}

template <typename T>
struct Mean {
    T log_mean, ess, scale;  // scale: what turns rho·term into token weights
};

// log M_p = mean c + log1p(mean(expm1(x)))/p with x = p(c − mean c); the mean of x is 0 but for rounding.
template <bool weighted, typename T>
Mean<T> power_mean(Row<T> &row, T p) {
    const T *c = row.c.data(), *rho = row.rho.data();
    T *term = row.term.data();
    const int n = row.n;
    const T center = sum_over(row, [=](int k) { return c[k]; }) / row.rho_sum;
    if (p == 0) {
        std::fill(term, term + n, T(1));
        return {center, T(1), T(1) / row.rho_sum};
    }
    T peak = 0;
#pragma omp simd reduction(max : peak)
    for (int k = 0; k < n; ++k) {
        const T x = p * (c[k] - center);
        peak = x > peak ? x : peak;
    }
    const bool near = peak <= T(EXPM1_LIMIT);
    const T from = near ? T(0) : peak;  // exp(2·40) is still in the range of float, and so is the sum of a million
    T excess = 0, first = 0, second = 0;
#pragma omp simd reduction(+ : excess, first, second)
    for (int k = 0; k < n; ++k) {
        const T x = p * (c[k] - center), e = exp_(x - from), weight = weighted ? rho[k] : T(1), one = weight * e;
        term[k] = e;
        excess += weight * (x + expm1_less(x, e));
        first += one, second += one * e;
    }
    const T log_excess = near ? std::log1p(excess / row.rho_sum) : peak + std::log(first / row.rho_sum);
    return {center + log_excess / p, std::min(first * first / (row.rho_sum * second), T(1)), T(1) / first};
}

template <typename T>
Mean<T> power_mean(Row<T> &row, T p) {
    return row.weighted ? power_mean<true>(row, p) : power_mean<false>(row, p);
}

// KL(π_θ ‖ π_ref) per counted token, and what it adds to the gradient when multiplied by `factor`·counted.
template <bool bias_correction, typename T>
T reference_kl(const Inputs<T> &in, const Row<T> &row, T factor, T *gradient) {
    const T limit = SATURATION;
    const int width = row.width;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int t = 0; t < width; ++t) {
        const bool counts = in.mask[t] != 0;
        const T x = counts ? in.reference[t] - in.new_log_probs[t] : T(0);
        const T held = at_most(x, limit), e = exp_(held);
        T estimate = expm1_less(held, e) + (held - x);
        T slope = T(1) - (x > limit ? T(0) : e);  // of the estimate in log π_θ
        if constexpr (bias_correction) {
            const T raw = counts ? in.new_log_probs[t] - in.old_log_probs[t] : T(0);
            const T l = at_most(at_least(raw, -limit), limit);
            const T size = at_least(held, T(0)) + std::log1p(x < 0 ? -x : x), most = limit - size;
            const T ratio = exp_(at_most(l, most));
            // The ratio's own slope is the ratio; (1 − e) + (e − 1 − x) is written as −x, where nothing cancels.
            slope = ratio * (l == raw && l < most ? (x > limit ? slope + estimate : -x) : slope);
            estimate *= ratio;
        }
        sum += estimate;
        gradient[t] += counts ? factor * slope : T(0);
    }
    return row.counted ? sum / row.counted : T(0);
}

// KL(π_θ ‖ π_old) per counted token, over tokens with rho != 0.
template <typename T>
T old_kl(const Row<T> &row, T factor, T *gradient) {
    const T *l = row.l.data();
    T sum = 0;
    for (int k = 0; k < row.n; ++k) {
        const T x = -l[k], held = at_most(x, T(OLD_KL)), e = exp_(held);
        sum += expm1_less(held, e) + (held - x);
        const bool free = l[k] > T(-SATURATION) && l[k] < T(SATURATION);
        gradient[row.at(k)] += free ? factor * (T(1) - (x > T(OLD_KL) ? T(0) : e)) : T(0);
    }
    return row.counted ? sum / row.counted : T(0);
}

enum { EXPONENT, CLIPPED, OUTSIDE, ESS, POWER_MEAN, MAX_ABS, MAX, MIN, KL, KL_REF, DIAGNOSTICS };

template <typename T>
struct Outputs {
    T *gradient, *diagnostics;  // [T]; [DIAGNOSTICS, B] from this completion's column
    long stride;                // B
    double *loss;
    unsigned char *active, *nonfinite;
    int *evaluations;  // may be null
    T *residual;
};

template <typename T>
void completion(const Plan &plan, const Scalars &s, const Inputs<T> &in, Row<T> &row, const Outputs<T> &out) {
    row.finite = true, row.has_nan = false;
    gather(in, row);
    clip(plan, s, in, row);
    const T A = in.advantage;
    const bool active = A != 0 && row.n > 0;
    int evaluations = 0;
    T residual = 0, p = T(1);
    if (active && !row.has_nan) p = plan.target == GIVEN ? in.exponent : solve(plan, s, row, &evaluations, &residual);
    const Mean<T> mean = row.n ? power_mean(row, p) : Mean<T>{T(0), T(1), T(0)};

    // The mean through its own region, the min rule; infinite bounds are none.
    const T up = s.mean_up, down = -s.mean_down, cap = s.mean_log_cap, log_mean = mean.log_mean;
    const bool above = log_mean > up, below = log_mean < down, capped = A < 0 && log_mean > cap;
    const bool held = (A > 0 && above) || (A < 0 && below) || capped;
    const T kept = capped ? cap : A > 0 && above ? up : A < 0 && below ? down : log_mean;
    const T surrogate = std::exp(kept), omega = s.omega + s.omega_per_token * row.counted;
    const T gain = active ? A * row.rho_mean * surrogate : T(0);

    std::fill(out.gradient, out.gradient + row.width, T(0));
    const T share = active && !held ? -omega * gain * mean.scale : T(0);
    if (share != 0) {
        const T *open = row.open.data(), *term = row.term.data(), *rho = row.rho.data();
        T *gradient = out.gradient;
        if (row.prefix) {
#pragma omp simd
            for (int k = 0; k < row.n; ++k) gradient[k] = share * term[k] * open[k];
        } else {
            for (int k = 0; k < row.n; ++k) gradient[row.place[k]] = share * (row.weighted ? rho[k] * term[k] : term[k]) * open[k];
        }
    }
    const T per_token = row.counted ? omega / row.counted : T(0);
    const T kl_step = T(s.kl_coef) * per_token;
    const T kl_ref = !in.reference             ? T(0)
                     : plan.kl_bias_correction ? reference_kl<true>(in, row, kl_step, out.gradient)
                                               : reference_kl<false>(in, row, kl_step, out.gradient);
    double loss = -static_cast<double>(omega) * gain;
    if (in.reference) loss += static_cast<double>(s.kl_coef) * omega * kl_ref;
    if (s.old_kl_coef != 0) loss += s.old_kl_coef * omega * old_kl(row, T(s.old_kl_coef) * per_token, out.gradient);

    const T *l = row.l.data();
    const T kl = row.rho_sum != 0 ? sum_over(row, [=](int k) { return expm1_less(l[k], exp_(l[k])); }) / row.rho_sum : T(0);
    T *d = out.diagnostics;
    const long B = out.stride;
    d[EXPONENT * B] = p;
    d[CLIPPED * B] = held ? T(1) : row.changed;
    d[OUTSIDE * B] = above || below || capped ? T(1) : row.outside;
    d[ESS * B] = mean.ess;
    d[POWER_MEAN * B] = std::exp(log_mean);
    d[MAX_ABS * B] = std::max(std::abs(row.largest), std::abs(row.smallest));
    d[MAX * B] = row.largest, d[MIN * B] = row.smallest;
    d[KL * B] = kl, d[KL_REF * B] = kl_ref;
    *out.active = active;
    *out.nonfinite = !row.finite || row.has_nan || !std::isfinite(A) || !std::isfinite(kl_ref);
    *out.loss = loss;
    if (out.evaluations) *out.evaluations = evaluations, *out.residual = residual;
    if (row.has_nan) {  // a counted NaN spoils the completion, as it does in the reference
        const T nan = std::numeric_limits<T>::quiet_NaN();
        for (int i = EXPONENT; i <= KL; ++i) d[i * B] = nan;
        *out.loss = active ? nan : loss;
        for (int k = 0; active && k < row.n; ++k) out.gradient[row.at(k)] = nan;
    }
}

}  // namespace

template <typename T>
struct Call {
    const T *new_log_probs, *old_log_probs, *weights, *reference, *advantages, *exponents;
    const unsigned char *mask;
    T *gradient, *diagnostics, *residual;
    double *losses;
    unsigned char *active, *nonfinite;
    int *evaluations;
    double *sums;
    long rows, width;
};

// Without a plan: (Σ rho r, Σ rho r², Σ rho) of each completion.
template <typename T>
static void add_ratios(const Call<T> &call, long i) {
    double first = 0, second = 0, total = 0;
    for (long at = i * call.width; at < (i + 1) * call.width; ++at) {
        const double rho = call.mask[at] ? (call.weights ? static_cast<double>(call.weights[at]) : 1.0) : 0.0;
        const T raw = rho != 0 ? call.new_log_probs[at] - call.old_log_probs[at] : T(0);
        const double r = exp_(static_cast<double>(at_most(at_least(raw, T(-SATURATION)), T(SATURATION))));
        first += rho * r, second += rho * r * r, total += rho;
    }
    call.sums[3 * i] = first, call.sums[3 * i + 1] = second, call.sums[3 * i + 2] = total;
}

template <typename T>
static void run(const Plan *plan, const Scalars *scalars, const Call<T> *call, int threads) {
    const long width = call->width;
#pragma omp parallel num_threads(threads)
    {
        Row<T> row;
        row.reserve(plan ? static_cast<int>(width) : 0);
#pragma omp for schedule(dynamic)
        for (long i = 0; i < call->rows; ++i) {
            if (!plan) {
                add_ratios(*call, i);
                continue;
            }
            auto from = [&](const T *values) { return values ? values + i * width : nullptr; };
            const Inputs<T> in{from(call->new_log_probs), from(call->old_log_probs), from(call->weights),
                               from(call->reference), call->mask + i * width, call->advantages[i],
                               call->exponents ? call->exponents[i] : T(1)};
            const Outputs<T> out{call->gradient + i * width, call->diagnostics + i, call->rows, call->losses + i,
                                 call->active + i, call->nonfinite + i,
                                 call->evaluations ? call->evaluations + i : nullptr,
                                 call->residual ? call->residual + i : nullptr};
            completion(*plan, *scalars, in, row, out);
        }
    }
}

extern "C" {
void pmpo_run_float(const Plan *plan, const Scalars *scalars, const Call<float> *call, int threads) {
    run(plan, scalars, call, threads);
}
void pmpo_run_double(const Plan *plan, const Scalars *scalars, const Call<double> *call, int threads) {
    run(plan, scalars, call, threads);
}
}
