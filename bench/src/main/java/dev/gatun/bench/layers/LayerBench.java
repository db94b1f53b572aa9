package dev.gatun.bench.layers;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;
import dev.gatun.autograd.Autograd;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.Warmup;
import dev.gatun.engine.memory.HostPool;
import dev.gatun.ops.Random;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
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
 * Cores of layers, ours and libtorch's, in one JVM with the same numbers and threads: one sequence, width 512 in heads of 64,
 * float32. Before anything is timed both sides' outputs and gradients are compared.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 5, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
@org.openjdk.jmh.annotations.Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class LayerBench {

    /** What sums of thousands of floats in different orders may differ by, of the largest number. */
    private static final double AGREEMENT = 2e-3;

    @Param({"attention", "linear-attention", "retention", "gla", "deltanet", "mamba", "mamba2", "mlstm", "slstm", "titans", "atlas"})
    public String core;

    @Param({"1024", "256", "4096"})
    public long tokens;

    @Param({"2", "1"})
    public int threads;

    private Parallel.Limit limit;
    private Scope scope;
    private Core ours;
    private List<Tensor> inputs;
    private List<Tensor> leaves;
    private Tensor cotangent;

    private NDManager manager;
    private TorchScript script;
    private NDList arguments;
    private NDArray torchCotangent;

    @Setup
    public void setup() throws IOException {
        System.setProperty("ai.djl.pytorch.num_threads", Integer.toString(threads));
        limit = Parallel.limit(threads);
        scope = Scope.open("setup");
        ours = Core.of(core, tokens);
        inputs = new ArrayList<>();
        leaves = new ArrayList<>();
        manager = NDManager.newBaseManager("PyTorch");
        script = new TorchScript(manager, core, "CHUNK", Long.toString(Core.CHUNK));
        arguments = new NDList();
        for (Core.Input input : ours.inputs()) {
            Tensor x = input.make();
            NDArray theirs = manager.create(x.toFloats(), new ai.djl.ndarray.types.Shape(x.shape().dims()));
            if (input.tracked()) {
                x = x.track();
                leaves.add(x);
                theirs.setRequiresGradient(true);
            }
            inputs.add(x);
            arguments.add(theirs);
        }
        Tensor y = ours.gatun().apply(inputs);
        cotangent = Random.normal(Key.of(12), DType.F32, y.shape());
        torchCotangent = manager.create(cotangent.toFloats(), new ai.djl.ndarray.types.Shape(y.shape().dims()));
        for (int i = 0; i < 3; i++) {
            gatunForwardBackward();
            Warmup.awaitAll(Duration.ofSeconds(20));
        }
        compare(y);
        HostPool.shared().resetPeak();
        long before = HostPool.shared().liveBytes();
        gatunForwardBackward();
        System.out.printf("off-heap %s T=%d: %d bytes at most, beside %d of inputs%n", core, tokens,
                HostPool.shared().peakBytes() - before, before);
    }

    /** Both sides must compute the same, or timing them says nothing. */
    private void compare(Tensor y) {
        List<Tensor> slopes = Autograd.grad(List.of(y), List.of(cotangent), leaves);
        torchForwardBackward();
        try (NDArray theirs = script.run(arguments).head()) {
            check("output", y.toFloats(), theirs.toFloatArray());
        }
        int leaf = 0;
        for (int i = 0; i < arguments.size(); i++) {
            if (ours.inputs().get(i).tracked()) {
                try (NDArray gradient = arguments.get(i).getGradient()) {
                    check("gradient of " + ours.inputs().get(i).name(), slopes.get(leaf++).toFloats(), gradient.toFloatArray());
                }
            }
        }
    }

    private void check(String what, float[] a, float[] b) {
        double largest = 0;
        double error = 0;
        for (int i = 0; i < a.length; i++) {
            largest = Math.max(largest, Math.abs(b[i]));
            error = Math.max(error, Math.abs(a[i] - b[i]));
        }
        if (!(error <= AGREEMENT * largest)) {
            throw new IllegalStateException("bench: " + core + ": the " + what + " differs by " + error + ", the largest is " + largest);
        }
    }

    @TearDown(Level.Trial)
    public void close() {
        script.close();
        manager.close();
        scope.close();
        limit.close();
    }

    @Benchmark
    public double gatunForward() {
        try (Scope step = Scope.open("forward")) {
            return ours.gatun().apply(inputs.stream().map(Tensor::detach).toList()).shape().elements();
        }
    }

    @Benchmark
    public double gatunForwardBackward() {
        try (Scope step = Scope.open("both")) {
            Tensor y = ours.gatun().apply(inputs);
            return Autograd.grad(List.of(y), List.of(cotangent), leaves).getFirst().shape().elements();
        }
    }

    @Benchmark
    public Object torchForward() {
        try (NDArray y = script.run(arguments).head()) {
            return y.getShape();
        }
    }

    @Benchmark
    public Object torchForwardBackward() {
        try (GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector();
                NDArray y = script.run(arguments).head();
                NDArray weighted = y.mul(torchCotangent);
                NDArray loss = weighted.sum()) {
            collector.backward(loss);
            return loss.getShape();
        }
    }
}
