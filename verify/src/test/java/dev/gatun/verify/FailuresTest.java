package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.autograd.Autograd;
import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.memory.HostPool;
import dev.gatun.engine.memory.MemoryException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/**
 * Memory runs out at the first block that an op and its gradient take, then at the second, and so
 * on until there is enough. Each time a {@link MemoryException} says so, nothing is lost, and the
 * next run is right.
 */
class FailuresTest {

    private static final Key KEY = Key.of(17);

    @Tag("once")
    @TestFactory
    Stream<DynamicTest> a_failed_allocation_loses_nothing_wherever_it_happens() {
        return Ours.eachSmall(Backend.SCALAR, FailuresTest::check);
    }

    private static void check(Sample sample) {
        // One thread: each keeps the scratch memory it has taken, and which of several takes some is not said.
        try (Scope scope = Scope.open("test"); Parallel.Limit one = Parallel.limit(1)) {
            List<Tensor> inputs = Samples.tensors(sample, DType.F32, KEY);
            List<double[]> expected = run(sample, inputs); // also takes the thread's scratch memory, which stays
            long before = HostPool.shared().liveBytes();
            int n = 1;
            for (; fails(n, sample, inputs); n++) {
                assertTrue(HostPool.shared().liveBytes() <= before, "the failure of block " + n + " lost memory");
                List<double[]> again = run(sample, inputs);
                for (int i = 0; i < expected.size(); i++) {
                    assertArrayEquals(expected.get(i), again.get(i));
                }
            }
            assertEquals(before, HostPool.shared().liveBytes(), "the successful run kept something");
            assertTrue(n > 1 || sample.op() instanceof dev.gatun.engine.ViewOp, "nothing was allocated at all");
        }
    }

    private static boolean fails(int n, Sample sample, List<Tensor> inputs) {
        HostPool.shared().failAt(n);
        try {
            run(sample, inputs);
            return false;
        } catch (MemoryException e) {
            assertTrue(e.getMessage().matches("injected failure of a block of \\d+ bytes"), e.getMessage());
            return true;
        } finally {
            HostPool.shared().failAt(0);
        }
    }

    private static List<double[]> run(Sample sample, List<Tensor> inputs) {
        try (Scope scope = Scope.open("run")) {
            List<Tensor> tracked = inputs.stream().map(x -> x.dtype().isFloat() ? x.track() : x).toList();
            List<Tensor> leaves = tracked.stream().filter(Tensor::tracked).toList();
            List<Tensor> results = new ArrayList<>(sample.op().applyAll(tracked.toArray(Tensor[]::new)));
            List<Tensor> real = results.stream().filter(y -> y.dtype().isFloat()).toList();
            List<Tensor> gs = real.stream().map(y -> Tensor.ones(y.dtype(), y.shape())).toList();
            results.addAll(Autograd.grad(real, gs, leaves));
            return results.stream().map(Tensor::toDoubles).toList();
        }
    }
}
