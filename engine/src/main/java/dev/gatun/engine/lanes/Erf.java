package dev.gatun.engine.lanes;

/** The error function, which the JDK lacks, one number at a time and in double. */
public final class Erf {

    private Erf() {}

    /** {@code 2/sqrt(pi) ∫ exp(-t²) dt} from 0 to x, to about one unit in the last place. */
    public static double erf(double x) {
        double size = Math.min(Math.abs(x), 6);
        double y;
        if (size < 1) {
            y = Math.fma(size, 1.1283791670955126, size * polynomial(size * size, Coefficients.ERF_SMALL_F64));
        } else {
            y = 1 - StrictMath.exp(-size * size)
                    * polynomial((size - 2) / (size + 2), Coefficients.ERF_LARGE_F64);
        }
        return Math.copySign(y, x);
    }

    /** {@code 1 - erf(x)}, exact to a few units in the last place where the subtraction would leave nothing. */
    public static double erfc(double x) {
        if (!(x >= 0.5)) {
            return 1 - erf(x);
        }
        if (x > 28) {
            return 0;
        }
        // x² in two parts: the exponential would magnify what rounding the square loses
        double square = x * x;
        double lost = Math.fma(x, x, -square);
        return StrictMath.exp(-square) * (1 - lost)
                * (polynomial((x - 2) / (x + 2), Coefficients.ERFC) / (1 + 2 * x));
    }

    private static double polynomial(double x, double[] c) {
        double sum = c[c.length - 1];
        for (int i = c.length - 2; i >= 0; i--) {
            sum = Math.fma(x, sum, c[i]);
        }
        return sum;
    }
}
