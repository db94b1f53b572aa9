package dev.gatun.bench;

import dev.gatun.autograd.Autograd;
import dev.gatun.engine.DType;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What an op costs besides its numbers: ops on 16 floats, a hundred in one scope. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(value = 5, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
public class OverheadBench {

    private static final int OPS = 100;

    private Tensor leaf;
    private Tensor plain;

    @Setup
    public void setup() {
        plain = Tensor.ones(DType.F32, Shape.of(16));
        leaf = Tensor.ones(DType.F32, Shape.of(16)).track();
    }

    /** An addition that is not recorded. */
    @Benchmark
    @OperationsPerInvocation(OPS)
    public double plain() {
        return sum(plain);
    }

    /** An addition recorded for gradients. */
    @Benchmark
    @OperationsPerInvocation(OPS)
    public double recorded() {
        return sum(leaf);
    }

    /** An addition recorded for gradients, and its share of the sweep. */
    @Benchmark
    @OperationsPerInvocation(OPS)
    public double recordedAndSwept() {
        try (Scope scope = Scope.open("step")) {
            Tensor y = leaf;
            for (int i = 0; i < OPS; i++) {
                y = y.add(plain);
            }
            return Autograd.grad(y.sum(), leaf).get(0);
        }
    }

    private double sum(Tensor from) {
        try (Scope scope = Scope.open("step")) {
            Tensor y = from;
            for (int i = 0; i < OPS; i++) {
                y = y.add(plain);
            }
            return y.get(0);
        }
    }
}
