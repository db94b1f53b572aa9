package dev.gatun.ops.sequence;

import static dev.gatun.ops.Activations.logSigmoid;

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
 * The recurrence of sLSTM (Beck et al. 2024, arXiv 2405.04517, equations 8 to 18 with exponential input and sigmoid forget
 * gates): an LSTM whose input gate is an exponential, kept finite by a running scale m, and whose heads mix their own past.
 * With {@code r = wx[t] + R h[t-1] + bias} for the gates i, f, z and o:
 *
 * <pre>
 * l = log σ(f) + m[t-1]       m[t] = max(l, i), or i where n[t-1] = 0: nothing is there yet
 * f' = exp(l - m[t]), or 0 there       i' = exp(i - m[t])
 * c[t] = f' c[t-1] + i' tanh(z)       n[t] = f' n[t-1] + i'       h[t] = σ(o) c[t] / n[t]
 * </pre>
 *
 * Inputs are wx {@code [B, T, 4, H, d]}, R {@code [4, H, d, d]}, bias {@code [4, H, d]} and h, c, n, m {@code [B, H, d]} from before;
 * outputs the h of all steps {@code [B, T, H, d]} and c, n, m after the last. The true state is {@code c exp(m)} and {@code n exp(m)}: h does not
 * depend on m, and gradients are those of the outputs as they are, m included. {@code 8 T H d²} operations, one step after the other.
 */
public record SLstmCell() implements Composed {

    private static final List<Kernel> KERNELS = LstmHeads.forward();

    /** Outputs {@code [B, T, H, d]} of all steps, and c, n and m {@code [B, H, d]} after the last. */
    public record Result(Tensor y, Tensor c, Tensor n, Tensor m) {}

    /** The recurrence over all steps of wx. */
    public static Result sLstmCell(Tensor wx, Tensor r, Tensor bias, Tensor h, Tensor c, Tensor n, Tensor m) {
        List<Tensor> out = new SLstmCell().applyAll(wx, r, bias, h, c, n, m);
        return new Result(out.get(0), out.get(1), out.get(2), out.get(3));
    }

    @Override
    public List<String> arguments() {
        return List.of("wx", "r", "bias", "h", "c", "n", "m");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(Stream.of(in).map(Spec::dtype).toArray(DType[]::new));
        Shape wx = in[0].shape();
        if (wx.rank() != 5 || wx.dim(2) != 4) {
            throw new ShapeException("wx is [B, T, 4, H, d], not " + wx);
        }
        Spec bias = in[0].with(Shape.of(4, wx.dim(3), wx.dim(4)));
        bias.with(bias.shape().insert(-1, wx.dim(4))).require("r", in[1]);
        bias.require("the bias", in[2]);
        Spec state = in[0].with(Shape.of(wx.dim(0), wx.dim(3), wx.dim(4)));
        for (int i = 3; i < 7; i++) {
            state.require("the state " + arguments().get(i), in[i]);
        }
        return List.of(in[0].with(Shape.of(wx.dim(0), wx.dim(1), wx.dim(3), wx.dim(4))), state, state, state);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Step step = new Step(null, null, null, null, in[4], in[5], in[6], null);
        Tensor h = in[3];
        List<Tensor> ys = new ArrayList<>();
        for (long t = 0; t < in[0].dim(1); t++) {
            step = step.next(raw(in, t, h));
            h = step.out.mul(step.c).div(step.n);
            ys.add(h.insertAxis(1));
        }
        Tensor none = Tensor.zeros(h.dtype(), Shape.of(h.dim(0), 0, h.dim(1), h.dim(2)));
        return List.of(ys.isEmpty() ? none : Tensor.concat(1, ys), step.c, step.n, step.m);
    }

    /** The four gates of a step before their functions, {@code [B, 4, H, d]}; inputs 0 to 2 are wx, R and bias. */
    static Tensor raw(Tensor[] in, long t, Tensor h) {
        Tensor mixed = in[1].matmul(h.reshape(h.dim(0), 1, h.dim(1), h.dim(2), 1)).dropAxis(-1);
        return in[0].slice(1, t, t + 1).dropAxis(1).add(mixed).add(in[2]);
    }

    /**
     * A step: the gates i' and f', {@code tanh(z)} and {@code σ(o)}, the state after, and where m came from l and not from i,
     * all {@code [B, H, d]}.
     */
    record Step(Tensor in, Tensor keep, Tensor value, Tensor out, Tensor c, Tensor n, Tensor m, Tensor old) {

        Step next(Tensor raw) {
            Tensor zero = Tensor.zeros(raw.dtype(), Shape.of());
            Tensor i = gate(raw, 0);
            Tensor l = logSigmoid(gate(raw, 1)).add(m);
            Tensor empty = n.detach().eq(0);
            Tensor next = empty.select(i, l.max(i));
            // Bounded where it is not used, too: an infinite exponential would poison the gradient.
            Tensor keep = empty.select(zero, l.sub(next).min(0.0).exp());
            Tensor in = i.sub(next).exp();
            Tensor value = gate(raw, 2).tanh();
            Tensor old = empty.not().and(l.detach().ge(i.detach()));
            return new Step(in, keep, value, gate(raw, 3).sigmoid(), keep.mul(c).add(in.mul(value)), keep.mul(n).add(in), next, old);
        }
    }

    /** One of the four gates of {@code [B, 4, H, d]}. */
    static Tensor gate(Tensor raw, int which) {
        return raw.slice(1, which, which + 1).dropAxis(1);
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return new SLstmCellGrad().applyAll(b.in(0), b.in(1), b.in(2), b.in(3), b.in(4), b.in(5), b.in(6),
                b.out(0), b.g(0), b.g(1), b.g(2), b.g(3));
    }

    public static List<Sample> samples() {
        return List.of(sample(2, 4, 2, 3), sample(1, 1, 3, 4), sample(3, 2, 1, 1), sample(2, 70, 2, 5), sample(1, 6, 1, 35), sample(9, 3, 2, 16));
    }

    private static Sample sample(long batch, long time, long heads, long size) {
        Shape state = Shape.of(batch, heads, size);
        return Sample.of(new SLstmCell(), Shape.of(batch, time, 4, heads, size), Shape.of(4, heads, size, size), Shape.of(4, heads, size),
                state, state, state, state).range(1, -1 / Math.sqrt(size), 1 / Math.sqrt(size)).range(5, 0.5, 2);
    }
}
