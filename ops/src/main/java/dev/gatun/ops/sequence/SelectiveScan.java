package dev.gatun.ops.sequence;

import static dev.gatun.ops.Activations.silu;
import static dev.gatun.ops.sequence.LinearScan.linearScan;

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
import dev.gatun.ops.Activations;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The scan of Mamba (Gu and Dao 2023, arXiv 2312.00752, equations 2 and 4 with the discretisation of its section 3.6):
 * each channel d keeps a state of N numbers, and how much it keeps and takes in is said by the input itself.
 *
 * <pre>
 * Δ[t, d]    = softplus(delta[t, d] + bias[d])                                  or just the sum
 * h[t, d, n] = exp(Δ[t, d] a[d, n]) h[t-1, d, n] + Δ[t, d] b[t, g, n] u[t, d]
 * y[t, d]    = (sum over n of c[t, g, n] h[t, d, n] + skip[d] u[t, d]) · silu(z[t, d])
 * </pre>
 *
 * Inputs are u and delta {@code [B, T, D]}, a {@code [D, N]} (negative, or states grow), b and c {@code [B, T, G, N]}, of
 * which channel d uses group {@code g = d / (D / G)}, the state before {@code [B, D, N]}, bias and skip {@code [D]} and
 * perhaps the gate z {@code [B, T, D]}. Outputs are y {@code [B, T, D]} and the state after. States of single steps are
 * never stored: the gradient starts from those before each {@value #CHUNK}-th step, a third output
 * {@code [B, ceil(T / 32), N, D]}, and computes the rest again. About {@code 9 T D N} operations.
 *
 * @param softplus whether the step sizes Δ pass {@code log(1 + e^x)}
 * @param traced whether there is the third output
 */
public record SelectiveScan(boolean softplus, boolean traced) implements Composed {

    /** Steps from one kept state to the next. */
    static final int CHUNK = 32;

    private static final List<Kernel> KERNELS = ScanPanels.forward();

    /** Output {@code [B, T, D]} and the state {@code [B, D, N]} after the last step. */
    public record Result(Tensor y, Tensor state) {}

    /** The scan; bias, skip and z may be null, which stands for zeros and for no gate. */
    public static Result selectiveScan(
            Tensor u, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor state, Tensor bias, Tensor skip, Tensor z, boolean softplus) {
        Tensor none = Tensor.zeros(u.dtype(), Shape.of(u.shape().last()));
        List<Tensor> in = new ArrayList<>(List.of(u, delta, a, b, c, state, bias == null ? none : bias, skip == null ? none : skip));
        if (z != null) {
            in.add(z);
        }
        boolean traced = in.stream().anyMatch(Tensor::tracked);
        List<Tensor> out = new SelectiveScan(softplus, traced).applyAll(in.toArray(Tensor[]::new));
        return new Result(out.get(0), out.get(1));
    }

    @Override
    public List<String> arguments() {
        return List.of("u", "delta", "a", "b", "c", "state", "bias", "skip", "z");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(Stream.of(in).map(Spec::dtype).toArray(DType[]::new));
        Shape u = in[0].shape();
        if (u.rank() != 3) {
            throw new ShapeException("u is [B, T, D], three axes and not " + u.rank());
        }
        in[0].require("delta", in[1]);
        Shape a = in[2].shape();
        if (a.rank() != 2 || a.dim(0) != u.last()) {
            throw new ShapeException("a is " + a + ", for u " + u + " it must be [" + u.last() + ", N]");
        }
        Shape b = in[3].shape();
        if (b.rank() != 4 || !b.equals(Shape.of(u.dim(0), u.dim(1), b.dim(2), a.last()))) {
            throw new ShapeException("b is " + b + ", for u " + u + " and a " + a + " it must be ["
                    + u.dim(0) + ", " + u.dim(1) + ", G, " + a.last() + "]");
        }
        if (b.dim(2) < 1 || u.last() % b.dim(2) != 0) {
            throw new ShapeException(u.last() + " channels do not divide into " + b.dim(2) + " groups");
        }
        in[3].require("c", in[4]);
        Spec state = in[0].with(Shape.of(u.dim(0), u.last(), a.last()));
        state.require("the state", in[5]);
        in[0].with(Shape.of(u.last())).require("the bias", in[6]);
        in[0].with(Shape.of(u.last())).require("skip", in[7]);
        if (in.length > 8) {
            in[0].require("z", in[8]);
        }
        return traced ? List.of(in[0], state, in[0].with(borders(u, a))) : List.of(in[0], state);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    /** Shape of the states before each chunk. */
    static Shape borders(Shape u, Shape a) {
        return Shape.of(u.dim(0), Math.ceilDiv(u.dim(1), CHUNK), a.last(), u.last());
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor u = in[0];
        Tensor h = in[5];
        List<Tensor> ys = new ArrayList<>();
        List<Tensor> borders = new ArrayList<>();
        for (long t = 0; t < u.dim(1); t += CHUNK) {
            borders.add(h.transpose().insertAxis(1));
            Part part = Part.of(in, in[6], in[7], in.length > 8 ? in[8] : null, softplus, t);
            Tensor states = part.states(h);
            ys.add(part.gated(part.read(states)).reshape(part.channels));
            h = states.slice(1, states.dim(1) - 1, states.dim(1)).reshape(h.shape());
        }
        if (ys.isEmpty()) {
            return traced ? List.of(u, h, Tensor.zeros(u.dtype(), borders(u.shape(), in[2].shape()))) : List.of(u, h);
        }
        Tensor y = Tensor.concat(1, ys);
        return traced ? List.of(y, h, Tensor.concat(1, borders)) : List.of(y, h);
    }

    /**
     * One chunk of the inputs, with the channels of a group side by side: u, z, the argument of softplus and its value
     * {@code [B, C, G, D/G, 1]}, a {@code [G, D/G, N]}, b and c {@code [B, C, G, 1, N]}, skip {@code [G, D/G, 1]}.
     */
    record Part(Shape channels, Tensor u, Tensor raw, Tensor step, Tensor a, Tensor b, Tensor c, Tensor skip, Tensor z) {

        static Part of(Tensor[] in, Tensor bias, Tensor skip, Tensor z, boolean softplus, long t) {
            long end = Math.min(t + CHUNK, in[0].dim(1));
            long groups = in[3].dim(2);
            long side = in[0].dim(2) / groups;
            long states = in[2].dim(1);
            Tensor u = in[0].slice(1, t, end);
            Shape five = Shape.of(u.dim(0), end - t, groups, side, 1);
            Shape shared = Shape.of(u.dim(0), end - t, groups, 1, states);
            Tensor raw = in[1].slice(1, t, end).add(bias).reshape(five);
            return new Part(u.shape(), u.reshape(five), raw, softplus ? Activations.softplus(raw) : raw, in[2].reshape(groups, side, states),
                    in[3].slice(1, t, end).reshape(shared), in[4].slice(1, t, end).reshape(shared), skip.reshape(groups, side, 1),
                    z == null ? null : z.slice(1, t, end).reshape(five));
        }

        /** What each step leaves of the state before it, {@code [B, C, G, D/G, N]}. */
        Tensor decay() {
            return step.mul(a).exp();
        }

        /** The states after each step. */
        Tensor states(Tensor before) {
            Tensor decay = decay();
            Shape lines = Shape.of(decay.dim(0), decay.dim(1), decay.dim(2) * decay.dim(3) * decay.dim(4));
            Tensor input = step.mul(u).mul(b).reshape(lines);
            return linearScan(decay.reshape(lines), input, before.reshape(lines.drop(1))).reshape(decay.shape());
        }

        Tensor read(Tensor states) {
            return states.mul(c).sum(-1).add(skip.mul(u));
        }

        Tensor gated(Tensor y) {
            return z == null ? y : y.mul(silu(z));
        }
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        Tensor[] in = new Tensor[b.inputs()];
        for (int i = 0; i < in.length; i++) {
            in[i] = b.in(i);
        }
        // Somebody who asked for no trace and wants a gradient after all pays for it here.
        Tensor borders = traced ? b.out(2) : new SelectiveScan(softplus, true).applyAll(in).get(2);
        Tensor slope = traced ? b.g(2) : Tensor.zeros(borders.dtype(), borders.shape());
        List<Tensor> given = new ArrayList<>(List.of(in[0], in[1], in[2], in[3], in[4], in[6], in[7], borders, b.g(0), b.g(1), slope));
        if (in.length > 8) {
            given.add(in[8]);
        }
        return new SelectiveScanGrad(softplus).applyAll(given.toArray(Tensor[]::new));
    }

    public static List<Sample> samples() {
        return List.of(
                sample(new SelectiveScan(true, true), 2, 5, 6, 1, 4, true),
                sample(new SelectiveScan(true, false), 2, 3, 8, 2, 3, false),
                sample(new SelectiveScan(false, true), 1, 4, 3, 1, 2, false).range(1, 0, 1),
                sample(new SelectiveScan(true, true), 1, 35, 4, 1, 2, true),
                sample(new SelectiveScan(true, true), 1, 70, 75, 3, 16, true));
    }

    private static Sample sample(SelectiveScan op, long batch, long time, long width, long groups, long states, boolean gated) {
        Shape u = Shape.of(batch, time, width);
        Shape a = Shape.of(width, states);
        Shape b = Shape.of(batch, time, groups, states);
        Shape state = Shape.of(batch, width, states);
        Shape channels = Shape.of(width);
        Sample sample = gated ? Sample.of(op, u, u, a, b, b, state, channels, channels, u) : Sample.of(op, u, u, a, b, b, state, channels, channels);
        return sample.range(2, -2, 0);
    }
}
