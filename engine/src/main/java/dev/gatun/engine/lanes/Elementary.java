package dev.gatun.engine.lanes;

import dev.gatun.engine.lanes.Expr.Apply;
import dev.gatun.engine.lanes.Expr.Constant;
import dev.gatun.engine.lanes.Expr.Op;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * The elementary functions written out in additions, products and bits. Every target then computes the same numbers,
 * bit for bit: scalar or vector, at any width, before the compiler has run and after. (The JDK's own lane functions
 * differ from {@link Math} in the last bit, so a loop would change its results when it gets warm; and at some widths
 * they are not vector code at all.) Errors are in the tests: about one unit in the last place.
 *
 * <p>The polynomials are minimax fits, weighted for the relative error of the result, made for this file with a Remez
 * exchange in 50 digits; each constant then rounded to the lane type. The schemes are the usual ones: Muller, Elementary
 * Functions (2016), chapters 3 and 11, for reduction and Cody and Waite's constants.
 */
final class Elementary {

    private final double magic;       // added and taken off again, rounds to a whole number
    private final double bias;        // of the exponent
    private final double floorLimit;  // from here on every number is whole
    private final double normal;      // the smallest number with all its bits
    private final double lift;        // multiplies what is smaller
    private final double liftBits;
    private final double lowest;      // exp is 0 below
    private final double highest;     // exp is infinite above
    private final double minusOne;    // expm1 is -1 below
    private final double tiny;        // expm1(x) is x below
    private final double farAngle;
    private final double farPower;
    private final double[] ln2;
    private final double[] halfPi;
    private final double[] exp;
    private final double[] log;
    private final double[] power;
    private final double[] twoThirds;
    private final double[] sin;
    private final double[] cos;
    private final double[] tanh;
    private final double[] erfSmall;
    private final double[] erfLarge;
    private final double erfHead;
    private final double erfEnd;      // erf is 1 from here on
    private final double tanhEnd;     // as tanh is
    private final boolean single;

    private static final Elementary F32 = new Elementary(true);
    private static final Elementary F64 = new Elementary(false);
    private static final double LOG2_E = 1.4426950408889634;

    private Elementary(boolean single) {
        this.single = single;
        magic = single ? 0x1.8p23 : 0x1.8p52;
        bias = single ? 127 : 1023;
        floorLimit = single ? 0x1p23 : 0x1p52;
        normal = single ? Float.MIN_NORMAL : Double.MIN_NORMAL;
        lift = single ? 0x1p24 : 0x1p54;
        liftBits = single ? 24 : 54;
        lowest = single ? -104 : -746;
        highest = single ? 89 : 710;
        minusOne = single ? -25 : -50;
        tiny = single ? 0x1p-25 : 0x1p-54;
        farAngle = single ? 0x1p17 : 0x1p30;
        farPower = single ? 0x1p40 : 0x1p70;
        ln2 = single
                ? new double[] {0.693145751953125, 1.428606765330187e-06}
                : new double[] {0.6931471805601177, -1.7239444525614835e-13};
        halfPi = single
                ? new double[] {1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15}
                : new double[] {1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33};
        exp = single ? Coefficients.EXP_F32 : Coefficients.EXP_F64;
        log = single ? Coefficients.LOG_F32 : Coefficients.LOG_F64;
        power = single ? Coefficients.POWER_F32 : Coefficients.POWER_F64;
        twoThirds = single
                ? new double[] {0.6666666865348816, -1.9868215517249155e-08}
                : new double[] {0.6666666666666666, 3.700743415417188e-17};
        sin = single ? Coefficients.SIN_F32 : Coefficients.SIN_F64;
        cos = single ? Coefficients.COS_F32 : Coefficients.COS_F64;
        tanh = single ? Coefficients.TANH_F32 : Coefficients.TANH_F64;
        erfSmall = single ? Coefficients.ERF_SMALL_F32 : Coefficients.ERF_SMALL_F64;
        erfLarge = single ? Coefficients.ERF_LARGE_F32 : Coefficients.ERF_LARGE_F64;
        erfHead = single ? 1.128379225730896 : 1.1283791670955126;
        erfEnd = single ? 4 : 6;
        tanhEnd = single ? 10 : 20;
    }

