package dev.gatun.verify;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Compares what a backend computes with the reference in double on the same (rounded) inputs.
 *
 * {@snippet :
 * Parity.of(sample, DType.F32, Key.of(1)).run(Backend.VECTOR).assertOk();
 * }
 *
 * <p><b>How the tolerance is found.</b> A good kernel gives nearly the right result of nearly the
 * right inputs. So the reference runs again on inputs that are each off by half a unit in the last
 * place, up or down at random. How far that moves an output is the rounding of the largest terms of
 * its sums, added up over their chain, cancellation included. Partial sums round, too: by one unit
 * in the last place of the output's largest number, and as a random walk does with the number n of
 * inputs for each output (Higham and Mary 2019, "A new approach to probabilistic rounding error
 * analysis"). An element may be off by {@value #FACTOR} times the sum of the movement, the largest
 * over the output in {@value #DRAWS} draws, and {@code sqrt(n)} of those units; times the sample's
 * own slack. Whole numbers, truth values, infinities and NaN must be equal.
 */
public final class Parity {

    private static final int FACTOR = 4;
    private static final int DRAWS = 3;
    /** Relative size of the trial movement: small enough to be linear, large enough to be no rounding in double. */
    private static final double TRIAL = 0x1p-30;

    private final Op op;
    private final List<Tensor> inputs;
    private final List<Expected> expected;

    /** Numbers of one output of the reference and how far one may be from them. */
    private record Expected(DType dtype, double[] values, double tolerance) {}

    private Parity(Op op, List<Tensor> inputs, List<Expected> expected) {
        this.op = op;
        this.inputs = inputs;
        this.expected = expected;
    }

    /** The reference on a sample's inputs, drawn from a key in this dtype. */
    public static Parity of(Sample sample, DType dtype, Key key) {
        return of(sample.op(), Samples.tensors(sample, dtype, key), sample.slack());
    }

    /** The reference on these inputs; {@code slack} multiplies the tolerance. */
    public static Parity of(Op op, List<Tensor> inputs, double slack) {
        List<double[]> exact = reference(op, inputs, 0, null);
        double[] moved = new double[exact.size()];
        for (int draw = 0; draw < DRAWS; draw++) {
            List<double[]> trial = reference(op, inputs, TRIAL, Key.of(draw));
            for (int i = 0; i < moved.length; i++) {
                moved[i] = Math.max(moved[i], largestDifference(exact.get(i), trial.get(i)) / TRIAL);
            }
        }
        List<Tensor> given = op.applyAll(inputs.toArray(Tensor[]::new));
        List<Expected> expected = new ArrayList<>();
        for (int i = 0; i < moved.length; i++) {
            DType dtype = given.get(i).dtype();
            double tolerance = 0;
            if (dtype.isFloat()) {
                double unit = unit(dtype);
                double walk = Math.sqrt(chain(inputs, exact.get(i).length));
                tolerance = slack * FACTOR * (moved[i] * unit / 2 + largest(exact.get(i)) * unit * walk) + smallest(dtype);
            }
            expected.add(new Expected(dtype, exact.get(i), tolerance));
        }
        return new Parity(op, List.copyOf(inputs), expected);
    }

    /** The reference in double, on inputs moved by {@code +-by} relative to their size. */
    private static List<double[]> reference(Op op, List<Tensor> inputs, double by, Key key) {
        Tensor[] wide = new Tensor[inputs.size()];
        for (int i = 0; i < wide.length; i++) {
            Tensor x = inputs.get(i).detach();
            if (x.dtype().isFloat()) {
                double[] values = x.toDoubles();
                for (int j = 0; j < values.length && by != 0; j++) {
                    values[j] *= 1 + ((key.child(i).word(j) & 1) == 0 ? by : -by);
                }
                x = Tensor.of(DType.F64, x.shape(), values);
            }
            wide[i] = x;
        }
        try (Backend.Narrowed reference = Backend.only(Backend.REFERENCE)) {
            return op.applyAll(wide).stream().map(Tensor::toDoubles).toList();
        }
    }

    /** Numbers of the largest input that meet in one of the output. */
    private static double chain(List<Tensor> inputs, int outputs) {
        long most = inputs.stream().mapToLong(x -> x.shape().elements()).max().orElse(1);
        return Math.max(1, (double) most / Math.max(1, outputs));
    }

    private static double unit(DType dtype) {
        return switch (dtype) {
            case F64 -> 0x1p-52;
            case F32 -> 0x1p-23;
            case F16 -> 0x1p-10;
            case BF16 -> 0x1p-7;
            default -> 0;
        };
    }

    private static double smallest(DType dtype) {
        return dtype == DType.F64 ? Double.MIN_NORMAL : Float.MIN_NORMAL;
    }

    private static double largest(double[] values) {
        double largest = 0;
        for (double value : values) {
            largest = Double.isFinite(value) ? Math.max(largest, Math.abs(value)) : largest;
        }
        return largest;
    }

    private static double largestDifference(double[] a, double[] b) {
        double largest = 0;
        for (int i = 0; i < a.length; i++) {
            double difference = Math.abs(a[i] - b[i]);
            largest = Double.isFinite(difference) ? Math.max(largest, difference) : largest;
        }
        return largest;
    }

    /** How far an element of an output may be from the reference. */
    public double tolerance(int output) {
        return expected.get(output).tolerance;
    }

    /** Runs the op on one backend, helped by the reference where that has no kernel, and compares. */
    public Result run(Backend backend) {
        try (Backend.Narrowed only = Backend.only(backend, Backend.REFERENCE)) {
            return compare(backend.toString(), op.applyAll(inputs.toArray(Tensor[]::new)));
        }
    }

    /** Compares outputs that somebody computed from the same inputs. */
    public Result compare(String who, List<Tensor> outputs) {
        Result worst = null;
        for (int i = 0; i < expected.size(); i++) {
            Result result = compare(who, i, outputs.get(i));
            worst = worst == null || result.share() > worst.share() ? result : worst;
        }
        return worst;
    }

    private Result compare(String who, int output, Tensor y) {
        Expected wanted = expected.get(output);
        double[] values = y.toDoubles();
        int worst = 0;
        double error = 0;
        for (int i = 0; i < values.length; i++) {
            double difference = Double.compare(values[i], wanted.values[i]) == 0 || values[i] == wanted.values[i] ? 0
                    : Math.abs(values[i] - wanted.values[i]);
            difference = Double.isFinite(difference) ? difference : Double.POSITIVE_INFINITY;
            if (difference > error) {
                error = difference;
                worst = i;
            }
        }
        boolean any = values.length > 0;
        return new Result(op + " on " + who, output, worst, any ? wanted.values[worst] : 0, any ? values[worst] : 0,
                error, wanted.tolerance);
    }

    /** The element that is furthest off, of all outputs, in relation to what is allowed. */
    public record Result(String what, int output, long element, double expected, double found, double error, double tolerance) {

        /** Whether every element is within its tolerance. */
        public boolean ok() {
            return error <= tolerance;
        }

        /** Error as a share of the tolerance: up to 1 is right. */
        public double share() {
            return error == 0 ? 0 : error / tolerance;
        }

        /** Throws an {@link AssertionError} with everything known when the backend is wrong. */
        public void assertOk() {
            if (!ok()) {
                throw new AssertionError(toString());
            }
        }

        @Override
        public String toString() {
            return what + ": output " + output + ", element " + element + " is " + found + ", the reference says " + expected
                    + String.format(Locale.ROOT, "; off by %.3g, allowed are %.3g", error, tolerance);
        }
    }
}
