package dev.gatun.layers;

import static dev.gatun.ops.RmsNorm.rmsNorm;

import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;

/** {@code y = x / sqrt(mean(x²) + eps) * w} on the last axis, with one learned weight a feature, 1 at first. */
public final class RmsNorm {

    /** What keeps a vector of zeros finite. */
    public static final double EPS = 1e-6;

    private final Tensor weight;
    private final double eps;

    /** For vectors of this width. */
    public RmsNorm(Params p, long width) {
        this(p, width, EPS);
    }

    /** For vectors of this width, with another eps. */
    public RmsNorm(Params p, long width, double eps) {
        this.weight = p.make("weight", Shape.of(width), Init.ones());
        this.eps = eps;
    }

    /** Each vector on the last axis at length about the square root of its width, weighted. */
    public Tensor forward(Tensor x) {
        return rmsNorm(x, weight, eps);
    }
}
