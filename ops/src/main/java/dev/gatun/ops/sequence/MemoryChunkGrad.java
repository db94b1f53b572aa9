package dev.gatun.ops.sequence;

import static dev.gatun.ops.Activations.gelu;
import static dev.gatun.ops.Activations.geluDerivative;

import dev.gatun.engine.Composed;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Activations.Activation;
import dev.gatun.ops.Curve;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Gradients of all inputs of {@link MemoryChunk} from these inputs and the gradients of its outputs. In three sweeps: through the
 * new W and S and the reads, from the last weight to the first; through the keys' gradients {@code δ_{i-1} = (δ_i W_i) ⊙ gelu'(z_{i-1})},
 * upwards, where gelu'' appears (layers.md 5.2); through the network on the keys, downwards.
 */
public record MemoryChunkGrad(MemoryChunk of) implements Composed {

    private static final List<Kernel> KERNELS = MemoryChunkTiles.backward();

    @Override
    public List<String> arguments() {
        List<String> names = new ArrayList<>(of.arguments());
        names.add("g");
        for (int i = MemoryChunk.WEIGHTS; i < MemoryChunk.WEIGHTS + 2 * of.layers(); i++) {
            names.add("g" + names.get(i));
        }
        return names;
    }

    @Override
    public List<Spec> infer(Spec... in) {
        int inputs = MemoryChunk.WEIGHTS + 2 * of.layers();
        if (in.length != inputs + 1 + 2 * of.layers()) {
            throw new ShapeException("a network of " + of.layers() + " layers needs " + (inputs + 1 + 2 * of.layers()) + " inputs, there are " + in.length);
        }
        List<Spec> out = of.infer(Arrays.copyOf(in, inputs));
        for (int i = 0; i < out.size(); i++) {
            out.get(i).require(arguments().get(inputs + i), in[inputs + i]);
        }
        return List.of(in).subList(0, inputs);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        int layers = of.layers();
        int first = MemoryChunk.WEIGHTS;
        List<Tensor> w = List.of(in).subList(first, first + layers);
        List<Tensor> s = List.of(in).subList(first + layers, first + 2 * layers);
        Tensor g = in[first + 2 * layers];
        List<Tensor> gw = List.of(in).subList(first + 2 * layers + 1, first + 3 * layers + 1);
        List<Tensor> gs = List.of(in).subList(first + 3 * layers + 1, first + 4 * layers + 1);
        MemoryChunk.Shares c = MemoryChunk.Shares.of(in[3], in[4]);
        MemoryChunk.Inside inside = MemoryChunk.Inside.of(of, in[1], in[2], w);

        // The reads again.
        List<Tensor> r = new ArrayList<>(List.of(in[0]));
        List<Tensor> z = new ArrayList<>();
        List<Tensor> products = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            products.add(r.get(i).matmul(inside.x().get(i).transpose()));
            z.add(r.get(i).matmul(w.get(i).transpose()).mul(c.beta()).add(r.get(i).matmul(s.get(i).transpose()).mul(c.f()))
                    .sub(products.get(i).mul(c.g()).matmul(inside.delta().get(i))));
            r.add(gelu(z.get(i)));
        }

