package dev.gatun.engine.lanes;

import static dev.gatun.engine.DType.BF16;
import static dev.gatun.engine.DType.BOOL;
import static dev.gatun.engine.DType.F16;
import static dev.gatun.engine.DType.F32;
import static dev.gatun.engine.DType.F64;
import static dev.gatun.engine.DType.I32;
import static dev.gatun.engine.DType.I64;
import static dev.gatun.engine.lanes.Access.DENSE;
import static dev.gatun.engine.lanes.Access.REPEATED;
import static dev.gatun.engine.lanes.Access.STRIDED;
import static dev.gatun.engine.lanes.Harness.Target.SCALAR;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LoopTest {

    private static final Expr X = Expr.input(0);
    private static final Expr Y = Expr.input(1);
    private static final double[] NONE = {};

    static Stream<Harness.Target> targets() {
        return Harness.targets().stream();
    }

    private static double[] some(int n, long seed) {
        return new Random(seed).doubles(n).map(x -> (float) (4 * x - 2)).toArray();
    }

    @ParameterizedTest
    @MethodSource("targets")
    void rows_of_every_length_are_complete_and_no_longer(Harness.Target target) {
        for (int n : new int[] {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100}) {
            double[] x = some(n, n);
            for (DType type : List.of(F32, F64)) {
                double[] expected = IntStream.range(0, n).mapToDouble(i -> x[i] * x[i] + 1).toArray();
                assertArrayEquals(
                        type == F32 ? IntStream.range(0, n).mapToDouble(i -> (float) x[i] * (float) x[i] + 1f).toArray() : expected,
                        Harness.run(target, type, X.mul(X).add(1), x), n + " " + type);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("targets")
    void an_element_is_worth_the_same_wherever_it_sits(Harness.Target target) {
        Expr body = X.exp().mul(X.sin()).add(X.abs().log()).max(-1).min(X.tanh());
        for (DType type : List.of(F32, F64)) {
            double[] x = some(40, 9);
            double[] whole = Harness.run(target, type, body, x);
            for (int from = 1; from < 40; from++) {
                double[] part = Arrays.copyOfRange(x, from, 40);
                assertArrayEquals(Arrays.copyOfRange(whole, from, 40), Harness.run(target, type, body, part));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("targets")
    void a_repeated_input_is_read_once_for_the_row(Harness.Target target) {
        double[] x = some(21, 1);
        double[][] y = Harness.run(target, F32, List.of(F32, F32), List.of(F32), List.of(X.sub(Y)),
                List.of(DENSE, REPEATED), NONE, 21, x, new double[] {0.5});
        assertArrayEquals(IntStream.range(0, 21).mapToDouble(i -> (float) x[i] - 0.5f).toArray(), y[0]);
    }

    @Test
    void a_strided_input_is_read_at_its_distance() {
        double[] x = some(21, 1);
        double[][] y = Harness.run(SCALAR, F64, List.of(F64), List.of(F64), List.of(X.neg()), List.of(STRIDED), NONE, 21, x);
        assertArrayEquals(IntStream.range(0, 21).mapToDouble(i -> -x[i]).toArray(), y[0]);
    }

    @ParameterizedTest
    @MethodSource("targets")
    void several_outputs_come_from_one_pass(Harness.Target target) {
        double[] x = some(37, 2);
        double[] y = some(37, 3);
        Expr sum = X.add(Y);
        double[][] z = Harness.run(target, F64, List.of(F64, F64), List.of(F64, F64, F64),
                List.of(sum, sum.mul(Expr.parameter(0)), X), List.of(DENSE, DENSE), new double[] {3}, 37, x, y);
        for (int i = 0; i < 37; i++) {
            assertEquals(x[i] + y[i], z[0][i]);
            assertEquals((x[i] + y[i]) * 3, z[1][i]);
            assertEquals(x[i], z[2][i]);
        }
    }

    /** As an optimiser does: the parameter, its moment, in place. */
    @Test
    void an_output_may_be_the_memory_of_an_input() {
        Expr moment = Y.fma(Expr.parameter(0), X);
        Loop loop = LaneCompiler.compile(F32, List.of(F32, F32), List.of(F32, F32),
                List.of(X.sub(moment.mul(0.5)), moment), List.of(DENSE, DENSE));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = arena.allocateFrom(ValueLayout.JAVA_FLOAT, new float[] {1, 2, 3});
            MemorySegment m = arena.allocateFrom(ValueLayout.JAVA_FLOAT, new float[] {10, 20, 30});
            loop.run(new MemorySegment[] {x, m, x, m}, new long[4], new long[4], new double[] {0.1}, 3);
            assertArrayEquals(new float[] {2, 4, 6}, m.toArray(ValueLayout.JAVA_FLOAT));
            assertArrayEquals(new float[] {0, 0, 0}, x.toArray(ValueLayout.JAVA_FLOAT));
        }
    }

    @ParameterizedTest
    @MethodSource("targets")
    void several_rows_run_in_one_call(Harness.Target target) {
        LaneCompiler.Form form = new LaneCompiler.Form(F32, List.of(F32, F32, F32), List.of(F32),
                LaneCompiler.program(F32, List.of(F32, F32, F32), List.of(F32), List.of(X.mul(Y).add(Expr.input(2)))),
                List.of(DENSE, REPEATED, DENSE));
        Loop loop = Harness.loop(target, form);
        int rows = 5;
        int n = 19;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = arena.allocate(4L * rows * n);
            MemorySegment scale = arena.allocate(4L * rows);
            MemorySegment bias = arena.allocate(4L * n);
            MemorySegment out = arena.allocate(4L * rows * n);
            for (int i = 0; i < rows * n; i++) {
                x.setAtIndex(ValueLayout.JAVA_FLOAT, i, i);
                scale.setAtIndex(ValueLayout.JAVA_FLOAT, i / n, i / n + 2);
                bias.setAtIndex(ValueLayout.JAVA_FLOAT, i % n, 100 * (i % n));
            }
            loop.run(new MemorySegment[] {x, scale, bias, out}, new long[4], new long[] {4L * n, 4, 0, 4L * n},
                    new long[4], NONE, rows, n);
            for (int i = 0; i < rows * n; i++) {
                assertEquals(i * (i / n + 2) + 100 * (i % n), out.getAtIndex(ValueLayout.JAVA_FLOAT, i));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("targets")
    void comparisons_and_logic_follow_java(Harness.Target target) {
        double[] v = {0, -0.0, 1, -1, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY};
        double[] x = new double[49];
        double[] y = new double[49];
        for (int i = 0; i < 49; i++) {
            x[i] = v[i / 7];
            y[i] = v[i % 7];
        }
        record Case(Expr mask, java.util.function.DoubleBinaryOperator meaning) {}
        List<Case> cases = List.of(
                new Case(X.lt(Y), (a, b) -> a < b ? 1 : 0), new Case(X.le(Y), (a, b) -> a <= b ? 1 : 0),
                new Case(X.gt(Y), (a, b) -> a > b ? 1 : 0), new Case(X.ge(Y), (a, b) -> a >= b ? 1 : 0),
                new Case(X.eq(Y), (a, b) -> a == b ? 1 : 0), new Case(X.ne(Y), (a, b) -> a != b ? 1 : 0),
                new Case(X.lt(Y).and(X.gt(0)), (a, b) -> a < b && a > 0 ? 1 : 0),
                new Case(X.lt(Y).or(X.gt(0)).not(), (a, b) -> !(a < b || a > 0) ? 1 : 0),
                new Case(X.isNaN(), (a, b) -> a != a ? 1 : 0),
                new Case(X.min(Y), Math::min), new Case(X.max(Y), Math::max),
                new Case(X.abs(), (a, b) -> Math.abs(a)), new Case(X.neg(), (a, b) -> -a));
        for (DType type : List.of(F32, F64)) {
            for (Case c : cases) {
                double[] expected = IntStream.range(0, 49).mapToDouble(i -> c.meaning.applyAsDouble(x[i], y[i])).toArray();
                assertArrayEquals(expected, Harness.run(target, type, c.mask, x, y), c.mask + " " + type);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("targets")
    void selection_takes_one_side(Harness.Target target) {
        double[] x = some(23, 4);
        double[] expected = IntStream.range(0, 23).mapToDouble(i -> x[i] > 0 ? x[i] : Math.scalb(x[i], -1)).toArray();
        for (DType type : List.of(F32, F64)) {
            assertArrayEquals(expected, Harness.run(target, type, X.gt(0).select(X, X.mul(0.5)), x));
        }
    }

    @Test
    void types_are_converted_on_the_way_in_and_out() {
        double[] x = {1.5, -2.75, 3, 1e6, -0.0};
        double[] flags = {1, 0, 1, 0, 1};
        double[][] y = Harness.run(SCALAR, F32, List.of(F32, BOOL), List.of(BF16, F16, I32, I64, BOOL, F64),
                List.of(X, X, X, X, X.lt(0).or(Y), X.mul(Y)), List.of(DENSE, DENSE), NONE, 5, x, flags);
        assertArrayEquals(new double[] {1.5, -2.75, 3, 999424, -0.0}, y[0]);
        assertArrayEquals(new double[] {1.5, -2.75, 3, Double.POSITIVE_INFINITY, -0.0}, y[1]);
        assertArrayEquals(new double[] {1, -2, 3, 1000000, 0}, y[2]);
        assertArrayEquals(new double[] {1, -2, 3, 1000000, 0}, y[3]);
        assertArrayEquals(new double[] {1, 1, 1, 0, 1}, y[4]);
        assertArrayEquals(new double[] {1.5, -0.0, 3, 0, -0.0}, y[5]);

        for (DType in : List.of(BF16, F16, I32, I64, F64, F32)) {
            double[][] z = Harness.run(SCALAR, F64, List.of(in), List.of(F64, F32), List.of(X.add(0.5), X), List.of(DENSE), NONE,
                    3, new double[] {1, -2, 96});
            assertArrayEquals(new double[] {1.5, -1.5, 96.5}, z[0], in.toString());
            assertArrayEquals(new double[] {1, -2, 96}, z[1], in.toString());
        }
    }

    @Test
    void bfloat16_rounds_to_the_nearest_and_to_even() {
        assertEquals(0x3F80, Bits.toBfloat16(Float.intBitsToFloat(0x3F808000)));   // a tie, down to even
        assertEquals(0x3F82, Bits.toBfloat16(Float.intBitsToFloat(0x3F818000)));   // a tie, up to even
        assertEquals(0x3F81, Bits.toBfloat16(Float.intBitsToFloat(0x3F808001)));
        assertEquals(0x7F80, Bits.toBfloat16(Float.MAX_VALUE));
        assertEquals((float) Double.NaN, Bits.fromBfloat16(Bits.toBfloat16(Float.intBitsToFloat(0x7F800001))));
    }

    @Test
    void whole_numbers_wrap_and_divide_as_in_java() {
        double[] x = {7, -7, Integer.MAX_VALUE, 12};
        double[] y = {2, 2, 1, -5};
        assertArrayEquals(new double[] {9, -5, Integer.MIN_VALUE, 7}, Harness.run(SCALAR, I32, X.add(Y), x, y));
        assertArrayEquals(new double[] {3, -3, Integer.MAX_VALUE, -2}, Harness.run(SCALAR, I32, X.div(Y), x, y));
        assertArrayEquals(new double[] {15, -13, 0x80000000L, -59}, Harness.run(SCALAR, I64, X.fma(Y, Expr.constant(1)), x, y));
        assertArrayEquals(new double[] {2, -7, 1, -5}, Harness.run(SCALAR, I64, X.min(Y), x, y));
        assertArrayEquals(new double[] {7, 7, Integer.MAX_VALUE, 12}, Harness.run(SCALAR, I32, X.neg().max(X), x));
        assertArrayEquals(new double[] {1, 0, 1, 1}, Harness.run(SCALAR, I64, X.gt(Y), x, y));
    }

    @Test
    void what_a_loop_cannot_have_is_refused() {
        assertEquals("lanes: exp needs F32 or F64 lanes, has i32",
                assertThrows(IllegalArgumentException.class, () -> Harness.run(SCALAR, I32, X.exp(), NONE)).getMessage());
        assertEquals("lanes: the body reads input 1 of 1",
                assertThrows(IllegalArgumentException.class, () -> Harness.run(SCALAR, F32, Y, NONE)).getMessage());
        assertEquals("lanes: F32, F64, I32 or I64 can compute, not bf16",
                assertThrows(IllegalArgumentException.class, () -> Harness.run(SCALAR, BF16, X, NONE)).getMessage());
    }

    @Test
    void a_part_that_is_shared_is_computed_once() {
        Expr e = X;
        for (int i = 0; i < 60; i++) {
            e = e.mul(e).sub(e);      // as a tree this would have 2^60 leaves
        }
        assertEquals(121, Program.of(e).steps().size());
        Expr same = X;
        for (int i = 0; i < 60; i++) {
            same = same.mul(same).sub(same);
        }
        assertEquals(e, same);
        assertEquals(e.hashCode(), same.hashCode());
        assertArrayEquals(new double[] {0}, Harness.run(SCALAR, F64, e, new double[] {0}));
    }

    /** About 1,500 steps: more than one method may have if it is to be compiled. */
    @ParameterizedTest
    @MethodSource("targets")
    void an_expression_of_any_length_is_computed(Harness.Target target) {
        Expr positive = X.gt(0);
        List<Expr> parts = new ArrayList<>();
        Expr e = X;
        for (int i = 0; i < 20; i++) {
            e = e.tanh().add(Y).exp().log1p().sub(Expr.parameter(0));
            parts.add(e.lt(i * 0.1).select(e, i));
        }
        Expr sum = positive.select(1, 2);
        for (Expr part : parts) {
            sum = sum.add(positive.select(part, part.neg()));
        }
        Expr body = sum;
        Program steps = LaneCompiler.program(F64, List.of(F64, F64), List.of(F64), List.of(body));
        assertTrue(steps.steps().size() > 4 * Stages.MOST_STEPS, steps.steps().size() + " steps");
        int n = 2500;
        double[] x = some(n, 8);
        double[] expected = Arrays.stream(x)
                .map(v -> steps.evaluate(new double[] {v, 0.25}, new double[] {0.5})[0]).toArray();
        double[][] y = Harness.run(target, F64, List.of(F64, F64), List.of(F64), List.of(body),
                List.of(DENSE, REPEATED), new double[] {0.5}, n, x, new double[] {0.25});
        assertArrayEquals(expected, y[0]);
    }

    @Test
    void a_long_expression_may_write_over_its_inputs() {
        Expr e = X;
        for (int i = 0; i < 40; i++) {
            e = e.sin().add(Y);
        }
        List<DType> types = List.of(F64, F64);
        Program steps = LaneCompiler.program(F64, types, types, List.of(Y, e));
        Loop loop = LaneCompiler.compile(F64, types, types, List.of(Y, e), List.of(DENSE, DENSE));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = arena.allocateFrom(ValueLayout.JAVA_DOUBLE, 1, 2, 3, 4, 5, 6, 7, 8);
            MemorySegment y = arena.allocateFrom(ValueLayout.JAVA_DOUBLE, 8, 7, 6, 5, 4, 3, 2, 1);
            // two rows of four
            loop.run(new MemorySegment[] {x, y, x, y}, new long[4], new long[] {32, 32, 32, 32}, new long[4], NONE, 2, 4);
            for (int i = 0; i < 8; i++) {
                double[] expected = steps.evaluate(new double[] {i + 1, 8 - i}, NONE);
                assertEquals(expected[0], x.getAtIndex(ValueLayout.JAVA_DOUBLE, i));
                assertEquals(expected[1], y.getAtIndex(ValueLayout.JAVA_DOUBLE, i));
            }
        }
    }

    @Test
    void a_long_expression_of_whole_numbers_and_masks_is_computed() {
        Expr e = X;
        for (int i = 0; i < 200; i++) {
            e = e.gt(i).select(e.sub(1), e.add(3));
        }
        Expr body = e;
        double[] x = {0, 5, 100, 190, 250, -7};
        double[][] y = Harness.run(SCALAR, I64, List.of(I64, BOOL), List.of(I64, BOOL), List.of(body, Y.and(body.gt(200))),
                List.of(STRIDED, DENSE), NONE, 6, x, new double[] {1, 1, 0, 1, 0, 1});
        for (int i = 0; i < 6; i++) {
            double worth = body.evaluate(new double[] {x[i]}, NONE);
            assertEquals(worth, y[0][i]);
            assertEquals(i != 2 && i != 4 && worth > 200 ? 1 : 0, y[1][i]);
        }
    }
}
