package dev.gatun.bench.layers;

import dev.gatun.autograd.Autograd;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.Warmup;
import dev.gatun.engine.memory.HostPool;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * How the cost of a layer grows with the length of the sequence: forward and backward of each core, width 512, on all threads. For
 * the shape of a curve, not for comparing speeds: each point is the best of a few runs in one process.
 */
public final class Scaling {

    private static final int LEAST_RUNS = 2;
    private static final double SECONDS = 2;
    private static final Duration MOST_WARMING = Duration.ofSeconds(15);

    private Scaling() {}

    /**
     * One point.
     *
     * @param core which layer's
     * @param tokens length of the sequence
     * @param seconds best time of forward and backward
     * @param peakBytes off-heap at most, beyond the inputs
     */
    public record Point(String core, long tokens, double seconds, long peakBytes) {}

    /**
     * Measures every core at every length.
     *
     * @param each is shown each point as it comes
     */
    public static List<Point> measure(long[] lengths, Consumer<Point> each) {
        List<Point> points = new ArrayList<>();
        for (String core : Core.names()) {
            for (long tokens : lengths) {
                Point point = measure(core, tokens);
                points.add(point);
                each.accept(point);
            }
        }
        return points;
    }

    private static Point measure(String name, long tokens) {
        try (Scope scope = Scope.open("scaling")) {
            Core core = Core.of(name, tokens);
            List<Tensor> inputs = new ArrayList<>();
            List<Tensor> leaves = new ArrayList<>();
            for (Core.Input input : core.inputs()) {
                Tensor x;
                try (Scope making = Scope.open("making")) {
                    x = making.keep(input.make().contiguous());
                }
                inputs.add(input.tracked() ? x.track() : x);
                if (input.tracked()) {
                    leaves.add(inputs.getLast());
                }
            }
            once(core, inputs, leaves);
            Warmup.awaitAll(MOST_WARMING);
            long before = HostPool.shared().liveBytes();
            HostPool.shared().resetPeak();
            double best = Double.POSITIVE_INFINITY;
            long start = System.nanoTime();
            for (int run = 0; run < LEAST_RUNS || (System.nanoTime() - start) * 1e-9 < SECONDS; run++) {
                long begin = System.nanoTime();
                once(core, inputs, leaves);
                best = Math.min(best, (System.nanoTime() - begin) * 1e-9);
            }
            return new Point(name, tokens, best, HostPool.shared().peakBytes() - before);
        }
    }

    private static void once(Core core, List<Tensor> inputs, List<Tensor> leaves) {
        try (Scope step = Scope.open("step")) {
            Tensor y = core.gatun().apply(inputs);
            Autograd.grad(List.of(y), List.of(y.detach()), leaves);
        }
    }
}
