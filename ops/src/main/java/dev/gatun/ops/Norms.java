package dev.gatun.ops;

import static dev.gatun.ops.Activations.swiglu;
import static dev.gatun.ops.LayerNorm.layerNorm;
import static dev.gatun.ops.RmsNorm.rmsNorm;

import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;

/** Norms that {@link LayerNorm} and {@link RmsNorm} are the kernels of. */
public final class Norms {

    private static final double L2_EPS = 1e-6;

    private Norms() {}

    /** {@code x / sqrt(sum(x²) + 1e-6)} over the last axis. */
    public static Tensor l2Norm(Tensor x) {
        return l2Norm(x, L2_EPS);
    }

    /** {@code x / sqrt(sum(x²) + eps)} over the last axis: the RMS norm with the root of the length as weight. */
    public static Tensor l2Norm(Tensor x, double eps) {
        long n = Math.max(1, x.shape().last());
        return rmsNorm(x, Tensor.full(x.dtype(), Shape.of(x.shape().last()), 1 / Math.sqrt(n)), eps / n);
    }

    /** Layer norm inside each of {@code groups} equal parts of the last axis, times {@code w} of its whole width. */
    public static Tensor groupLayerNorm(Tensor x, long groups, Tensor w, double eps) {
        long width = x.dim(-1);
        if (groups < 1 || width % groups != 0) {
            throw new ShapeException("groupLayerNorm: a width of " + width + " does not divide by " + groups + " groups\n  x: " + x.describe());
        }
        Tensor parts = x.reshape(x.shape().with(-1, groups).insert(-1, width / groups));
        return layerNorm(parts, w.reshape(groups, width / groups), eps).reshape(x.shape());
    }

    /** {@code rms(x) w silu(z)}: normed, then gated, as in retention, GLA and the DeltaNets. */
    public static Tensor rmsNormThenGate(Tensor x, Tensor z, Tensor w, double eps) {
        return swiglu(z, rmsNorm(x, w, eps));
    }

    /** {@code rms(x silu(z)) w}: gated, then normed, as in Mamba-2. */
    public static Tensor gateThenRmsNorm(Tensor x, Tensor z, Tensor w, double eps) {
        return rmsNorm(swiglu(z, x), w, eps);
    }
}
