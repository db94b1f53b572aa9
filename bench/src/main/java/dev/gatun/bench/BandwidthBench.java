package dev.gatun.bench;

import dev.gatun.engine.DType;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.concurrent.TimeUnit;
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
 * Ops bound by memory beside a plain copy, on 16 million floats, 64 MiB a tensor. The counter
 * {@code gigabytes} is bytes read and written in a second (allocating for a store is not counted).
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(value = 5, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
public class BandwidthBench {

    private static final long ROWS = 16_384;
    private static final long COLUMNS = 1024;

    @Param({"1", "2"})
    public int threads;

    private Parallel.Limit limit;
    private Tensor a;
    private Tensor b;
    private Tensor row;
    private Tensor target;

    /** Bytes moved, in gigabytes. */
    @AuxCounters
    @State(org.openjdk.jmh.annotations.Scope.Thread)
    public static class Moved {
        public double gigabytes;

        void add(int tensors) {
            gigabytes += tensors * ROWS * COLUMNS * 4e-9;
        }
    }

    @Setup
    public void setup() {
        limit = Parallel.limit(threads);
        a = Tensor.full(DType.F32, Shape.of(ROWS, COLUMNS), 0.5);
        b = Tensor.full(DType.F32, Shape.of(ROWS, COLUMNS), 0.25);
        row = Tensor.full(DType.F32, Shape.of(COLUMNS), 2);
        target = Tensor.zeros(DType.F32, Shape.of(ROWS, COLUMNS));
    }

    @TearDown
    public void close() {
        limit.close();
    }

    /** What the machine gives: memory to memory on one thread, by the JDK. */
    @Benchmark
    public void copyByJdk(Moved moved) {
        target.segment().copyFrom(a.segment());
        moved.add(2);
    }

    /** The same as an emitted loop. */
    @Benchmark
    public double copy(Moved moved) {
        try (Scope scope = Scope.open("copy")) {
            moved.add(2);
            return a.mul(1).get(0, 0);
        }
    }

    @Benchmark
    public double add(Moved moved) {
        try (Scope scope = Scope.open("add")) {
            moved.add(3);
            return a.add(b).get(0, 0);
        }
    }

    @Benchmark
    public double exp(Moved moved) {
        try (Scope scope = Scope.open("exp")) {
            moved.add(2);
            return a.exp().get(0, 0);
        }
    }

    @Benchmark
    public double mulByRow(Moved moved) {
        try (Scope scope = Scope.open("mulByRow")) {
            moved.add(2);
            return a.mul(row).get(0, 0);
        }
    }

    @Benchmark
    public double sumOfAll(Moved moved) {
        try (Scope scope = Scope.open("sum")) {
            moved.add(1);
            return a.sum().item();
        }
    }

    @Benchmark
    public double sumOfRows(Moved moved) {
        try (Scope scope = Scope.open("sum")) {
            moved.add(1);
            return a.sum(1).get(0, 0);
        }
    }

    @Benchmark
    public double sumOfColumns(Moved moved) {
        try (Scope scope = Scope.open("sum")) {
            moved.add(1);
            return a.sum(0).get(0, 0);
        }
    }
}
