package dev.gatun.ops.sequence;

import dev.gatun.engine.Backward;
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
 * A matrix near the closest orthogonal one, for each matrix in the last two axes: {@code X = G / (|G| + eps)}
 * with the Frobenius norm, then {@code steps} times {@code X = a X + (b A + c A²) X} with {@code A = X Xᵀ}; a tall
 * matrix is transposed for it. Singular values end between about 0.7 and 1.2, not at 1: the
 * coefficients (Jordan 2024) are made for speed. Each matrix is an item of the kernel, which holds all iterates in
 * scratch memory; the gradient, {@link NewtonSchulzGradient}, keeps the input only.
 */
public record NewtonSchulz(int steps, double eps) implements Composed {

    private static final List<Kernel> KERNELS = NewtonSchulzMatrices.forward();

    static final double A = 3.4445;
    static final double B = -4.7750;
    static final double C = 2.0315;

    public NewtonSchulz {
        if (steps < 0 || !(eps >= 0)) {
            throw new IllegalArgumentException("newtonSchulz: steps and eps must not be negative, are " + steps + " and " + eps);
        }
    }

    /** Five steps with {@code eps} 1e-7. */
    public static Tensor newtonSchulz(Tensor x) {
        return newtonSchulz(x, 5, 1e-7);
    }

    /** A given number of steps. */
    public static Tensor newtonSchulz(Tensor x, int steps, double eps) {
        return new NewtonSchulz(steps, eps).apply(x);
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(in[0].dtype());
        if (in[0].shape().rank() < 2) {
            throw new ShapeException("matrices have two axes, there are " + in[0].shape().rank());
        }
        return List.of(in[0]);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return List.of(new NewtonSchulzGradient(steps, eps).apply(b.in(0), b.g()));
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        boolean tall = in[0].dim(-2) > in[0].dim(-1);
        Tensor x = tall ? in[0].transpose() : in[0];
        x = x.div(length(x).add(eps));
        for (int step = 0; step < steps; step++) {
            Tensor square = x.matmul(x.transpose());
            Tensor mix = square.mul(B).add(square.matmul(square).mul(C));
            x = x.mul(A).add(mix.matmul(x));
        }
        return List.of(tall ? x.transpose() : x);
    }

    /** The Frobenius norm of each matrix, with a slope of 0 instead of NaN where the matrix is 0. */
    static Tensor length(Tensor x) {
        Tensor squares = x.square().sum(-2, -1);
        Tensor empty = squares.eq(0);
        Tensor zero = Tensor.zeros(x.dtype(), Shape.of());
        return empty.select(zero, empty.select(Tensor.ones(x.dtype(), Shape.of()), squares).sqrt());
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new NewtonSchulz(5, 1e-7), Shape.of(2, 4, 6)).slack(100),
                Sample.of(new NewtonSchulz(5, 1e-7), Shape.of(7, 3)).slack(100),
                Sample.of(new NewtonSchulz(2, 1e-7), Shape.of(2, 33, 17)).slack(20),
                Sample.of(new NewtonSchulz(0, 1e-7), Shape.of(2, 3)),
                Sample.of(new NewtonSchulz(1, 1e-7), Shape.of(3, 3)));
    }
}
