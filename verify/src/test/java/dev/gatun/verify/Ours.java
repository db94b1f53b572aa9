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

    /** One test a sample, named after it. */
    static Stream<DynamicTest> each(Consumer<Sample> check) {
        return CATALOGUE.samples().stream().map(sample -> test(sample, check));
    }

    /**
     * On the fastest backend there is, from the first call on: with plain loops behind it they would
     * answer until it is warm, and then other bits would come.
     */
    private static DynamicTest test(Sample sample, Consumer<Sample> check) {
        return DynamicTest.dynamicTest(sample.toString(), () -> {
            try (Backend.Narrowed fast = Backend.only(Backend.VECTOR.on() ? Backend.VECTOR : Backend.SCALAR, Backend.REFERENCE)) {
                check.accept(sample);
            }
        });
    }

    /**
     * One test for each sample of ordinary size. Where a test says nothing about the seams of kernels,
     * a large sample of an op that has a smaller one only takes time.
     */
    static Stream<DynamicTest> eachSmall(Consumer<Sample> check) {
        return CATALOGUE.entries().stream().flatMap(entry -> {
            List<Sample> small = entry.samples().stream().filter(sample -> elements(sample) <= SMALL).toList();
            return (small.isEmpty() ? entry.samples() : small).stream();
        }).map(sample -> test(sample, check));
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
