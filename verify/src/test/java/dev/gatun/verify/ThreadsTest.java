package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.autograd.Autograd;
import dev.gatun.engine.ArgumentException;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * The same bits with 1, 2 and 5 threads. Samples are grown so that a kernel has blocks and tiles to
 * put together, and work is cut even where it would be too short to be worth it.
 */
class ThreadsTest {

    private static final Key KEY = Key.of(13);
    private static final long ELEMENTS = 1 << 12;

    @TestFactory
    Stream<DynamicTest> the_number_of_threads_changes_no_bit() {
        return Ours.each(sample -> grown(sample).forEach(ThreadsTest::check));
    }

    /** Each group of axes of one size, grown by itself as far as the op allows; the sample as it is, when it allows nothing. */
    private static List<Sample> grown(Sample sample) {
        List<Sample> grown = new ArrayList<>();
        for (long size : Samples.sizes(sample)) {
            long largest = sample.inputs().stream().mapToLong(input -> input.shape().elements()).max().orElse(0);
            if (size == 0 || largest == 0) {
                continue;
            }
            for (long to = Math.max(size + 1, ELEMENTS * size / largest); to > size; to = to / 8) {
                Sample larger = Samples.resized(sample, size, to);
                if (fits(larger)) {
                    grown.add(larger);
                    break;
                }
            }
        }
        return grown.isEmpty() ? List.of(sample) : grown;
    }

    /** Whether the op takes it, and neither inputs nor outputs are larger than they need to be. */
    private static boolean fits(Sample sample) {
        try {
            long[] elements = sample.inputs().stream().mapToLong(input -> input.shape().elements()).toArray();
            for (long count : elements) {
                if (count > 2 * ELEMENTS) {
                    return false;
                }
            }
            try (Scope scope = Scope.open("fits")) {
                List<Spec> specs = Ours.inferred(sample, Samples.specs(sample, DType.F32));
                return specs.stream().allMatch(spec -> spec.shape().elements() <= 2 * ELEMENTS);
            }
        } catch (ArgumentException refusal) {
            return false;
        }
    }

    private static void check(Sample sample) {
        try (Scope scope = Scope.open("test")) {
            List<Tensor> inputs = Samples.tensors(sample, DType.F32, KEY);
            List<Tensor> alone = on(1, sample, inputs);
            for (int threads : new int[] {2, 5}) {
                OpsTest.assertSameBits(alone, on(threads, sample, inputs), sample + " on " + threads + " threads");
            }
        }
    }

    /** Outputs and gradients. */
    private static List<Tensor> on(int threads, Sample sample, List<Tensor> inputs) {
        try (Parallel.Limit limit = Parallel.limitAndCut(threads)) {
            List<Tensor> tracked = inputs.stream().map(x -> x.dtype().isFloat() ? x.track() : x).toList();
            List<Tensor> leaves = tracked.stream().filter(Tensor::tracked).toList();
            List<Tensor> ys = sample.op().applyAll(tracked.toArray(Tensor[]::new));
            List<Tensor> results = new ArrayList<>(ys);
            List<Tensor> real = ys.stream().filter(y -> y.dtype().isFloat()).toList();
            results.addAll(Autograd.grad(real, real.stream().map(Tensor::detach).toList(), leaves));
            return results;
        }
    }
}