    /** These expressions with nothing left in them but what loops have, for F32 ({@code single}) or F64 lanes. */
    static List<Expr> expand(List<Expr> bodies, boolean single) {
        Elementary functions = single ? F32 : F64;
        Map<Expr, Expr> done = new IdentityHashMap<>();
        for (Expr e : Program.order(bodies)) {
            done.put(e, e instanceof Apply apply
                    ? functions.expand(apply.op(), apply.of().stream().map(done::get).toArray(Expr[]::new))
                    : e);
        }
        return bodies.stream().map(done::get).toList();
    }

    private Expr expand(Op op, Expr[] x) {
        return switch (op) {
            case RSQRT -> Expr.constant(1).div(x[0].sqrt());
            case EXP -> exp(x[0]);
            case LOG -> log(x[0], Expr.constant(0));
            case LOG1P -> log1p(x[0]);
            case EXPM1 -> expm1(x[0]);
            case SIN -> sin(x[0]);
            case COS -> cos(x[0]);
            case TANH -> tanh(x[0]);
            case SIGMOID -> sigmoid(x[0]);
            case ERF -> erf(x[0]);
            case POW -> pow(x[0], x[1]);
            case FLOOR -> floor(x[0]);
            default -> new Apply(op, x);
        };
    }

    // exp(x) = 2^k exp(r) with |r| at most ln(2)/2.
    private Expr exp(Expr x) {
        Expr bounded = bounded(x, lowest, highest);
        Expr k = nearest(bounded, LOG2_E);
        return scaled(expOf(reduced(bounded, k)), k);
    }

    /** As {@link #exp} for numbers whose power of two is in range. */
    private Expr tameExp(Expr x) {
        Expr k = nearest(x, LOG2_E);
        return expOf(reduced(x, k)).mul(powerOfTwo(k));
    }

    /** Within these limits or NaN. The order of zeros does not matter here, and two selections cost less than min and max. */
    private static Expr bounded(Expr x, double lowest, double highest) {
        Expr above = x.lt(lowest).select(lowest, x);
        return above.gt(highest).select(highest, above);
    }

    private Expr reduced(Expr x, Expr k) {
        return k.fma(-ln2[1], k.fma(-ln2[0], x));
    }

    private Expr expOf(Expr r) {
        return r.mul(r).fma(polynomial(r, exp), r).add(1);
    }

    /** {@code y * 2^k}, in two steps because 2^k itself may be out of range. */
    private Expr scaled(Expr y, Expr k) {
        Expr shifted = k.fma(0.5, magic + bias);
        Expr half = shifted.sub(magic + bias);
        return y.mul(new Apply(Op.SHIFT, shifted)).mul(powerOfTwo(k.sub(half)));
    }

    private Expr powerOfTwo(Expr k) {
        return new Apply(Op.SHIFT, k.add(magic + bias));
    }

    /** The whole number nearest to {@code x * factor}, give or take a rounding. */
    private Expr nearest(Expr x, double factor) {
        return x.fma(factor, magic).sub(magic);
    }

    // 2^k (q + 1) - 1 with q = exp(r) - 1; with half of 2^k, which is always in range.
    private Expr expm1(Expr x) {
        Expr bounded = bounded(x, minusOne, highest);
        Expr k = nearest(bounded, LOG2_E);
        Expr r = reduced(bounded, k);
        Expr q = r.mul(r).fma(polynomial(r, exp), r);
        Expr half = powerOfTwo(k.sub(1));
        Expr y = q.fma(half, half.sub(0.5)).mul(2);
        return x.abs().lt(tiny).select(x, y);
    }

    /** The exponent and the mantissa, from sqrt(1/2) to sqrt(2), of a number above 0. */
    private record Split(Expr exponent, Expr mantissa) {}

    private Split split(Expr x) {
        Expr small = x.lt(normal);
        Expr lifted = small.select(x.mul(lift), x);
        Expr mantissa = new Apply(Op.MANTISSA, lifted);
        Expr exponent = new Apply(Op.EXPONENT, lifted).sub(floorLimit + bias).sub(small.select(liftBits, 0));
        Expr upper = mantissa.gt(Math.sqrt(2));
        return new Split(upper.select(exponent.add(1), exponent), upper.select(mantissa.mul(0.5), mantissa));
    }

