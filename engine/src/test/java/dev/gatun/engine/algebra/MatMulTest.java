package dev.gatun.engine.algebra;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.lanes.VectorApi;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MatMulTest {

    private static final int[] SIZES = {1, 2, 3, 4, 7, 8, 9, 11, 12, 13, 16, 17, 31, 32, 33, 64, 70, 129};

    /** Backends beside the reference that can run here. */
    private static List<Backend> fastBackends() {
        List<Backend> backends = new ArrayList<>(List.of(Backend.SCALAR));
        if (VectorApi.present()) {
            backends.add(Backend.VECTOR);
        }
        return backends;
    }

    private static Tensor random(Random random, DType dtype, long... dims) {
        Shape shape = Shape.of(dims);
        double[] values = random.doubles(shape.elements(), -1, 1).toArray();
        return Tensor.of(dtype, shape, values);
    }

    private static double[] on(Backend backend, Tensor a, Tensor b) {
        try (var only = Backend.only(backend, Backend.REFERENCE)) {
            return a.matmul(b).toDoubles();
        }
    }

    /**
     * Against the definition in double. Each of n steps rounds a partial sum by half an ulp of its size at most; partial
     * sums of products of random numbers in [-1, 1) are about sqrt(n) / 3 large, and their roundings have random signs
     * too. One ulp of 1 a step is some ten times what that comes to, and far below what a wrong index does.
     */
    private static void agrees(String what, Tensor a, Tensor b) {
        double[] expected = on(Backend.REFERENCE, a.to(DType.F64), b.to(DType.F64));
        double ulp = a.dtype() == DType.F32 ? Math.ulp(1f) : Math.ulp(1.0);
        double bound = ulp * (4 + a.shape().last());
        for (Backend backend : fastBackends()) {
            double[] actual = on(backend, a, b);
            assertEquals(expected.length, actual.length, what);
            for (int i = 0; i < expected.length; i++) {
                assertEquals(expected[i], actual[i], bound, what + " on " + backend + ", element " + i);
            }
        }
    }

    @Test
    void every_backend_agrees_with_the_definition_for_odd_sizes_and_any_layout() {
        Random random = new Random(7);
        for (int trial = 0; trial < 300; trial++) {
            DType dtype = trial % 4 == 0 ? DType.F64 : DType.F32;
            int m = SIZES[random.nextInt(SIZES.length)];
            int n = SIZES[random.nextInt(SIZES.length)];
            int k = trial % 10 == 0 ? 256 * random.nextInt(1, 3) + random.nextInt(3) - 1 : SIZES[random.nextInt(SIZES.length)];
            int layout = random.nextInt(9);
            try (Scope scope = Scope.open("trial")) {
                Tensor a = switch (layout / 3) {
                    case 0 -> random(random, dtype, m, k);
                    case 1 -> random(random, dtype, k, m).transpose();
                    default -> random(random, dtype, m + 2, 2 * k).slice(0, 1, m + 1).slice(1, 0, 2 * k, 2);
                };
                Tensor b = switch (layout % 3) {
                    case 0 -> random(random, dtype, k, n);
                    case 1 -> random(random, dtype, n, k).transpose();
                    default -> random(random, dtype, k, n + 3).slice(1, 2, n + 2);
                };
                agrees(dtype + " [" + m + ", " + k + "] x [" + k + ", " + n + "], layout " + layout, a, b);
            }
        }
    }

    @Test
    void leading_axes_broadcast_from_the_right() {
        Random random = new Random(8);
        agrees("both", random(random, DType.F32, 2, 1, 13, 5), random(random, DType.F32, 3, 5, 33));
        agrees("right repeats", random(random, DType.F32, 2, 3, 13, 5), random(random, DType.F32, 5, 33));
        agrees("left repeats", random(random, DType.F32, 13, 5), random(random, DType.F32, 2, 3, 5, 33));
        agrees("one of one", random(random, DType.F32, 1, 1, 13, 5), random(random, DType.F32, 4, 1, 5, 33));
        agrees("heads inside", random(random, DType.F32, 2, 17, 3, 8).swap(1, 2), random(random, DType.F32, 2, 19, 3, 8).swap(1, 2).transpose());
        agrees("stacked in two axes", random(random, DType.F32, 4, 3, 9, 5), random(random, DType.F32, 1, 1, 5, 6));
        agrees("stacked only in part", random(random, DType.F32, 4, 6, 9, 5).slice(1, 0, 3), random(random, DType.F32, 5, 6));
        agrees("expanded rows", random(random, DType.F32, 3, 1, 5).expand(Shape.of(3, 20, 5)), random(random, DType.F32, 5, 6));
        agrees("few rows, many", random(random, DType.F32, 6, 1, 70), random(random, DType.F32, 6, 70, 600));
        agrees("few rows, turned", random(random, DType.F32, 6, 3, 70), random(random, DType.F32, 6, 600, 70).transpose());
    }

    @Test
    void an_empty_sum_is_zero_and_an_empty_axis_stays_empty() {
        for (Backend backend : fastBackends()) {
            for (DType dtype : List.of(DType.F32, DType.F64)) {
                for (int rows : new int[] {1, 8, 20}) {
                    double[] zeros = on(backend, Tensor.zeros(dtype, Shape.of(2, rows, 0)), Tensor.zeros(dtype, Shape.of(0, 33)));
                    assertArrayEquals(new double[2 * rows * 33], zeros);
                }
                assertEquals(0, on(backend, Tensor.zeros(dtype, Shape.of(0, 4)), Tensor.zeros(dtype, Shape.of(4, 3))).length);
                assertEquals(0, on(backend, Tensor.zeros(dtype, Shape.of(3, 4)), Tensor.zeros(dtype, Shape.of(4, 0))).length);
                assertEquals(0, on(backend, Tensor.zeros(dtype, Shape.of(0, 3, 4)), Tensor.zeros(dtype, Shape.of(4, 2))).length);
            }
        }
    }

    @Test
    void the_number_of_threads_changes_no_bits() {
        Random random = new Random(9);
        long[][] sizes = {{300, 600, 500}, {1, 600, 500}, {5, 700, 1300}, {64, 64, 64}};
        for (long[] size : sizes) {
            Tensor a = random(random, DType.F32, 3, size[0], size[1]);
            Tensor b = random(random, DType.F32, size[1], size[2]);
            Tensor turned = random(random, DType.F32, size[2], size[1]).transpose();
            for (Backend backend : fastBackends()) {
                double[] one;
                double[] oneTurned;
                try (var limit = Parallel.limit(1)) {
                    one = on(backend, a, b);
                    oneTurned = on(backend, a, turned);
                }
                for (int threads : new int[] {2, 5}) {
                    try (var limit = Parallel.limit(threads)) {
                        assertArrayEquals(one, on(backend, a, b), backend + " with " + threads + " threads");
                        assertArrayEquals(oneTurned, on(backend, a, turned), backend + " with " + threads + " threads");
                    }
                }
            }
        }
    }

    @Test
    void a_product_has_the_same_bits_before_and_after_the_warm_up_and_in_any_layout() {
        Random random = new Random(10);
        for (DType dtype : List.of(DType.F32, DType.F64)) {
            for (int rows : new int[] {1, 3, 8, 45}) {
                Tensor a = random(random, dtype, rows, 523);
                Tensor b = random(random, dtype, 523, 77);
                double[] plain = on(Backend.SCALAR, a, b);
                for (Backend backend : fastBackends()) {
                    assertArrayEquals(plain, on(backend, a, b));
                    assertArrayEquals(plain, on(backend, a.transpose().contiguous().transpose(), b.transpose().contiguous().transpose()));
                }
            }
        }
    }

    @Test
    void a_number_that_is_not_finite_reaches_its_own_row_only() {
        double[] values = new double[13 * 20];
        Arrays.fill(values, 1);
        values[5 * 20 + 3] = Double.NaN;
        Tensor a = Tensor.of(DType.F32, Shape.of(13, 20), values);
        for (Backend backend : fastBackends()) {
            double[] y = on(backend, a, Tensor.ones(DType.F32, Shape.of(20, 37)));
            for (int i = 0; i < y.length; i++) {
                assertEquals(i / 37 == 5 ? Double.NaN : 20, y[i], "element " + i);
            }
        }
    }

    @Test
    void sizes_that_do_not_meet_are_refused_with_both_numbers() {
        Tensor a = Tensor.zeros(DType.F32, Shape.of(8, 128, 64));
        Tensor b = Tensor.zeros(DType.F32, Shape.of(32, 256));
        ShapeException e = assertThrows(ShapeException.class, () -> a.matmul(b));
        assertEquals(
                """
                matmul: inner sizes differ: a ends with 64, b starts with 32
                  a: f32[8, 128, 64] cpu
                  b: f32[32, 256] cpu""",
                e.getMessage());
    }

    @Test
    void a_vector_backend_is_there_where_the_module_is() {
        assertEquals(ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent()
                && !"false".equals(System.getProperty("gatun.vector")), VectorApi.present());
        assertTrue(fastBackends().contains(Backend.SCALAR));
    }
}
