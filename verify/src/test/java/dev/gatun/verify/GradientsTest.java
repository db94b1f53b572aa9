package dev.gatun.verify;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Sample.Kind;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.Scope;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** First and second gradients of every op, from its samples. A rule that is missing fails here with its op's name. */
class GradientsTest {

    private static final long SEED = 42;

    @Tag("once")
    @TestFactory
    Stream<DynamicTest> gradients_are_what_differences_say() {
        return Ours.eachSmall(Ours.FAST, GradientsTest::check);
    }

    private static void check(Sample sample) {
        try (Scope scope = Scope.open("test")) {
            Tensor[] inputs = Samples.tensors(sample, DType.F64, Key.of(SEED)).toArray(Tensor[]::new);
            if (isDifferentiable(sample, inputs)) {
                GradientCheck.of(sample.op()).at(inputs).seed(SEED).order(2).assertOk();
            }
        }
    }

    /** Real numbers go in and come out, so that there is a slope to know, be it zero. */
    private static boolean isDifferentiable(Sample sample, Tensor[] inputs) {
        return sample.inputs().stream().anyMatch(input -> input.kind() == Kind.REAL)
                && Ours.inferred(sample, List.of(inputs)).stream().anyMatch(spec -> spec.dtype().isFloat());
    }
}
