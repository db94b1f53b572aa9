package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Activations;
import dev.gatun.ops.Activations.ActivationGradient;
import dev.gatun.ops.Curve;
import java.util.ArrayList;
import java.util.List;

/**
 * A filter of its own along the time of each channel: {@code y[t, d] = bias[d] + sum over j of w[d, j] x[t-K+1+j, d]}
 * with x [B, T, D] and w [D, K]; inputs before the first come from the state [B, K-1, D], oldest
 * first. {@code silu}, when asked for, is applied to y. The second output is the state after the last
 * input.
 */
public record CausalConv(boolean silu) implements Composed {

    private static final List<Kernel> KERNELS = CausalConvRows.forward();

    /** The filtered sequence [B, T, D] and the last K-1 inputs [B, K-1, D]. */
    public record Result(Tensor y, Tensor state) {}

    /** Filters from an empty past; the bias may be null. */
    public static Result causalConv(Tensor x, Tensor w, Tensor bias, boolean silu) {
        return causalConv(x, w, bias, Tensor.zeros(x.dtype(), Shape.of(x.dim(0), Math.max(0, w.dim(-1) - 1), x.dim(-1))), silu);
    }

    /** Filters from a past; the bias may be null. */
    public static Result causalConv(Tensor x, Tensor w, Tensor bias, Tensor state, boolean silu) {
        CausalConv op = new CausalConv(silu);
        List<Tensor> out = bias == null ? op.applyAll(x, w, state) : op.applyAll(x, w, state, bias);
        return new Result(out.get(0), out.get(1));
    }

