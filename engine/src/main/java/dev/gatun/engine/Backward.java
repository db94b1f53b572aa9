package dev.gatun.engine;

import java.util.List;
import java.util.function.Function;

/**
 * What a gradient rule sees of the op it differentiates: inputs, outputs, and the gradients of the
 * outputs. In a plain sweep they are detached; in a differentiable one the rule's own ops record.
 */
public abstract class Backward {

    /** Number of inputs. */
    public abstract int inputs();

    /** The i-th input. */
    public abstract Tensor in(int i);

    /** The i-th output. */
    public abstract Tensor out(int i);

    /** Gradient of the i-th output; zeros when nothing flowed there. */
    public abstract Tensor g(int i);

    /** Whether anything flowed to the i-th output. */
    public abstract boolean flows(int i);

    /** Whether somebody wants the gradient of the i-th input; else {@link #none()} may stand there. */
    public abstract boolean needs(int i);

    /** Whether the rule's own ops are recorded, so that what it returns can be differentiated again. */
    public abstract boolean differentiable();

    /** The gradients of the inputs of an op that these other ops could compute. */
    public abstract List<Tensor> through(Function<Tensor[], List<Tensor>> composition);

    /** The only output. */
    public final Tensor out() {
        return out(0);
    }

    /** Gradient of the only output. */
    public final Tensor g() {
        return g(0);
    }

    /** Stands for the gradient of an input that has none. */
    public final Tensor none() {
        return Tensor.NONE;
    }
}
