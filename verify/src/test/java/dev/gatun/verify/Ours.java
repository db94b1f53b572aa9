package dev.gatun.verify;

import dev.gatun.autograd.Autograd;
import dev.gatun.engine.Backend;
import dev.gatun.engine.Device;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Linear;
import dev.gatun.ops.sequence.Attention;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/** Our own ops, and one test for each of their samples. */
final class Ours {

    static final Catalogue CATALOGUE = Catalogue.of(anchors());

    private static final long SMALL = 2000;

    private Ours() {}

    private static Class<?>[] anchors() {
        return new Class<?>[] {Op.class, Autograd.class, Attention.class, Linear.class};
    }

    /** Vectors where there are any. Alone, they answer from the first call on; with plain loops beside them, only when warm. */
    static final Backend FAST = Backend.VECTOR.on() ? Backend.VECTOR : Backend.SCALAR;

    /** One test a sample, named after it, on the vector kernels. */
    static Stream<DynamicTest> each(Consumer<Sample> check) {
        return CATALOGUE.samples().stream().map(sample -> test(sample, FAST, check));
    }

    /**
     * One test for each sample of ordinary size. Where a test says nothing about the seams of kernels,
     * a large sample of an op that has a smaller one only takes time.
     */
    static Stream<DynamicTest> eachSmall(Backend backend, Consumer<Sample> check) {
        return CATALOGUE.entries().stream().flatMap(entry -> {
            List<Sample> small = entry.samples().stream().filter(Ours::isSmall).toList();
            return (small.isEmpty() ? entry.samples() : small).stream();
        }).map(sample -> test(sample, backend, check));
    }

    private static DynamicTest test(Sample sample, Backend backend, Consumer<Sample> check) {
        return DynamicTest.dynamicTest(sample.toString(), () -> {
            try (Backend.Narrowed narrowed = Backend.only(backend, Backend.REFERENCE)) {
                check.accept(sample);
            }
        });
    }

    static boolean isSmall(Sample sample) {
        return elements(sample) <= SMALL;
    }

    private static long elements(Sample sample) {
        return sample.inputs().stream().mapToLong(input -> input.shape().elements()).sum();
    }

    /** What the shape rule says, without numbers; throws what it throws. */
    static List<Spec> inferred(Sample sample, List<Tensor> inputs) {
        Tensor[] specs = inputs.stream().map(x -> x.to(Device.none())).toArray(Tensor[]::new);
        return sample.inputs().isEmpty() ? sample.op().infer() : sample.op().applyAll(specs).stream().map(Tensor::spec).toList();
    }
}