    @Override
    public List<String> arguments() {
        return List.of("x", "w", "state", "bias");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(in[0].dtype(), in[1].dtype(), in[2].dtype());
        Shape x = in[0].shape();
        Shape w = in[1].shape();
        if (x.rank() != 3) {
            throw new ShapeException("x is [B, T, D], three axes and not " + x.rank());
        }
        if (w.rank() != 2 || w.dim(0) != x.last() || w.last() < 1) {
            throw new ShapeException("w is " + w + ", for x " + x + " it must be [" + x.last() + ", K] with K above 0");
        }
        Shape state = x.with(1, w.last() - 1);
        if (!in[2].shape().equals(state)) {
            throw new ShapeException("the state is " + in[2].shape() + ", for these x and w it must be " + state);
        }
        if (in.length > 3 && !in[3].equals(in[0].with(Shape.of(x.last())))) {
            throw new ShapeException("the bias is " + in[3] + ", for x it must be " + in[0].with(Shape.of(x.last())));
        }
        return List.of(in[0], in[2]);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        long time = in[0].dim(1);
        long taps = in[1].dim(1);
        Tensor padded = Tensor.concat(1, List.of(in[2], in[0]));
        Tensor y = null;
        for (long j = 0; j < taps; j++) {
            Tensor term = padded.slice(1, j, j + time).mul(in[1].slice(1, j, j + 1).reshape(-1));
            y = y == null ? term : y.add(term);
        }
        y = in.length > 3 ? y.add(in[3]) : y;
        return List.of(silu ? Activations.silu(y) : y, padded.slice(1, time, time + taps - 1));
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        Tensor g = b.g(0);
        if (silu) {
            Tensor[] in = new Tensor[b.inputs()];
            for (int i = 0; i < in.length; i++) {
                in[i] = b.in(i);
            }
            // What silu saw is computed again: cheaper than keeping it.
            g = new ActivationGradient(Curve.SILU, 1).apply(new CausalConv(false).apply(in), g);
        }
        List<Tensor> past = new CausalConvInputGradient().applyAll(b.in(1), g, b.g(1));
        List<Tensor> weights = new CausalConvWeightGradient().applyAll(b.in(0), b.in(2), g);
        List<Tensor> gradients = List.of(past.get(0), weights.get(0), past.get(1), weights.get(1));
        return gradients.subList(0, b.inputs());
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new CausalConv(false), Shape.of(2, 5, 3), Shape.of(3, 4), Shape.of(2, 3, 3)),
                Sample.of(new CausalConv(true), Shape.of(2, 3, 33), Shape.of(33, 4), Shape.of(2, 3, 33), Shape.of(33)),
                Sample.of(new CausalConv(true), Shape.of(1, 40, 17), Shape.of(17, 3), Shape.of(1, 2, 17)),
                Sample.of(new CausalConv(false), Shape.of(3, 1, 4), Shape.of(4, 1), Shape.of(3, 0, 4)));
    }

    /**
     * Gradients of x and of the state: with both as one sequence {@code p}, {@code dp[s] = sum over j of w[:, j] g[s-j]},
     * and the gradient of the state after is added to its last K-1 steps.
     */
    public record CausalConvInputGradient() implements Composed {

        private static final List<Kernel> KERNELS = CausalConvRows.inputs();

        @Override
        public List<String> arguments() {
            return List.of("w", "g", "dstate");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            Shape w = in[0].shape();
            if (w.rank() != 2 || in[1].shape().rank() != 3 || w.dim(0) != in[1].shape().last() || w.last() < 1) {
                throw new ShapeException("w is [D, K] and g [B, T, D], not " + w + " and " + in[1].shape());
            }
            in[1].with(in[1].shape().with(1, w.last() - 1)).require("dstate", in[2]);
            return List.of(in[1], in[2]);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        @Override
        public List<Tensor> compose(Tensor... in) {
            Tensor g = in[1];
            long time = g.dim(1);
            long taps = in[0].dim(1);
            Tensor sum = Tensor.concat(1, List.of(zeros(g, time), in[2]));
            for (long j = 0; j < taps; j++) {
                Tensor term = g.mul(in[0].slice(1, j, j + 1).reshape(-1));
                sum = sum.add(Tensor.concat(1, List.of(zeros(g, j), term, zeros(g, taps - 1 - j))));
            }
            return List.of(sum.slice(1, taps - 1, taps - 1 + time), sum.slice(1, 0, taps - 1));
        }

        private static Tensor zeros(Tensor g, long steps) {
            return Tensor.zeros(g.dtype(), g.shape().with(1, steps));
        }

        public static List<Sample> samples() {
            return List.of(
                    Sample.of(new CausalConvInputGradient(), Shape.of(3, 4), Shape.of(2, 5, 3), Shape.of(2, 3, 3)),
                    Sample.of(new CausalConvInputGradient(), Shape.of(33, 4), Shape.of(2, 2, 33), Shape.of(2, 3, 33)));
        }
    }

    /** Gradients of w and of the bias: {@code dw[d, j] = sum of g[b, t, d] p[b, t+j, d]} and {@code sum of g[b, t, d]} over b and t. */
    public record CausalConvWeightGradient() implements Composed {

        private static final List<Kernel> KERNELS = CausalConvRows.weights();

        @Override
        public List<String> arguments() {
            return List.of("x", "state", "g");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            if (in[0].shape().rank() != 3 || in[1].shape().rank() != 3) {
                throw new ShapeException("x and the state have three axes, not " + in[0].shape().rank() + " and " + in[1].shape().rank());
            }
            in[0].require("g", in[2]);
            in[0].with(in[0].shape().with(1, in[1].shape().dim(1))).require("the state", in[1]);
            long width = in[0].shape().last();
            return List.of(in[0].with(Shape.of(width, in[1].shape().dim(1) + 1)), in[0].with(Shape.of(width)));
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        @Override
        public List<Tensor> compose(Tensor... in) {
            Tensor g = in[2];
            long time = g.dim(1);
            long taps = in[1].dim(1) + 1;
            Tensor padded = Tensor.concat(1, List.of(in[1], in[0]));
            List<Tensor> columns = new ArrayList<>();
            for (long j = 0; j < taps; j++) {
                columns.add(g.mul(padded.slice(1, j, j + time)).sum(0, 1).reshape(-1, 1));
            }
            return List.of(Tensor.concat(1, columns), g.sum(0, 1).reshape(g.dim(2)));
        }

        public static List<Sample> samples() {
            return List.of(
                    Sample.of(new CausalConvWeightGradient(), Shape.of(2, 5, 3), Shape.of(2, 3, 3), Shape.of(2, 5, 3)),
                    Sample.of(new CausalConvWeightGradient(), Shape.of(2, 20, 33), Shape.of(2, 3, 33), Shape.of(2, 20, 33)));
        }
    }
}
