package dev.gatun.ops;

import dev.gatun.engine.lanes.Expr;

/**
 * A smooth function of one real number with its derivatives of every order, each as one expression
 * that neither overflows nor cancels: sigmoids come from {@code exp(-|x|)}, which is at most 1.
 */
public enum Curve {
    /** {@code x σ(x)}. */
    SILU {
        @Override
        Expr derivative(int order, Expr x) {
            return gated(order, x, Sigmoid.of(x), new double[] {1});
        }
    },
    /** {@code x Φ(x)}, Φ the distribution of a normal number: the exact gelu. */
    GELU {
        @Override
        Expr derivative(int order, Expr x) {
            Expr share = x.mul(Math.sqrt(0.5)).erf().add(1).mul(0.5);
            if (order == 0) {
                return x.mul(share);
            }
            Expr near = near(x);
            Expr density = near.square().mul(-0.5).exp().mul(1 / Math.sqrt(2 * Math.PI));
            if (order == 1) {
                return near.fma(density, share);
            }
            // (φ p)' = φ (p' - x p), from f'' = φ (2 - x²)
            double[] p = {2, 0, -1};
            for (int n = 2; n < order; n++) {
                p = plus(slope(p), times(p, new double[] {0, -1}));
            }
            return density.mul(polynomial(p, near));
        }
    },
    /** {@code x/2 (1 + tanh(sqrt(2/π) (x + 0.044715 x³)))}, which is {@code x σ(v)} with twice the argument of tanh as v. */
    GELU_TANH {
        @Override
        Expr derivative(int order, Expr x) {
            double scale = 2 * Math.sqrt(2 / Math.PI);
            double[] v = {0, scale, 0, scale * 0.044715};
            Expr at = order == 0 ? x : near(x);
            return gated(order, at, Sigmoid.of(polynomial(v, at)), slope(v));
        }
    },
    /** {@code log(1 + e^x)}. */
    SOFTPLUS {
        @Override
        Expr derivative(int order, Expr x) {
            return order == 0
                    ? x.max(0).add(x.abs().neg().exp().log1p())
                    : sigmoid(order - 1, x, Sigmoid.of(x), new double[] {1});
        }
    },
    /** {@code log σ(x) = -softplus(-x)}. */
    LOG_SIGMOID {
        @Override
        Expr derivative(int order, Expr x) {
            Expr mirrored = SOFTPLUS.derivative(order, x.neg());
            return order % 2 == 0 ? mirrored.neg() : mirrored;
        }
    };

    /** The derivative of this order, 0 for the function itself. */
    abstract Expr derivative(int order, Expr x);

    /** σ of an argument and σ(1 - σ), which is exact on both sides. */
    private record Sigmoid(Expr value, Expr slope) {
        static Sigmoid of(Expr v) {
            Expr e = v.abs().neg().exp();
            Expr share = Expr.constant(1).div(e.add(1));
            Expr rest = e.mul(share);
            return new Sigmoid(v.lt(0).select(rest, share), rest.mul(share));
        }
    }

    /** {@code x} kept where an exponential of its square or cube is above zero: beyond, only overflow would come of it. */
    private static Expr near(Expr x) {
        return x.max(-40).min(40);
    }

    /** Derivative of {@code x σ(v(x))}: {@code x s⁽ⁿ⁾ + n s⁽ⁿ⁻¹⁾}. */
    private static Expr gated(int order, Expr x, Sigmoid s, double[] slopeOfV) {
        Expr first = x.mul(sigmoid(order, x, s, slopeOfV));
        return order == 0 ? first : sigmoid(order - 1, x, s, slopeOfV).mul(order).add(first);
    }

    /**
     * Derivative of {@code s = σ(v(x))}. From the first on it is {@code q T(s, x)} with {@code q = s(1 - s)}; the
     * next T is {@code (1 - 2s) v' T + (s - s²) v' dT/ds + dT/dx}. T is kept as polynomials in x, one for each
     * power of s.
     */
    private static Expr sigmoid(int order, Expr x, Sigmoid s, double[] slopeOfV) {
        if (order == 0) {
            return s.value;
        }
        double[][] t = {slopeOfV};
        for (int n = 1; n < order; n++) {
            double[][] next = new double[t.length + 1][1];
            for (int i = 0; i < t.length; i++) {
                double[] vt = times(t[i], slopeOfV);
                next[i] = plus(next[i], plus(times(vt, new double[] {1 + i}), slope(t[i])));
                next[i + 1] = plus(next[i + 1], times(vt, new double[] {-2 - i}));
            }
            t = next;
        }
        Expr sum = polynomial(t[t.length - 1], x);
        for (int i = t.length - 2; i >= 0; i--) {
            sum = sum.fma(s.value, polynomial(t[i], x));
        }
        return sum instanceof Expr.Constant(double one) && one == 1 ? s.slope : s.slope.mul(sum);
    }

    private static Expr polynomial(double[] c, Expr x) {
        Expr sum = Expr.constant(c[c.length - 1]);
        for (int i = c.length - 2; i >= 0; i--) {
            sum = sum.fma(x, c[i]);
        }
        return sum;
    }

    private static double[] slope(double[] c) {
        double[] s = new double[Math.max(1, c.length - 1)];
        for (int i = 1; i < c.length; i++) {
            s[i - 1] = i * c[i];
        }
        return s;
    }

    private static double[] times(double[] a, double[] b) {
        double[] product = new double[a.length + b.length - 1];
        for (int i = 0; i < a.length; i++) {
            for (int j = 0; j < b.length; j++) {
                product[i + j] += a[i] * b[j];
            }
        }
        return product;
    }

    private static double[] plus(double[] a, double[] b) {
        double[] sum = new double[Math.max(a.length, b.length)];
        for (int i = 0; i < sum.length; i++) {
            sum[i] = (i < a.length ? a[i] : 0) + (i < b.length ? b[i] : 0);
        }
        return sum;
    }
}
