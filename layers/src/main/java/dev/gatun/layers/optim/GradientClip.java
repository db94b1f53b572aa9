package dev.gatun.layers.optim;

import dev.gatun.engine.DType;
import dev.gatun.engine.Tensor;
import java.util.List;

/**
 * Keeps a step from being carried off by one batch: all gradients are scaled by
 * {@code min(1, max / (norm + 1e-6))}, where the norm is that of all of them as one vector.
 */
public final class GradientClip {

    /** The norm before clipping, and the gradients after it. */
    public record Clipped(double norm, List<Tensor> gradients) {}

    private GradientClip() {}

    /** Gradients whose norm is at most {@code max}; the same ones where it is already. */
    public static Clipped clip(List<Tensor> gradients, double max) {
        double norm = norm(gradients);
        double scale = max / (norm + 1e-6);
        return new Clipped(norm, scale >= 1 ? gradients : gradients.stream().map(g -> g.mul(scale)).toList());
    }

    /** Square root of the sum of the squares of all numbers; one number is read back for all tensors. */
    public static double norm(List<Tensor> gradients) {
        if (gradients.isEmpty()) {
            return 0;
        }
        List<Tensor> squares = gradients.stream().map(g -> g.square().sum().to(DType.F64).insertAxis(0)).toList();
        return Math.sqrt(Tensor.concat(0, squares).sum().item());
    }
}
