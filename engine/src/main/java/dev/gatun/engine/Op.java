package dev.gatun.engine;

import java.util.List;

/**
 * An operation on tensors, declared once: a record whose components are its attributes, so that
 * equality, hashing and printing come with it. Everything about an op is in its record: shape rule,
 * kernels, gradient rule and, as {@code public static List<Sample> samples()}, the examples it is
 * checked and timed with.
 */
public interface Op {

    /** The word users know the op by: the record's name, its first letter small. */
    default String name() {
        return Names.of(getClass());
    }

    /** Names of the inputs in errors. */
    default List<String> arguments() {
        return Names.ARGUMENTS;
    }

    /** Name of the i-th of so many inputs in errors: {@code x} when it is the only one and has no name of its own. */
    default String argument(int i, int count) {
        return Names.argument(this, i, count);
    }

    /**
     * Specs of the outputs for these inputs.
     *
     * @throws ShapeException with what is wrong and both numbers; the op and its inputs are added by {@link Dispatch}
     * @throws DTypeException likewise
     */
    List<Spec> infer(Spec... in);

    /** Kernels, best first. Keep the list in a static field: a kernel remembers whether it is warm. */
    List<Kernel> kernels();

    /** Gradients of the inputs, one each, written with ops so that they have gradients themselves. */
    List<Tensor> gradient(Backward b);

    /** Whether BF16 and F16 inputs are taken as they are instead of being widened to F32 first. */
    default boolean takesStorageTypes() {
        return false;
    }

    /** Whether the i-th output may be infinite for finite inputs by its meaning, as the logarithm of an empty sum is. */
    default boolean mayBeInfinite(int output) {
        return false;
    }

    /** Applies this op and returns its first output. */
    default Tensor apply(Tensor... in) {
        return Dispatch.run(this, in)[0];
    }

    /** Applies this op and returns all outputs. */
    default List<Tensor> applyAll(Tensor... in) {
        return List.of(Dispatch.run(this, in));
    }
}
