package dev.gatun.engine.lanes;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.engine.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.RandomDistribution;
import net.jqwik.api.constraints.IntRange;

/** What holds for every expression: loops compute what the expression means. */
class ExprProperties {

    private static final int INPUTS = 3;
    private static final double[] PARAMETERS = {0.75, -3};

    /** Choices from which an expression grows, one step each: so a failure shrinks to few steps. */
    @Provide
    Arbitrary<List<Integer>> choices() {
        return Arbitraries.integers().between(0, 1 << 20).withDistribution(RandomDistribution.uniform())
                .list().ofMinSize(1).ofMaxSize(40);
    }

    /** An expression of one step per choice, each over earlier ones; {@code elementary} allows functions like exp. */
    static Expr grow(List<Integer> choices, boolean elementary) {
        List<Expr> parts = new ArrayList<>(List.of(
                Expr.input(0), Expr.input(1), Expr.input(2), Expr.parameter(0), Expr.parameter(1),
                Expr.constant(0.5), Expr.constant(-2)));
        for (int choice : choices) {
            Random random = new Random(choice);
            Expr a = parts.get(random.nextInt(parts.size()));
            Expr b = parts.get(random.nextInt(parts.size()));
            Expr c = parts.get(parts.size() - 1 - random.nextInt(Math.min(3, parts.size())));
            parts.add(switch (random.nextInt(elementary ? 28 : 17)) {
                case 0 -> a.add(c);
                case 1 -> c.sub(a);
                case 2 -> a.mul(c);
                case 3 -> c.div(a);
                case 4 -> a.min(c);
                case 5 -> c.max(a);
                case 6 -> a.fma(b, c);
                case 7 -> c.neg();
                case 8 -> c.abs();
                case 9 -> c.abs().sqrt();
                case 10 -> a.lt(c);
                case 11 -> a.ge(b).or(c.eq(a));
                case 12 -> a.ne(c).and(b.le(c)).not();
                case 13 -> a.gt(b).select(c, a);
                case 14 -> c.select(a, b);
                case 15 -> c.isNaN().select(Expr.constant(1), c);
                case 16 -> c.square();
                case 17 -> c.exp();
                case 18 -> c.log();
                case 19 -> c.log1p();
                case 20 -> c.expm1();
                case 21 -> c.sin();
                case 22 -> c.cos();
                case 23 -> c.tanh();
                case 24 -> c.sigmoid();
                case 25 -> c.erf();
                case 26 -> c.floor();
                default -> c.rsqrt();
            });
        }
        return parts.getLast();
    }

    private static double[][] inputs(int n, DType type, long seed) {
        Random random = new Random(seed);
        double[] special = {0, -0.0, 1, -1, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 1e-30, 1e30};
        double[][] x = new double[INPUTS][n];
        for (double[] row : x) {
            for (int i = 0; i < n; i++) {
                row[i] = random.nextInt(8) == 0 ? special[random.nextInt(special.length)] : 3 * random.nextGaussian();
                row[i] = type == DType.F32 ? (float) row[i] : row[i];
            }
        }
        return x;
    }

    private static double[] run(Harness.Target target, DType type, Expr body, int n, double[][] x) {
        return Harness.run(target, type, List.of(type, type, type), List.of(type), List.of(body),
                List.of(Access.DENSE, Access.DENSE, Access.DENSE), PARAMETERS, n, x)[0];
    }

    @Property(tries = 150, edgeCases = EdgeCasesMode.NONE)
    void loops_over_doubles_compute_what_the_expression_is_worth(
            @ForAll("choices") List<Integer> choices, @ForAll @IntRange(min = 0, max = 40) int n, @ForAll long seed) {
        Expr body = grow(choices, false);
        double[][] x = inputs(n, DType.F64, seed);
        double[] expected = IntStream.range(0, n)
                .mapToDouble(i -> body.evaluate(new double[] {x[0][i], x[1][i], x[2][i]}, PARAMETERS)).toArray();
        for (Harness.Target target : Harness.targets()) {
            assertArrayEquals(expected, run(target, DType.F64, body, n, x), target + "\n" + body);
        }
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void elementary_functions_inside_loops_have_the_bits_of_their_steps(
            @ForAll("choices") List<Integer> choices, @ForAll @IntRange(min = 1, max = 40) int n, @ForAll long seed) {
        Expr body = grow(choices, true);
        double[][] x = inputs(n, DType.F64, seed);
        Program steps = LaneCompiler.program(
                DType.F64, List.of(DType.F64, DType.F64, DType.F64), List.of(DType.F64), List.of(body));
        double[] expected = IntStream.range(0, n)
                .mapToDouble(i -> steps.evaluate(new double[] {x[0][i], x[1][i], x[2][i]}, PARAMETERS)[0]).toArray();
        for (Harness.Target target : Harness.targets()) {
            assertArrayEquals(expected, run(target, DType.F64, body, n, x), target + "\n" + body);
        }
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void both_targets_give_the_same_floats(
            @ForAll("choices") List<Integer> choices, @ForAll @IntRange(min = 1, max = 40) int n, @ForAll long seed) {
        Expr body = grow(choices, true);
        double[][] x = inputs(n, DType.F32, seed);
        double[] scalar = run(Harness.Target.SCALAR, DType.F32, body, n, x);
        for (Harness.Target target : Harness.targets()) {
            assertArrayEquals(scalar, run(target, DType.F32, body, n, x), target + "\n" + body);
        }
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void expressions_are_equal_by_value(@ForAll("choices") List<Integer> choices) {
        Expr one = grow(choices, true);
        Expr other = grow(choices, true);
        assertEquals(one, other);
        assertEquals(one.hashCode(), other.hashCode());
        assertEquals(one.toString(), other.toString());
    }
}
