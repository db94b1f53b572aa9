package dev.gatun.engine.lanes;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;

/** Elementary functions to forty digits and more, by their series: slow, and plainly right. */
final class Precise {

    private static final MathContext DIGITS = new MathContext(90);
    private static final BigDecimal ONE = BigDecimal.ONE;
    private static final BigDecimal TWO = BigDecimal.TWO;
    private static final BigDecimal SMALL = new BigDecimal("0.01");

    /** By Machin's formula. */
    static final BigDecimal PI = arctanOfInverse(5).multiply(BigDecimal.valueOf(16))
            .subtract(arctanOfInverse(239).multiply(BigDecimal.valueOf(4)));

    private Precise() {}

    static BigDecimal exp(BigDecimal x) {
        int halvings = Math.max(0, x.precision() - x.scale()) * 4 + 8;
        BigDecimal y = series(x.divide(BigDecimal.valueOf(2).pow(halvings), DIGITS), ONE, ONE, 1);
        for (int i = 0; i < halvings; i++) {
            y = y.multiply(y, DIGITS);
        }
        return y;
    }

    static BigDecimal expm1(BigDecimal x) {
        return x.abs().compareTo(SMALL) < 0 ? series(x, x, BigDecimal.ZERO, 2) : exp(x).subtract(ONE);
    }

    /** Adds {@code term * x / n * x / (n + 1) …} to a sum that already has the terms before {@code n}, less the first. */
    private static BigDecimal series(BigDecimal x, BigDecimal term, BigDecimal before, int n) {
        BigDecimal sum = n == 1 ? term : before.add(term);
        while (term.signum() != 0 && term.abs().compareTo(sum.abs().scaleByPowerOfTen(-DIGITS.getPrecision())) > 0) {
            term = term.multiply(x, DIGITS).divide(BigDecimal.valueOf(n++), DIGITS);
            sum = sum.add(term, DIGITS);
        }
        return sum;
    }

    /** Halley's iteration on {@code exp}: every round triples the digits. */
    static BigDecimal log(BigDecimal x) {
        int scale = x.precision() - x.scale();
        BigDecimal y = BigDecimal.valueOf(Math.log(x.scaleByPowerOfTen(-scale).doubleValue()) + scale * Math.log(10));
        for (int i = 0; i < 3; i++) {
            BigDecimal e = exp(y);
            y = y.add(TWO.multiply(x.subtract(e)).divide(x.add(e), DIGITS), DIGITS);
        }
        return y;
    }

    static BigDecimal log1p(BigDecimal x) {
        if (x.abs().compareTo(SMALL) > 0) {
            return log(ONE.add(x));
        }
        BigDecimal sum = x;
        BigDecimal power = x;
        for (int n = 2; power.signum() != 0 && n < 60; n++) {
            power = power.multiply(x.negate(), DIGITS);
            sum = sum.add(power.divide(BigDecimal.valueOf(n), DIGITS), DIGITS);
        }
        return sum;
    }

    static BigDecimal sin(BigDecimal x) {
        BigDecimal turn = PI.multiply(TWO);
        BigDecimal r = x.subtract(turn.multiply(x.divide(turn, 0, RoundingMode.HALF_EVEN)));
        BigDecimal square = r.multiply(r).negate();
        BigDecimal term = r;
        BigDecimal sum = r;
        for (int n = 1; n < 120 && term.signum() != 0; n++) {
            term = term.multiply(square, DIGITS).divide(BigDecimal.valueOf(2L * n * (2 * n + 1)), DIGITS);
            sum = sum.add(term);
        }
        return sum;
    }

    static BigDecimal cos(BigDecimal x) {
        return sin(x.add(PI.divide(TWO, new MathContext(130))));
    }

    static BigDecimal tanh(BigDecimal x) {
        BigDecimal e = expm1(x.add(x));
        return e.divide(e.add(TWO), DIGITS);
    }

    static BigDecimal sigmoid(BigDecimal x) {
        return ONE.divide(ONE.add(exp(x.negate())), DIGITS);
    }

    static BigDecimal sqrt(BigDecimal x) {
        return x.sqrt(DIGITS);
    }

    static BigDecimal rsqrt(BigDecimal x) {
        return ONE.divide(sqrt(x), DIGITS);
    }

    static BigDecimal pow(BigDecimal x, BigDecimal y) {
        return exp(y.multiply(log(x)));
    }

    /** The Taylor series; its terms grow to about exp(x²) before they fall, so that many digits more are carried. */
    static BigDecimal erf(BigDecimal x) {
        double size = x.doubleValue();
        MathContext digits = new MathContext(DIGITS.getPrecision() + (int) (size * size));
        BigDecimal square = x.multiply(x).negate();
        BigDecimal power = x;
        BigDecimal sum = x;
        for (int n = 1; power.abs().compareTo(x.abs().scaleByPowerOfTen(-digits.getPrecision())) > 0; n++) {
            power = power.multiply(square, digits).divide(BigDecimal.valueOf(n), digits);
            sum = sum.add(power.divide(BigDecimal.valueOf(2L * n + 1), digits), digits);
        }
        return sum.multiply(TWO).divide(PI.sqrt(new MathContext(110)), digits);
    }

    /** Lentz's way would be faster; this is {@code 1 - erf} with enough digits, or the asymptotic fraction when large. */
    static BigDecimal erfc(BigDecimal x) {
        if (x.compareTo(BigDecimal.valueOf(6)) < 0) {
            return ONE.subtract(erf(x));
        }
        // exp(-x²)/sqrt(pi) / (x + (1/2)/(x + 1/(x + (3/2)/(x + …))))
        BigDecimal tail = x;
        for (int n = 400; n > 0; n--) {
            tail = x.add(BigDecimal.valueOf(n).divide(TWO.multiply(tail), DIGITS), DIGITS);
        }
        return exp(x.multiply(x).negate()).divide(PI.sqrt(DIGITS), DIGITS).divide(tail, DIGITS);
    }

    private static BigDecimal arctanOfInverse(int n) {
        int digits = 450;
        BigInteger unit = BigInteger.TEN.pow(digits);
        BigInteger term = unit.divide(BigInteger.valueOf(n));
        BigInteger sum = term;
        for (int k = 3; term.signum() != 0; k += 2) {
            term = term.divide(BigInteger.valueOf(-(long) n * n));
            sum = sum.add(term.divide(BigInteger.valueOf(k)));
        }
        return new BigDecimal(sum, digits);
    }
}