    // log(2^e (1 + f)) = e ln(2) + f - f²/2 + …; correction is added to the small terms.
    private Expr log(Expr x, Expr correction) {
        Split x2 = split(x);
        Expr e = x2.exponent();
        Expr f = x2.mantissa().sub(1);
        Expr small = e.fma(ln2[1], correction);
        Expr rest;
        if (single) {
            rest = f.mul(f).fma(f.fma(polynomial(f, log), -0.5), small);
        } else {
            // log(1 + f) = 2 atanh(s): half as many terms for a division
            Expr s = f.div(f.add(2));
            Expr z = s.mul(s);
            Expr halfSquare = f.mul(f).mul(0.5);
            rest = s.fma(z.fma(polynomial(z, log), halfSquare), small).sub(halfSquare);
        }
        Expr y = e.fma(ln2[0], f.add(rest));
        Expr outside = x.eq(0).select(Double.NEGATIVE_INFINITY, Double.NaN);
        return x.gt(0).select(x.lt(Double.POSITIVE_INFINITY).select(y, x), outside);
    }

    // What rounding 1 + x lost comes back as a correction.
    private Expr log1p(Expr x) {
        Expr u = x.add(1);
        Expr lost = x.min(1).sub(u.sub(x.max(1)));
        return x.eq(0).select(x, log(u, lost.div(u)));
    }

    private Expr tanh(Expr x) {
        Expr size = x.abs();
        Expr z = x.mul(x);
        Expr near = size.mul(z).fma(polynomial(z, tanh), size);
        Expr e = tameExp(size.gt(tanhEnd).select(2 * tanhEnd, size.add(size)));
        Expr far = Expr.constant(1).sub(Expr.constant(2).div(e.add(1)));
        return signed(size.lt(0.55).select(near, far), x);
    }

    // One exponential that is at most 1, so that neither side overflows or cancels.
    private Expr sigmoid(Expr x) {
        Expr e = exp(x.abs().neg());
        return x.lt(0).select(e, Expr.constant(1)).div(e.add(1));
    }

    /** An angle within a quarter of pi, and in which quarter turn, as -1/4, 0, 1/4 or a half of either sign. */
    private record Angle(Expr r, Expr quarter) {}

    private Angle angle(Expr x) {
        Expr k = nearest(x, 2 / Math.PI);
        Expr r = k.fma(-halfPi[2], k.fma(-halfPi[1], k.fma(-halfPi[0], x)));
        return new Angle(r, k.fma(0.25, nearest(k, 0.25).neg()));
    }

    private Expr sinOf(Expr r) {
        Expr z = r.mul(r);
        return r.mul(z).fma(polynomial(z, sin), r);
    }

    private Expr cosOf(Expr r) {
        Expr z = r.mul(r);
        return z.fma(z.fma(polynomial(z, cos), -0.5), 1);
    }

    private Expr sin(Expr x) {
        Angle a = angle(x);
        Expr size = a.quarter.abs().eq(0.25).select(cosOf(a.r), sinOf(a.r));
        Expr y = a.quarter.lt(0).or(a.quarter.eq(0.5)).select(size.neg(), size);
        Expr far = x.abs().gt(farAngle);
        return new Apply(Op.FAR_SIN, x.abs().lt(single ? 0x1p-13 : 0x1p-27).select(x, y), x, far);
    }

    private Expr cos(Expr x) {
        Angle a = angle(x);
        Expr size = a.quarter.abs().eq(0.25).select(sinOf(a.r), cosOf(a.r));
        Expr y = a.quarter.gt(0).or(a.quarter.eq(-0.5)).select(size.neg(), size);
        return new Apply(Op.FAR_COS, y, x, x.abs().gt(farAngle));
    }

    // Near 0 an odd polynomial; beyond 1 the complement exp(-x²) P(t), t = (x - 2)/(x + 2), as Shepherd and Laframboise
    // (1981) chose the variable. There the complement is at most 0.16, so its own error hardly counts.
    private Expr erf(Expr x) {
        Expr size = x.abs().gt(erfEnd).select(erfEnd, x.abs());
        Expr z = size.mul(size);
        Expr near = size.fma(erfHead, size.mul(polynomial(z, erfSmall)));
        Expr t = size.sub(2).div(size.add(2));
        Expr far = Expr.constant(1).sub(tameExp(z.neg()).mul(polynomial(t, erfLarge)));
        return signed(size.lt(1).select(near, far), x);
    }

