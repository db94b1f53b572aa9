package dev.gatun.layers;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.CausalConv;

/**
 * A short filter along the time of each channel, then silu: how recurrent layers let neighbouring tokens meet before their
 * state sees them. The state is the last {@code taps - 1} inputs {@code [B, taps - 1, D]}, oldest first.
 */
final class ShortConv {

    private final Tensor weight;
    private final Tensor bias;
    private final DType dtype;

    /** Weights {@code [width, taps]} and the bias, if wanted, start uniform in {@code ±taps^-1/2}. */
    ShortConv(Params p, long width, long taps, boolean biased) {
        Init init = Init.uniform(1 / Math.sqrt(taps));
        this.weight = p.make("weight", Shape.of(width, taps), init);
        this.bias = biased ? p.make("bias", Shape.of(width), init) : null;
        this.dtype = p.dtype();
    }

    /** The past before any token. */
    Tensor start(long batch) {
        return Tensor.zeros(dtype, past(batch));
    }

    /** Shape of the past. */
    Shape past(long batch) {
        return Shape.of(batch, weight.dim(1) - 1, weight.dim(0));
    }

    /** The filtered sequence {@code [B, T, D]} and the past after it. */
    CausalConv.Result forward(Tensor x, Tensor past) {
        return CausalConv.causalConv(x, weight, bias, past, true);
    }
}
