package dev.gatun.verify;

import static dev.gatun.autograd.Autograd.grad;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.ArgumentException;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Every axis of every sample made empty and made one long, by itself and together with those of the
 * same size. Either the op says what is wrong, with its name and its inputs, or it gives what the
 * reference gives, and gradients of the right shapes.
 */
class EdgesTest {

    private static final Key KEY = Key.of(11);

    @TestFactory
    Stream<DynamicTest> empty_axes_and_axes_of_one_give_the_right_result_or_a_clear_refusal() {
        return Ours.eachSmall(Ours.FAST, sample -> variants(sample).forEach(variant -> check(variant, sample)));
    }

    private static Set<Sample> variants(Sample sample) {
        Set<Sample> variants = new LinkedHashSet<>();
        for (long to : new long[] {0, 1}) {
            for (long from : Samples.sizes(sample)) {
                variants.add(Samples.resized(sample, from, to));
            }
            for (int input = 0; input < sample.inputs().size(); input++) {
                for (int axis = 0; axis < sample.inputs().get(input).shape().rank(); axis++) {
                    variants.add(Samples.resized(sample, input, axis, to));
                }
            }
        }
        return variants;
    }

    private static void check(Sample sample, Sample original) {
        try (Scope scope = Scope.open("test")) {
            List<Tensor> inputs = Samples.tensors(sample, DType.F32, KEY);
            List<Spec> specs;
            try {
                specs = Ours.inferred(sample, inputs);
            } catch (ArgumentException refusal) {
                assertClear(sample, refusal);
                return;
            }
            try {
                List<Tensor> outputs = sample.op().applyAll(inputs.toArray(Tensor[]::new));
                assertEquals(specs, outputs.stream().map(Tensor::spec).toList(), sample.toString());
                Parity.Result result = Parity.of(sample, DType.F32, KEY).compare("axes of zero and one", outputs);
                if (!result.ok()) {
                    // The numbers that set the scale may have gone with their axis: what is right for all of them is right here.
                    double usual = Parity.of(original, DType.F32, KEY).tolerance(result.output());
                    assertTrue(result.error() <= usual, result::toString);
                }
                assertGradientsFit(sample, inputs);
            } catch (ArgumentException | IndexOutOfBoundsException refusal) {
                assertClear(sample, refusal);
            }
        }
    }

    /** The op first, then a line for each input. */
    private static void assertClear(Sample sample, RuntimeException refusal) {
        String message = refusal.getMessage();
        assertTrue(message.startsWith(sample.op().name() + ": ") && message.lines().count() > sample.inputs().size(),
                () -> sample + " is refused without its name or its inputs: " + message);
    }

    private static void assertGradientsFit(Sample sample, List<Tensor> inputs) {
        List<Tensor> tracked = inputs.stream().map(x -> x.dtype().isFloat() ? x.track() : x).toList();
        List<Tensor> leaves = tracked.stream().filter(Tensor::tracked).toList();
        List<Tensor> ys = new ArrayList<>(sample.op().applyAll(tracked.toArray(Tensor[]::new)));
        ys.removeIf(y -> !y.dtype().isFloat());
        List<Tensor> gs = ys.stream().map(y -> Tensor.zeros(y.dtype(), y.shape())).toList();
        List<Tensor> gradients = grad(ys, gs, leaves);
        for (int i = 0; i < leaves.size(); i++) {
            assertEquals(leaves.get(i).spec(), gradients.get(i).spec());
            for (double slope : gradients.get(i).toDoubles()) {
                assertTrue(slope == 0, () -> sample + ": a gradient of zero came back as " + slope);
            }
        }
    }
}
