package dev.gatun.verify;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Sample.Input;
import dev.gatun.engine.Sample.Kind;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** From a {@link Sample} to tensors, and to samples of the same op in other sizes. */
public final class Samples {

    private static final double UNIT = 0x1p-53;

    private Samples() {}

    /**
     * Inputs as the sample describes them: real ones of this dtype, whole numbers as I64. Values
     * depend on the key and their place alone, and those of F32 are those of F64, rounded.
     */
    public static List<Tensor> tensors(Sample sample, DType dtype, Key key) {
        List<Tensor> tensors = new ArrayList<>();
        for (int i = 0; i < sample.inputs().size(); i++) {
            tensors.add(tensor(sample.inputs().get(i), dtype, key.child(i)));
        }
        return tensors;
    }

    /** The inputs without numbers: enough for the op's shape rule. */
    public static List<Tensor> specs(Sample sample, DType dtype) {
        List<Tensor> specs = new ArrayList<>();
        for (Input input : sample.inputs()) {
            DType own = switch (input.kind()) {
                case REAL -> dtype;
                case INTEGER -> DType.I64;
                case BOOL -> DType.BOOL;
            };
            specs.add(Tensor.of(new Spec(own, input.shape())));
        }
        return specs;
    }

    private static Tensor tensor(Input input, DType dtype, Key key) {
        double[] values = uniform(key, Math.toIntExact(input.shape().elements()), input.from(), input.to());
        return switch (input.kind()) {
            case REAL -> Tensor.of(dtype, input.shape(), values);
            case INTEGER -> Tensor.of(DType.I64, input.shape(), floors(values));
            case BOOL -> Tensor.of(DType.BOOL, input.shape(), floors(values));
        };
    }

    private static double[] floors(double[] values) {
        for (int i = 0; i < values.length; i++) {
            values[i] = Math.floor(values[i]);
        }
        return values;
    }

    /** Numbers that are uniform in {@code [from, to)}. */
    static double[] uniform(Key key, int count, double from, double to) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = from + (key.word(i) >>> 11) * UNIT * (to - from);
        }
        return values;
    }

    /** Sizes of the axes of all inputs. */
    public static Set<Long> sizes(Sample sample) {
        Set<Long> sizes = new TreeSet<>();
        for (Input input : sample.inputs()) {
            for (long dim : input.shape().dims()) {
                sizes.add(dim);
            }
        }
        return sizes;
    }

    /**
     * The sample with every axis of one size given another size, so that axes that belong together
     * stay together. Whole numbers below the old size, such as indices, stay below the new one. The
     * op may refuse the result: its attributes are unchanged.
     */
    public static Sample resized(Sample sample, long from, long to) {
        List<Input> inputs = new ArrayList<>();
        for (Input input : sample.inputs()) {
            long[] dims = input.shape().dims();
            for (int axis = 0; axis < dims.length; axis++) {
                dims[axis] = dims[axis] == from ? to : dims[axis];
            }
            double end = input.kind() == Kind.INTEGER && input.to() == from ? to : input.to();
            inputs.add(new Input(Shape.of(dims), input.kind(), input.from(), end));
        }
        return new Sample(sample.op(), List.copyOf(inputs), sample.slack());
    }

    /** The sample with one axis of one input given another size; the op may refuse it. */
    public static Sample resized(Sample sample, int input, int axis, long to) {
        List<Input> inputs = new ArrayList<>(sample.inputs());
        Input old = inputs.get(input);
        inputs.set(input, new Input(old.shape().with(axis, to), old.kind(), old.from(), old.to()));
        return new Sample(sample.op(), List.copyOf(inputs), sample.slack());
    }
}
