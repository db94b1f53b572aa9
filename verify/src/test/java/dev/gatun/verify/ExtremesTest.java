package dev.gatun.verify;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Sample.Kind;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Elementwise ops on zeros of both signs, subnormal, huge and infinite numbers and NaN, every
 * combination of them: loops give NaN and infinities where the definition gives them, and a number
 * within a few units in the last place elsewhere.
 */
class ExtremesTest {

    private static final int UNITS = 16;
    private static final double[] MIXED = {0.0, -0.0, 1, -1, 0.5, -3, 20, -20, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NaN};

    @TestFactory
    Stream<DynamicTest> loops_do_what_the_definition_does_at_the_ends_of_the_number_line() {
        return Ours.CATALOGUE.entries().stream()
                .filter(entry -> Elementwise.class.isAssignableFrom(entry.type()))
                .flatMap(entry -> entry.samples().stream()
                        .filter(sample -> sample.inputs().stream().allMatch(input -> input.kind() == Kind.REAL))
                        .limit(1))
                .map(sample -> DynamicTest.dynamicTest(sample.op().toString(), () -> check(sample)));
    }

    private static void check(Sample sample) {
        for (DType dtype : List.of(DType.F32, DType.F64)) {
            for (Backend backend : List.of(Backend.SCALAR, Backend.VECTOR)) {
                if (backend.on()) {
                    try (Scope scope = Scope.open("test")) {
                        compare(sample, dtype, backend, grid(sample.inputs().size(), dtype));
                    }
                }
            }
        }
    }

    /**
     * One axis of numbers for each input, so that all meet all; three inputs at most vary by themselves.
     * A product of huge or tiny numbers inside a body leaves the range of a float before it leaves that
     * of the definition, so several inputs are ordinary, zero, infinite or NaN.
     */
    private static Tensor[] grid(int inputs, DType dtype) {
        double[] values = inputs == 1 ? values(dtype) : MIXED;
        Tensor[] grid = new Tensor[inputs];
        for (int i = 0; i < inputs; i++) {
            Shape shape = Shape.of(1, 1, 1).with(i % 3, values.length);
            grid[i] = Tensor.of(dtype, shape, values);
        }
        return grid;
    }

    private static double[] values(DType dtype) {
        double largest = dtype == DType.F64 ? Double.MAX_VALUE : Float.MAX_VALUE;
        double smallest = dtype == DType.F64 ? Double.MIN_NORMAL : Float.MIN_NORMAL;
        return new double[] {0.0, -0.0, 1, -1, 0.5, -3, smallest, -smallest, smallest / 4, 20, -20, 89, -104, 300, -800, largest, -largest,
                Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NaN};
    }

    private static void compare(Sample sample, DType dtype, Backend backend, Tensor[] inputs) {
        List<Tensor> expected;
        List<Tensor> found;
        try (Backend.Narrowed reference = Backend.only(Backend.REFERENCE)) {
            expected = sample.op().applyAll(inputs);
        }
        try (Backend.Narrowed own = Backend.only(backend, Backend.REFERENCE)) {
            found = sample.op().applyAll(inputs);
        }
        List<String> wrong = new ArrayList<>();
        for (int output = 0; output < expected.size(); output++) {
            double[] a = expected.get(output).toDoubles();
            double[] b = found.get(output).toDoubles();
            for (int i = 0; i < a.length; i++) {
                double unit = expected.get(output).dtype() == DType.F32 ? Math.ulp((float) a[i]) : Math.ulp(a[i]);
                double least = expected.get(output).dtype() == DType.F32 ? Float.MIN_NORMAL : Double.MIN_NORMAL;
                boolean ok = Double.compare(a[i], b[i]) == 0 || Math.abs(a[i] - b[i]) <= UNITS * unit + least;
                if (!ok) {
                    wrong.add("element " + i + " is " + b[i] + ", defined as " + a[i]);
                }
            }
        }
        if (!wrong.isEmpty()) {
            throw new AssertionError(sample.op() + " of " + dtype + " on " + backend + ": " + wrong.size() + " wrong, such as "
                    + wrong.subList(0, Math.min(6, wrong.size())) + "; values are " + inputs[0]);
        }
    }
}
