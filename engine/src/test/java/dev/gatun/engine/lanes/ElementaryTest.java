package dev.gatun.engine.lanes;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every elementary function against forty digits, and at the ends of its range against {@link StrictMath}. */
class ElementaryTest {

    private static final Expr X = Expr.input(0);
    private static final int SAMPLES = 1500;

    /**
     * One function: what loops compute, what it is, where it is tried, and how many units in the last place it may be
     * off: a little more than the largest error that was seen.
     */
    record Case(
            String name, Expr body, Function<BigDecimal, BigDecimal> exact, UnaryOperator<Double> strict,
            double lowest, double highest, double ulpsF32, double ulpsF64) {

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Case> cases() {
        return Stream.of(
                new Case("sqrt", X.sqrt(), Precise::sqrt, StrictMath::sqrt, 0, 1e30, 0.5, 0.5),
                new Case("rsqrt", X.rsqrt(), Precise::rsqrt, x -> 1 / StrictMath.sqrt(x), 1e-30, 1e30, 1.5, 1.5),
                new Case("exp", X.exp(), Precise::exp, StrictMath::exp, -100, 88, 1, 1),
                new Case("expm1", X.expm1(), Precise::expm1, StrictMath::expm1, -100, 88, 1.5, 2),
                new Case("log", X.log(), Precise::log, StrictMath::log, 1e-40, 1e38, 1, 1),
                new Case("log1p", X.log1p(), Precise::log1p, StrictMath::log1p, -0.999999, 1e38, 1, 1),
                new Case("sin", X.sin(), Precise::sin, StrictMath::sin, -2e5, 2e5, 1.5, 1.5),
                new Case("cos", X.cos(), Precise::cos, StrictMath::cos, -2e5, 2e5, 1.5, 1.5),
                new Case("tanh", X.tanh(), Precise::tanh, StrictMath::tanh, -20, 20, 1.5, 1.5),
                new Case("sigmoid", X.sigmoid(), Precise::sigmoid,
                        x -> x < 0 ? StrictMath.exp(x) / (1 + StrictMath.exp(x)) : 1 / (1 + StrictMath.exp(-x)),
                        -100, 100, 2.2, 2.2),
                new Case("erf", X.erf(), Precise::erf, Erf::erf, -7, 7, 1.5, 1.5));
    }

    /** Numbers spread over the range, over its orders of magnitude, and around 1. */
    private static double[] samples(Case c, DType type, long seed) {
        Random random = new Random(seed);
        double[] x = new double[SAMPLES];
        for (int i = 0; i < x.length; i++) {
            double width = c.highest - c.lowest;
            do {
                double size = Math.exp(random.nextDouble(-20, Math.log(c.highest)));
                x[i] = switch (i % 4) {
                    case 0 -> random.nextDouble(c.lowest, c.lowest + Math.min(width, 200));
                    case 1 -> c.lowest < 0 && random.nextBoolean() ? -size : size;
                    case 2 -> c.lowest < 0 ? random.nextGaussian() : 1 + 0.1 * random.nextGaussian();
                    default -> c.lowest < 0 ? random.nextDouble(-10, 10) : size;
                };
                x[i] = type == DType.F32 ? (float) x[i] : x[i];
            } while (!(x[i] >= c.lowest && x[i] <= c.highest) || x[i] == 0);
        }
        return x;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void f32_is_right_to_the_last_digits(Case c) {
        check(c, DType.F32, c.ulpsF32);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void f64_is_right_to_the_last_digits(Case c) {
        check(c, DType.F64, c.ulpsF64);
    }

    private static void check(Case c, DType type, double bound) {
        double[] x = samples(c, type, 42);
        double[] y = Harness.run(Harness.Target.SCALAR, type, c.body, x);
        double worst = 0;
        double at = 0;
        for (int i = 0; i < x.length; i++) {
            double error = ulps(type, y[i], c.exact.apply(new BigDecimal(x[i])));
            if (error > worst) {
                worst = error;
                at = x[i];
            }
        }
        assertTrue(worst <= bound, c + " " + type + ": " + worst + " units in the last place at " + at);
        if (Boolean.getBoolean("gatun.test.errors")) {
            System.out.printf("%s %s: %.2f ulp at %s%n", c, type, worst, at);
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "F64"})
    void powers_are_right_to_the_last_digits(DType type) {
        Random random = new Random(7);
        double[] x = new double[600];
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            x[i] = i % 3 == 0 ? 1 + 0.01 * random.nextGaussian() : Math.exp(20 * random.nextGaussian());
            double most = (type == DType.F32 ? 80 : 690) / Math.max(1e-6, Math.abs(Math.log(x[i])));
            y[i] = random.nextDouble(-most, most);
            if (type == DType.F32) {
                x[i] = (float) x[i];
                y[i] = (float) y[i];
            }
        }
        double[] z = Harness.run(Harness.Target.SCALAR, type, X.pow(Expr.input(1)), x, y);
        for (int i = 0; i < x.length; i++) {
            double error = ulps(type, z[i], Precise.pow(new BigDecimal(x[i]), new BigDecimal(y[i])));
            assertTrue(error <= 1.5, x[i] + " to the power of " + y[i] + ": " + error + " units in the last place");
        }
    }

    /** How far off in units of the last place that the exact result would have in this type. */
    static double ulps(DType type, double got, BigDecimal exact) {
        double near = exact.doubleValue();
        double ulp = type == DType.F32 ? Math.ulp((float) near) : Math.ulp(near);
        return new BigDecimal(got).subtract(exact).abs().divide(new BigDecimal(ulp), java.math.MathContext.DECIMAL32)
                .doubleValue();
    }

    private static final double[] EDGES = {
        0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 1e-8, -1e-8, 20, -20, 1e5, -1e5, 1e10, -1e10, 1e30, -1e30, 1e300,
        88.7, 88.8, -87.3, -103, -104, -150, 709.7, 709.8, -708, -745, -746, -800,
        Float.MIN_VALUE, -Float.MIN_VALUE, Float.MIN_NORMAL, 1e-40, Double.MIN_VALUE, -Double.MIN_VALUE, 1e-310,
        Float.MAX_VALUE, -Float.MAX_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE, 8388607.5, 4503599627370495.5, 1e22,
        Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NaN,
    };

    @ParameterizedTest
    @MethodSource("cases")
    void the_ends_of_the_range_are_as_in_java(Case c) {
        for (DType type : List.of(DType.F32, DType.F64)) {
            double[] x = Arrays.stream(EDGES).map(e -> type == DType.F32 ? (float) e : e).toArray();
            double[] y = Harness.run(Harness.Target.SCALAR, type, c.body, x);
            for (int i = 0; i < x.length; i++) {
                assertSame(type, c.strict.apply(x[i]), y[i], 2.5, c + "(" + x[i] + ") " + type);
            }
        }
    }

    @Test
    void powers_follow_java_in_every_special_case() {
        for (DType type : List.of(DType.F32, DType.F64)) {
            int n = EDGES.length;
            double[] x = new double[n * n];
            double[] y = new double[n * n];
            for (int i = 0; i < n * n; i++) {
                x[i] = type == DType.F32 ? (float) EDGES[i / n] : EDGES[i / n];
                y[i] = type == DType.F32 ? (float) EDGES[i % n] : EDGES[i % n];
            }
            double[] z = Harness.run(Harness.Target.SCALAR, type, X.pow(Expr.input(1)), x, y);
            for (int i = 0; i < z.length; i++) {
                assertSame(type, StrictMath.pow(x[i], y[i]), z[i], 2.5, x[i] + " to the power of " + y[i] + " " + type);
            }
        }
    }

    @Test
    void rounding_down_is_exact() {
        for (DType type : List.of(DType.F32, DType.F64)) {
            Random random = new Random(3);
            double[] x = Stream.concat(
                            Arrays.stream(EDGES).boxed(),
                            Stream.generate(() -> random.nextGaussian() * Math.exp(random.nextDouble(-3, 40))).limit(500))
                    .mapToDouble(e -> type == DType.F32 ? e.floatValue() : e).toArray();
            double[] y = Harness.run(Harness.Target.SCALAR, type, X.floor(), x);
            assertArrayEquals(Arrays.stream(x).map(Math::floor).toArray(), y);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void both_targets_give_the_same_bits(Case c) {
        for (DType type : List.of(DType.F32, DType.F64)) {
            double[] some = samples(c, type, 1);
            double[] x = Arrays.copyOf(some, some.length + EDGES.length);
            for (int i = 0; i < EDGES.length; i++) {
                x[some.length + i] = type == DType.F32 ? (float) EDGES[i] : EDGES[i];
            }
            double[] scalar = Harness.run(Harness.Target.SCALAR, type, c.body, x);
            for (Harness.Target target : Harness.targets()) {
                assertArrayEquals(scalar, Harness.run(target, type, c.body, x), target + " " + type);
            }
        }
    }

    @Test
    void small_constant_powers_are_products() {
        double[] x = {3, -0.1, 1e20, Double.NaN};
        assertArrayEquals(new double[] {9, -0.1 * -0.1, 1e40, Double.NaN},
                Harness.run(Harness.Target.SCALAR, DType.F64, X.pow(2), x));
        assertArrayEquals(new double[] {1, 1, 1, 1}, Harness.run(Harness.Target.SCALAR, DType.F64, X.pow(0), x));
        assertArrayEquals(x, Harness.run(Harness.Target.SCALAR, DType.F64, X.pow(1), x));
        assertArrayEquals(new double[] {1.0 / 3, 1 / -0.1, 1e-20, Double.NaN},
                Harness.run(Harness.Target.SCALAR, DType.F64, X.pow(-1), x));
    }

    @Test
    void the_error_function_and_its_complement_are_right_to_the_last_digits() {
        Random random = new Random(5);
        for (int i = 0; i < 400; i++) {
            double x = random.nextDouble(-6, 6);
            assertTrue(ulps(DType.F64, Erf.erf(x), Precise.erf(new BigDecimal(x))) <= 1.5, "erf(" + x + ")");
            double wide = random.nextDouble(-3, 26);
            assertTrue(ulps(DType.F64, Erf.erfc(wide), Precise.erfc(new BigDecimal(wide))) <= 5, "erfc(" + wide + ")");
        }
        assertEquals(0.0, Erf.erfc(30));
        assertEquals(2.0, Erf.erfc(Double.NEGATIVE_INFINITY));
        assertEquals(Double.NaN, Erf.erfc(Double.NaN));
        assertEquals(-0.0, Erf.erf(-0.0));
    }

    /** The same special value, or the same number within a few units in the last place. */
    private static void assertSame(DType type, double expected, double got, double ulps, String what) {
        double rounded = type == DType.F32 ? (float) expected : expected;
        if (Double.isNaN(rounded) || Double.isInfinite(rounded) || rounded == 0) {
            assertEquals(rounded, got, what);
        } else {
            double ulp = type == DType.F32 ? Math.ulp((float) rounded) : Math.ulp(rounded);
            assertEquals(expected, got, ulps * ulp, what);
        }
    }
}
