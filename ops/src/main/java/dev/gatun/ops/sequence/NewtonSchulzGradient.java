package dev.gatun.ops.sequence;

import dev.gatun.engine.Composed;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.List;

/**
 * The gradient of {@link NewtonSchulz} from x and the gradient g of its result. The iteration turns each singular value by one
 * function and leaves singular vectors alone, so its result is itself the gradient of a function of x; its derivative is then
 * symmetric, and the gradient is the derivative along g: one sweep forward that keeps nothing,
 *
 * <pre>
 * A = X Xᵀ     A' = T Xᵀ + X Tᵀ     P = a + b A + c A²     P' = b A' + c (A' A + A A')     T = P T + P' X     X = P X
 * </pre>
 *
 * from {@code T = g} on. Behind it the division by the length n: {@code dx = T / (n + eps) - <T, x> x / (n (n + eps)²)}.
 */
public record NewtonSchulzGradient(int steps, double eps) implements Composed {

    private static final List<Kernel> KERNELS = NewtonSchulzMatrices.gradient();

    @Override
    public List<String> arguments() {
        return List.of("x", "g");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(in[0].dtype(), in[1].dtype());
        if (in[0].shape().rank() < 2) {
            throw new ShapeException("matrices have two axes, there are " + in[0].shape().rank());
        }
        in[0].require("g", in[1]);
        return List.of(in[0]);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        boolean tall = in[0].dim(-2) > in[0].dim(-1);
        Tensor start = tall ? in[0].transpose() : in[0];
        Tensor t = tall ? in[1].transpose() : in[1];
        Tensor length = NewtonSchulz.length(start);
        Tensor scale = length.add(eps);
        Tensor x = start.div(scale);
        for (int step = 0; step < steps; step++) {
            Tensor gram = x.matmul(x.transpose());
            Tensor slope = symmetric(t.matmul(x.transpose()));
            Tensor mix = gram.mul(NewtonSchulz.B).add(gram.matmul(gram).mul(NewtonSchulz.C));
            Tensor bend = slope.mul(NewtonSchulz.B).add(symmetric(slope.matmul(gram)).mul(NewtonSchulz.C));
            t = t.mul(NewtonSchulz.A).add(mix.matmul(t)).add(bend.matmul(x));
            x = x.mul(NewtonSchulz.A).add(mix.matmul(x));
        }
        Tensor found = t.div(scale);
        // A matrix of zeros has no direction that the division could take back.
        Tensor one = Tensor.ones(length.dtype(), Shape.of());
        Tensor along = found.mul(start).sum(-2, -1).div(length.eq(0).select(one, length).mul(scale));
        Tensor dx = found.sub(start.mul(along));
        return List.of(tall ? dx.transpose() : dx);
    }

    private static Tensor symmetric(Tensor x) {
        return x.add(x.transpose());
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new NewtonSchulzGradient(5, 1e-7), Shape.of(2, 4, 6), Shape.of(2, 4, 6)).slack(1000),
                Sample.of(new NewtonSchulzGradient(3, 1e-7), Shape.of(7, 3), Shape.of(7, 3)).slack(100),
                Sample.of(new NewtonSchulzGradient(1, 1e-7), Shape.of(2, 33, 17), Shape.of(2, 33, 17)).slack(20),
                Sample.of(new NewtonSchulzGradient(0, 1e-7), Shape.of(2, 3), Shape.of(2, 3)));
    }
}
