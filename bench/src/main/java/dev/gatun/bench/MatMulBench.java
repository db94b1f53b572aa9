package dev.gatun.bench;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Random;
import java.util.concurrent.TimeUnit;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * F32 matrix products beside the peak of one core's multiply-add units. The counter {@code gigaflops} is a product's
 * multiplications and additions in a second; for the skinny ones {@code gigabytes} says how fast the large matrix is
 * read.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(value = 5, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class MatMulBench {

    /** Batch, rows, inner size and columns; then n for a matrix that lies by rows, t for one that lies by columns. */
    @Param({
        "1 256 256 256 nn", "1 512 512 512 nn", "1 1024 1024 1024 nn", "1 2048 2048 2048 nn",
        "1 512 512 512 nt", "1 512 512 512 tn", "1 512 512 512 tt", "1 2048 2048 2048 nt", "1 2048 2048 2048 tn",
        "1 1 4096 4096 nn", "1 1 4096 4096 nt", "1 8 4096 4096 nn", "1 8 4096 4096 nt",
        "16 1 64 1024 nt", "16 1 1024 64 nn",
        "8 1024 64 1024 nt", "8 1024 1024 64 nn", "32 128 64 128 nt", "32 128 128 64 nn",
        "1 4096 256 1024 nt"
    })
    public String product;

    @Param({"1", "2"})
    public int threads;

    private Parallel.Limit limit;
    private Tensor a;
    private Tensor b;
    private double flops;

    /** What was done, in billions. */
    @AuxCounters
    @State(org.openjdk.jmh.annotations.Scope.Thread)
    public static class Done {
        public double gigaflops;
        public double gigabytes;
    }

    @Setup
    public void setup() {
        limit = Parallel.limit(threads);
        String[] words = product.split(" ");
        long batch = Long.parseLong(words[0]);
        long rows = Long.parseLong(words[1]);
        long inner = Long.parseLong(words[2]);
        long columns = Long.parseLong(words[3]);
        Key key = Key.of(1);
        a = matrix(key.child("a"), batch, rows, inner, words[4].charAt(0) == 't');
        b = matrix(key.child("b"), batch, inner, columns, words[4].charAt(1) == 't');
        flops = 2.0 * batch * rows * inner * columns;
        a.matmul(b);
        dev.gatun.engine.Warmup.awaitAll();
    }

    private static Tensor matrix(Key key, long batch, long rows, long columns, boolean transposed) {
        return transposed
                ? Random.normal(key, DType.F32, Shape.of(batch, columns, rows)).transpose()
                : Random.normal(key, DType.F32, Shape.of(batch, rows, columns));
    }

    @TearDown
    public void close() {
        limit.close();
    }

    @Benchmark
    public double product(Done done) {
        try (Scope scope = Scope.open("product")) {
            done.gigaflops += flops * 1e-9;
            done.gigabytes += b.shape().elements() * 4e-9;
            return a.matmul(b).get(0, 0, 0);
        }
    }

    /** Multiply-adds that need no memory: what one core can do at most. */
    @State(org.openjdk.jmh.annotations.Scope.Thread)
    @BenchmarkMode(Mode.Throughput)
    @OutputTimeUnit(TimeUnit.SECONDS)
    @Fork(value = 5, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
    @Warmup(iterations = 3, time = 1)
    @Measurement(iterations = 5, time = 1)
    public static class Peak {

        private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
        private static final int ROUNDS = 100_000;
        private static final int CHAINS = 12;

        /** Multiplications and additions of one call. */
        public static final double FLOPS = 2.0 * ROUNDS * CHAINS * S.length();

        private float factor = 1e-9f;

        @Benchmark
        public float multiplyAdds(Done done) {
            done.gigaflops += 1e-9 * FLOPS;
            return chains(factor);
        }

        private static float chains(float factor) {
            FloatVector x = FloatVector.broadcast(S, factor);
            FloatVector y = FloatVector.broadcast(S, factor / 2);
            FloatVector s0 = x;
            FloatVector s1 = x;
            FloatVector s2 = x;
            FloatVector s3 = x;
            FloatVector s4 = x;
            FloatVector s5 = x;
            FloatVector s6 = x;
            FloatVector s7 = x;
            FloatVector s8 = x;
            FloatVector s9 = x;
            FloatVector s10 = x;
            FloatVector s11 = x;
            for (int i = 0; i < ROUNDS; i++) {
                s0 = x.fma(y, s0);
                s1 = x.fma(y, s1);
                s2 = x.fma(y, s2);
                s3 = x.fma(y, s3);
                s4 = x.fma(y, s4);
                s5 = x.fma(y, s5);
                s6 = x.fma(y, s6);
                s7 = x.fma(y, s7);
                s8 = x.fma(y, s8);
                s9 = x.fma(y, s9);
                s10 = x.fma(y, s10);
                s11 = x.fma(y, s11);
            }
            FloatVector sum = s0.add(s1).add(s2).add(s3).add(s4).add(s5).add(s6).add(s7).add(s8).add(s9).add(s10).add(s11);
            return sum.reduceLanes(VectorOperators.ADD);
        }
    }
}
