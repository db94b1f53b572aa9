package dev.gatun.bench;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.Warmup;
import dev.gatun.ops.Random;
import dev.gatun.ops.sequence.Attention;
import dev.gatun.ops.sequence.AttentionGrad;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Tiled attention of four heads of 64 features on one thread, with the matrix product beside it. The counter
 * {@code gflop} says how many thousand million operations a second that is, of those needed: {@code 4 T² K} a head forward, two and a half times
 * that backward, half of both when causal; so it can be held against the product's.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(value = 5, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
@org.openjdk.jmh.annotations.Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
public class AttentionBench {

    private static final long HEADS = 4;
    private static final long SIZE = 64;

    /** Operations done, counted by the benchmarks. */
    @State(org.openjdk.jmh.annotations.Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Work {
        public double gflop;
    }

    @Param({"256", "1024", "4096"})
    public long tokens;

    @Param({"false", "true"})
    public boolean causal;

    private Attention how;
    private Tensor q;
    private Tensor k;
    private Tensor v;
    private Tensor none;
    private List<Tensor> out;
    private Tensor left;
    private Tensor right;
    private Parallel.Limit limit;
    private Scope scope;

    @Setup
    public void setup() {
        limit = Parallel.limit(1);
        scope = Scope.open("setup");
        how = causal ? Attention.CAUSAL : Attention.FULL;
        Shape shape = Shape.of(1, HEADS, tokens, SIZE);
        q = Random.normal(Key.of(1), DType.F32, shape);
        k = Random.normal(Key.of(2), DType.F32, shape);
        v = Random.normal(Key.of(3), DType.F32, shape);
        none = Tensor.zeros(DType.F32, Shape.of(1, HEADS, tokens));
        out = how.applyAll(q, k, v);
        left = Random.normal(Key.of(4), DType.F32, Shape.of(1024, 1024));
        right = Random.normal(Key.of(5), DType.F32, Shape.of(1024, 1024));
        left.matmul(right);
        new AttentionGrad(how).applyAll(q, k, v, out.get(0), out.get(1), v, none);
        Warmup.awaitAll();
    }

    @TearDown(Level.Trial)
    public void close() {
        scope.close();
        limit.close();
    }

    @Benchmark
    public double forward(Work work) {
        try (Scope step = Scope.open("step")) {
            work.gflop += needed();
            return how.applyAll(q, k, v).get(0).get(0, 0, 0, 0);
        }
    }

    @Benchmark
    public double backward(Work work) {
        try (Scope step = Scope.open("step")) {
            work.gflop += 2.5 * needed();
            return new AttentionGrad(how).applyAll(q, k, v, out.get(0), out.get(1), v, none).get(0).get(0, 0, 0, 0);
        }
    }

    /** One new token against a cache of all of them. */
    @Benchmark
    public double decode(Work work) {
        try (Scope step = Scope.open("step")) {
            work.gflop += 4e-9 * HEADS * tokens * SIZE;
            return how.applyAll(q.slice(2, 0, 1), k, v).get(0).get(0, 0, 0, 0);
        }
    }

    /** The matrix product to compare with, 1024 by 1024, whatever the parameters. */
    @Benchmark
    public double product(Work work) {
        try (Scope step = Scope.open("step")) {
            work.gflop += 2e-9 * 1024 * 1024 * 1024;
            return left.matmul(right).get(0, 0);
        }
    }

    private double needed() {
        double pairs = causal ? tokens * (tokens + 1) / 2.0 : (double) tokens * tokens;
        return 4e-9 * HEADS * SIZE * pairs;
    }
}
