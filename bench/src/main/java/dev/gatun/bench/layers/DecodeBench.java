package dev.gatun.bench.layers;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import dev.gatun.engine.DType;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.Warmup;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
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

/**
 * One token after another through the cores of layers whose state does not grow, ours and libtorch's: width 512 in heads of 64,
 * float32, one thread. Each token reads the state that the token before has left.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 5, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
@org.openjdk.jmh.annotations.Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class DecodeBench {

    private static final double AGREEMENT = 1e-4;

    @Param({"linear-attention", "retention", "gla", "deltanet", "mamba", "mamba2", "mlstm", "slstm"})
    public String core;

    private Parallel.Limit limit;
    private Scope scope;
    private Core ours;
    private List<Tensor> inputs;
    private List<Tensor> states;

    private NDManager manager;
    private TorchScript script;
    private NDList arguments;

    @Setup
    public void setup() throws IOException {
        System.setProperty("ai.djl.pytorch.num_threads", "1");
        limit = Parallel.limit(1);
        scope = Scope.open("setup");
        ours = Core.of(core, 1);
        manager = NDManager.newBaseManager("PyTorch");
        script = new TorchScript(manager, core + "-decode");
        inputs = new ArrayList<>();
        arguments = new NDList();
        for (Core.Input input : ours.inputs()) {
            Tensor x = input.make();
            inputs.add(x);
            arguments.add(manager.create(x.toFloats(), new ai.djl.ndarray.types.Shape(x.shape().dims())));
        }
        states = new ArrayList<>();
        for (Shape state : ours.states()) {
            states.add(Tensor.zeros(DType.F32, state));
            arguments.add(manager.zeros(new ai.djl.ndarray.types.Shape(state.dims())));
        }
        compare();
        for (int i = 0; i < 3; i++) {
            gatun();
            Warmup.awaitAll(Duration.ofSeconds(20));
        }
    }

    /** Five tokens on both sides must give the same. */
    private void compare() {
        for (int t = 0; t < 5; t++) {
            float[] mine = gatun();
            NDList out = token();
            float[] theirs = out.head().toFloatArray();
            for (int i = 0; i < mine.length; i++) {
                if (!(Math.abs(mine[i] - theirs[i]) <= AGREEMENT * (1 + Math.abs(theirs[i])))) {
                    throw new IllegalStateException("bench: " + core + ": output " + i + " of token " + t + " is " + mine[i] + " and " + theirs[i]);
                }
            }
            out.head().close();
        }
    }

    @TearDown
    public void close() {
        script.close();
        manager.close();
        scope.close();
        limit.close();
    }

    @Benchmark
    public float[] gatun() {
        try (Scope token = Scope.open("token")) {
            List<Tensor> in = new ArrayList<>(inputs);
            in.addAll(states);
            List<Tensor> out = ours.token().apply(in);
            List<Tensor> before = states;
            states = out.subList(1, out.size()).stream().map(Tensor::contiguous).map(token::keep).toList();
            before.forEach(scope::release);
            return out.getFirst().toFloats();
        }
    }

    @Benchmark
    public Object torch() {
        NDList out = token();
        float[] y = out.head().toFloatArray();
        out.head().close();
        return y;
    }

    private NDList token() {
        NDList out = script.run(arguments);
        int first = inputs.size();
        for (int i = 1; i < out.size(); i++) {
            NDArray before = arguments.set(first + i - 1, out.get(i));
            before.close();
        }
        return out;
    }
}
