package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.bindings.onednn.OneDnn;
import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Op;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.algebra.MatMul;
import dev.gatun.engine.onednn.Primitives;
import dev.gatun.ops.LayerNorm;
import dev.gatun.ops.Softmax;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What oneDNN computes, where it is on the machine; skipped with the reason where it is not. */
@Tag("once")
class OneDnnTest {

    private static final Key KEY = Key.of(17);

    @BeforeAll
    static void find() {
        assumeTrue(OneDnn.missing().isEmpty(), () -> OneDnn.missing().orElseThrow());
    }

    private static Tensor random(int name, long... dims) {
        Shape shape = Shape.of(dims);
        return Tensor.of(DType.F32, shape, Samples.uniform(KEY.child(name), (int) shape.elements(), -1, 1));
    }

    /** Operands of products that are plain, transposed, cut out, repeated, stacked and without canonical strides. */
    private static List<Tensor[]> products() {
        List<Tensor[]> pairs = new ArrayList<>();
        long[][] sizes = {{1, 1, 1}, {1, 300, 70}, {70, 300, 1}, {17, 33, 65}, {150, 64, 300}, {3, 600, 300}};
        for (long[] size : sizes) {
            long m = size[0];
            long k = size[1];
            long n = size[2];
            pairs.add(new Tensor[] {random(1, m, k), random(2, k, n)});
            pairs.add(new Tensor[] {random(1, k, m).transpose(), random(2, k, n)});
            pairs.add(new Tensor[] {random(1, m, k), random(2, n, k).transpose()});
            pairs.add(new Tensor[] {random(1, k, m).transpose(), random(2, n, k).transpose()});
            pairs.add(new Tensor[] {random(1, m + 3, k + 5).slice(0, 2, m + 2).slice(1, 4, k + 4), random(2, k + 1, n + 2).slice(0, 1, k + 1).slice(1, 2, n + 2)});
            pairs.add(new Tensor[] {random(1, m, 2 * k).slice(1, 0, 2 * k, 2), random(2, k, n)});
        }
        pairs.add(new Tensor[] {random(1, 2, 3, 20, 30), random(2, 3, 30, 40)});
        pairs.add(new Tensor[] {random(1, 4, 20, 30), random(2, 30, 40)});
        pairs.add(new Tensor[] {random(1, 4, 30, 20).transpose(), random(2, 4, 40, 30).transpose()});
        return pairs;
    }

    @Test
    void products_of_any_layout_agree_with_the_reference() {
        try (Scope scope = Scope.open("test")) {
            for (Tensor[] pair : products()) {
                Parity.of(new MatMul(), List.of(pair), 1).run(Backend.ONEDNN).assertOk();
            }
        }
    }

    @Test
    void rows_agree_with_the_reference() {
        try (Scope scope = Scope.open("test")) {
            for (long n : new long[] {1, 2, 15, 17, 100, 1000}) {
                for (long rows : new long[] {1, 30}) {
                    Tensor x = random(3, rows, n);
                    Parity.of(new Softmax(), List.of(x), 1).run(Backend.ONEDNN).assertOk();
                    Parity.of(new LayerNorm(1e-3), List.of(x, random(4, n), random(5, n)), 1).run(Backend.ONEDNN).assertOk();
                    Parity.of(new LayerNorm(1e-3), List.of(x, random(4, n)), 1).run(Backend.ONEDNN).assertOk();
                }
            }
        }
    }

    @Test
    void a_row_of_negative_infinities_has_nothing_to_share() {
        double none = Double.NEGATIVE_INFINITY;
        try (Scope scope = Scope.open("test"); Backend.Narrowed only = Backend.only(Backend.ONEDNN)) {
            Tensor x = Tensor.of(DType.F32, Shape.of(3, 2), new double[] {none, none, 1, 1, none, 5});
            assertArrayEquals(new double[] {0, 0, 0.5, 0.5, 0, 1}, new Softmax().apply(x).toDoubles());
        }
    }

    @Test
    void the_number_of_threads_changes_no_bit() {
        try (Scope scope = Scope.open("test"); Backend.Narrowed only = Backend.only(Backend.ONEDNN, Backend.REFERENCE)) {
            List<Tensor[]> products = products();
            products.add(new Tensor[] {random(6, 700, 300), random(7, 300, 1500)});
            for (Tensor[] pair : products) {
                sameBits(new MatMul(), pair);
            }
            sameBits(new Softmax(), random(8, 500, 300));
            sameBits(new LayerNorm(1e-5), random(8, 500, 300), random(9, 300), random(10, 300));
        }
    }

    private static void sameBits(Op op, Tensor... in) {
        List<double[]> runs = new ArrayList<>();
        for (int threads : new int[] {1, 2, 5}) {
            try (Parallel.Limit limit = Parallel.limitAndCut(threads)) {
                runs.add(op.apply(in).toDoubles());
            }
        }
        assertArrayEquals(runs.get(0), runs.get(1), 0, op + " on 2 threads");
        assertArrayEquals(runs.get(0), runs.get(2), 0, op + " on 5 threads");
    }

    /** Shapes are more than the cache keeps, so primitives fall out while others' runs are under way. */
    @Test
    void callers_on_many_threads_get_their_own_results() throws Exception {
        try (ExecutorService callers = Executors.newFixedThreadPool(8)) {
            List<Callable<Void>> calls = new ArrayList<>();
            for (int caller = 0; caller < 8; caller++) {
                int first = caller;
                calls.add(() -> {
                    for (int round = 0; round < 100; round++) {
                        ask(first + round % 40 * 5, 1 + (round + first) % 13, 1 + round % 29);
                    }
                    return null;
                });
            }
            for (Future<Void> call : callers.invokeAll(calls)) {
                call.get();
            }
        }
        assertTrue(Primitives.kept() <= 512, "the cache is bounded, and keeps " + Primitives.kept());
    }

    /** Products of ones and softmaxes of equal numbers: every element is known. */
    private static void ask(int m, int n, int k) {
        int rows = m + 1;
        try (Scope scope = Scope.open("caller"); Backend.Narrowed only = Backend.only(Backend.ONEDNN)) {
            double[] ones = new double[rows * k];
            Arrays.fill(ones, 1);
            double[] twos = new double[k * n];
            Arrays.fill(twos, 2);
            Tensor product = Tensor.of(DType.F32, Shape.of(rows, k), ones).matmul(Tensor.of(DType.F32, Shape.of(k, n), twos));
            for (double y : product.toDoubles()) {
                assertEquals(2.0 * k, y);
            }
            for (double y : new Softmax().apply(product).toDoubles()) {
                assertEquals(1.0 / n, y, 1e-6);
            }
        }
    }
}