        // Through the new weights and the reads.
        Tensor[] dw = new Tensor[layers];
        Tensor[] ds = new Tensor[layers];
        Tensor[] ddelta = new Tensor[layers];
        Tensor[] dx = new Tensor[layers];
        Tensor dg = null;
        Tensor df = null;
        Tensor dbeta = null;
        Tensor dgEnd = null;
        Tensor dm = null;
        Tensor dnu = null;
        Tensor dfEnd = null;
        Tensor dbetaEnd = null;
        Tensor dz = g;
        for (int i = layers - 1; i >= 0; i--) {
            Tensor x = inside.x().get(i);
            Tensor delta = inside.delta().get(i);
            Tensor gEnd = MemoryChunk.Shares.end(c.g()).transpose();
            Tensor m = c.m().transpose();
            Tensor u = x.matmul(gw.get(i).transpose());
            Tensor q = x.matmul(gs.get(i).transpose());
            ddelta[i] = u.mul(gEnd).add(q.mul(m)).neg();
            dx[i] = delta.mul(gEnd).matmul(gw.get(i)).add(delta.mul(m).matmul(gs.get(i))).neg();
            dgEnd = plus(dgEnd, u.mul(delta).sum(-1).transpose().neg());
            dm = plus(dm, q.mul(delta).sum(-1).transpose().neg());
            dbetaEnd = plus(dbetaEnd, gw.get(i).mul(w.get(i)).sum(-2, -1));
            dfEnd = plus(dfEnd, gw.get(i).mul(s.get(i)).sum(-2, -1));
            dnu = plus(dnu, gs.get(i).mul(s.get(i)).sum(-2, -1));

            Tensor read = r.get(i);
            Tensor throughW = dz.matmul(w.get(i));
            Tensor throughS = dz.matmul(s.get(i));
            dw[i] = gw.get(i).mul(MemoryChunk.Shares.end(c.beta())).add(dz.mul(c.beta()).transpose().matmul(read));
            ds[i] = gw.get(i).mul(MemoryChunk.Shares.end(c.f())).add(gs.get(i).mul(c.nu())).add(dz.mul(c.f()).transpose().matmul(read));
            dbeta = plus(dbeta, read.mul(throughW).sum(-1));
            df = plus(df, read.mul(throughS).sum(-1));
            Tensor masked = products.get(i).mul(c.g());
            Tensor dmasked = dz.matmul(delta.transpose()).neg();
            dg = plus(dg, dmasked.mul(products.get(i)));
            Tensor dproducts = dmasked.mul(c.g());
            ddelta[i] = ddelta[i].sub(masked.transpose().matmul(dz));
            dx[i] = dx[i].add(dproducts.transpose().matmul(read));
            Tensor dread = throughW.mul(c.beta()).add(throughS.mul(c.f())).add(dproducts.matmul(x));
            dz = i == 0 ? dread : dread.mul(geluDerivative(z.get(i - 1)));
        }

        // Through the keys' gradients, then through the network on the keys.
        Tensor[] dsum = new Tensor[layers];
        for (int i = 0; i < layers - 1; i++) {
            Tensor dp = ddelta[i].mul(geluDerivative(inside.z().get(i)));
            dsum[i] = ddelta[i].mul(inside.p().get(i)).mul(new Activation(Curve.GELU, 2).apply(inside.z().get(i)));
            dw[i + 1] = dw[i + 1].add(inside.delta().get(i + 1).transpose().matmul(dp));
            ddelta[i + 1] = ddelta[i + 1].add(dp.matmul(w.get(i + 1).transpose()));
        }
        Tensor dout = ddelta[layers - 1].mul(2);
        Tensor down = dout;
        for (int i = layers - 1; i >= 0; i--) {
            dw[i] = dw[i].add(down.transpose().matmul(inside.x().get(i)));
            dx[i] = dx[i].add(down.matmul(w.get(i)));
            down = i == 0 ? null : dsum[i - 1].add(dx[i].mul(geluDerivative(inside.z().get(i - 1))));
        }
        List<Tensor> out = new ArrayList<>(List.of(of.residual() ? dz.add(g) : dz, of.residual() ? dx[0].add(dout) : dx[0], dout.neg(),
                withEnd(Tensor.concat(3, List.of(dg, df, dbeta)), Tensor.concat(3, List.of(dgEnd, dfEnd, dbetaEnd))),
                Tensor.concat(3, List.of(dm, dnu))));
        out.addAll(List.of(dw));
        out.addAll(List.of(ds));
        return out;
    }

    /** More in the last row. */
    private static Tensor withEnd(Tensor x, Tensor end) {
        return x.add(Tensor.concat(2, List.of(Tensor.zeros(x.dtype(), x.shape().with(2, x.dim(2) - 1)), end)));
    }

    private static Tensor plus(Tensor sum, Tensor x) {
        return sum == null ? x : sum.add(x);
    }

    public static List<Sample> samples() {
        List<Sample> samples = new ArrayList<>();
        for (Sample forward : MemoryChunk.samples()) {
            MemoryChunk op = (MemoryChunk) forward.op();
            List<Shape> shapes = new ArrayList<>(forward.inputs().stream().map(Sample.Input::shape).toList());
            shapes.add(shapes.get(0).with(3, shapes.get(2).last()));
            shapes.addAll(List.copyOf(shapes.subList(MemoryChunk.WEIGHTS, MemoryChunk.WEIGHTS + 2 * op.layers())));
            Sample sample = Sample.of(new MemoryChunkGrad(op), shapes.toArray(Shape[]::new));
            for (int i = 0; i < shapes.size(); i++) {
                sample = sample.range(i, -0.7, 0.7);
            }
            samples.add(sample.slack(50));
        }
        return samples;
    }
}
