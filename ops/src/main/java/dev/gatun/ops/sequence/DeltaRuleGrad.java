package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.DeltaRule.CHUNK;
import static dev.gatun.ops.sequence.DeltaRule.faded;
import static dev.gatun.ops.sequence.DeltaRule.solve;
import static dev.gatun.ops.sequence.DeltaRule.solveTransposed;

import dev.gatun.engine.Composed;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.algebra.Cumulative;
import dev.gatun.ops.sequence.DeltaRule.Chunk;
import java.util.ArrayList;
import java.util.List;

/**
 * Gradients of {@link DeltaRule} from its inputs, the states before each chunk and the gradients of its outputs. In the
 * notation there, with {@code P = scale (Q Kᵀ ⊙ Γ)}, its lower part, {@code X = V - exp(b) K S}, {@code G} the gradient of Y and {@code λ}
 * that of the state after the chunk, which go from last to first:
 *
 * <pre>
 * dW = Pᵀ G + exp(b[C] - b) K λ       (I + L)ᵀ dR = dW       dL = -dR Wᵀ       dP = G Wᵀ       dX = dV = B dR
 * dβ = rows of dR ⊙ X + dL ⊙ L / β
 * dQ = (scale dP ⊙ Γ) K + scale exp(b) G Sᵀ
 * dK = (dL ⊙ B Γ + its transpose) K + (scale dP ⊙ Γ)ᵀ Q - exp(b) dX Sᵀ + exp(b[C] - b) W λᵀ
 * dS = exp(b[C]) λ + scale (exp(b) Q)ᵀ G - (exp(b) K)ᵀ dX
 * </pre>
 *
 * Each exponential of a difference {@code b[t] - b[i]} gives its gradient times its value to b[t] and takes it from b[i]; the gradient of
 * decay is the sum of those of b from its own step on.
 */
public record DeltaRuleGrad(double scale) implements Composed {

    private static final List<Kernel> KERNELS = DeltaTokens.backward();

    @Override
    public List<String> arguments() {
        return List.of("q", "k", "v", "beta", "borders", "g", "gstate", "gborders", "decay");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Shape q = in[0].shape();
        Shape v = in[2].shape();
        if (q.rank() != 4 || v.rank() != 4) {
            throw new ShapeException("q and v are [B, H, T, K] and [B, H, T, V], not " + q + " and " + v);
        }
        List<Spec> forward = new ArrayList<>(List.of(in[0], in[1], in[2], in[3], in[0].with(q.with(2, q.last()).with(3, v.last()))));
        if (in.length > 8) {
            forward.add(in[8]);
        }
        List<Spec> out = new DeltaRule(scale, true).infer(forward.toArray(Spec[]::new));
        out.get(2).require("borders", in[4]);
        out.get(0).require("g", in[5]);
        out.get(1).require("gstate", in[6]);
        out.get(2).require("gborders", in[7]);
        return forward;
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        boolean fading = in.length > 8;
        Tensor adjoint = in[6];
        List<List<Tensor>> parts = new ArrayList<>();
        for (long chunk = in[4].dim(2) - 1; chunk >= 0; chunk--) {
            long t = chunk * CHUNK;
            Tensor state = in[4].slice(2, chunk, chunk + 1).dropAxis(2);
            Chunk c = Chunk.of(in[0], in[1], in[2], in[3], fading ? in[8] : null, t, state);
            List<Tensor> slopes = step(c, in[5].slice(2, t, t + c.q().dim(2)), adjoint, new DeltaRule(scale, true).scaleFor(in[0].dim(3)));
            parts.add(slopes);
            adjoint = slopes.get(4).add(in[7].slice(2, chunk, chunk + 1).dropAxis(2));
        }
        List<Tensor> slopes = new ArrayList<>(List.of(in[0], in[1], in[2], in[3], adjoint));
        if (fading) {
            slopes.add(in[8]);
        }
        for (int i = 0; i < slopes.size() && !parts.isEmpty(); i++) {
            int output = i;
            if (output != 4) {
                slopes.set(output, Tensor.concat(2, parts.reversed().stream().map(part -> part.get(output)).toList()));
            }
        }
        return slopes;
    }

    /** Gradients of q, k, v, beta, the state before and, if there is one, decay. */
    private static List<Tensor> step(Chunk c, Tensor g, Tensor after, double scale) {
        Tensor meets = c.meets();
        Tensor wrong = c.wrong();
        Tensor w = solve(meets.mul(c.beta()), wrong.mul(c.beta()));
        Tensor p = c.reads().mul(scale);
        Tensor late = faded(c.k(), c.rest());

        Tensor dr = solveTransposed(meets.mul(c.beta()), p.transpose().matmul(g).add(late.matmul(after)));
        Tensor dl = dr.matmul(w.transpose()).neg();
        Tensor dp = g.matmul(w.transpose());
        Tensor dv = dr.mul(c.beta());
        Tensor dbeta = dr.mul(wrong).sum(-1).add(dl.mul(meets).sum(-1)).dropAxis(-1);

        Tensor met = faded(dl.mul(c.beta()), c.gamma()).lowerTriangle(-1);
        Tensor read = faded(dp.mul(scale), c.gamma()).lowerTriangle();
        Tensor readState = faded(g.matmul(c.state().transpose()).mul(scale), c.fade());
        Tensor fadedError = faded(dv, c.fade());
        Tensor written = faded(w.matmul(after.transpose()), c.rest());
        Tensor dq = read.matmul(c.k()).add(readState);
        Tensor dk = met.add(met.transpose()).matmul(c.k()).add(read.transpose().matmul(c.q()))
                .sub(fadedError.matmul(c.state().transpose())).add(written);
        Tensor ds = faded(after, c.whole()).add(faded(c.q(), c.fade()).transpose().matmul(g).mul(scale)).sub(c.k().transpose().matmul(fadedError));
        List<Tensor> slopes = new ArrayList<>(List.of(dq, dk, dv, dbeta, ds));
        if (c.gamma() != null) {
            Tensor pairs = dp.mul(p).add(dl.mul(meets).mul(c.beta()));
            Tensor end = written.mul(c.k()).sum(-1);
            Tensor db = pairs.sum(-1).sub(pairs.sum(-2).transpose()).add(readState.mul(c.q()).sum(-1))
                    .sub(fadedError.mul(c.k().matmul(c.state())).sum(-1)).sub(end);
            Tensor atEnd = end.sum(-2).add(c.state().mul(after).sum(-2, -1).mul(c.whole()));
            // What the last b gets, every step's decay gets: they all are part of it.
            slopes.add(new Cumulative(-2, true).apply(db).add(atEnd).dropAxis(-1));
        }
        return slopes;
    }

    public static List<Sample> samples() {
        return DeltaRule.samples().stream().map(DeltaRuleGrad::sample).toList();
    }

    private static Sample sample(Sample forward) {
        List<Shape> in = forward.inputs().stream().map(Sample.Input::shape).toList();
        Shape borders = DeltaRule.borders(in.get(0), in.get(2));
        List<Shape> shapes = new ArrayList<>(List.of(in.get(0), in.get(1), in.get(2), in.get(3), borders, in.get(2), in.get(4), borders));
        if (in.size() > 5) {
            shapes.add(in.get(5));
        }
        Sample.Input key = forward.inputs().get(1);
        Sample sample = Sample.of(new DeltaRuleGrad(((DeltaRule) forward.op()).scale()), shapes.toArray(Shape[]::new))
                .range(1, key.from(), key.to()).range(3, 0, 1);
        return in.size() > 5 ? sample.range(8, -1, 0) : sample;
    }
}
