package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.DecayMatrix.decayMatrix;

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
 * A memory that is corrected instead of added to: what it answers to a key is moved towards a value by a share β. DeltaNet
 * (Schlag et al. 2021, arXiv 2102.11174, equation 24; Yang et al. 2024, arXiv 2406.06484) and, where the memory fades first,
 * gated DeltaNet (arXiv 2412.06464, equation 10):
 *
 * <pre>
 * S' = exp(decay[t]) S[t-1]       S[t] = S' + β[t] k[t] (v[t] - S'ᵀ k[t])ᵀ       y[t] = scale S[t]ᵀ q[t]
 * </pre>
 *
 * Inputs are q and k {@code [B, H, T, K]}, v {@code [B, H, T, V]}, beta {@code [B, H, T]}, the state before
 * {@code [B, H, K, V]} and perhaps decay, logarithms that are at most 0, {@code [B, H, T]}; outputs y {@code [B, H, T, V]} and the state after. The
 * memory is stable for {@code β |k|² <= 2}, so keys have length 1 as a rule.
 *
 * <p>Steps are done by the chunk of C = {@value #CHUNK}, with {@code b} the running sums of decay, {@code Γ[t, i] = exp(b[t] - b[i])} and
 * {@code B = diag(β)}; the corrections of a chunk are the solution of a triangular system (arXiv 2406.06484, section 3):
 *
 * <pre>
 * L = strictly lower part of B K Kᵀ ⊙ Γ       (I + L) W = B (V - exp(b) K S)
 * Y = scale [exp(b) Q S + (Q Kᵀ ⊙ Γ, lower part) W]       S' = exp(b[C]) S + (exp(b[C] - b) K)ᵀ W
 * </pre>
 *
 * About {@code T C (K + V) + 3 T K V} multiplications. The states before each chunk are a third output {@code [B, H, ceil(T / C), K, V]},
 * which the gradient starts from.
 *
 * @param scale factor on what is read; 0 stands for one over the square root of K
 * @param traced whether there is the third output
 */
public record DeltaRule(double scale, boolean traced) implements Composed {

    /** Steps from one kept state to the next. */
    static final int CHUNK = 32;

    private static final List<Kernel> KERNELS = DeltaTokens.forward();

    /** Output {@code [B, H, T, V]} and the state {@code [B, H, K, V]} after the last step. */
    public record Result(Tensor y, Tensor state) {}

    public DeltaRule {
        if (Double.isNaN(scale)) {
            throw new IllegalArgumentException("deltaRule: scale must be a number, is " + scale);
        }
    }

    /** Corrections step by step; decay may be null, for a memory that does not fade. The scale is one over the square root of K. */
    public static Result deltaRule(Tensor q, Tensor k, Tensor v, Tensor beta, Tensor decay, Tensor state) {
        Tensor[] in = decay == null ? new Tensor[] {q, k, v, beta, state} : new Tensor[] {q, k, v, beta, state, decay};
        List<Tensor> out = new DeltaRule(0, Stream.of(in).anyMatch(Tensor::tracked)).applyAll(in);
        return new Result(out.get(0), out.get(1));
    }

    @Override
    public List<String> arguments() {
        return List.of("q", "k", "v", "beta", "state", "decay");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(Stream.of(in).map(Spec::dtype).toArray(DType[]::new));
        Shape q = in[0].shape();
        Shape v = in[2].shape();
        if (q.rank() != 4 || v.rank() != 4) {
            throw new ShapeException("q and v are [B, H, T, K] and [B, H, T, V], not " + q + " and " + v);
        }
        in[0].require("k", in[1]);
        in[0].with(q.with(3, v.last())).require("v", in[2]);
        in[0].with(q.drop(3)).require("beta", in[3]);
        Spec state = in[0].with(q.with(2, q.last()).with(3, v.last()));
        state.require("the state", in[4]);
        if (in.length > 5) {
            in[3].require("decay", in[5]);
        }
        return traced ? List.of(in[2], state, in[0].with(borders(q, v))) : List.of(in[2], state);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    /** Shape of the states before each chunk. */
    static Shape borders(Shape q, Shape v) {
        return Shape.of(q.dim(0), q.dim(1), Math.ceilDiv(q.dim(2), CHUNK), q.last(), v.last());
    }

    double scaleFor(long width) {
        return scale == 0 ? 1 / Math.sqrt(Math.max(1, width)) : scale;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor state = in[4];
        List<Tensor> ys = new ArrayList<>();
        List<Tensor> borders = new ArrayList<>();
        for (long t = 0; t < in[0].dim(2); t += CHUNK) {
            borders.add(state.insertAxis(2));
            Chunk c = Chunk.of(in[0], in[1], in[2], in[3], in.length > 5 ? in[5] : null, t, state);
            Tensor corrections = c.corrections();
            ys.add(c.reads().matmul(corrections).add(faded(c.q, c.fade).matmul(state)).mul(scaleFor(in[0].dim(3))));
            state = faded(state, c.whole).add(faded(c.k, c.rest).transpose().matmul(corrections));
        }
        if (ys.isEmpty()) {
            Tensor none = Tensor.zeros(state.dtype(), borders(in[0].shape(), in[2].shape()));
            return traced ? List.of(in[2], state, none) : List.of(in[2], state);
        }
        Tensor y = Tensor.concat(2, ys);
        return traced ? List.of(y, state, Tensor.concat(2, borders)) : List.of(y, state);
    }

    /** {@code x} times what is left of it; all of it when nothing fades. */
    static Tensor faded(Tensor x, Tensor left) {
        return left == null ? x : x.mul(left);
    }

    /**
     * One chunk: its inputs, the state before, beta as a column, and what is left: from step to step (Γ, with zeros above the
     * diagonal), of the state at each step (fade, a column), of each step at the end (rest, a column), of the state at the end.
     */
    record Chunk(Tensor q, Tensor k, Tensor v, Tensor beta, Tensor state, Tensor gamma, Tensor fade, Tensor rest, Tensor whole) {

        static Chunk of(Tensor q, Tensor k, Tensor v, Tensor beta, Tensor decay, long t, Tensor state) {
            long end = Math.min(t + CHUNK, q.dim(2));
            long last = end - t - 1;
            Tensor gamma = decay == null ? null : decayMatrix(decay.slice(2, t, end));
            Tensor fade = decay == null ? null : decay.slice(2, t, end).cumsum(2).exp().insertAxis(-1);
            return new Chunk(q.slice(2, t, end), k.slice(2, t, end), v.slice(2, t, end), beta.slice(2, t, end).insertAxis(-1), state,
                    gamma, fade, decay == null ? null : gamma.slice(2, last, last + 1).transpose(),
                    decay == null ? null : fade.slice(2, last, last + 1));
        }

        /** {@code Q Kᵀ ⊙ Γ}, lower part. */
        Tensor reads() {
            return faded(q.matmul(k.transpose()), gamma).lowerTriangle();
        }

        /** {@code K Kᵀ ⊙ Γ}, strictly lower part: how much of an earlier correction a key meets. */
        Tensor meets() {
            return faded(k.matmul(k.transpose()), gamma).lowerTriangle(-1);
        }

        /** {@code V - exp(b) K S}: how wrong the state before is at each step. */
        Tensor wrong() {
            return v.sub(faded(k.matmul(state), fade));
        }

        Tensor corrections() {
            return solve(meets().mul(beta), wrong().mul(beta));
        }
    }

    /** {@code x} with {@code (I + L) x = r}, L strictly lower: the upper half, and the lower one when that is known. */
    static Tensor solve(Tensor l, Tensor r) {
        long n = r.dim(-2);
        if (n < 2) {
            return r;
        }
        long half = n / 2;
        Tensor upper = solve(l.slice(-2, 0, half).slice(-1, 0, half), r.slice(-2, 0, half));
        Tensor known = l.slice(-2, half, n).slice(-1, 0, half).matmul(upper);
        return Tensor.concat(-2, List.of(upper, solve(l.slice(-2, half, n).slice(-1, half, n), r.slice(-2, half, n).sub(known))));
    }

    /** {@code x} with {@code (I + L)ᵀ x = r}: the lower half first. */
    static Tensor solveTransposed(Tensor l, Tensor r) {
        long n = r.dim(-2);
        if (n < 2) {
            return r;
        }
        long half = n / 2;
        Tensor lower = solveTransposed(l.slice(-2, half, n).slice(-1, half, n), r.slice(-2, half, n));
        Tensor known = l.slice(-2, half, n).slice(-1, 0, half).transpose().matmul(lower);
        return Tensor.concat(-2, List.of(solveTransposed(l.slice(-2, 0, half).slice(-1, 0, half), r.slice(-2, 0, half).sub(known)), lower));
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        Tensor[] in = new Tensor[b.inputs()];
        for (int i = 0; i < in.length; i++) {
            in[i] = b.in(i);
        }
        // Somebody who asked for no trace and wants a gradient after all pays for it here.
        Tensor borders = traced ? b.out(2) : new DeltaRule(scale, true).applyAll(in).get(2);
        Tensor slope = traced ? b.g(2) : Tensor.zeros(borders.dtype(), borders.shape());
        List<Tensor> given = new ArrayList<>(List.of(in[0], in[1], in[2], in[3], borders, b.g(0), b.g(1), slope));
        if (in.length > 5) {
            given.add(in[5]);
        }
        return new DeltaRuleGrad(scale).applyAll(given.toArray(Tensor[]::new));
    }

    public static List<Sample> samples() {
        return List.of(
                sample(new DeltaRule(0, true), 2, 2, 5, 3, 4, false),
                sample(new DeltaRule(0.5, true), 1, 2, 6, 4, 3, true),
                sample(new DeltaRule(0, false), 2, 1, 1, 3, 2, true),
                sample(new DeltaRule(0, true), 1, 1, 66, 2, 3, true),
                sample(new DeltaRule(0, true), 1, 2, 140, 5, 17, true),
                sample(new DeltaRule(0, true), 1, 1, 20, 70, 3, false),
                sample(new DeltaRule(0, true), 1, 1, 20, 3, 70, true));
    }

    /** Keys are short enough for their width that {@code β |k|²} stays below 2. */
    private static Sample sample(DeltaRule op, long batch, long heads, long time, long keys, long values, boolean fading) {
        Shape k = Shape.of(batch, heads, time, keys);
        Shape v = Shape.of(batch, heads, time, values);
        Shape beta = Shape.of(batch, heads, time);
        Shape state = Shape.of(batch, heads, keys, values);
        Sample sample = fading ? Sample.of(op, k, k, v, beta, state, beta).range(5, -1, 0) : Sample.of(op, k, k, v, beta, state);
        double longest = 1.5 / Math.sqrt(keys);
        return sample.range(1, -longest, longest).range(3, 0, 1);
    }
}
