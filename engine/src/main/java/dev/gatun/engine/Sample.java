package dev.gatun.engine;

import java.util.ArrayList;
import java.util.List;

/**
 * An example of an op that it is checked and timed with: attributes, and for every input a shape
 * and where its values come from. Real inputs are uniform in {@code [-2, 2)} unless said otherwise.
 */
public record Sample(Op op, List<Input> inputs, double slack) {

    /** Values of one input: real numbers or whole numbers of a range, or truth values. */
    public record Input(Shape shape, Kind kind, double from, double to) {}

    /** Kinds of input; only real ones have gradients. */
    public enum Kind { REAL, INTEGER, BOOL }

    /** An op on real inputs of these shapes. */
    public static Sample of(Op op, Shape... shapes) {
        List<Input> inputs = new ArrayList<>();
        for (Shape shape : shapes) {
            inputs.add(new Input(shape, Kind.REAL, -2, 2));
        }
        return new Sample(op, List.copyOf(inputs), 1);
    }

    /** This sample with the i-th input drawn from {@code [from, to)}: the op's domain, away from its kinks. */
    public Sample range(int i, double from, double to) {
        return with(i, new Input(inputs.get(i).shape(), Kind.REAL, from, to));
    }

    /** This sample with whole numbers {@code from, …, to - 1} (I64) as the i-th input. */
    public Sample integers(int i, long from, long to) {
        return with(i, new Input(inputs.get(i).shape(), Kind.INTEGER, from, to));
    }

    /** This sample with truth values as the i-th input. */
    public Sample bools(int i) {
        return with(i, new Input(inputs.get(i).shape(), Kind.BOOL, 0, 2));
    }

    /**
     * This sample with rounding errors allowed to be that many times the usual bound; its op says
     * why.
     */
    public Sample slack(double times) {
        return new Sample(op, inputs, times);
    }

    private Sample with(int i, Input input) {
        List<Input> changed = new ArrayList<>(inputs);
        changed.set(i, input);
        return new Sample(op, List.copyOf(changed), slack);
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(op.toString());
        for (Input input : inputs) {
            text.append(' ').append(input.shape());
        }
        return text.toString();
    }
}
