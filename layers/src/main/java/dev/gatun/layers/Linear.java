package dev.gatun.layers;

import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;

/**
 * {@code y = W x + b} on the last axis, {@code [..., in] -> [..., out]}. The weight is stored
 * {@code [out, in]}, one row a result, as other libraries' files have it; the product reads it
 * through a transposed view, which costs it nothing.
 */
public final class Linear {

    private final Tensor weight;
    private final Tensor bias;

    /** Without a bias. */
    public Linear(Params p, long in, long out) {
        this(p, in, out, false);
    }

    /** With a bias, zero at first, if wanted. */
    public Linear(Params p, long in, long out, boolean biased) {
        this.weight = p.weight("weight", in, out);
        this.bias = biased ? p.make("bias", Shape.of(out), Init.zeros()) : null;
    }

    /** The result for each vector on the last axis. */
    public Tensor forward(Tensor x) {
        Tensor y = apply(weight, x);
        return bias == null ? y : y.add(bias);
    }

    /** {@code y = W x} on the last axis. All vectors are the rows of one matrix, so that there is one product for them. */
    static Tensor apply(Tensor weight, Tensor x) {
        if (x.shape().rank() == 2) {
            return x.matmul(weight.transpose());
        }
        return x.reshape(-1, x.shape().last()).matmul(weight.transpose()).reshape(x.shape().with(-1, weight.dim(0)));
    }
}