    private Expr floor(Expr x) {
        Expr size = x.abs();
        Expr whole = signed(size.add(floorLimit).sub(floorLimit), x);
        return size.lt(floorLimit).select(whole.gt(x).select(whole.sub(1), whole), x);
    }

    private Expr pow(Expr x, Expr y) {
        if (y instanceof Constant c) {
            if (c.value() == 0) {
                return Expr.constant(1);
            } else if (c.value() == 1) {
                return x;
            } else if (c.value() == 2) {
                return x.mul(x);
            } else if (c.value() == -1) {
                return Expr.constant(1).div(x);
            }
        }
        Expr size = x.abs();
        Sum log = preciseLog(size);
        // Any larger power is as good: only 1 stays 1, and it has no logarithm.
        Expr bounded = bounded(y, -farPower, farPower);
        Expr product = bounded.mul(log.high);
        Expr low = bounded.fma(log.low, bounded.fma(log.high, product.neg()));
        Expr high = bounded(product, lowest, highest);
        Expr k = nearest(high, LOG2_E);
        Expr r = reduced(high, k).add(high.eq(product).select(low, 0));
        Expr result = scaled(expOf(r), k);

        Expr infinite = Expr.constant(Double.POSITIVE_INFINITY);
        Expr end = size.eq(0).or(size.eq(infinite));
        result = end.select(y.gt(0).select(size, Expr.constant(1).div(size)), result);
        Expr whole = floor(y).eq(y);
        Expr odd = whole.and(floor(y.mul(0.5)).mul(2).ne(y));
        result = odd.select(signed(result, x), result);
        Expr undefined = x.lt(0).and(size.lt(infinite)).and(whole.not())
                .or(x.isNaN()).or(y.isNaN()).or(size.eq(1).and(y.abs().eq(infinite)));
        return y.eq(0).select(Expr.constant(1), undefined.select(Double.NaN, result));
    }

    /** A number in two parts, the second too small to show in the first. */
    private record Sum(Expr high, Expr low) {}

    // The logarithm with half as many bits again: 2s + s z (2/3 + z R(z)), s = f/(2 + f), z = s², all in two parts.
    private Sum preciseLog(Expr x) {
        Split x2 = split(x);
        Expr m = x2.mantissa();
        Expr e = x2.exponent();
        Expr f = m.sub(1);
        Expr d = m.add(1);
        Expr s = f.div(d);
        Expr sLow = s.neg().fma(d, f).sub(s.mul(m.sub(d.sub(1)))).div(d);
        Expr z = s.mul(s);
        Expr zLow = s.fma(s, z.neg()).add(s.mul(sLow).mul(2));
        Expr u = z.mul(polynomial(z, power));
        Expr t = u.add(twoThirds[0]);
        Expr tLow = u.sub(t.sub(twoThirds[0])).add(twoThirds[1]);
        Expr w = z.mul(t);
        Expr wLow = z.fma(t, w.neg()).add(z.fma(tLow, zLow.mul(t)));
        Expr v = s.mul(w);
        Expr vLow = s.fma(w, v.neg()).add(s.fma(wLow, sLow.mul(w)));
        Expr twice = s.mul(2);
        Expr h = twice.add(v);
        Expr hLow = v.sub(h.sub(twice)).add(vLow.add(sLow.mul(2)));
        Expr base = e.mul(ln2[0]);
        Expr high = base.add(h);
        return new Sum(high, h.sub(high.sub(base)).add(hLow.add(e.mul(ln2[1]))));
    }

    private static Expr signed(Expr size, Expr sign) {
        return new Apply(Op.SIGNED, size, sign);
    }

    /** {@code c[0] + c[1] x + c[2] x² + …} from the inside out. */
    private static Expr polynomial(Expr x, double[] c) {
        Expr sum = Expr.constant(c[c.length - 1]);
        for (int i = c.length - 2; i >= 0; i--) {
            sum = x.fma(sum, c[i]);
        }
        return sum;
    }
}
