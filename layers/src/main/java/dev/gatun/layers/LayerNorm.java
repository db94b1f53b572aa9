package dev.gatun.layers;

import static dev.gatun.ops.LayerNorm.layerNorm;

import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;

/** {@code y = (x - mean) / sqrt(variance + eps) * w + b} on the last axis; w is 1 and b 0 at first. */
public final class LayerNorm {

    /** What keeps a constant vector finite. */
    public static final double EPS = 1e-5;

    private final Tensor weight;
    private final Tensor bias;
    private final double eps;

    /** For vectors of this width. */
    public LayerNorm(Params p, long width) {
        this(p, width, EPS);
    }

    /** For vectors of this width, with another eps. */
    public LayerNorm(Params p, long width, double eps) {
        this.weight = p.make("weight", Shape.of(width), Init.ones());
        this.bias = p.make("bias", Shape.of(width), Init.zeros());
        this.eps = eps;
    }

    /** Each vector on the last axis with mean 0 and variance 1, weighted and moved. */
    public Tensor forward(Tensor x) {
        return layerNorm(x, weight, bias, eps);
    }
}
