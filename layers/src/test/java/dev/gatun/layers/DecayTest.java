package dev.gatun.layers;

import static dev.gatun.autograd.Autograd.grad;
import static dev.gatun.ops.Random.normal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.memory.HostPool;
import dev.gatun.ops.sequence.DecayChunk;
import dev.gatun.ops.sequence.DecayMean;
import dev.gatun.ops.sequence.DecayMeanGrad;
import dev.gatun.ops.sequence.DecayMean.Weights;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DecayTest {

    private static final long KEY = 64;
    private static final long VALUE = 64;

    // What tests make is given back at once: memory is measured below.
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static Tensor random(String name, long... dims) {
        return normal(Key.of(7).child(name), DType.F64, Shape.of(dims));
    }

    /** Log decays, of which every fifth is so strong that nothing is left. */
    private static Tensor decays(String name, long... dims) {
        Tensor g = random(name, dims).abs().neg();
        Tensor strong = random(name + " strong", dims).gt(0.84);
        return strong.select(g.mul(60), g.mul(0.1));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 15, 32, 33, 97})
    void a_decay_for_each_step_is_in_single_precision_what_it_is_in_double(long time) {
        agree(in -> outputs(DecayChunk.decayChunk(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), in.get(5), 0)),
                random("q", 1, 1, time, KEY), random("k", 1, 1, time, KEY), random("v", 1, 2, time, VALUE), decays("g", 1, 2, time),
                random("s", 1, 2, KEY, VALUE), random("w", 1, 2, time));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 15, 16, 17, 97})
    void a_decay_for_each_channel_is_in_single_precision_what_it_is_in_double(long time) {
        agree(in -> outputs(DecayChunk.decayChunk(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), null, 0)),
                random("q", 1, 2, time, KEY), random("k", 1, 2, time, KEY), random("v", 1, 2, time, VALUE), decays("g", 1, 2, time, KEY),
                random("s", 1, 2, KEY, VALUE));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 15, 32, 33, 97})
    void a_stable_mean_is_in_single_precision_what_it_is_in_double(long time) {
        agree(in -> {
            DecayMean.Result r = new DecayMean(Weights.STABLE, 0, 0).of(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4),
                    new DecayMean.State(in.get(5), in.get(6), in.get(7)));
            return List.of(r.h(), r.state().c(), r.state().n(), r.state().m());
        }, random("q", 1, 2, time, KEY), random("k", 1, 2, time, KEY), random("v", 1, 2, time, VALUE), random("i", 1, 2, time).mul(8),
                decays("f", 1, 2, time), random("c", 1, 2, KEY, VALUE), random("n", 1, 2, KEY), random("m", 1, 2));
    }

    private static List<Tensor> outputs(DecayChunk.Result r) {
        return List.of(r.y(), r.state());
    }

    /** Outputs and gradients agree to some units of rounding of sums of 64 to 97 terms. */
    private static void agree(Function<List<Tensor>, List<Tensor>> f, Tensor... inputs) {
        try (Scope inner = Scope.open("comparison")) {
            List<Tensor> wide = all(f, List.of(inputs));
            List<Tensor> single = new ArrayList<>();
            for (Tensor input : inputs) {
                single.add(input.to(DType.F32));
            }
            List<Tensor> found = all(f, single);
            for (int i = 0; i < wide.size(); i++) {
                double[] expected = wide.get(i).toDoubles();
                double[] actual = found.get(i).toDoubles();
                double largest = 0;
                for (double value : expected) {
                    largest = Math.max(largest, Math.abs(value));
                }
                for (int j = 0; j < expected.length; j++) {
                    assertEquals(expected[j], actual[j], 2e-4 * largest, "result " + i + " at " + j);
                }
            }
        }
    }

    private static List<Tensor> all(Function<List<Tensor>, List<Tensor>> f, List<Tensor> inputs) {
        List<Tensor> leaves = inputs.stream().map(Tensor::track).toList();
        List<Tensor> outputs = f.apply(leaves);
        List<Tensor> weights = new ArrayList<>();
        for (Tensor y : outputs) {
            weights.add(normal(Key.of(3).child(weights.size()), DType.F64, y.shape()).to(y.dtype()));
        }
        List<Tensor> results = new ArrayList<>(outputs);
        results.addAll(grad(outputs, weights, leaves));
        return results;
    }

    @Test
    void memory_of_a_gradient_grows_with_the_time_and_not_with_its_square() {
        long[] peaks = new long[2];
        for (int i = 0; i < 2; i++) {
            long time = 2048L << i;
            // Plain loops: bringing a vector kernel up to speed takes memory for a moment.
            try (Scope inner = Scope.open("gradient"); Backend.Narrowed plain = Backend.only(Backend.SCALAR, Backend.REFERENCE)) {
                Tensor q = Tensor.ones(DType.F32, Shape.of(1, 1, time, 16)).track();
                Tensor g = Tensor.full(DType.F32, Shape.of(1, 1, time), -0.1);
                Tensor state = Tensor.zeros(DType.F32, Shape.of(1, 1, 16, 16));
                HostPool.shared().resetPeak();
                long before = HostPool.shared().liveBytes();
                grad(DecayChunk.decayChunk(q, q, q, g, state, null, 0).y().sum(), q);
                peaks[i] = HostPool.shared().peakBytes() - before;
            }
        }
        assertTrue(peaks[1] < 2.6 * peaks[0], peaks[0] + " bytes became " + peaks[1]);
    }

    @Test
    void inputs_that_do_not_fit_are_refused_with_both_shapes() {
        Tensor q = Tensor.zeros(DType.F32, Shape.of(1, 2, 3, 4));
        Tensor v = Tensor.zeros(DType.F32, Shape.of(1, 3, 3, 5));
        Tensor g = Tensor.zeros(DType.F32, Shape.of(1, 3, 3));
        Tensor state = Tensor.zeros(DType.F32, Shape.of(1, 3, 4, 5));
        var e = assertThrows(ShapeException.class, () -> DecayChunk.decayChunk(q, q, v, g, state, null, 0));
        assertTrue(e.getMessage().startsWith("decayChunk: 3 heads do not divide into 2 groups of queries and keys\n"), e.getMessage());
        Tensor one = Tensor.zeros(DType.F32, Shape.of(1, 1, 3, 4));
        e = assertThrows(ShapeException.class, () -> DecayChunk.decayChunk(one, one, v, state, state, null, 0));
        assertTrue(e.getMessage().startsWith("decayChunk: the log decay must be [1, 3, 3] or [1, 3, 3, 4], is [1, 3, 4, 5]\n"), e.getMessage());
        var wrong = assertThrows(IllegalArgumentException.class, () -> new DecayMeanGrad(new DecayMean(Weights.STABLE, 0, 0.5)));
        assertEquals("decayMeanGrad: with eps 0.5 means depend on m, whose gradient this op leaves out", wrong.getMessage());
    }
}
