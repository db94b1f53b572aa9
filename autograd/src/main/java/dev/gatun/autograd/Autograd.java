package dev.gatun.autograd;

import dev.gatun.engine.Scope;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import java.util.List;

/**
 * Gradients by reverse sweep over the nodes that ops left on tracked tensors.
 *
 * <p>{@code grad} gives plain numbers: rules see detached inputs and record nothing, and what they
 * make on the way is handed back as soon as it is used. {@code differentiableGrad} lets the rules'
 * own ops record, so its result has gradients again, to any order, with no second rule written.
 *
 * <p>What is asked for may be leaves or inner tensors. A tensor that {@code y} does not depend on
 * has a gradient of zeros.
 */
public final class Autograd {

    private Autograd() {}

    /** Gradient of the single number {@code y} with respect to {@code x}. */
    public static Tensor grad(Tensor y, Tensor x) {
        return grad(y, List.of(x)).getFirst();
    }

    /** Gradients of the single number {@code y} with respect to each of {@code xs}. */
    public static List<Tensor> grad(Tensor y, List<Tensor> xs) {
        return grad(List.of(y), List.of(seed(y)), xs);
    }

    /** Gradients of {@code sum of <ys[i], gs[i]>} with respect to each of {@code xs}. */
    public static List<Tensor> grad(List<Tensor> ys, List<Tensor> gs, List<Tensor> xs) {
        return Sweep.plain(ys, check(ys, gs), xs);
    }

    /** Gradient of the single number {@code y} with respect to {@code x}, recorded. */
    public static Tensor differentiableGrad(Tensor y, Tensor x) {
        return differentiableGrad(y, List.of(x)).getFirst();
    }

    /** Gradients of the single number {@code y} with respect to each of {@code xs}, recorded. */
    public static List<Tensor> differentiableGrad(Tensor y, List<Tensor> xs) {
        return differentiableGrad(List.of(y), List.of(seed(y)), xs);
    }

    /** Gradients of {@code sum of <ys[i], gs[i]>} with respect to each of {@code xs}, recorded; {@code gs} may be tracked, too. */
    public static List<Tensor> differentiableGrad(List<Tensor> ys, List<Tensor> gs, List<Tensor> xs) {
        return Sweep.differentiable(ys, check(ys, gs), xs);
    }

    private static Tensor seed(Tensor y) {
        if (y.shape().elements() != 1) {
            throw new ShapeException("grad: y must be a single number, or its own gradient be given\n  y: " + y.describe());
        }
        try (Scope.Stay _ = Scope.at(y.device())) {
            return Tensor.ones(y.dtype(), y.shape());
        }
    }

    private static List<Tensor> check(List<Tensor> ys, List<Tensor> gs) {
        if (ys.size() != gs.size()) {
            throw new IllegalArgumentException("grad: " + ys.size() + " results and " + gs.size() + " gradients of them");
        }
        for (int i = 0; i < ys.size(); i++) {
            if (!ys.get(i).spec().equals(gs.get(i).spec())) {
                throw new ShapeException("grad: a result and its gradient differ\n  y: " + ys.get(i).describe()
                        + "\n  g: " + gs.get(i).describe());
            }
        }
        return gs;
    }
}
