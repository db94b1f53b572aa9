package dev.gatun.ops.sequence;

import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * What vectors find in sums of {@link NewtonSchulz} steps, each of a sum of the same rank-one terms and of the same matrix from before:
 *
 * <pre>
 * S[n] = c[n, N] past + sum over j of c[n, j] narrow[j] wide[j]ᵀ          M[t] = sum over n of w[t, n] newtonSchulz(S[n])
 * y[t] = M[t] z[t], or M[t]ᵀ z[t] where the steps widen                    total = M of the last t
 * </pre>
 *
 * Inputs are shares c {@code [B, H, n, N + 1]}, narrow {@code [B, H, N, r]}, wide {@code [B, H, N, c]}, past {@code [B, H, r, c]}, weights w
 * {@code [B, H, T, n]} and z {@code [B, H, T, c]} ({@code r} where the steps widen); outputs y {@code [B, H, T, r]} (or {@code c}) and total
 * {@code [B, H, r, c]}. In F32 one (batch, head) is an item and no matrix {@code r x c} is made for each n or t: all rows of past
 * and wide are {@code L Qᵀ} with orthonormal columns Q (Householder), the iteration leaves the rows' space, so it runs on {@code S Q},
 * which is r + N wide at most.
 *
 * @param steps of Newton-Schulz
 * @param eps what its lengths are kept from 0 by
 * @param widens whether z has r features and y c, not the other way
 */
public record OrthogonalSteps(int steps, double eps, boolean widens) implements Composed {

    private static final List<Kernel> KERNELS = OrthogonalTiles.forward();

    public OrthogonalSteps {
        if (steps < 0 || !(eps >= 0)) {
            throw new IllegalArgumentException("orthogonalSteps: steps and eps must not be negative, are " + steps + " and " + eps);
        }
    }

    /** What was read, and the sum of steps at the last token. */
    public record Result(Tensor y, Tensor total) {}

    /** With five steps and {@code eps} 1e-7. */
    public static Result orthogonalSteps(Tensor shares, Tensor narrow, Tensor wide, Tensor past, Tensor weights, Tensor z, boolean widens) {
        List<Tensor> out = new OrthogonalSteps(5, 1e-7, widens).applyAll(shares, narrow, wide, past, weights, z);
        return new Result(out.get(0), out.get(1));
    }

    @Override
    public List<String> arguments() {
        return List.of("shares", "narrow", "wide", "past", "weights", "z");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        DType dtype = Elementwise.real(Stream.of(in).map(Spec::dtype).toArray(DType[]::new));
        for (int i = 0; i < in.length; i++) {
            if (in[i].shape().rank() != 4) {
                throw new ShapeException(arguments().get(i) + " has four axes, not " + in[i].shape().rank());
            }
        }
        Shape narrow = in[1].shape();
        Shape past = narrow.with(2, narrow.last()).with(3, in[2].shape().last());
        long n = in[0].shape().dim(2);
        long time = in[5].shape().dim(2);
        if (time == 0) {
            throw new ShapeException("the last vector's sum is an output, there is none");
        }
        MemoryChunk.require("shares", in[0], narrow.with(2, n).with(3, narrow.dim(2) + 1));
        MemoryChunk.require("wide", in[2], narrow.with(3, past.last()));
        MemoryChunk.require("past", in[3], past);
        MemoryChunk.require("weights", in[4], narrow.with(2, time).with(3, n));
        MemoryChunk.require("z", in[5], past.with(2, time).with(3, widens ? past.dim(2) : past.last()));
        return List.of(new Spec(dtype, past.with(2, time).with(3, widens ? past.last() : past.dim(2))), new Spec(dtype, past));
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return new OrthogonalStepsGrad(this).applyAll(b.in(0), b.in(1), b.in(2), b.in(3), b.in(4), b.in(5), b.g(0), b.g(1));
    }

    /** The sums in full, {@code [B, H, n, r, c]}. */
    static Tensor sums(Tensor shares, Tensor narrow, Tensor wide, Tensor past) {
        return scaled(shares, narrow).transpose().matmul(wide.insertAxis(2)).add(past.insertAxis(2).mul(carried(shares).insertAxis(-1)));
    }

    /** Rows of narrow times their shares, {@code [B, H, n, N, r]}. */
    static Tensor scaled(Tensor shares, Tensor narrow) {
        return narrow.insertAxis(2).mul(own(shares).insertAxis(-1));
    }

    /** Shares of the terms. */
    static Tensor own(Tensor shares) {
        return shares.slice(3, 0, shares.dim(3) - 1);
    }

    /** Shares of what there was before. */
    static Tensor carried(Tensor shares) {
        return shares.slice(3, shares.dim(3) - 1, shares.dim(3));
    }

    /** Matrices {@code [B, H, n, r, c]} as rows. */
    static Tensor flat(Tensor matrices) {
        return matrices.reshape(matrices.shape().drop(-1).with(3, matrices.dim(3) * matrices.dim(4)));
    }

    /** M, {@code [B, H, T, r, c]}. */
    static Tensor moved(Tensor weights, Tensor steps) {
        return weights.matmul(flat(steps)).reshape(steps.shape().with(2, weights.dim(2)));
    }

    static Tensor last(Tensor x) {
        return x.slice(2, x.dim(2) - 1, x.dim(2));
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor moved = moved(in[4], new NewtonSchulz(steps, eps).apply(sums(in[0], in[1], in[2], in[3])));
        Tensor y = in[5].insertAxis(3).matmul(widens ? moved : moved.transpose()).dropAxis(3);
        return List.of(y, last(moved).dropAxis(2));
    }

    public static List<Sample> samples() {
        // a hundredfold: singular values that are small are multiplied by up to 485
        return List.of(
                sample(new OrthogonalSteps(5, 1e-7, false), 2, 2, 3, 4, 3, 5, 3).slack(100),
                sample(new OrthogonalSteps(3, 1e-7, true), 1, 2, 2, 1, 3, 7, 2).slack(100),
                sample(new OrthogonalSteps(2, 1e-7, true), 1, 1, 2, 3, 17, 33, 3).slack(100),
                sample(new OrthogonalSteps(5, 1e-7, false), 1, 1, 2, 2, 3, 20, 2).slack(100),
                sample(new OrthogonalSteps(0, 1e-7, false), 1, 1, 2, 1, 2, 3, 1).slack(10));
    }

    private static Sample sample(OrthogonalSteps op, long batch, long heads, long n, long terms, long r, long c, long time) {
        return Sample.of(op, Shape.of(batch, heads, n, terms + 1), Shape.of(batch, heads, terms, r), Shape.of(batch, heads, terms, c),
                Shape.of(batch, heads, r, c), Shape.of(batch, heads, time, n), Shape.of(batch, heads, time, op.widens ? r : c));
    }
}
