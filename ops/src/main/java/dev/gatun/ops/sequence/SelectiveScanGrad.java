package dev.gatun.ops.sequence;

import static dev.gatun.ops.Activations.silu;
import static dev.gatun.ops.Activations.siluDerivative;
import static dev.gatun.ops.sequence.LinearScan.reverseLinearScan;

import dev.gatun.engine.Composed;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.SelectiveScan.Part;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Gradients of {@link SelectiveScan} from its inputs, the states before each chunk and the gradients of its outputs. With
 * {@code E = exp(Δ a)}, g the gradient before the gate and λ that of a step's state, {@code λ[t] = c[t] g[t] + E[t+1] λ[t+1]}:
 *
 * <pre>
 * dc = sum over d of g h[t]       db = sum over d of λ Δ u       da = sum over t of Δ λ E h[t-1]
 * dΔ = sum over n of λ (a E h[t-1] + b u)       du = Δ (sum over n of λ b) + skip g       dskip = sum of g u
 * ddelta = dΔ σ(delta + bias)       dbias = sum of ddelta       dstate = E[0] λ[0]
 * </pre>
 *
 * Chunks go from last to first; the states inside one are computed again from the one before it.
 */
public record SelectiveScanGrad(boolean softplus) implements Composed {

    private static final List<Kernel> KERNELS = ScanPanels.backward();

    @Override
    public List<String> arguments() {
        return List.of("u", "delta", "a", "b", "c", "bias", "skip", "borders", "g", "gstate", "gborders", "z");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Shape u = in[0].shape();
        if (u.rank() != 3 || in[2].shape().rank() != 2) {
            throw new ShapeException("u is [B, T, D] and a [D, N], not " + u + " and " + in[2].shape());
        }
        Spec state = in[0].with(Shape.of(u.dim(0), u.last(), in[2].shape().last()));
        List<Spec> forward = new ArrayList<>(List.of(in[0], in[1], in[2], in[3], in[4], state, in[5], in[6]));
        if (in.length > 11) {
            forward.add(in[11]);
        }
        List<Spec> out = new SelectiveScan(softplus, true).infer(forward.toArray(Spec[]::new));
        out.get(2).require("borders", in[7]);
        out.get(0).require("g", in[8]);
        out.get(1).require("gstate", in[9]);
        out.get(2).require("gborders", in[10]);
        return forward;
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor u = in[0];
        Tensor z = in.length > 11 ? in[11] : null;
        Tensor adjoint = in[9];
        Sums sums = new Sums();
        for (long t = (in[7].dim(1) - 1) * SelectiveScan.CHUNK; t >= 0; t -= SelectiveScan.CHUNK) {
            long chunk = t / SelectiveScan.CHUNK;
            Part part = Part.of(in, in[5], in[6], z, softplus, t);
            Tensor before = in[7].slice(1, chunk, chunk + 1).dropAxis(1).transpose();
            Tensor g = in[8].slice(1, t, t + part.u().dim(1)).reshape(part.u().shape());
            adjoint = step(part, before, g, adjoint, sums).add(in[10].slice(1, chunk, chunk + 1).dropAxis(1).transpose());
        }
        if (u.dim(1) == 0) {
            Tensor channels = in[5].mul(0);
            List<Tensor> none = List.of(u, in[1], in[2].mul(0), in[3], in[4], adjoint, channels, channels);
            return z == null ? none : Stream.concat(none.stream(), Stream.of(z)).toList();
        }
        List<Tensor> slopes = new ArrayList<>(List.of(
                sums.joined(sums.u, u), sums.joined(sums.delta, u), sums.a.reshape(in[2].shape()), sums.joined(sums.b, in[3]),
                sums.joined(sums.c, in[4]), adjoint, sums.bias.reshape(in[5].shape()), sums.skip.reshape(in[6].shape())));
        if (z != null) {
            slopes.add(sums.joined(sums.z, z));
        }
        return slopes;
    }

    /** Gradients of the chunks so far, the last chunk first. */
    private static final class Sums {
        final List<Tensor> u = new ArrayList<>();
        final List<Tensor> delta = new ArrayList<>();
        final List<Tensor> b = new ArrayList<>();
        final List<Tensor> c = new ArrayList<>();
        final List<Tensor> z = new ArrayList<>();
        Tensor a;
        Tensor bias;
        Tensor skip;

        Tensor joined(List<Tensor> parts, Tensor like) {
            return Tensor.concat(1, parts.reversed()).reshape(like.shape());
        }

        static Tensor plus(Tensor sum, Tensor more) {
            return sum == null ? more : sum.add(more);
        }
    }

    /** One chunk; returns the gradient of the state before it. */
    private Tensor step(Part p, Tensor before, Tensor dy, Tensor after, Sums sums) {
        Tensor decay = p.decay();
        Tensor h = p.states(before);
        long steps = h.dim(1);
        Tensor earlier = Tensor.concat(1, List.of(before.reshape(h.shape().with(1, 1)), h.slice(1, 0, steps - 1)));
        Tensor g = p.gated(dy);
        if (p.z() != null) {
            sums.z.add(dy.mul(p.read(h)).mul(siluDerivative(p.z())));
        }

        // λ[last] = c g + the gradient of the state after the chunk
        Shape lines = Shape.of(h.dim(0), steps, h.dim(2) * h.dim(3) * h.dim(4));
        Tensor later = Tensor.concat(1, List.of(decay.slice(1, 1, steps), Tensor.ones(h.dtype(), h.shape().with(1, 1))));
        Tensor adjoint = reverseLinearScan(later.reshape(lines), p.c().mul(g).reshape(lines), after.reshape(lines.drop(1))).reshape(h.shape());

        Tensor kept = adjoint.mul(decay).mul(earlier);
        Tensor written = adjoint.mul(p.b()).sum(-1);
        Tensor slope = kept.mul(p.a()).sum(-1).add(written.mul(p.u()));
        slope = softplus ? slope.mul(p.raw().sigmoid()) : slope;
        sums.u.add(written.mul(p.step()).add(p.skip().mul(g)));
        sums.delta.add(slope);
        sums.b.add(adjoint.mul(p.step().mul(p.u())).sum(-2));
        sums.c.add(h.mul(g).sum(-2));
        sums.a = Sums.plus(sums.a, kept.mul(p.step()).sum(0, 1));
        sums.bias = Sums.plus(sums.bias, slope.sum(0, 1));
        sums.skip = Sums.plus(sums.skip, g.mul(p.u()).sum(0, 1));
        return decay.slice(1, 0, 1).mul(adjoint.slice(1, 0, 1)).reshape(after.shape());
    }

    public static List<Sample> samples() {
        return SelectiveScan.samples().stream().map(SelectiveScanGrad::sample).toList();
    }

    private static Sample sample(Sample forward) {
        List<Shape> in = forward.inputs().stream().map(Sample.Input::shape).toList();
        Shape borders = SelectiveScan.borders(in.get(0), in.get(2));
        List<Shape> shapes = new ArrayList<>(List.of(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), in.get(6), in.get(7),
                borders, in.get(0), in.get(5), borders));
        if (in.size() > 8) {
            shapes.add(in.get(8));
        }
        SelectiveScanGrad op = new SelectiveScanGrad(((SelectiveScan) forward.op()).softplus());
        Sample sample = Sample.of(op, shapes.toArray(Shape[]::new)).range(2, -2, 0);
        return op.softplus ? sample : sample.range(1, 0, 1);
    }
}
