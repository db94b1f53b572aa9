package dev.gatun.bench;

import dev.gatun.bench.suite.BringUp;
import dev.gatun.bindings.onednn.OneDnn;
import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Op;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.algebra.MatMul;
import dev.gatun.ops.LayerNorm;
import dev.gatun.ops.Random;
import dev.gatun.ops.Softmax;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Our own kernels against oneDNN's in one process, on the same numbers and threads: what {@code winners.txt} rests on. The
 * two take turns, and the median of each is printed. A class of shapes goes to oneDNN when it takes at most 0.9 of our time
 * for every shape of the class, in every run.
 */
public final class OneDnnTable {

    private static final int ROUNDS = 11;
    private static final long WARM_NANOS = 200_000_000;
    private static final long ROUND_NANOS = 20_000_000;

    private OneDnnTable() {}

    private record Row(String shapes, Op op, Tensor... in) {}

    public static void main(String[] args) {
        OneDnn.missing().ifPresent(reason -> {
            throw new IllegalStateException(reason);
        });
        System.out.println(OneDnn.describe());
        try (Scope scope = Scope.open("table")) {
            for (Row row : rows()) {
                compare(row);
            }
        }
    }

    private static List<Row> rows() {
        List<Row> rows = new ArrayList<>();
        for (long[] s : new long[][] {{1, 1024, 1024}, {8, 1024, 1024}}) {
            rows.add(new Row("matmul few", new MatMul(), random(s[0], s[1]), random(s[1], s[2])));
            rows.add(new Row("matmul few", new MatMul(), random(s[0], s[1]), random(s[2], s[1]).transpose()));
        }
        rows.add(new Row("matmul tiny", new MatMul(), random(32, 32), random(32, 32)));
        rows.add(new Row("matmul tiny", new MatMul(), random(32, 64, 64), random(32, 64, 64)));
        rows.add(new Row("matmul middle", new MatMul(), random(256, 256), random(256, 256)));
        rows.add(new Row("matmul middle", new MatMul(), random(256, 256).transpose(), random(256, 256)));
        rows.add(new Row("matmul middle", new MatMul(), random(32, 128, 64), random(32, 128, 64).transpose()));
        rows.add(new Row("matmul large", new MatMul(), random(512, 512), random(512, 512)));
        rows.add(new Row("matmul large", new MatMul(), random(1024, 1024), random(1024, 1024)));
        rows.add(new Row("matmul large", new MatMul(), random(1024, 1024), random(1024, 1024).transpose()));
        rows.add(new Row("matmul large", new MatMul(), random(2048, 256), random(256, 1024)));
        for (long[] s : new long[][] {{4096, 64}, {1024, 256}, {512, 1024}, {64, 16_384}}) {
            String length = s[1] < 512 ? "short" : "long";
            Tensor x = random(s[0], s[1]);
            rows.add(new Row("softmax " + length, new Softmax(), x));
            rows.add(new Row("layer_norm " + length, new LayerNorm(1e-5), x, random(s[1]), random(s[1])));
        }
        return rows;
    }

    private static Tensor random(long... dims) {
        return Random.normal(Key.of(dims[0]), DType.F32, Shape.of(dims));
    }

    private static void compare(Row row) {
        double[] ours = new double[ROUNDS];
        double[] theirs = new double[ROUNDS];
        // plain forms answer where a fast one was not made in time, as they do for users
        try (Backend.Narrowed only = Backend.only(Backend.VECTOR, Backend.SCALAR)) {
            BringUp.run(() -> once(row));
        }
        time(row, Backend.ONEDNN, WARM_NANOS);
        for (int round = 0; round < ROUNDS; round++) {
            ours[round] = time(row, Backend.VECTOR, ROUND_NANOS);
            theirs[round] = time(row, Backend.ONEDNN, ROUND_NANOS);
        }
        String in = String.join(" ", Arrays.stream(row.in).map(x -> x.shape() + (x.isContiguous() ? "" : "t")).toList());
        System.out.printf(Locale.ROOT, "%-18s %-40s vector %9.2f us  onednn %9.2f us  onednn takes %.2f%n", row.shapes, in,
                median(ours), median(theirs), median(theirs) / median(ours));
    }

    /** Microseconds of one call. */
    private static double time(Row row, Backend backend, long nanos) {
        try (Backend.Narrowed only = Backend.only(backend, Backend.SCALAR)) {
            long start = System.nanoTime();
            long calls = 0;
            do {
                once(row);
                calls++;
            } while (System.nanoTime() - start < nanos);
            return (System.nanoTime() - start) / 1e3 / calls;
        }
    }

    private static void once(Row row) {
        try (Scope scope = Scope.open("call")) {
            row.op.apply(row.in);
        }
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
